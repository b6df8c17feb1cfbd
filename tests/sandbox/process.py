"""Processes and folders that are removed when the process that created them ends."""

import atexit
import contextlib
import ctypes
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PATIENCE = 120      # seconds until something counts as hung; long, for a busy machine
_libc = ctypes.CDLL(None)


def die_with_parent(ending=signal.SIGTERM):
    """For preexec_fn.  The child gets the signal when the thread that started it ends."""
    _libc.prctl(PR_SET_PDEATHSIG, ending)


def is_root():
    return os.geteuid() == 0


def web_user():
    """The user that a web server started by root runs as; None if we are not root."""
    if not is_root():
        return None
    for name in ("www-data", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("neither www-data nor nobody exists on this machine")


def as_web_user():
    """Arguments for subprocess that drop root's privileges."""
    user = web_user()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def as_web_user_command():
    """The same as a command, which runs its arguments."""
    user = web_user()
    return (["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            if user else [])


def give(path, mode, owner=False):
    """Sets the mode, and makes the web server's group (and with `owner` its user) own the path."""
    user = web_user()
    if user:
        os.chown(path, user.pw_uid if owner else 0, user.pw_gid)
    os.chmod(path, mode)


def new_folder():
    """A temporary folder that the web server can read and other users cannot.

    The TMPDIR of root is often closed to others (libpam-tmpdir), so root gets a folder in /tmp.
    """
    folder = Path(tempfile.mkdtemp(prefix="amo-crm-", dir="/tmp" if is_root() else None))
    give(folder, 0o750)
    atexit.register(remove_folder, folder)
    return folder


def remove_folder(folder):
    shutil.rmtree(folder, ignore_errors=True)


def free_port():
    """A port that was free a moment ago; a server that cannot bind it is started again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def port_taken(port):
    """Whether a process listens on the port, on either loopback address."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with contextlib.suppress(OSError), socket.socket(family) as probe:
            if probe.connect_ex((address, port)) == 0:
                return True
    return False


@contextlib.contextmanager
def dead_port():
    """A port that refuses every connection for as long as the block runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def wait_until(true, what, seconds=PATIENCE):
    """Polls until the condition is true; the error names what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        seen = true()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(0.005)


def quick(seconds, what, attempt, attempts=8):
    """The result of what takes less than this time, unless the machine is busy: the quickest of
    several attempts counts."""
    shortest = None
    for _ in range(attempts):
        began = time.monotonic()
        result = attempt()
        took = time.monotonic() - began
        if took < seconds:
            return result
        shortest = took if shortest is None else min(took, shortest)
    raise AssertionError(f"{what} took {shortest:.1f} s at best, longer than {seconds:g} s")


def alive(pid):
    """Whether a process runs.  A zombie does not: in a container orphans may never be reaped."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return False


def children(pid):
    """The pids of the processes that this one has started."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{entry}/stat").read_text().rpartition(") ")[2].split()[1] == str(pid):
                found.append(int(entry))
    return found


class Daemon:
    """A server in the foreground, in a process group of its own; the signal `ending` ends it."""

    def __init__(self, arguments, output, stdin=subprocess.DEVNULL, ending=signal.SIGTERM,
                 **options):
        self._output = Path(output)
        self._ending = ending
        with self._output.open("ab") as written:
            self.process = subprocess.Popen(
                arguments, stdin=stdin, stdout=written, stderr=written,
                start_new_session=True,
                preexec_fn=functools.partial(die_with_parent, ending), **options)
        atexit.register(self.stop)

    @property
    def running(self):
        return self.process.poll() is None

    def output(self):
        return self._output.read_text(errors="replace")

    def stop(self):
        atexit.unregister(self.stop)
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(self._ending)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
