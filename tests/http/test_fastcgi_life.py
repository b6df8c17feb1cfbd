"""The life of a FastCGI process: when it rereads files, when it restarts itself, and how it
ends."""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import app
from app import FORM, JSON, PER_USER, User
from responder import (PARAMS, PATIENCE, STDIN, FastCgi, begin, helpers, only_process,
                       only_root_sees, open_files, params, still_the_same, stream)
from sandbox import process
from sandbox.servers import BASE
from sandbox.web import encode

ENDS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1]
REQUESTS_MAX = 10_000   # FASTCGI_REQUESTS_MAX
SETTLED = 2     # seconds; FILECACHE_SAFE_AGE_S
IN_OPEN = 0x20


# The files that it reads.

class Opened:
    """Counts how often a file is opened, by inotify."""

    def __init__(self, path):
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0 or libc.inotify_add_watch(self._fd, os.fsencode(path), IN_OPEN) < 0:
            pytest.skip("inotify does not work here")

    def count(self):
        times = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                times += len(os.read(self._fd, 65536)) // 16    # no names: it is a file
        return times

    def close(self):
        os.close(self._fd)


def let_settle(*paths):
    """Waits until a change of the files would change their times."""
    process.wait_until(
        lambda: all(int(time.time()) - int(path.stat().st_ctime) > SETTLED for path in paths),
        "files that are old enough")


def test_files_are_read_only_if_they_have_changed(fastcgi):
    fastcgi.configure(**PER_USER)
    olena = User(fastcgi)
    let_settle(fastcgi.config, fastcgi.keys)
    assert not olena.is_connected()     # it signs a state, for which it needs the key ring
    config, keys = Opened(fastcgi.config), Opened(fastcgi.keys)
    try:
        for _ in range(20):
            olena.state()
        assert (config.count(), keys.count()) == (0, 0)
        os.utime(fastcgi.config)
        olena.state()
        assert (config.count() > 0, keys.count()) == (True, 0)
        os.utime(fastcgi.keys)
        olena.state()
        assert keys.count() > 0
    finally:
        config.close()
        keys.close()


@pytest.mark.parametrize("file", ["config", "keys"])
def test_a_file_that_others_may_read_is_refused_immediately(fastcgi, file):
    """chmod changes neither the content nor the mtime."""
    fastcgi.configure(**PER_USER)
    olena, path = User(fastcgi), getattr(fastcgi, file)
    let_settle(fastcgi.config, fastcgi.keys)
    olena.state()
    path.chmod(0o644)
    try:
        for _ in range(2):
            fastcgi.mark_logs()
            app.refused(olena.status(), 500, "server_error")
            fastcgi.logged(str(path), "mode 0644")
    finally:
        path.chmod(0o640)
    olena.state()
    still_the_same(fastcgi)


def test_a_new_key_of_the_ring_is_used(fastcgi):
    fastcgi.configure(**PER_USER)
    olena, ring = User(fastcgi), fastcgi.keys.read_text()
    let_settle(fastcgi.config, fastcgi.keys)
    olena.state()
    try:
        fastcgi.write_keys("another " + "5a" * 32 + "\n" + ring)
        assert json.loads(app.tokens.unbase64url(olena.state().split(".")[0]))["kid"] == "another"
    finally:
        fastcgi.write_keys(ring)


@pytest.mark.parametrize("broken", ["colour = blue\n", "\0", "[jwt]\nsecret = short\n"])
def test_a_broken_configuration_is_reported_until_it_is_repaired(fastcgi, broken):
    olena, text = User(fastcgi), fastcgi.config.read_text()
    let_settle(fastcgi.config)
    assert olena.status().status == 200
    fastcgi.write_config(text + broken)
    for _ in range(3):
        fastcgi.mark_logs()
        app.refused(olena.status(), 500, "server_error")
        fastcgi.logged(str(fastcgi.config), "fault=server_error")
    let_settle(fastcgi.config)
    app.refused(olena.status(), 500, "server_error")
    fastcgi.write_config(text)
    assert olena.status().status == 200
    still_the_same(fastcgi)


