"""The programs as FastCGI behind lighttpd, Apache and nginx, configured by the shipped files.

First the tests of the CGI set-ups are repeated with FastCGI processes.  The other tests are about
FastCGI itself: the owner of the processes, who may connect to them, how they end, and senders that
are slow, send large bodies, or hang up.
"""

import contextlib
import inspect
import json
import os
import re
import secrets
import signal
import socket
from pathlib import Path

import pytest

import app
import expect
import test_app_body
import test_app_disconnect
import test_app_exchange
import test_app_status
import test_app_token
import test_callback
import test_disconnect_hook
import test_servers
import test_states
import test_webhook
from app import FORM, JSON, User
from conftest import fresh
from responder import only_root_sees
from sandbox import process, web
from sandbox.fastcgi_servers import FASTCGI, PATIENCE, NginxAndUnits
from sandbox.servers import NotInstalled
from sandbox.site import BASE, PROGRAMS
from test_app_token import signers  # noqa: F401
from test_disconnect_hook import hook  # noqa: F401
from test_states import key_ring  # noqa: F401
from test_webhook import digest

# It says when the lead was created, so that the id of its event is the digest of the body alone.
SMALL = b"leads[add][0][id]=1&leads[add][0][date_create]=1700000000&account[id]=5"

SAME = [test_app_body, test_app_disconnect, test_app_exchange, test_app_status, test_app_token,
        test_callback, test_disconnect_hook, test_servers, test_states, test_webhook]
LEFT_OUT = {
    "test_an_install_call_ends_in_time_if_amocrm_hangs": "slow, and independent of the server",
    "test_bad_escapes_never_reach_amocrm": "parametrized with its own servers",
    "test_a_body_that_is_cut_off_is_not_stored": "replaced by a test below",
}


@pytest.fixture(scope="module")
def servers(one_site):
    """Starts each server when the first test needs it."""
    started = {}

    def server(name):
        if name not in started:
            started[name] = FASTCGI[name](one_site)
        return started[name]
    yield server
    for server in started.values():
        server.stop()


def behind(one_site, servers, name):
    try:
        return fresh(one_site, servers(name))
    except NotInstalled as reason:
        pytest.skip(str(reason))


# The fixtures of the repeated tests.

@pytest.fixture(params=FASTCGI)
def site(request, one_site, servers):
    given = behind(one_site, servers, request.param)
    if "_webhook_" in request.node.name:
        given.configure(webhook_accounts="any")     # as in that file
    return given


@pytest.fixture(params=FASTCGI)
def on_servers(request, one_site, servers):
    given = behind(one_site, servers, request.param)
    if "_webhook_" in request.node.name:
        given.configure(webhook_accounts="any")
    return given


def over_servers(module):
    return {f"{module.__name__}_{name.removeprefix('test_')}": test
            for name, test in vars(module).items()
            if name.startswith("test_") and inspect.isfunction(test) and name not in LEFT_OUT
            and {"site", "on_servers"} & set(inspect.signature(test).parameters)}


for same in SAME:
    globals().update(over_servers(same))


def test_the_tests_of_other_files_are_repeated():
    for same in SAME:
        assert over_servers(same), same
    for name in LEFT_OUT:
        assert any(hasattr(module, name) for module in SAME), name


# A server for one test.

@contextlib.contextmanager
def started(one_site, name):
    try:
        server = {**FASTCGI, "nginx-units": NginxAndUnits}[name](one_site)
    except NotInstalled as reason:
        pytest.skip(str(reason))
    try:
        one_site.reset(server)
        yield one_site
    finally:
        server.stop()


@pytest.fixture(params=FASTCGI)
def own(request, one_site):
    with started(one_site, request.param) as site:
        yield site


@pytest.fixture(params=["lighttpd-fastcgi", "apache-fcgid"])
def managed(request, one_site):
    """Set-ups in which the web server starts the processes."""
    with started(one_site, request.param) as site:
        yield site


@pytest.fixture(params=["lighttpd-fastcgi", "apache-fcgid", "nginx-units"])
def watched(request, one_site):
    """Set-ups in which a process is restarted automatically."""
    with started(one_site, request.param) as site:
        yield site


def ask_all(site):
    """Sends a request to every program; all of them are running afterwards."""
    for program in PROGRAMS:
        answer = site.ask(program, method=app.PROGRAMS.get(program, "GET"), body=b"")
        expect.hardened(answer)


def processes(site):
    return {program: site.server.processes(program) for program in PROGRAMS}


def all_processes(site):
    """None: some are still being started."""
    found = processes(site)
    return found if len({len(one) for one in found.values()}) == 1 else None


# Owners and permissions.

