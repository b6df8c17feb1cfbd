"""The same programs as FastCGI: started once, with a listening socket as standard input.

One process handles many requests, so no state of a request may affect the next one.
"""

import json
import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

import app
import expect
from app import FORM, JSON, PER_USER, User
from responder import (PARAMS, PATIENCE, FastCgi, helpers, only_process, record,
                       still_the_same)
from sandbox import hooks, process
from sandbox.servers import BASE


# The same responses as CGI.

@pytest.mark.parametrize("mode", app.MODES.values(), ids=app.MODES.keys())
def test_all_requests_of_an_app(fastcgi, amocrm, mode):
    fastcgi.configure(**mode)
    olena, ivan = User(fastcgi, "olena"), User(fastcgi, "ivan")
    for _ in range(2):
        assert not olena.is_connected()
        params = olena.consents(amocrm)
        app.already_claimed(ivan.exchange(params))
        app.connected(olena.exchange(params, kind=FORM))
        assert olena.is_connected()
        query = hooks.disconnect_query(amocrm.integration, amocrm.who()[0])
        app.disconnected(fastcgi.get("disconnect", query))
        assert not olena.is_connected()
        params = amocrm.approve(state=olena.state())
        app.connected(olena.exchange(params))
        expect.connected(fastcgi.get("callback", params), params["code"], params["state"])
        app.disconnected(olena.disconnect("DELETE"))
    assert len(amocrm.exchanges()) == 4
    fastcgi.assert_no_secret_in_store_or_logs()
    still_the_same(fastcgi)


SAME = {
    "a page": ("callback", "GET", "error=access_denied&state=s", {"Accept-Language": "uk"}, None),
    "a page's head": ("callback", "HEAD", "code=c", {}, None),
    "no code": ("callback", "GET", None, {}, None),
    "a bad escape": ("callback", "GET", "code=%4&state=s", {}, None),
    "a bad host": ("callback", "GET", "code=c&referer=evil.com", {}, None),
    "a very long query": ("callback", "GET", "code=" + "c" * 20_000, {}, None),
    "an install call": ("callback", "GET", "from_widget=1", {}, None),
    "a wrong method": ("callback", "POST", None, {}, b"x"),
    "a wrong method, HEAD": ("disconnect", "HEAD", None, {}, None),
    "no method": ("callback", "", None, {}, None),
    "no token": ("exchange-code", "POST", None, {"Content-Type": JSON}, b'{"code":"c"}'),
    "a wrong token": ("status", "GET", None, {"Authorization": "Bearer x"}, None),
    "a wrong token, HEAD": ("status", "HEAD", None, {"Authorization": "Bearer x"}, None),
    "no body": ("exchange-code", "POST", None, {"Content-Type": JSON, "X-Auth-Token": "?"}, b""),
    "no type": ("exchange-code", "POST", None, {"X-Auth-Token": "?"}, b"code=c"),
    "a bad host in the body": ("exchange-code", "POST", None, {
        "X-Auth-Token": "?", "Content-Type": FORM}, b"code=c&referer=evil.com"),
    "malformed JSON": ("exchange-code", "POST", None, {
        "X-Auth-Token": "?", "Content-Type": JSON}, b'{"code":"c"'),
    "a NUL": ("exchange-code", "POST", None, {
        "X-Auth-Token": "?", "Content-Type": FORM}, b"code=a\0b"),
    "a body at its limit": ("exchange-code", "POST", None, {
        "X-Auth-Token": "?", "Content-Type": FORM}, b"code=&x=".ljust(32768, b"x")),
    "a body over its limit": ("exchange-code", "POST", None, {
        "X-Auth-Token": "?", "Content-Type": FORM}, b"code=&x=".ljust(32769, b"x")),
    "a body far over its limit": ("exchange-code", "POST", None, {
        "X-Auth-Token": "?", "Content-Type": FORM}, b"x" * 300_000),
    "less than announced": ("exchange-code", "POST", None, {
        "X-Auth-Token": "?", "Content-Type": FORM, "Content-Length": "9"}, b"code=c"),
    "more than announced": ("exchange-code", "POST", None, {
        "X-Auth-Token": "?", "Content-Type": FORM, "Content-Length": "5"}, b"code=c"),
    "nothing to disconnect": ("disconnect", "DELETE", None, {"X-Auth-Token": "?"}, None),
    "a wrong signature": ("disconnect", "GET", "client_uuid=a&account_id=1&signature=b", {}, None),
    "no parameters": ("webhook", "GET", None, {}, None),
    "an empty webhook": ("webhook", "POST", None, {"Content-Type": FORM}, b""),
    "an account that is not connected": ("webhook", "POST", None, {"Content-Type": FORM},
                                         b"account[id]=1&leads[status][0][id]=1"),
}