# How it restarts itself.

def layout(one):
    """The random address that its program was loaded at when it started."""
    return Path(f"/proc/{one.pid}/maps").read_text().split("-")[0]


@only_root_sees
@pytest.mark.skipif(Path("/proc/sys/kernel/randomize_va_space").read_text().strip() == "0",
                    reason="address space layout randomization is disabled")
def test_it_restarts_itself_after_many_requests_unnoticed(fastcgi, amocrm):
    olena = User(fastcgi)
    app.connected(olena.exchange(amocrm.approve()))     # starts the helpers
    one = only_process(fastcgi, "exchange-code")
    files, children, born = open_files(one), helpers(one), layout(one)
    assert children
    request = fastcgi.server.request(f"{BASE}exchange-code", None, "GET", {}, None)

    def asked(count):
        for _ in range(count):
            with fastcgi.server.connect("exchange-code") as connection:
                connection.sendall(request)
                assert fastcgi.server.answer(connection, "GET").status == 405
    asked(REQUESTS_MAX - 2)
    assert (layout(one), helpers(one)) == (born, children)
    asked(3)

    assert layout(one) != born
    still_the_same(fastcgi)
    process.wait_until(lambda: not any(map(process.alive, children)), "the end of the helpers")
    app.connected(olena.exchange(amocrm.approve()))
    process.wait_until(lambda: len(children_of(one)) == len(children), "no zombie")
    assert open_files(one) <= files + 1
    one.terminate()
    assert one.wait(PATIENCE) == 0


# How it ends.

def descriptors(one):
    """The open files, except standard input, output and error."""
    return [file for file in Path(f"/proc/{one.pid}/fd").iterdir() if int(file.name) > 2]


def is_socket(file):
    return os.readlink(file).startswith("socket:")


def children_of(one):
    return Path(f"/proc/{one.pid}/task/{one.pid}/children").read_text().split()


@pytest.mark.parametrize("how", ENDS)
def test_it_ends_between_requests(fastcgi, how):
    fastcgi.get("status")
    one = only_process(fastcgi, "status")
    one.send_signal(how)
    assert one.wait(PATIENCE) == 0


@pytest.mark.parametrize("how", ENDS)
def test_it_ends_before_the_first_request(fastcgi, how):
    fastcgi.server.spawn("status")
    one = only_process(fastcgi, "status")
    process.wait_until(lambda: signals_blocked(one), "the program's start")
    one.send_signal(how)
    assert one.wait(PATIENCE) == 0


def signals_blocked(one):
    status = Path(f"/proc/{one.pid}/status").read_text()
    [mask] = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigBlk")]
    return mask >> (signal.SIGTERM - 1) & 1


def test_an_ignored_signal_stays_ignored(fastcgi):
    """As under nohup."""
    usual = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        fastcgi.get("status")
    finally:
        signal.signal(signal.SIGHUP, usual)
    one = only_process(fastcgi, "status")
    one.send_signal(signal.SIGHUP)
    fastcgi.get("status")
    fastcgi.get("status")
    still_the_same(fastcgi)
    one.terminate()
    assert one.wait(PATIENCE) == 0