@only_root_sees
def test_they_run_as_the_web_servers_user(own):
    ask_all(own)
    user = process.web_user()

    for program, numbers in processes(own).items():
        assert numbers, program
        for number in numbers:
            status = Path(f"/proc/{number}/status").read_text()
            owner = int(re.search(r"^Uid:\t(\d+)", status, re.M)[1])
            assert owner == (user.pw_uid if user else os.geteuid()), program


@pytest.mark.parametrize("name", [*FASTCGI, "nginx-units"])
def test_other_users_may_not_connect(one_site, name):
    with started(one_site, name) as site:
        ask_all(site)
        sockets = site.server.sockets()
        assert len(sockets) >= len(PROGRAMS)
        for path in sockets:
            closed = [not step.stat().st_mode & 0o001 for step in path.parents
                      if site.folder in step.parents]
            assert not path.stat().st_mode & 0o022 or any(closed), path
            assert not path.stat().st_mode & 0o002 or name in ("lighttpd-fastcgi", "apache-fcgid")


def test_the_systemd_units(one_site, amocrm):
    with started(one_site, "nginx-units") as site:
        olena = User(site)
        params = olena.connects(amocrm)
        expect.failed(site.get("callback", {**params, "client_id": "another"}), "invalid_request",
                      params["state"])
        site.logged("amo-crm callback:", "client_id")


# The end and the restart of the processes.

@only_root_sees
def test_they_end_with_the_web_server(managed):
    ask_all(managed)
    before = processes(managed)
    assert all(before.values())

    managed.server.end_server()

    process.wait_until(lambda: not any(process.alive(number) for numbers in before.values()
                                       for number in numbers), "the end of the processes")


@only_root_sees
@pytest.mark.parametrize("name", [*FASTCGI, "nginx-units"])
def test_no_process_is_left(one_site, name):
    with started(one_site, name) as site:
        ask_all(site)
        server = site.server
    assert not any(server.processes(program) for program in PROGRAMS)


@only_root_sees
def test_a_reload_ends_the_old_processes(managed):
    ask_all(managed)
    before = {number for numbers in processes(managed).values() for number in numbers}

    managed.server.reload()

    process.wait_until(lambda: not any(map(process.alive, before)), "the old ones to end", PATIENCE)
    process.wait_until(lambda: answers(managed), "a response after the reload", PATIENCE)
    ask_all(managed)


@only_root_sees
@pytest.mark.parametrize("name", ["apache-proxy", "nginx"])
def test_a_reload_does_not_affect_separately_started_processes(one_site, name):
    with started(one_site, name) as site:
        before = process.wait_until(lambda: all_processes(site), "as many of each program")
        site.server.reload()
        process.wait_until(lambda: answers(site), "a response after the reload", PATIENCE)
        ask_all(site)
        assert processes(site) == before


def answers(site):
    """Whether a request succeeds; it fails while no process listens."""
    with contextlib.suppress(OSError, web.Malformed):
        return site.get("status").status == 401


@only_root_sees
def test_a_killed_process_is_restarted(watched):
    ask_all(watched)
    before = watched.server.processes("status")
    for number in before:
        os.kill(number, signal.SIGKILL)

    process.wait_until(lambda: answers(watched), "a new process", PATIENCE)

    assert set(watched.server.processes("status")) - set(before)


@only_root_sees
@pytest.mark.parametrize("name", ["apache-proxy", "nginx"])
def test_the_other_processes_replace_a_killed_one(one_site, name):
    with started(one_site, name) as site:
        first, *others = site.server.processes("status")
        assert len(others) == 3
        os.kill(first, signal.SIGKILL)
        process.wait_until(lambda: not process.alive(first), "its end")
        for _ in range(8):
            assert site.get("status").status == 401


SECRET = "def50200" + secrets.token_hex(20)
WITH_SECRETS = {"query": f"code={SECRET}&client_id=another&key={SECRET}",
                "headers": {"Referer": f"http://localhost{BASE}callback?code={SECRET}"}}


def assert_unlogged(site):
    for file in site.server.error_log.parent.glob("*.log"):
        assert SECRET.encode() not in file.read_bytes(), file


def test_the_error_log_contains_neither_query_nor_referer(on_servers):
    on_servers.get("callback", **WITH_SECRETS)

    on_servers.logged("amo-crm callback:", "client_id")
    assert_unlogged(on_servers)


@pytest.mark.parametrize("name", ["apache-proxy", "nginx"])
def test_the_logs_contain_no_secret_if_no_process_listens(one_site, name):
    with started(one_site, name) as site:
        site.server.end_processes()
        for program in PROGRAMS:
            answer = site.get(program, **WITH_SECRETS)
            assert answer.status == {"apache-proxy": 503, "nginx": 502}[name]
        site.get("/index.html")
        process.wait_until(lambda: "/index.html" in site.server.access_log.read_text(), "the log")
        assert_unlogged(site)


# Slow, large and interrupted requests.