@pytest.mark.parametrize("label", SAME)
def test_the_same_response_and_log_line_as_by_cgi(bare, label):
    program, method, query, headers, body = SAME[label]
    if not bare.has(program):
        pytest.skip(f"there is no {program}")
    headers = {name: bare.app_token() if value == "?" else value
               for name, value in headers.items()}

    def asked():
        bare.mark_logs()
        answer = bare.ask(program, query, method=method, headers=headers, body=body)
        log = re.sub(rb"^[0-9T:-]+Z ", b"", bare.log_bytes())   # only CGI's lines need the time
        return answer.status, answer.headers, answer.body, log
    by_cgi = asked()
    bare.server = FastCgi(bare)
    try:
        assert asked() == by_cgi
        assert asked() == by_cgi, "the second response of a process differs"
        for piece in (1, 7, 8192):
            if len(body or b"") < 1000 or piece > 1000:
                request = bare.server.request(BASE + program, query, method, headers, body,
                                              piece=piece)
                with bare.server.connect(program) as connection:
                    connection.sendall(request)
                    answer = bare.server.answer(connection, method)
                assert (answer.status, answer.headers, answer.body) == by_cgi[:3], piece
        still_the_same(bare)
    finally:
        bare.server.stop()


# One process for many requests.

def test_several_requests_on_one_connection(fastcgi, amocrm):
    olena = User(fastcgi)
    with fastcgi.server.connect("status") as connection:
        for number in range(5):
            headers = olena.headers if number % 2 == 0 else {}
            connection.sendall(fastcgi.server.request(
                f"{BASE}status", None, "GET", headers, None, keep=True))
            assert fastcgi.server.answer(connection, "GET").status == (401 if number % 2 else 200)
    assert not olena.is_connected()
    still_the_same(fastcgi)


def test_a_fault_does_not_affect_the_next_request(fastcgi, amocrm):
    """Neither the next response nor the next log line contains anything of it."""
    olena = User(fastcgi)
    for params in ({"code": "c" * 5000}, {"code": "c", "referer": "evil.com"}, {"code": ""}, {}):
        assert olena.exchange(params).status == 400
    amocrm.misbehave("server_error")
    app.refused(olena.exchange(amocrm.approve()), 503, "temporarily_unavailable")
    fastcgi.mark_logs()

    app.connected(olena.exchange(amocrm.approve()))

    lines = fastcgi.log()
    assert len(lines) <= 1
    for word in ("fault", "evil", "500"):
        assert not any(word in line for line in lines), lines


def test_responses_contain_nothing_of_other_requests(fastcgi, amocrm):
    fastcgi.configure(**PER_USER)
    olena, ivan = User(fastcgi, "olena"), User(fastcgi, "ivan")
    olena.connects(amocrm)

    for answer in (ivan.status(), fastcgi.get("status"), ivan.status(method="HEAD"),
                   ivan.exchange(code=""), ivan.disconnect(), ivan.status()):
        assert b"olena" not in answer.body and b'"connected":true' not in answer.body
    assert olena.is_connected()


def test_a_changed_configuration_applies_to_the_next_request(fastcgi):
    olena = User(fastcgi)
    assert olena.status().status == 200
    text = fastcgi.config.read_text()
    fastcgi.write_config(text + "colour = blue\n")
    app.refused(olena.status(), 500, "server_error")
    fastcgi.configure(jwt_issuer="https://api.example")
    app.refused(olena.status(), 401, "invalid_token")
    fastcgi.write_config(text)
    assert olena.status().status == 200
    still_the_same(fastcgi)