@pytest.mark.parametrize("sent", [0, 1, 3], ids="{} requests".format)
def test_an_open_connection_does_not_delay_its_end(fastcgi, sent):
    with fastcgi.server.connect("status") as connection:
        for _ in range(sent):
            connection.sendall(fastcgi.server.request(
                f"{BASE}status", None, "GET", {}, None, keep=True))
            assert fastcgi.server.answer(connection, "GET").status == 401
        one = only_process(fastcgi, "status")
        process.wait_until(lambda: signals_blocked(one), "the program's start")
        one.terminate()
        assert one.wait(PATIENCE) == 0
        if sent:
            assert connection.recv(1) == b""


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("cut", ["begin", "params", "body"])
@pytest.mark.parametrize("keep", [False, True], ids=["closed", "kept"])
def test_a_request_in_progress_is_completed_first(fastcgi, how, cut, keep):
    olena = User(fastcgi)
    body = b'{"code":""}'
    variables = fastcgi.server.environment(
        f"{BASE}exchange-code", encode(None), "POST", {**olena.headers, "Content-Type": JSON},
        body)
    del variables["AMO_CRM_CONFIG"]
    parts = {"begin": begin(keep), "params": stream(PARAMS, params(variables)),
             "body": stream(STDIN, body)}
    before = {"begin": 4, "params": len(parts["begin"]) + 40,
              "body": len(parts["begin"] + parts["params"]) + 12}[cut]
    whole = b"".join(parts.values())
    with fastcgi.server.connect("exchange-code") as connection:
        one = only_process(fastcgi, "exchange-code")
        connection.sendall(whole[:before])
        process.wait_until(lambda: signals_blocked(one) and all_read(connection), "a partial read")
        one.send_signal(how)
        connection.sendall(whole[before:])
        app.refused(fastcgi.server.answer(connection, "POST"), 400, "missing_code")
    assert one.wait(PATIENCE) == 0


SIOCOUTQ = 0x5411


def all_read(connection):
    """Whether the other end has read everything that was sent."""
    return struct.unpack("i", fcntl.ioctl(connection, SIOCOUTQ, b"\0" * 4))[0] == 0


def test_a_signal_to_the_whole_group_does_not_end_helpers_in_use(fastcgi, amocrm):
    """As Ctrl-C does, or systemd with KillMode=control-group."""
    olena = User(fastcgi)
    app.connected(olena.exchange(amocrm.approve()))
    one = only_process(fastcgi, "exchange-code")
    children = helpers(one)
    callback_params = amocrm.approve()
    amocrm.forget()
    request = fastcgi.server.request(f"{BASE}exchange-code", None, "POST", {
        **olena.headers, "Content-Type": JSON}, json.dumps(callback_params).encode())
    with fastcgi.server.connect("exchange-code") as connection:
        connection.sendall(request)
        process.wait_until(amocrm.exchanges, "the exchange")
        for pid in (one.pid, *children):
            os.kill(int(pid), signal.SIGTERM)
            os.kill(int(pid), signal.SIGINT)
        app.connected(fastcgi.server.answer(connection, "POST"))
    assert one.wait(PATIENCE) == 0
    process.wait_until(lambda: not any(map(process.alive, children)), "the end of the helpers")


def test_no_request_is_lost_while_processes_end(bare):
    """A process woken by a connection that another one has accepted neither blocks nor fails."""
    bare.server = FastCgi(bare, processes=6)
    olena = User(bare)
    try:
        assert olena.status().status == 200
        processes = bare.server.processes["status"]
        for one in processes:
            process.wait_until(lambda one=one: signals_blocked(one), "the program's start")
        with ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(olena.status) for _ in range(400)]
            for one in processes[1:]:
                process.wait_until(lambda: sum(answer.done() for answer in answers) > 20, "answers")
                one.terminate()
            for one in processes[1:]:
                assert one.wait(PATIENCE) == 0
            assert {answer.result().status for answer in answers} == {200}
        processes[0].terminate()
        assert processes[0].wait(PATIENCE) == 0
    finally:
        bare.server.stop()


