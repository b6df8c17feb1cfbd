"""The secrets in the memory of a program: a crash writes no core file, and other processes of the
same user cannot read them.

Each program is caught in the middle of a request, while amoCRM has not replied yet.  A program of
the system that is started in the same way shows that the kernel would write a core file here, and
would let its memory be read.
"""

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import expect
from app import JSON, User
from connections import ID, SOON, connect
from responder import FastCgi, helpers, only_process
from sandbox import process
from sandbox.servers import BASE
from test_refresh import refreshes

HELPERS = ("amo-crm-https", "amo-crm-crypto")
CRASHES = [signal.SIGSEGV, signal.SIGABRT]


@pytest.fixture
def folder(bare):
    """The working folder of the programs, where a core file would be written."""
    made = bare.folder / "cores"
    made.mkdir()
    process.give(made, 0o700, owner=True)
    yield made
    for file in made.iterdir():
        file.unlink()
    made.rmdir()


def cores_allowed():
    process.die_with_parent()
    unlimited = resource.RLIM_INFINITY
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (unlimited, unlimited))


def start(command, folder, as_root=False, **options):
    return subprocess.Popen(command, cwd=folder, preexec_fn=cores_allowed,
                            stderr=subprocess.PIPE, **options,
                            **({} if as_root else process.as_web_user()))


@contextlib.contextmanager
def held(amocrm, seen):
    """amoCRM does not reply while the block runs; the caller waits for the request."""
    release = threading.Event()
    amocrm.misbehave("held", until=release)
    try:
        yield lambda: process.wait_until(seen, "the request to amoCRM")
    finally:
        release.set()


def cgi(site, amocrm, folder):
    environment = site.server.environment(
        f"{BASE}callback", "&".join(f"{name}={value}" for name, value in amocrm.approve().items()),
        "GET", {}, None)
    return start([site.programs / "callback"], folder, env=environment, stdin=subprocess.DEVNULL,
                 stdout=subprocess.DEVNULL)


def command(as_root):
    def run(site, amocrm, folder):
        return start([site.amocrmctl, "-c", site.config, "token", str(ID)], folder, as_root,
                     stdout=subprocess.DEVNULL, env={})
    return run


PROGRAMS = {"callback": cgi, "amocrmctl": command(False), "amocrmctl started by root": command(True)}


@contextlib.contextmanager
def waiting(site, amocrm, folder, name):
    """The program in the middle of a request, and the pids of its processes by their names."""
    if name != "callback":
        connect(site, amocrm, life=SOON)
    seen = amocrm.exchanges if name == "callback" else lambda: refreshes(amocrm)
    with held(amocrm, seen) as wait:
        program = PROGRAMS[name](site, amocrm, folder)
        try:
            wait()
            yield program, {**helpers(program), str(program.pid): name}
        finally:
            program.kill()
            program.communicate()


@contextlib.contextmanager
def waiting_fastcgi(site, amocrm, folder):
    site.server = FastCgi(site)
    site.server.folder, site.server.preexec = folder, cores_allowed
    olena = User(site)
    try:
        with held(amocrm, amocrm.exchanges) as wait:
            request = site.server.request(
                f"{BASE}exchange-code", None, "POST", {**olena.headers, "Content-Type": JSON},
                b'{"code":"%s"}' % amocrm.approve()["code"].encode())
            with site.server.connect("exchange-code") as connection:
                connection.sendall(request)
                wait()
                one = only_process(site, "exchange-code")
                yield one, {**helpers(one), str(one.pid): "exchange-code"}
    finally:
        site.server.stop()


@pytest.fixture(params=[*PROGRAMS, "FastCGI"])
def caught(request, bare, amocrm, folder):
    if request.param.endswith("root") and not process.is_root():
        pytest.skip("this needs root")
    with (waiting_fastcgi(bare, amocrm, folder) if request.param == "FastCGI"
          else waiting(bare, amocrm, folder, request.param)) as found:
        assert set(HELPERS) <= set(found[1].values()), "a helper is missing"
        yield found


@contextlib.contextmanager
def unprotected(folder):
    sleeping = start(["/bin/sleep", "60"], folder)
    try:
        yield sleeping
    finally:
        sleeping.kill()
        sleeping.communicate()


@pytest.fixture
def core_files_work(folder):
    with unprotected(folder) as sleeping:
        sleeping.send_signal(signal.SIGSEGV)
        sleeping.wait()
    files = list(folder.iterdir())
    if not files:
        pytest.skip("the kernel writes no core files here (core_pattern, or a limit)")
    for file in files:
        file.unlink()


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_writes_no_core_file(core_files_work, caught, folder, crash):
    program, pids = caught

    program.send_signal(signal.SIGSTOP)     # it must not notice that its helpers crash
    for pid in pids:
        os.kill(int(pid), crash)
    program.send_signal(signal.SIGCONT)
    assert program.wait() == -crash
    for pid in pids:
        process.wait_until(lambda pid=pid: not process.alive(pid), "the end of the process")
    assert list(folder.iterdir()) == []


# Prints what of a process can be read.
PEEK = """
import os, sys
ways = {"memory": lambda pid: open(f"/proc/{pid}/mem", "rb").close(),
        "environment": lambda pid: open(f"/proc/{pid}/environ", "rb").read(),
        "files": lambda pid: os.listdir(f"/proc/{pid}/fd"),
        "mappings": lambda pid: open(f"/proc/{pid}/maps").read()}
for name, peek in ways.items():
    try:
        peek(sys.argv[1])
        print(name)
    except PermissionError:
        pass
"""


def readable(pid):
    done = subprocess.run([sys.executable, "-c", PEEK, str(pid)], capture_output=True, text=True,
                          check=True, cwd="/", **process.as_web_user())
    return set(done.stdout.split())


def test_another_process_of_the_user_cannot_read_it(caught, folder):
    with unprotected(folder) as sleeping:
        if "memory" not in readable(sleeping.pid):
            pytest.skip("no memory of another process may be read here (ptrace_scope?)")

    for pid, name in caught[1].items():
        assert readable(pid) == set(), name


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_a_container_may_forbid_it(bare, amocrm, tmp_path, error):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    calls = "prctl,prlimit64"
    trace, params = tmp_path / "trace", amocrm.approve()
    user = ("-u", process.web_user().pw_name) if process.is_root() else ()
    launcher = ("strace", *user, "-f", "-o", trace, "-e", f"trace={calls}",
                "-e", f"inject={calls}:error={error}")

    answer = bare.server.ask(f"{BASE}callback", params, "GET", {}, None, launcher=launcher)

    expect.connected(answer, params["code"])
    refused = re.findall(rf"^.*(?:PR_SET_DUMPABLE|RLIMIT_CORE).* = -1 {error}", trace.read_text(),
                         re.M)
    assert len(refused) == 2 * (1 + len(HELPERS))


def test_it_still_finds_its_helpers_and_restarts(bare, amocrm, folder):
    """Both use /proc/self, which belongs to root now."""
    connect(bare, amocrm, life=SOON)
    assert bare.ctl("token", ID).stdout
    bare.server = FastCgi(bare)
    try:
        User(bare).status()
        one = only_process(bare, "status")
        status = Path(f"/proc/{one.pid}/status").read_text()
        assert f"\nUid:\t{process.web_user().pw_uid if process.is_root() else os.geteuid()}\t" \
            in status
        assert b"glibc.malloc.tcache_count=0" in (
            Path(f"/proc/{one.pid}/environ").read_bytes() if process.is_root()
            else b"glibc.malloc.tcache_count=0"), "it has not restarted itself"
    finally:
        bare.server.stop()
