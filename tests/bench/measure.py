"""How things are measured: what one process cost, what a resident one has used, and in turn.

Nothing here knows what is measured.  Times are microseconds, CPU time is user and system together.
"""

import contextlib
import ctypes
import os
import platform
import re
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
CALLGRIND = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]


class Skipped(Exception):
    """What is to be measured is not there; the text says what."""


@dataclass
class Run:
    """One process from fork to exit, with all that it started."""
    wall: float
    cpu: float
    faults: int     # pages that the kernel had to map in, from memory
    status: int


def adopt_orphans():
    """So that a helper that outlives the program that started it is ours to wait for."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def run(arguments, environment, stdin="/dev/null", stdout="/dev/null"):
    """By posix_spawn: what Python itself weighs is not copied into the child."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
    ]
    others = set(children(os.getpid()))
    began = time.perf_counter_ns()
    child = os.posix_spawn(arguments[0], [os.fspath(one) for one in arguments], environment,
                           file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter_ns() - began
    used, faults = usage.ru_utime + usage.ru_stime, usage.ru_minflt
    for orphan in set(children(os.getpid())) - others:
        _, _, usage = os.wait4(orphan, 0)
        used += usage.ru_utime + usage.ru_stime
    return Run(wall / 1e3, used * 1e6, faults, os.waitstatus_to_exitcode(status))


def instructions(arguments, environment, stdin="/dev/null"):
    """Of the program itself, in user space; None without valgrind."""
    try:
        with open(stdin, "rb") as given:
            done = subprocess.run([*CALLGRIND, *arguments], env=environment, stdin=given,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        return None
    told = re.search(r"Collected : (\d+)", done.stderr)
    return int(told[1]) if told else None


def in_pairs(base, others, rounds):
    """Runs base, one, base, another, … over and over: whatever disturbs the machine meanwhile
    meets all of them.  Returns base's samples and the others' by name."""
    of_base, of_others = [], {name: [] for name in others}
    for _ in range(rounds):
        for name, one in others.items():
            of_base.append(base())
            of_others[name].append(one())
    return of_base, of_others


def in_turn(cases, rounds):
    """The same without a base."""
    samples = {name: [] for name in cases}
    for _ in range(rounds):
        for name, one in cases.items():
            samples[name].append(one())
    return samples


median = statistics.median


def cpu_used(pids):
    """What these processes have used up to now, all their threads, in microseconds."""
    used = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):
                used += int((thread / "schedstat").read_text().split()[0])
    return used / 1e3


def memory(pid):
    """RSS and PSS in KiB."""
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return tuple(int(re.search(rf"^{name}:\s+(\d+)", told, re.MULTILINE)[1])
                 for name in ("Rss", "Pss"))


def children(pid):
    """Of all its threads."""
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):    # a thread that has just ended
            found += map(int, (thread / "children").read_text().split())
    return found


def machine(folder):
    """One line that names what this was measured on."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    cores = len(os.sched_getaffinity(0))
    return (f"{model[1] if model else platform.machine()}, {cores} core{'s' if cores > 1 else ''}, "
            f"Linux {platform.release()}, {_system()}, files on {filesystem(folder)}")


def _system():
    with contextlib.suppress(OSError):
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    return "another system"


def _mount(folder):
    """Device, type and options of the file system that a folder is on."""
    found, longest = ("", "an unknown file system", ""), -1
    for line in Path("/proc/self/mounts").read_text().splitlines():
        device, where, kind, options, *_ = line.split()
        inside = Path(folder).resolve().is_relative_to(where.replace("\\040", " "))
        if inside and len(where) >= longest:
            found, longest = (device, kind, options), len(where)
    return found


def in_memory(folder):
    """Where an fsync costs nothing."""
    return _mount(folder)[1] in ("tmpfs", "ramfs")


def filesystem(folder):
    """Its type, and what of its options changes what an fsync costs."""
    device, kind, options = _mount(folder)
    told = [option for option in options.split(",")
            if option in ("discard", "sync", "nobarrier", "barrier=0") or option.startswith("data=")]
    if kind == "ext4" and not list(Path("/proc/fs/jbd2").glob(f"{Path(device).name}-*")):
        told.insert(0, "no journal")
    return f"{kind} ({', '.join(told)})" if told else kind
