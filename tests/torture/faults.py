"""Which system calls fail, with which errors: those that a full, broken or far disk, a limit, a
signal, or a container's filter causes."""

from .strace import Fault

DISK = ("EIO", "ENOSPC", "EDQUOT")
ERRORS = {
    "open": ("EMFILE", "EIO", "EDQUOT", "EINTR"),
    "openat": ("EMFILE", "EIO", "EDQUOT", "EINTR"),
    "close": ("EIO", "EINTR", "EDQUOT"),
    "read": ("EIO", "EINTR"),
    "pread64": ("EIO", "EINTR"),
    "readv": ("EIO", "EINTR"),
    "write": (*DISK, "EINTR"),
    "pwrite64": (*DISK, "EINTR"),
    "writev": (*DISK, "EINTR"),
    "lseek": ("EIO",),
    "fsync": ("EIO", "EDQUOT", "EINTR", "EINVAL"),
    "fdatasync": ("EIO", "EDQUOT", "EINTR", "EINVAL"),
    "sync_file_range": ("EIO",),
    "copy_file_range": (*DISK, "EPERM", "EINVAL"),
    "ftruncate": ("EIO", "EPERM", "EINTR"),
    "fallocate": (*DISK, "EINTR"),
    "rename": (*DISK, "EPERM"),
    "renameat": (*DISK, "EPERM"),
    "renameat2": (*DISK, "EPERM", "EINVAL"),
    "link": (*DISK, "EPERM"),
    "linkat": (*DISK, "EPERM"),
    "unlink": ("EIO", "EPERM"),
    "unlinkat": ("EIO", "EPERM"),
    "mkdir": (*DISK, "EPERM"),
    "access": ("EIO",),
    "faccessat": ("EIO",),
    "faccessat2": ("EIO",),
    "stat": ("EIO",),
    "fstat": ("EIO",),
    "newfstatat": ("EIO",),
    "statx": ("EIO",),
    "statfs": ("EIO",),
    "fstatfs": ("EIO",),
    "getdents64": ("EIO",),
    "readlink": ("EIO",),
    "fcntl": ("EIO", "EINTR"),
    "flock": ("EIO", "EINTR"),
    "fchmod": ("EIO", "EPERM"),
    "fchown": ("EIO", "EPERM"),
    "utimensat": ("EIO", "EPERM"),
    "mmap": ("ENOMEM",),
    "socketpair": ("EMFILE",),
    "pipe2": ("EMFILE",),
    "fork": ("EAGAIN",),
    "vfork": ("EAGAIN",),
    "clone": ("EAGAIN",),
    "clone3": ("EAGAIN",),
    "sendto": ("EINTR", "EIO"),
    "recvfrom": ("EINTR", "EIO"),
    "poll": ("EINTR", "ENOMEM"),
    "wait4": ("EINTR",),
    "nanosleep": ("EINTR",),
    "clock_nanosleep": ("EINTR",),
}
# Calls at which a process is killed, in addition to these.
KILLED = ("execve", "exit_group", "munmap", "brk", "getrandom", "rt_sigprocmask", "connect",
          "socket", "rt_sigaction")


def planned(numbers):
    """All faults of a process whose calls have these numbers."""
    faults = []
    for call in sorted(numbers):
        if call == "execve":    # of strace itself
            continue
        ways = ERRORS.get(call, ())
        if ways or call in KILLED:
            ways = (*ways, None)
        faults += [Fault(call, number, error) for error in ways for number in numbers[call]]
    return faults


def sample(faults, size):
    """About so many of these: errors and, half as many, kills, in all parts of the run."""
    errors = [fault for fault in faults if fault.error]
    kills = [fault for fault in faults if not fault.error]
    return [fault for some, count in ((errors, size - size // 3), (kills, size // 3))
            for fault in some[::max(1, -(-len(some) // max(1, count)))]]
