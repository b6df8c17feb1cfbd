"""Measuring: the cost of one process, the use of a resident process, and samples taken in turn.

This module does not depend on what is measured.  Times are in microseconds; CPU time is the sum of
user and system time.
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
    """Something to be measured is missing; the text says what."""


@dataclass
class Run:
    """One process from fork to exit, including the processes that it started."""
    wall: float
    cpu: float
    faults: int     # minor page faults
    status: int


def adopt_orphans():
    """Makes us the parent of helpers that outlive the program that started them."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def run(arguments, environment, stdin="/dev/null", stdout="/dev/null"):
    """Runs a process by posix_spawn, so that Python's own memory is not copied into the child."""
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
    """Instructions of the program itself in user space; None without valgrind."""
    try:
        with open(stdin, "rb") as given:
            done = subprocess.run([*CALLGRIND, *arguments], env=environment, stdin=given,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        return None
    counted = re.search(r"Collected : (\d+)", done.stderr)
    return int(counted[1]) if counted else None


def in_pairs(base, others, rounds):
    """Runs base, one, base, another, … repeatedly, so that a disturbance of the machine affects all
    of them.  Returns the samples of base, and those of the others by name."""
    of_base, of_others = [], {name: [] for name in others}
    for _ in range(rounds):
        for name, one in others.items():
            of_base.append(base())
            of_others[name].append(one())
    return of_base, of_others


def in_turn(cases, rounds):
    """Runs all cases in turn, without a base."""
    samples = {name: [] for name in cases}
    for _ in range(rounds):
        for name, one in cases.items():
            samples[name].append(one())
    return samples


median = statistics.median


def cpu_used(pids):
    """CPU time of all threads of these processes up to now, in microseconds."""
    used = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):
                used += int((thread / "schedstat").read_text().split()[0])
    return used / 1e3


def memory(pid):
    """RSS and PSS in KiB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return tuple(int(re.search(rf"^{name}:\s+(\d+)", rollup, re.MULTILINE)[1])
                 for name in ("Rss", "Pss"))


def children(pid):
    """The child processes of all its threads."""
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):    # the thread has just ended
            found += map(int, (thread / "children").read_text().split())
    return found


def machine(folder):
    """One line that describes this machine."""
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
    """Whether the folder is on a file system in memory, where fsync costs nothing."""
    return _mount(folder)[1] in ("tmpfs", "ramfs")


def filesystem(folder):
    """The type of the file system, and its options that change the cost of fsync."""
    device, kind, options = _mount(folder)
    chosen = [option for option in options.split(",")
              if option in ("discard", "sync", "nobarrier", "barrier=0")
              or option.startswith("data=")]
    if kind == "ext4" and not list(Path("/proc/fs/jbd2").glob(f"{Path(device).name}-*")):
        chosen.insert(0, "no journal")
    return f"{kind} ({', '.join(chosen)})" if chosen else kind