def test_a_spurious_wake_up_does_not_block_a_process(bare):
    """A connection wakes all processes, one accepts it; the others must still react to SIGTERM."""
    bare.server = FastCgi(bare, processes=8)
    request = bare.server.request(f"{BASE}status", None, "GET", {}, None)
    try:
        bare.server.spawn("status")
        processes = bare.server.processes["status"]
        for one in processes:
            process.wait_until(lambda one=one: signals_blocked(one), "the program's start")
        for _ in range(50):
            for one in processes:
                one.send_signal(signal.SIGSTOP)
            with bare.server.connect("status") as connection:
                connection.sendall(request)
                for one in processes:   # all of them see the connection
                    one.send_signal(signal.SIGCONT)
                assert bare.server.answer(connection, "GET").status == 401
        for one in processes:
            one.terminate()
        for one in processes:
            assert one.wait(PATIENCE) == 0
    finally:
        bare.server.stop()


@only_root_sees
def test_a_helper_that_exits_leaves_no_zombie(fastcgi, amocrm):
    """Even if the program does not use the helper again."""
    app.connected(User(fastcgi).exchange(amocrm.approve()))
    one = only_process(fastcgi, "exchange-code")
    for child in helpers(one):
        os.kill(int(child), signal.SIGKILL)
    process.wait_until(lambda: not children_of(one), "the end of all helpers")
    process.wait_until(lambda: not any(map(is_socket, descriptors(one))), "no open socket")
    app.connected(User(fastcgi).exchange(amocrm.approve()))


# Connections that send nothing, or are kept open.

def test_a_silent_connection_is_closed(fastcgi):
    with fastcgi.server.connect("status") as silent:
        assert fastcgi.get("status").status == 401
        assert silent.recv(1) == b""
    still_the_same(fastcgi)


def test_a_kept_connection_survives_an_unread_body(fastcgi):
    """Refused for its size or its method: the rest of the body is not read as the next request."""
    olena = User(fastcgi)
    headers = {**olena.headers, "Content-Type": FORM}
    with fastcgi.server.connect("exchange-code") as connection:
        for body, method, status in ((b"x" * 300_000, "POST", 413), (b"code=", "POST", 400),
                                     (b"x" * 70_000, "DELETE", 405), (b"code=", "POST", 400)):
            request = fastcgi.server.request(
                f"{BASE}exchange-code", None, method, headers, body, keep=True)
            with ThreadPoolExecutor(1) as pool:
                sent = pool.submit(connection.sendall, request)
                assert fastcgi.server.answer(connection, method).status == status
                sent.result()
    still_the_same(fastcgi)


def test_a_late_end_of_the_body_is_not_a_request(fastcgi):
    """The empty record that ends the body of a GET, in a packet of its own, on a kept
    connection."""
    with fastcgi.server.connect("status") as connection:
        for _ in range(3):
            request = fastcgi.server.request(f"{BASE}status", None, "GET", {}, None, keep=True)
            connection.sendall(request[:-8])
            process.wait_until(lambda: all_read(connection), "the request to be read")
            connection.sendall(request[-8:])
            assert fastcgi.server.answer(connection, "GET").status == 401
    still_the_same(fastcgi)


@pytest.mark.parametrize("listens", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("allowed,who", [
    (None, "127.0.0.1 ::1"), ("127.0.0.1", "127.0.0.1"), ("10.0.0.1,127.0.0.1", "127.0.0.1"),
    ("::1,10.0.0.1", "::1"), ("::ffff:127.0.0.1", "127.0.0.1"), ("10.0.0.1", ""),
    ("127.0.0.10", ""), ("", "")])
def test_only_allowed_addresses_may_connect(fastcgi, allowed, who, listens):
    """FCGI_WEB_SERVER_ADDRS, section 3.2 of the specification."""
    fastcgi.server.more = {} if allowed is None else {"FCGI_WEB_SERVER_ADDRS": allowed}
    fastcgi.server.address = listens
    answered = listens.removeprefix("::ffff:") in who.split()
    if answered:
        app.refused(fastcgi.get("status"), 401, "missing_token")
        return
    with pytest.raises(ConnectionError):
        fastcgi.get("status")
    still_the_same(fastcgi)
