"""Several hosts over one database: installations of the programs, each in a folder of its own with
an escrow of its own, as on several machines."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import responder
from sandbox import process
from sandbox.site import PROGRAMS, Site
from sandbox.web import Malformed

NAME_MAX = 15       # of a process
PROCESSES = 2       # of each program on each host
FAILS = (OSError, Malformed, AssertionError)    # of a request to a program that is killed


class Responders(responder.FastCgi):
    """FastCGI processes that may be killed, and are started again, while requests are sent.

    They end with the thread that starts them, so that is no thread of a load.
    """

    def __init__(self, site):
        super().__init__(site, PROCESSES)
        self._starting = threading.Lock()
        for program in PROGRAMS:
            self.spawn(program)

    def connect(self, program):
        with self._starting:
            return super().connect(program)

    def restart(self, program):
        """Kills its processes by kill -9; what they have been sent is lost."""
        with self._starting:
            self.end(program)
            self.spawn(program)

    def helpers(self, name):
        """The processes of a helper, of all programs."""
        return [pid for running in self.processes.values() for one in running
                for pid in process.children(one.pid) if name_of(pid) == name[:NAME_MAX]]


def name_of(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()


class Host:
    def __init__(self, amocrm, folder):
        folder.mkdir()
        process.give(folder, 0o750)
        self.site = Site(amocrm, folder)
        self.server = None
        self._deliverer = None
        self._delivering = threading.Lock()

    def start(self, database):
        self.server = Responders(self.site)
        self.site.reset(self.server, database)

    def stop(self):
        self.kill_deliverer()
        if self.server:
            self.server.stop()
            self.server = None

    def kill_programs(self):
        for program in PROGRAMS:
            self.server.restart(program)

    def kill_helpers(self, name):
        for pid in self.server.helpers(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def deliver(self):
        """Starts `deliver --follow`."""
        with self._delivering, open(self.site.logs / "deliver.log", "ab") as log:
            self._deliverer = subprocess.Popen(
                [self.site.amocrmctl, "-c", self.site.config, "deliver", "--follow"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env={"PATH": "/usr/bin:/bin"}, **process.as_web_user())

    def kill_deliverer(self):
        with self._delivering:
            if self._deliverer:
                self._deliverer.kill()
                self._deliverer.wait()
                self._deliverer = None

    def await_deliverer(self):
        """That it runs again, if it has ended because the database was not available."""
        if self._deliverer is None or self._deliverer.poll() is not None:
            self.kill_deliverer()
            self.deliver()


class Hosts:
    """A context; each of `hosts` is a Host.  They have the same keys and secrets."""

    def __init__(self, amocrm, cluster, database, count=2):
        self.amocrm, self.cluster, self.database = amocrm, cluster, database
        self.folder = process.new_folder()
        self.hosts = [Host(amocrm, self.folder / f"host{n + 1}") for n in range(count)]
        first, *others = self.sites
        for site in others:
            site.jwt_secret = first.jwt_secret
            site.write_keys(first.keys.read_text())

    @property
    def sites(self):
        return [host.site for host in self.hosts]

    def __enter__(self):
        for host in self.hosts:
            host.start(self.database)
        return self

    def __exit__(self, *_):
        for host in self.hosts:
            host.stop()

    def configure(self, **changes):
        for site in self.sites:
            site.configure(**changes)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def attempt(request):
    """The answer; None: the connection was lost, as by a kill."""
    with contextlib.suppress(*FAILS):
        return request()
    return None