def begin(site, framing, program="webhook", headers=()):
    """Sends the header section of a request; the body is sent later."""
    connection = socket.create_connection(("127.0.0.1", site.server.port), PATIENCE)
    lines = [f"POST {BASE}{program} HTTP/1.1", "Host: localhost", f"Content-Type: {FORM}",
             *headers, framing]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


# For a body of 1000 bytes.
FRAMINGS = {"with its length": ("Content-Length: 1000", b""),
            "in chunks": ("Transfer-Encoding: chunked", b"3e8\r\n")}
in_both_framings = pytest.mark.parametrize("framing, before", FRAMINGS.values(),
                                           ids=FRAMINGS.keys())


def accepted(answer):
    assert (answer.status, answer.json) == (200, {"success": True})


def events(site):
    """The ids of the stored events."""
    lines = map(json.loads, site.ctl("events").stdout.splitlines())
    return [line["id"] for line in lines]


@in_both_framings
def test_slow_senders_do_not_block_a_process(on_servers, framing, before):
    if on_servers.server.kind == "-proxy" and before:
        pytest.skip("mod_proxy_fcgi does not buffer a chunked body")
    on_servers.configure(webhook_accounts="any")
    rest = b"&x=".ljust(1000 - len(SMALL), b"x")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(begin(on_servers, framing)) for _ in range(16)]
        for connection in slow:
            connection.sendall(before + SMALL)
        accepted(on_servers.post("webhook", body=SMALL, headers={"Content-Type": FORM}))

        # no slow connection was closed meanwhile
        for connection in slow:
            connection.sendall(rest + (b"\r\n0\r\n\r\n" if before else b""))
            assert b" 200 " in connection.makefile("rb").readline()
    assert events(on_servers) == [digest(SMALL), *[digest(SMALL + rest)] * 16]


@in_both_framings
def test_an_incomplete_body_is_not_stored(on_servers, framing, before):
    on_servers.configure(webhook_accounts="any")
    with begin(on_servers, framing) as connection:
        connection.sendall(before + SMALL)
        connection.shutdown(socket.SHUT_WR)
        first = connection.makefile("rb").readline()
    # mod_fcgid responds with a server error
    expected = b" 500 " if on_servers.server.kind == "-fcgid" else b" 400 "
    assert first == b"" or expected in first

    accepted(on_servers.post("webhook", body=SMALL + b"&the=next", headers={"Content-Type": FORM}))
    assert events(on_servers) == [digest(SMALL + b"&the=next")]


@in_both_framings
def test_a_sender_that_hangs_up_does_not_affect_others(on_servers, framing, before):
    on_servers.configure(webhook_accounts="any")
    for _ in range(16):
        with begin(on_servers, framing) as connection:
            connection.sendall(before + SMALL)
    for _ in range(8):
        accepted(on_servers.post("webhook", body=SMALL, headers={"Content-Type": FORM}))

    assert events(on_servers) == [digest(SMALL)] * 8


def test_tokens_are_stored_if_a_phone_hangs_up_during_the_exchange(on_servers, amocrm):
    olena = User(on_servers)
    params = amocrm.approve()
    body = json.dumps(params).encode()
    sent = [f"POST {BASE}exchange-code HTTP/1.1", "Host: localhost", f"Content-Type: {JSON}",
            f"Authorization: {olena.headers['Authorization']}", f"Content-Length: {len(body)}"]
    with socket.create_connection(("127.0.0.1", on_servers.server.port), PATIENCE) as connection:
        connection.sendall("\r\n".join([*sent, "", ""]).encode() + body)
        process.wait_until(amocrm.exchanges, "the exchange")

    app.connected(olena.exchange(params))

    assert len(amocrm.exchanges()) == 1


@pytest.mark.parametrize("limit", [1 << 20, 8 << 20], ids=["default", "largest"])
def test_bodies_up_to_the_limit_and_far_beyond(on_servers, limit):
    """The servers' own limits are not smaller than max_body."""
    on_servers.configure(webhook_accounts="any", webhook_max_body=limit)

    def status(length, chunked):
        body = SMALL + b"&x=" + b"x" * (length - len(SMALL) - 3)
        return on_servers.post("webhook", body=body, chunked=chunked,
                               headers={"Content-Type": FORM}).status
    for chunked in (False, True):
        assert status(limit, chunked) == 200
        assert status(limit + 1, chunked) == 413
    assert status((8 << 20) + 1, False) == 413
    # mod_fcgid responds with 500 to a chunked body that is larger than its limit
    assert status(9 << 20, True) == (500 if on_servers.server.kind == "-fcgid" else 413)


def test_the_longest_redirect_fits(on_servers):
    """Each byte of the state becomes three bytes in the percent-encoded redirect."""
    on_servers.configure(app_redirect="302")
    state = "|" * 2048

    answer = on_servers.get("callback", b"error=access_denied&state=" + state.encode())

    expect.failed(answer, "access_denied", state, status=302)
