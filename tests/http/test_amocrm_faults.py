"""GET callback when amoCRM or the network fails: the error for the app, the advice in the log, and
that no stored token is lost."""

import time

import pytest

import expect
from sandbox import faults, process

REFUSED, LATER = "auth_failed", "temporarily_unavailable"

# The fault, and words of the log line, which tell an administrator what to do.
REFUSALS = {
    "code_expired": ("expired", "connect again"),
    "code_revoked": ("revoked", "connect again"),
    "code_undecryptable": ("decrypt", "authorize_url"),
    "token_revoked": ("revoked", "connect again"),
    "code_of_another_client": ("not issued to this client", "another integration"),
    "code_malformed": ("malformed", "connect again"),
    "code_missing": ("Check the `code` parameter", "connect again"),
    "redirect_uri_missing": ("`redirect_uri`", "redirect_uri must equal the one"),
    "unknown_hint": ("moon token account", "not known to us"),
    "redirect_uri": ("Redirect URI", "redirect_uri must equal the one"),
    "client_id": ("client_id", "Keys tab"),
    "client_secret": ("client_secret", "Keys tab"),
    "invalid_account": ("Invalid account", "see account"),
    "send_to_account": ("Send request to account", "see account"),
    "invalid_client": ("Invalid client", "wrong client_secret"),
    "invalid_client_russian": ("401", "wrong client_secret"),
}
TEMPORARY = {
    "forbidden": ("403", "blocked"),
    "too_many": ("429", "too many"),
    "too_many_json": ("429", "too many"),
    "server_error": ("500",),
    "unauthorized_page": ("401", "without JSON"),
    "bad_gateway": ("502",),
    "not_json": ("200", "without JSON"),
    "empty": ("200",),
    "other_json": ("200",),
    "cut": ("reforyou.amocrm.ru",),
    "huge": ("over", "bytes"),
    "endless": ("over", "bytes"),
    "redirect": ("307",),
    "connection_reset": ("reforyou.amocrm.ru",),
    "certificate_expired": ("certificate",),
    "certificate_of_another": ("certificate",),
    "certificate_unknown": ("certificate",),
}
# Replies with status 200 that contain no usable token pair.
USELESS = {
    "an empty object": "{}",
    "a list": "[]",
    "a word": '"ok"',
    "null": "null",
    "half an object": '{"access_token":"a"',
    "no refresh token": '{"token_type":"Bearer","expires_in":86400,"access_token":"a.b.c"}',
    "no access token": '{"token_type":"Bearer","expires_in":86400,"refresh_token":"r"}',
    "tokens that are numbers":
        '{"token_type":"Bearer","expires_in":86400,"access_token":1,"refresh_token":2}',
    "empty tokens":
        '{"token_type":"Bearer","expires_in":86400,"access_token":"","refresh_token":""}',
    "a line end in a token": '{"token_type":"Bearer","expires_in":86400,'
                             '"access_token":"a\\r\\nX: y","refresh_token":"r"}',
    "a NUL in a token": '{"token_type":"Bearer","expires_in":86400,'
                        '"access_token":"a\\u0000b","refresh_token":"r"}',
    "no life": '{"token_type":"Bearer","access_token":"a.b.c","refresh_token":"r"}',
    "a negative life": '{"token_type":"Bearer","expires_in":-1,"access_token":"a.b.c",'
                       '"refresh_token":"r"}',
    "a life beyond all numbers": '{"token_type":"Bearer","expires_in":1e400,'
                                 '"access_token":"a.b.c","refresh_token":"r"}',
    "deep nesting": "[" * 30000,
    "something behind it": '{"token_type":"Bearer","expires_in":86400,"access_token":"a.b.c",'
                           '"refresh_token":"r"} {}',
}


def connected_before(site, amocrm):
    """Connects once before the fault; returns the connection, which the fault must not change."""
    expect.connected(site.get("callback", params := amocrm.approve()), params["code"])
    [connection] = site.connections()
    token = site.ctl("token", 31920194).stdout
    amocrm.forget()
    return connection, token


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_is_final_and_the_log_says_why(bare, amocrm, kind):
    before = connected_before(bare, amocrm)
    amocrm.misbehave(kind)

    expect.failed(bare.get("callback", amocrm.approve(state="s")), REFUSED, "s")

    bare.logged(REFUSED, "reforyou.amocrm.ru", *REFUSALS[kind])
    assert len(amocrm.exchanges()) == 1
    assert connection_and_token(bare) == before


