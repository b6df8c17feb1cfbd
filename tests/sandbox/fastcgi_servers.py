"""The programs as FastCGI behind real servers, in each of the ways that the shipped files describe.

The lines of an example that are commented out below a heading "# -- As FastCGI … --" are enabled by
the rule that the example itself gives.  Processes that no web server starts are started by the
command of README.md, or as its systemd units start them.
"""

import atexit
import contextlib
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

from . import process
from .servers import APACHE_MODULES, Apache, Lighttpd, NotInstalled, Server, find
from .site import PROGRAMS, ROOT

PATIENCE = process.PATIENCE
HEADING = re.compile(r"\s*# -- (.*) --\n")


def switched(text, on, off=None):
    """Uncomments the lines below the heading `on`, and comments out those below `off`."""
    switched, seen, heading = [], set(), None
    for line in text.splitlines(keepends=True):
        if match := HEADING.fullmatch(line):
            heading = match[1]
            seen.add(heading)
        elif heading == on:
            line = re.sub(r"^(\s*)#(?! )(?=.)", r"\1", line)
        elif off and heading == off:
            line = re.sub(r"^(\s*)(?=[^\s#])", r"\1#", line)
        switched.append(line)
    if not {on, off or on} <= seen:
        raise ValueError(f"the headings are {seen}")
    return "".join(switched)