# Clients that hang up, connect at the same time, or send garbage.

def test_a_client_that_hangs_up_does_not_affect_others(fastcgi, amocrm):
    olena = User(fastcgi)
    whole = fastcgi.server.request(f"{BASE}status", None, "GET", olena.headers, None)
    for sent in (b"", whole[:4], whole[:8], whole[:16], whole[:40], whole[:-8], whole):
        with fastcgi.server.connect("status") as connection:
            connection.sendall(sent)
        assert olena.status().status == 200
    for sent in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, record(PARAMS, b"\xff" * 40)):
        with fastcgi.server.connect("status") as connection:
            connection.sendall(sent)
        assert olena.status().status == 200
    still_the_same(fastcgi)


def test_tokens_are_stored_if_a_phone_hangs_up_during_the_exchange(fastcgi, amocrm):
    olena = User(fastcgi)
    params = amocrm.approve()
    request = fastcgi.server.request(f"{BASE}exchange-code", None, "POST", {
        **olena.headers, "Content-Type": JSON}, json.dumps(params).encode())
    with fastcgi.server.connect("exchange-code") as connection:
        connection.sendall(request)
        process.wait_until(amocrm.exchanges, "the exchange")

    app.connected(olena.exchange(params))

    assert len(amocrm.exchanges()) == 1
    still_the_same(fastcgi)


def test_concurrent_requests_are_handled_one_by_one(fastcgi):
    olena = User(fastcgi)
    fastcgi.server.spawn("status")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: olena.status(), range(64)))

    assert {answer.status for answer in answers} == {200}
    still_the_same(fastcgi)


def test_several_processes_at_one_socket_make_one_exchange(bare, amocrm):
    bare.configure(**PER_USER)
    bare.server = FastCgi(bare, processes=4)
    try:
        olena = User(bare)
        params = amocrm.approve(state=olena.state())
        bare.server.spawn("exchange-code")
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: olena.exchange(params), range(8)))
        for answer in answers:
            app.connected(answer)
        assert len(amocrm.exchanges()) == 1
        still_the_same(bare)
    finally:
        bare.server.stop()


# The end of the process.

@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
@pytest.mark.parametrize("program", ["callback", "exchange-code", "status", "disconnect"])
def test_its_helpers_end_with_it(fastcgi, amocrm, program, how):
    User(fastcgi).connects(amocrm)
    fastcgi.ask(program, method=app.PROGRAMS.get(program, "GET"))
    one = only_process(fastcgi, program)
    children = helpers(one)

    one.send_signal(how)

    assert one.wait(PATIENCE) in (0, -how)
    process.wait_until(lambda: not any(map(process.alive, children)), f"the end of {children}")


def test_a_killed_helper_is_restarted(fastcgi, amocrm):
    olena = User(fastcgi)
    for _ in range(3):
        app.connected(olena.exchange(amocrm.approve()))
        for child in helpers(only_process(fastcgi, "exchange-code")):
            os.kill(int(child), signal.SIGKILL)
            process.wait_until(lambda: not process.alive(child), f"the end of {child}")


def test_term_during_an_exchange_waits_until_the_tokens_are_on_disk(fastcgi, amocrm):
    olena = User(fastcgi)
    params = amocrm.approve()
    request = fastcgi.server.request(f"{BASE}exchange-code", None, "POST", {
        **olena.headers, "Content-Type": JSON}, json.dumps(params).encode())
    with fastcgi.server.connect("exchange-code") as connection:
        connection.sendall(request)
        process.wait_until(amocrm.exchanges, "the exchange")
        one = only_process(fastcgi, "exchange-code")
        one.terminate()
        app.connected(fastcgi.server.answer(connection, "POST"))
    assert one.wait(PATIENCE) in (0, -signal.SIGTERM)

    fastcgi.server.end("exchange-code")
    fastcgi.server.spawn("exchange-code")   # as a supervisor would
    app.connected(olena.exchange(params))
    assert len(amocrm.exchanges()) == 1