@pytest.mark.parametrize("kind", TEMPORARY)
def test_a_temporary_fault_loses_nothing(bare, amocrm, kind):
    before = connected_before(bare, amocrm)
    # the request may be retried if nothing was sent
    tries = 2 if kind in faults.AT_CONNECT else 1
    amocrm.misbehave(kind, tries)

    answer = bare.get("callback", amocrm.approve(state="s"))

    expect.failed(answer, LATER, "s")
    bare.logged(LATER, "reforyou.amocrm.ru", *TEMPORARY[kind])
    assert len(amocrm.connections()) <= tries, "the request was retried, or a redirect was followed"
    assert len(amocrm.exchanges()) <= 1
    assert connection_and_token(bare) == before


def connection_and_token(site):
    [connection] = site.connections()
    return connection, site.ctl("token", 31920194).stdout


@pytest.mark.parametrize("body", USELESS.values(), ids=USELESS.keys())
def test_a_useless_reply_loses_nothing(bare, amocrm, body):
    before = connected_before(bare, amocrm)
    amocrm.misbehave("other_json", body=body)

    expect.failed(bare.get("callback", amocrm.approve()), LATER)

    bare.logged(LATER)
    assert connection_and_token(bare) == before


@pytest.mark.parametrize("kind", ["forbidden", "server_error", "certificate_expired"])
def test_the_same_url_works_after_a_temporary_fault(site, amocrm, kind):
    amocrm.misbehave(kind, 2 if kind in faults.AT_CONNECT else 1)
    params = amocrm.approve(state="s")
    expect.failed(site.get("callback", params), LATER, "s")

    expect.connected(site.get("callback", params), params["code"], "s")

    assert len(site.connections()) == 1


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_the_whole_exchange_has_a_deadline(site, amocrm, kind):
    site.configure(amocrm_timeout=1)

    def fails_late():
        amocrm.misbehave(kind)
        began = time.monotonic()
        expect.failed(site.get("callback", amocrm.approve(state="s")), LATER, "s")
        assert time.monotonic() - began > 0.9

    process.quick(2.5, "an exchange with a deadline of 1 s", fails_late)
    site.logged(LATER, "imeout")


def test_a_hanging_exchange_blocks_only_its_own_code(bare, amocrm):
    bare.configure(amocrm_timeout=30)
    amocrm.misbehave("hang")
    path = bare.url("callback").removeprefix("http://localhost")
    slow = bare.server.start(path, amocrm.approve())
    try:
        process.wait_until(amocrm.exchanges, "the first exchange")
        params = amocrm.approve()
        expect.connected(bare.get("callback", params), params["code"])
        assert slow.poll() is None, "the first exchange has ended"
    finally:
        slow.kill()
        slow.communicate()


def test_connection_refused(site, amocrm):
    with process.dead_port() as port:
        site.configure(amocrm_connect_to=f"::127.0.0.1:{port}")
        expect.failed(site.get("callback", amocrm.approve(state="s")), LATER, "s")
    site.logged(LATER, "reforyou.amocrm.ru", "onnect")


def test_a_reset_before_any_byte_was_sent_is_retried_once(bare, amocrm):
    amocrm.misbehave("reset_early")
    params = amocrm.approve()

    expect.connected(bare.get("callback", params), params["code"])

    assert len(amocrm.connections()) == 2
    assert len(amocrm.exchanges()) == 1


def test_a_sent_request_is_never_repeated(bare, amocrm):
    amocrm.misbehave("lost_reply")
    params = amocrm.approve()

    expect.failed(bare.get("callback", params), LATER)
    assert len(amocrm.exchanges()) == 1

    # the code is used up at amoCRM, so the user has to consent again
    expect.failed(bare.get("callback", params), REFUSED)


def test_a_redirect_is_not_followed(bare, amocrm):
    for status in (301, 302, 303, 307, 308):
        amocrm.forget()
        amocrm.misbehave("redirect", status=status)
        expect.failed(bare.get("callback", amocrm.approve()), LATER)
        assert [connection.sni for connection in amocrm.connections()] == ["reforyou.amocrm.ru"]


