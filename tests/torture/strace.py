"""One run of a program under strace, with or without a fault, and what its trace tells.

strace counts the calls of each process separately, so a fault with -f would hit the program and
each of its helpers.  Therefore only one process is traced: the program itself, or a helper, in
whose place a script is installed that traces its first start.
"""

import contextlib
import os
import re
import signal
import subprocess
from dataclasses import dataclass, field

from sandbox import process

PATIENCE = 60       # seconds until a program counts as hung, on a slow machine
STRACE = "/usr/bin/strace"
CALL = re.compile(r"^(\w+)\((.*)")
FAULTY_RETURN = "(INJECTED)"
HTTPS = "amo-crm-https"

# Starts the helper under strace if nothing else has done it since `armed` was removed.
TRACED_ONCE = """#!/bin/sh
if (set -C; : > {folder}/started) 2>/dev/null; then
	read -r options < {folder}/options
	exec {strace} -D -o {folder}/trace $options {helper}
fi
exec {helper}
"""


def works():
    """Why strace cannot be used here; None if it can."""
    if not os.path.exists(STRACE):
        return "strace is not installed"
    probe = subprocess.run([STRACE, "-o", "/dev/null", "-e", "inject=chdir:error=EIO:when=1",
                            "true"], capture_output=True, text=True)
    return f"strace does not work here: {probe.stderr}" if probe.returncode else None


@dataclass
class Fault:
    call: str
    number: int         # the call's, counted from 1
    error: str = None   # None: the process is killed when it makes the call

    def option(self):
        what = f"error={self.error}" if self.error else "signal=KILL"
        return f"inject={self.call}:{what}:when={self.number}"

    def __str__(self):
        return f"{self.call} {self.number}: {self.error or 'killed'}"


@dataclass
class Trace:
    """The calls of one process, in order: name and the rest of the line."""
    calls: list = field(default_factory=list)
    killed: bool = False

    @classmethod
    def read(cls, path):
        trace = cls()
        with contextlib.suppress(FileNotFoundError), open(path, errors="replace") as file:
            for line in file:
                found = CALL.match(line)
                if found:
                    trace.calls.append((found[1], found[2].rstrip("\n")))
                trace.killed |= line.startswith("+++ killed by")
        return trace

    def numbers(self):
        """For each name the numbers of its calls, counted from 1.  Of many calls for files that do
        not exist, as of a walk over the whole store, only the first is named."""
        counted, named, absent = {}, {}, False
        for name, rest in self.calls:
            counted[name] = counted.get(name, 0) + 1
            absent, before = "= -1 ENOENT" in rest, absent
            if not (absent and before):
                named.setdefault(name, []).append(counted[name])
        return named

    def hit(self):
        """The index of the call that failed, or at which the process was killed; None: no call."""
        if self.killed:
            return len(self.calls) - 1
        return next((index for index, (_, rest) in enumerate(self.calls)
                     if rest.endswith(FAULTY_RETURN)), None)

    def https_call(self):
        """The indices at which the program sent its last request to amo-crm-https before the fault,
        and read the reply.  None: it did not."""
        socket, coming, sent, read = None, False, None, None
        until = self.hit()
        for index, (name, rest) in enumerate(self.calls):
            if until is not None and index > until and (read is None or sent is None or read > sent):
                break
            if name == "access":
                coming = HTTPS in rest
            elif name == "socketpair" and coming and (pair := re.search(r"\[(\d+), \d+\]", rest)):
                socket, coming = pair[1], False
            elif socket and rest.startswith(f"{socket},") and not rest.endswith(FAULTY_RETURN):
                if name in ("sendto", "write") and done(rest):
                    sent, read = index, None
                elif name in ("read", "recvfrom") and sent is not None and done(rest):
                    read = index
        return sent, read

    def last_output(self):
        """The index of the last complete write to standard output."""
        return max((index for index, (name, rest) in enumerate(self.calls)
                    if name == "write" and rest.startswith("1,") and done(rest)), default=None)


def done(rest):
    """Whether a call returned more than zero."""
    return bool(re.search(r"= [1-9]\d*$", rest))


@dataclass
class Ran:
    """What came of a run."""
    output: bytes
    complaint: str      # what the program, and its helpers, wrote to standard error
    code: int
    hung: bool = False
    trace: Trace = None


def run(site, arguments, *, env=None, given=b"", options=None, folder=None):
    """Runs a program as the web server's user.  With options it is traced, to a file in folder.

    Helpers inherit standard error, so its end is the end of all processes of the run.
    """
    rights, command = process.as_web_user(), list(map(str, arguments))
    if options is not None:
        user = process.web_user()
        as_user = ["-u", user.pw_name] if user else []
        command = [STRACE, *as_user, "-o", str(folder / "trace"), *options, *command]
        rights = {}
        with contextlib.suppress(FileNotFoundError):
            (folder / "trace").unlink()
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, cwd=site.programs, start_new_session=True,
                               env=env or {"PATH": "/usr/bin:/bin"}, **rights)
    hung = False
    try:
        output, complaint = program.communicate(given, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        hung = True
        os.killpg(program.pid, signal.SIGKILL)
        output, complaint = program.communicate()
    trace = Trace.read(folder / "trace") if options is not None else None
    return Ran(output, complaint.decode(errors="replace"), program.returncode, hung, trace)


class TracedHelper:
    """A script in the place of a helper, which traces one process of it on demand."""

    def __init__(self, site, name):
        self.folder = site.folder / f"traced-{name}"
        self.folder.mkdir()
        process.give(self.folder, 0o700, owner=True)
        self._place = site.libexec / name
        self._helper = self.folder / name
        self._place.rename(self._helper)
        process.give(self._helper, 0o755)
        self._place.write_text(TRACED_ONCE.format(
            folder=self.folder, strace=STRACE, helper=self._helper))
        process.give(self._place, 0o755)
        self.disarm()

    def arm(self, options):
        """The next process of the helper is traced."""
        (self.folder / "options").write_text(" ".join(options) + "\n")
        process.give(self.folder / "options", 0o640)
        for name in ("trace", "started"):
            (self.folder / name).unlink(missing_ok=True)

    def disarm(self):
        (self.folder / "started").touch()

    def trace(self):
        return Trace.read(self.folder / "trace")

    def remove(self):
        self._helper.rename(self._place)
        for file in self.folder.iterdir():
            file.unlink()
        self.folder.rmdir()