def running(program, environment):
    """The pids of the processes that run this program with these environment variables."""
    given = [f"{name}={value}".encode() for name, value in environment.items()]
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if (os.readlink(f"/proc/{entry}/exe") == str(program)
                    and {*given} <= {*Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")}):
                found.append(int(entry))
    return found


class FastCgi:
    """What these set-ups have in common; a mixin, placed before a server's class."""

    heading = None      # the alternative of the example that is enabled
    instead_of = None   # the alternative that is disabled

    def shipped(self):
        return switched(super().shipped(), self.heading, self.instead_of)

    def environment(self):
        # an installed program has the path of its configuration compiled in
        return {"AMO_CRM_CONFIG": str(self._site.config), "STARTED_FOR": str(self._run)}

    def processes(self, program):
        """The pids of the processes of this server, without another server's at the same site."""
        return running((self._site.programs / program).resolve(), self.environment())

    def folder_of_sockets(self, mode):
        folder = self._run / "sockets"
        folder.mkdir(exist_ok=True)
        process.give(folder, mode, owner=True)
        return folder

    def sockets(self):
        return [path for path in self._run.rglob("*") if path.is_socket()]

    def end_server(self):
        """As an administrator does: a signal to the server's main process only."""
        self._daemon.process.terminate()
        self._daemon.process.wait(PATIENCE)

    def reload(self):
        self._daemon.process.send_signal(self.reload_signal)


class LighttpdFastCgi(FastCgi, Lighttpd):
    kind = "-fastcgi"
    heading, instead_of = "As FastCGI", "As CGI"
    reload_signal = signal.SIGUSR1

    def our_folders(self):
        return {**super().our_folders(), "/run/lighttpd": self.folder_of_sockets(0o700)}


class ApacheFcgid(FastCgi, Apache):
    kind = "-fcgid"
    heading = "As FastCGI, by mod_fcgid"
    reload_signal = signal.SIGUSR1

    def modules(self, _mpm):
        if not (APACHE_MODULES / "mod_fcgid.so").exists():
            raise NotInstalled("mod_fcgid is not installed")
        return ["headers", "fcgid"]

    def settings(self, _modules):
        sockets = self.folder_of_sockets(0o700)
        return [f"FcgidIPCDir {sockets}", f"FcgidProcessTableFile {sockets}/table",
                *(f"FcgidInitialEnv {name} {value}" for name, value in self.environment().items())]


class Spawned(FastCgi):
    """The processes are started before the server, by README's command."""

    logs_as_its_user = True     # the processes write to one of the logs
    needs = "spawn-fcgi"

    def _start(self, fixed):
        find(self.needs)
        self.ran = self.folder_of_sockets(0o750)
        self.spawn()
        atexit.register(self.end_processes)
        super()._start(fixed)

    def spawn(self):
        command = readme_listing("spawn-fcgi ")
        for usual, ours in {"/run/amo-crm/": self.ran, "/var/log/amo-crm/": self._logs,
                            "/usr/local/lib/amo-crm/cgi-bin/": self._site.programs}.items():
            if usual not in command:
                raise ValueError(f"README's command does not name {usual}")
            command = command.replace(usual, f"{ours}/")
        with (self._logs / "output.log").open("ab") as output:
            subprocess.run(["sh", "-euc", command], stdout=output, stderr=output, check=True,
                           env={**os.environ, **self.environment()})

    def end_processes(self):
        """By README's command, from the pid files that spawn-fcgi has written."""
        numbers = [int(number) for file in self.ran.glob("*.pid")
                   for number in file.read_text().split()]
        if any(map(process.alive, numbers)):
            [command] = re.findall(r"`([^`]*/run/amo-crm/[^`]*)` terminates them", (
                ROOT / "README.md").read_text())
            subprocess.run(["sh", "-c", command.replace("/run/amo-crm/", f"{self.ran}/")],
                           stderr=subprocess.DEVNULL)   # some may have exited already
        process.wait_until(lambda: not any(map(process.alive, numbers)), "the end of the processes")

    def stop(self):
        super().stop()
        atexit.unregister(self.end_processes)
        self.end_processes()


def readme_listing(word):
    """The only shell listing of README.md that contains this text."""
    [listing] = [listing for listing in re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md")
                                                   .read_text(), re.M | re.S) if word in listing]
    return listing


class ApacheProxy(Spawned, Apache):
    kind = "-proxy"
    heading = "As FastCGI, by mod_proxy_fcgi"
    reload_signal = signal.SIGUSR1

    def our_folders(self):
        return {**super().our_folders(), "/run/amo-crm": self.ran}

    def modules(self, _mpm):
        return ["headers", "buffer", "proxy", "proxy_fcgi"]


class Nginx(Spawned, Server):
    name = "nginx"
    program = "nginx"
    reload_signal = signal.SIGHUP

    def shipped(self):
        return Server.shipped(self)     # this example has no alternatives

    def arguments(self, config):
        return ["-p", self._run, "-c", config]

    def our_example(self):
        text = self.shipped()
        for usual, ours in {"/run/amo-crm/": self.ran, "/var/log/nginx/": self._logs,
                            "/usr/local/share/amo-crm/htdocs/": self._site.htdocs}.items():
            text = text.replace(usual, f"{ours}/")
        (self._run / "amo-crm.conf").write_text(text)
        return self._run / "amo-crm.conf"

    def outside(self):
        """The lines that the example tells the reader to put outside of the server block."""
        listings = re.findall(r"(?:^#     .*\n)+", self.shipped(), re.MULTILINE)
        [listing] = [listing for listing in listings if "log_format" in listing]
        return re.sub(r"^#     ", "", listing, flags=re.MULTILINE)

    def configuration(self):
        folders = "\n\t".join(f"{name}_temp_path {self._run}/{name};" for name in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = process.web_user()
        return f"""
{f"user {user.pw_name} www-data;" if user else ""}
daemon off;
worker_processes 2;
pid {self._run}/nginx.pid;
error_log {self.error_log};
events {{ worker_connections 512; }}
http {{
	include /etc/nginx/mime.types;
	default_type application/octet-stream;
	access_log {self.access_log};
	{folders}
	{self.outside()}
	server {{
		listen 127.0.0.1:{self.port};
		root {self._site.htdocs};
		index index.html;
		include {self.our_example()};
	}}
}}
"""


class NginxAndUnits(Nginx):
    """The processes are started as systemd starts them by the units."""

    kind = "-units"
    needs = "multiwatch"

    def spawn(self):
        socket_unit, service = (ROOT / "docs" / "systemd" / f"amo-crm-fastcgi@.{kind}"
                                for kind in ("socket", "service"))
        settings = dict(re.findall(r"^(\w+)=(.*)$", socket_unit.read_text() + service.read_text(),
                                   re.M))
        if (settings["User"], settings["SocketUser"], settings["StandardInput"]) != (
                "www-data", "www-data", "socket"):
            raise ValueError("the units differ from what this class expects")
        self._units = []
        for program in PROGRAMS:
            path = self.ran / Path(settings["ListenStream"].replace("%i", program)).name
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(path))
                process.give(path, int(settings["SocketMode"], 8), owner=True)
                listening.listen(128)
                command = settings["ExecStart"].replace("%i", program).replace(
                    "/usr/local/lib/amo-crm/cgi-bin", str(self._site.programs)).split()
                self._units.append(process.Daemon(
                    command, self._logs / "programs.log", stdin=listening,
                    env={**os.environ, **self.environment()}, **process.as_web_user()))

    def end_processes(self):
        for unit in self._units:
            unit.stop()


# The servers that the tests of the CGI set-ups are repeated behind.
FASTCGI = {"lighttpd-fastcgi": LighttpdFastCgi, "apache-proxy": ApacheProxy,
           "apache-fcgid": ApacheFcgid, "nginx": Nginx}