def test_a_missing_ca_file(bare, amocrm):
    bare.configure(amocrm_ca_file="/nonexistent/ca.pem")

    answer = bare.get("callback", amocrm.approve())

    assert answer.link_query["error"] == "server_error"
    bare.logged("server_error", "ca_file")
    assert amocrm.exchanges() == []


def test_environment_variables_of_curl_are_ignored(bare, amocrm):
    """A client's `Proxy:` header becomes HTTP_PROXY in the environment of a CGI program."""
    with process.dead_port() as port:
        proxy = f"http://127.0.0.1:{port}"
        path = bare.url("callback").removeprefix("http://localhost")
        params = amocrm.approve()
        program = bare.server.start(
            path, params, HTTP_PROXY=proxy, http_proxy=proxy, HTTPS_PROXY=proxy, https_proxy=proxy,
            ALL_PROXY=proxy, all_proxy=proxy, SSL_CERT_FILE="/nonexistent",
            CURL_CA_BUNDLE="/nonexistent", SSLKEYLOGFILE=str(bare.folder / "keylog"))
        output, _ = program.communicate(timeout=process.PATIENCE)

    assert f"code={params['code']}".encode() in output
    assert not (bare.folder / "keylog").exists()


# Unusual tokens.

def test_tokens_of_8_kb(site, amocrm):
    amocrm.misbehave("big_tokens")
    params = amocrm.approve()

    expect.connected(site.get("callback", params), params["code"])

    token = site.ctl("token", 31920194).stdout.rstrip("\n")
    assert len(token) >= 8192
    assert amocrm.oauth.bearer(amocrm.who()[0], token)


def test_the_account_of_an_opaque_access_token_is_requested(site, amocrm):
    amocrm.misbehave("opaque_token")
    params = amocrm.approve(user=2)

    expect.connected(site.get("callback", params), params["code"])

    [asked] = amocrm.record.requests("/api/v4/account")
    assert asked.status == 200
    [connection] = site.connections()
    assert (connection["account_id"], connection["amocrm_user_id"]) == (31920194, 2)
    assert connection["domain"] == "reforyou.amocrm.ru"


ODD_CLAIMS = {
    "no account": {"account_id": None},
    "no user": {"sub": None},
    "account is a word": {"account_id": "reforyou"},
    "account is zero": {"account_id": 0},
    "account is negative": {"account_id": -1},
    "account is a fraction": {"account_id": 1.5},
    "account is beyond 63 bits": {"account_id": 1 << 63},
    "account is true": {"account_id": True},
    "account is a list": {"account_id": [31920194]},
    "user is a word": {"sub": "admin"},
    "user is empty": {"sub": ""},
    "user has a sign": {"sub": "+1"},
    "user has a blank": {"sub": "1 "},
    "user wants to be a path": {"sub": "../1"},
    "user is beyond 63 bits": {"sub": "9223372036854775808"},
}


@pytest.mark.parametrize("claims", ODD_CLAIMS.values(), ids=ODD_CLAIMS.keys())
def test_invalid_claims_are_ignored_and_the_account_is_requested(bare, amocrm, claims):
    amocrm.misbehave("claims", **claims)
    params = amocrm.approve()

    expect.connected(bare.get("callback", params), params["code"])

    assert len(amocrm.record.requests("/api/v4/account")) == 1
    [connection] = bare.connections()
    assert (connection["account_id"], connection["amocrm_user_id"]) == (31920194, 1)


def test_tokens_are_kept_while_the_account_cannot_be_requested(bare, amocrm):
    """The code is used up by then, so the tokens must not be lost."""
    amocrm.misbehave("opaque_token", path="/oauth2/access_token")
    amocrm.misbehave("server_error", path="/api/v4/account")
    params = amocrm.approve(state="s")
    expect.failed(bare.get("callback", params), LATER, "s")
    assert bare.connections() == []

    expect.connected(bare.get("callback", params), params["code"], "s")

    assert len(amocrm.exchanges()) == 1
    assert len(bare.connections()) == 1
    bare.assert_no_secret_in_store_or_logs()


def test_faults_leave_no_secret_in_the_log(bare, amocrm):
    bare.configure(amocrm_budget="50 50")
    for kind in (*REFUSALS, *TEMPORARY, "lost_reply", "opaque_token"):
        amocrm.misbehave(kind, 2 if kind in faults.AT_CONNECT else 1)
        bare.get("callback", amocrm.approve(state="s"))
    bare.logged("certificate")

    bare.assert_no_secret_in_store_or_logs()
