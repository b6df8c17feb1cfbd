"""GET callback: the deep link in every case, and what is stored."""

import hashlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from urllib.parse import parse_qs, urlsplit

import pytest

import app
import expect
from connections import ANY_ACCOUNT, held_lock
from sandbox import hooks, process
from sandbox.web import Answer

STATES = {
    "none": None,
    "a word": "xyz",
    "reserved characters": "a b&c=d#e?f/g:h;i+j%k",
    "not ASCII": "їжак 🦔",
    "like an escape": "%41%zz%",
    "at its limit": "s" * 2048,
}


# Success.

@pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
def test_code_and_state_reach_the_app_and_tokens_are_on_disk(site, amocrm, state):
    params = amocrm.approve(state=state)

    expect.connected(site.get("callback", params), params["code"], state or "")

    assert len(amocrm.exchanges()) == 1
    [connection] = site.connections()
    assert connection["account_id"] == 31920194
    assert connection["domain"] == "reforyou.amocrm.ru"
    assert connection["amocrm_user_id"] == 1
    assert connection["app_user"] is None
    assert connection["state"] == "active"


def test_times_of_a_connection_are_those_of_its_tokens(bare, amocrm):
    before = time.time()
    bare.get("callback", amocrm.approve())
    after = time.time()

    [connection] = bare.connections()

    def seconds(name):
        return datetime.strptime(connection[name], "%Y-%m-%dT%H:%M:%SZ").replace(
            tzinfo=timezone.utc).timestamp()
    assert int(before) <= seconds("connected_at") <= after
    assert int(before) <= seconds("refreshed_at") <= after
    assert int(before) + 86399 <= seconds("expires_at") <= after + 86400


def test_the_stored_access_token_is_the_one_amocrm_gave(bare, amocrm):
    bare.get("callback", amocrm.approve())

    token = bare.ctl("token", 31920194).stdout

    assert amocrm.oauth.bearer(amocrm.who()[0], token.rstrip("\n")).user.id == 1


def test_the_request_to_the_token_endpoint(bare, amocrm):
    params = amocrm.approve()
    bare.get("callback", params)

    [request] = amocrm.exchanges()

    assert request.status == 200
    assert request.header("Content-Type") == "application/json"
    assert request.header("User-Agent")
    assert request.json == {
        "client_id": amocrm.integration.client_id,
        "client_secret": amocrm.integration.client_secret,
        "grant_type": "authorization_code",
        "code": params["code"],
        "redirect_uri": amocrm.integration.redirect_uri,
    }
    assert len(amocrm.connections()) == 1


def test_no_secret_is_in_store_or_logs(site, amocrm):
    site.get("callback", amocrm.approve(state="s"))
    site.get("callback", {**amocrm.approve(), "code": "def50200" + "0" * 1000})
    amocrm.misbehave("server_error")
    site.get("callback", amocrm.approve())
    site.logged("500")

    site.assert_no_secret_in_store_or_logs()


def test_unknown_parameters_are_ignored(site, amocrm):
    params = amocrm.approve(state="s")

    answer = site.get("callback", {"utm": "x", **params, "something": "", "": "", "new[0]": "1"})

    expect.connected(answer, params["code"], "s")


def test_client_id_and_platform_may_be_missing(site, amocrm):
    params = amocrm.approve(state="s")
    del params["client_id"], params["platform"]

    expect.connected(site.get("callback", params), params["code"], "s")


def test_the_pinned_account_replaces_a_missing_referer(site, amocrm):
    params = amocrm.approve()
    del params["referer"]

    expect.connected(site.get("callback", params), params["code"])

    assert [request.host for request in amocrm.exchanges()] == ["reforyou.amocrm.ru"]


def test_without_a_pinned_account_each_referer_is_contacted(site, amocrm):
    site.configure(**ANY_ACCOUNT)
    hosts = [account.host for account in amocrm.accounts]
    for host in hosts:
        params = amocrm.approve(host)
        expect.connected(site.get("callback", params), params["code"])

    assert [request.host for request in amocrm.exchanges()] == hosts
    assert sorted(one["domain"] for one in site.connections()) == sorted(hosts)


def test_shared_the_newest_authorization_is_the_connection(bare, amocrm):
    bare.get("callback", amocrm.approve(user=1))
    bare.get("callback", amocrm.approve(user=2))

    assert [one["amocrm_user_id"] for one in bare.connections()] == [2]


def test_per_user_every_amocrm_user_keeps_a_connection(bare, amocrm):
    bare.configure(**ANY_ACCOUNT)
    for user in (1, 2, 1):
        bare.get("callback", amocrm.approve(user=user))

    assert sorted(one["amocrm_user_id"] for one in bare.connections()) == [1, 2]


# The three ways to open the app.

def test_page_opens_the_app_once_automatically_and_shows_a_button(site, amocrm):
    params = amocrm.approve(state="s")
    site.configure(app_redirect="page")
    answer = site.get("callback", params)

    expect.connected(answer, params["code"], "s")
    assert answer.media_type == "text/html"
    assert "data-auto" in automatic(answer)


def test_button_never_opens_the_app_automatically(site, amocrm):
    params = amocrm.approve(state="s")
    site.configure(app_redirect="button")
    answer = site.get("callback", params)

    expect.connected(answer, params["code"], "s")
    assert answer.media_type == "text/html"
    assert automatic(answer) == set()


def test_302_is_a_redirect_into_the_app(site, amocrm):
    params = amocrm.approve(state="s")
    site.configure(app_redirect="302")
    answer = site.get("callback", params)

    expect.connected(answer, params["code"], "s", status=302)
    expect.failed(site.get("callback", {"state": "s"}), "missing_code", "s", status=302)


def automatic(answer):
    """The means that open the app automatically: the script's attribute, or a refresh."""
    elements = [part for part in answer.page.skeleton if isinstance(part, tuple)]
    return ({name for part in elements for name, *_ in part[1:] if name == "data-auto"}
            | {"refresh" for part in elements if ("http-equiv", "refresh") in part[1:]})


def test_another_deep_link_keeps_its_own_query(site, amocrm):
    params = amocrm.approve(state="s")
    site.configure(app_deep_link="https://app.example.com/amo?from=crm")

    link = site.get("callback", params).link

    assert link == f"https://app.example.com/amo?from=crm&code={params['code']}&state=s"


def test_android_gets_an_intent_link_first_and_the_plain_one_second(site, amocrm):
    params = amocrm.approve(state=";end#Intent;S.x=1;end")
    site.configure(app_android_package="com.foryou.realestate")
    answer = site.get("callback", params, headers={"User-Agent": "Mozilla/5.0 (Linux; Android 15)"})

    links = [link for link in answer.page.links.values() if link]
    intent = next(link for link in links if link.startswith("intent:"))
    target, fragment = intent.split("#")
    assert target == (f"intent://amo-crm/callback?code={params['code']}"
                      "&state=%3Bend%23Intent%3BS.x%3D1%3Bend")
    # no S.browser_fallback_url: Chrome would also open it if only the user gesture was missing
    assert fragment == "Intent;scheme=foryoure;package=com.foryou.realestate;end"
    assert any(link.startswith("foryoure:") for link in links)


ANDROID = "Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile"


@pytest.mark.parametrize("mode", ["page", "button", "302"])
@pytest.mark.parametrize("deep_link, begins", [
    ("com.example.app:/path", "intent:/path?code="), ("foryoure:callback", "intent:callback?code="),
    ("https://app.example.com/amo?from=crm", "intent://app.example.com/amo?from=crm&code="),
])
def test_android_gets_an_intent_for_every_deep_link(bare, amocrm, deep_link, begins, mode):
    bare.configure(app_deep_link=deep_link, app_android_package="com.example.app", app_redirect=mode)
    params = amocrm.approve(state="s")

    answer = bare.get("callback", params, headers={"User-Agent": ANDROID})

    expect.hardened(answer)
    links = (answer.values("Location") if mode == "302"
             else [link for link in answer.page.links.values() if link])
    [intent] = [link for link in links if link.startswith("intent:")]
    scheme = deep_link.partition(":")[0]
    assert intent == (f"{begins}{params['code']}&state=s"
                      f"#Intent;scheme={scheme};package=com.example.app;end")
    assert len(amocrm.connections()) == 1


def test_a_webview_gets_the_deep_link_itself(bare, amocrm):
    bare.configure(app_android_package="com.example.app", app_redirect="302")
    params = amocrm.approve(state="s")

    answer = bare.get("callback", params, headers={
        "User-Agent": ANDROID.replace("; K)", "; K; wv)")})

    expect.connected(answer, params["code"], "s", status=302)


def test_other_phones_get_no_intent_link(bare, amocrm):
    params = amocrm.approve()
    bare.configure(app_android_package="com.foryou.realestate")

    expect.connected(bare.get("callback", params, headers={"User-Agent": "iPhone"}), params["code"])


# Errors from amoCRM, and invalid requests.

AMOCRM_ERRORS = {
    "denied": ("access_denied", "access_denied"),
    "64 letters": ("e" * 64, "e" * 64),
    "65 letters": ("e" * 65, "auth_failed"),
    "upper case": ("Access_Denied", "auth_failed"),
    "digits": ("error1", "auth_failed"),
    "markup": ("<script>alert(1)</script>", "auth_failed"),
    "a line end": ("access_denied\r\n", "auth_failed"),
}


@pytest.mark.parametrize("sent, expected", AMOCRM_ERRORS.values(), ids=AMOCRM_ERRORS.keys())
def test_amocrms_error_reaches_the_app(site, amocrm, sent, expected):
    query = {"error": sent, "state": "s&t"}
    answer = site.get("callback", query)

    assert amocrm.connections() == []
    if not expect.refused_by_lighttpd(site, query, answer):
        expect.failed(answer, expected, "s&t")


def test_a_denial_leaves_stored_tokens_alone(site, amocrm):
    site.get("callback", amocrm.approve())
    before = site.connections()

    expect.failed(site.get("callback", amocrm.deny(state="s")), "access_denied", "s")

    assert site.connections() == before
    assert len(before) == 1


def test_an_error_together_with_a_code_wins_and_the_code_is_not_used(site, amocrm):
    params = {**amocrm.approve(), "error": "access_denied"}

    expect.failed(site.get("callback", params), "access_denied")

    assert amocrm.connections() == []


NO_CODE = {
    "no query": None,
    "empty query": "",
    "only a state": "state=s",
    "empty code": "code=&state=s",
    "a bare word, which Apache makes an argument": "code",
    "options for a command line": "-h+--version+-",
    "only ampersands": "&&&",
}


@pytest.mark.parametrize("query", NO_CODE.values(), ids=NO_CODE.keys())
def test_neither_code_nor_error(site, amocrm, query):
    state = "s" if query and "state=s" in query else None

    expect.failed(site.get("callback", query), "missing_code", state)

    assert amocrm.connections() == []


def good_query(amocrm, **changed):
    params = {**amocrm.approve(), **changed}
    return "&".join(f"{name}={value}" for name, value in params.items() if value is not None)


MALFORMED = {
    "code twice": "{good}&code=1",
    "code twice, once escaped": "{good}&%63ode=1",
    "state twice": "{good}&state=a&state=a",
    "referer twice": "{good}&referer=reforyou.amocrm.ru",
    "client_id twice": "{good}&client_id=1",
    "error twice": "error=access_denied&error=access_denied",
    "NUL in the state": "{good}&state=a%00b",
    "NUL in the code": "code=a%00b",
    "NUL in a name": "{good}&st%00ate=a",
    "code over its limit": "code=" + "c" * 4097,
    "state over its limit": "{good}&state=" + "s" * 2049,
    "referer with brackets": "{good}&referer[]=reforyou.amocrm.ru",
    "another client_id": "code=1&client_id=01d01160-d7a0-4087-b4af-6a1bb83fcd1d",
}


@pytest.mark.parametrize("query", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_requests_never_reach_amocrm(site, amocrm, query):
    query = query.replace("{good}", good_query(amocrm))
    answer = site.get("callback", query)

    assert amocrm.connections() == []
    if not expect.refused_by_lighttpd(site, query, answer):
        expect.hardened(answer)
        assert answer.status == 200
        assert answer.link_query["error"] == "invalid_request"


BAD_ESCAPES = {
    "escape cut short": "{good}&state=%4",
    "escape of no hex digit": "{good}&state=%zz",
    "sign inside an escape": "{good}&state=%+9",
    "lone percent sign": "{good}&state=%",
    "in a name": "{good}&%zz=1",
}


# lighttpd re-encodes such an escape, %zz to %25zz, before it starts the program.
@pytest.mark.parametrize("site", ["bare", "apache"], indirect=True)
@pytest.mark.parametrize("query", BAD_ESCAPES.values(), ids=BAD_ESCAPES.keys())
def test_bad_escapes_never_reach_amocrm(site, amocrm, query):
    answer = site.get("callback", query.replace("{good}", good_query(amocrm)))

    expect.failed(answer, "invalid_request")
    assert amocrm.connections() == []


def test_a_code_at_its_limit_is_sent_to_amocrm(site, amocrm):
    expect.failed(site.get("callback", {"code": "c" * 4096}), "auth_failed")
    assert len(amocrm.exchanges()) == 1


def test_a_refused_request_returns_a_valid_state(site, amocrm):
    params = {**amocrm.approve(state="s"), "client_id": "another"}

    expect.failed(site.get("callback", params), "invalid_request", "s")


def test_missing_referer_without_a_pinned_account(site, amocrm):
    site.configure(**ANY_ACCOUNT)
    params = amocrm.approve()
    del params["referer"]

    expect.failed(site.get("callback", params), "invalid_request")

    assert amocrm.connections() == []


def test_another_account_than_the_pinned_one(site, amocrm):
    expect.failed(site.get("callback", amocrm.approve("second.amocrm.ru")), "wrong_account")

    assert amocrm.connections() == []


def test_a_renamed_account_pinned_by_number_stays_let_in(site, amocrm):
    site.configure(amocrm_account="former.amocrm.ru", amocrm_account_id=31920194)
    params = amocrm.approve()

    expect.connected(site.get("callback", params), params["code"])


@pytest.mark.parametrize("kind", ["claims", "opaque_token"])
def test_tokens_of_another_account_than_the_pinned_number_are_not_stored(bare, amocrm, kind):
    bare.configure(amocrm_account_id=31920194)
    if kind == "opaque_token":
        amocrm.misbehave(kind)
    params = amocrm.approve("second.amocrm.ru", state="s")

    for _ in range(2):      # the second time, amoCRM is not asked again
        expect.failed(bare.get("callback", params), "wrong_account", "s")

    assert len(amocrm.exchanges()) == 1 and bare.connections() == []
    if kind == "claims":    # otherwise amoCRM has to be asked, and they are pending meanwhile
        assert not any((bare.store / "escrow" / "000").read_bytes())
    bare.logged("wrong_account", "32720107")


@pytest.mark.parametrize("language, words", [
    ("en", "Another amoCRM account"), ("uk", "Обрано інший акаунт"), ("ru", "Выбран другой аккаунт")])
def test_the_page_says_that_the_account_is_another(site, amocrm, language, words):
    answer = site.get("callback", amocrm.approve("second.amocrm.ru"),
                      headers={"Accept-Language": language})

    assert words in answer.text and amocrm.exchanges() == []


SIGNED_STATES = {
    "none": lambda mine: None,
    "foreign": lambda mine: "foreign",
    "not a JWT": lambda mine: "a.b.c",
    "cut short": lambda mine: mine[:-1],
    "longer": lambda mine: mine + "A",
    "another signature": lambda mine: mine[:-4] + ("AAAA" if mine[-4:] != "AAAA" else "BBBB"),
    "another payload": lambda mine: ".".join([mine.split(".")[0], "e30", mine.split(".")[-1]]),
}


@pytest.mark.parametrize("change", SIGNED_STATES.values(), ids=SIGNED_STATES.keys())
def test_where_states_are_signed_other_states_are_refused(site, amocrm, change):
    site.configure(app_state="signed")

    answer = site.get("callback", amocrm.approve(state=change(signed_state(site))))

    expect.hardened(answer)
    assert answer.link_query["error"] == "invalid_request"
    assert amocrm.connections() == []


def test_a_state_signed_by_us_is_accepted(site, amocrm):
    site.configure(app_state="signed")
    state = signed_state(site)
    params = amocrm.approve(state=state)

    expect.connected(site.get("callback", params), params["code"], state)


def test_the_apps_jwt_is_not_accepted_as_a_state(site, amocrm):
    site.configure(app_state="signed")

    answer = site.get("callback", amocrm.approve(state=site.app_token()))

    assert answer.link_query["error"] == "invalid_request"
    assert amocrm.connections() == []


def signed_state(site):
    """The state that the app gets as part of the URL from status."""
    answer = site.get("status", headers={"Authorization": f"Bearer {site.app_token()}"})
    return parse_qs(urlsplit(answer.json["data"]["authorizeUrl"]).query)["state"][0]


# Repeated and concurrent requests.

def test_a_reload_gets_the_same_response_without_a_second_exchange(site, amocrm):
    params = amocrm.approve(state="s")

    for _ in range(3):
        expect.connected(site.get("callback", params), params["code"], "s")

    assert len(amocrm.exchanges()) == 1
    assert len(site.connections()) == 1


@pytest.mark.parametrize("connections", ["shared", "per_user"])
def test_a_reload_gets_the_same_response_after_another_authorization(site, amocrm, connections):
    site.configure(app_connections=connections, app_state="any")
    first, second = amocrm.approve(user=1), amocrm.approve(user=2)

    for params in (first, second, first, second):
        expect.connected(site.get("callback", params), params["code"])

    assert len(amocrm.exchanges()) == 2


def test_eight_concurrent_requests_with_one_code_make_one_exchange(site, amocrm):
    params = amocrm.approve(state="s")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: site.get("callback", params), range(8)))

    for answer in answers:
        expect.connected(answer, params["code"], "s")
    assert len(amocrm.exchanges()) == 1


def test_eight_concurrent_codes_make_eight_connections(site, amocrm):
    site.configure(**ANY_ACCOUNT)
    for user in range(100, 108):
        amocrm.add_user(user)
    codes = [amocrm.approve(user=user) for user in range(100, 108)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: site.get("callback", one), codes))

    for answer, one in zip(answers, codes):
        expect.connected(answer, one["code"])
    assert sorted(one["amocrm_user_id"] for one in site.connections()) == list(range(100, 108))


def test_shared_eight_concurrent_codes_make_one_connection(site, amocrm):
    """The newest one wins; the others get the same successful response."""
    for user in range(100, 108):
        amocrm.add_user(user)
    codes = [amocrm.approve(user=user) for user in range(100, 108)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: site.get("callback", one), codes))

    for answer, one in zip(answers, codes):
        expect.connected(answer, one["code"])
    [connection] = site.connections()
    assert connection["amocrm_user_id"] in range(100, 108)


MODES = ["page", "button", "302"]

# Requests that need no call to amoCRM.
NO_EXCHANGE = {
    "no query": {},
    "denied": {"error": "access_denied", "state": "s"},
    "another error": {"error": "Some Text"},
    "malformed": b"code=%zz&state=s",
    "a repeated parameter": b"code=1&code=2&state=s",
    "another client_id": {"code": "c", "client_id": "another", "state": "s"},
    "a foreign host": {"code": "c", "referer": "evil.com", "state": "s"},
    "an install call that is malformed": b"from_widget=1&code=%zz",
}


def head(answer):
    """The status and the headers, without those that the server sets."""
    return answer.status, sorted(answer.headers_without(
        "Accept-Ranges", "Connection", "Content-Length", "Date", "Server", "Transfer-Encoding"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", NO_EXCHANGE.values(), ids=NO_EXCHANGE.keys())
def test_head_matches_get_without_an_exchange(bare, amocrm, query, mode):
    bare.configure(app_redirect=mode)

    assert head(bare.ask("callback", query, method="HEAD")) == head(bare.get("callback", query))


@pytest.mark.parametrize("mode", MODES)
def test_head_exchanges_nothing_and_the_code_still_works(site, amocrm, mode):
    """The first response to HEAD is composed as if amoCRM had accepted the code."""
    site.configure(app_redirect=mode)
    params = amocrm.approve(state="s")

    before = site.ask("callback", params, method="HEAD")
    assert amocrm.connections() == []
    answer = site.get("callback", params)
    expect.connected(answer, params["code"], "s", status=302 if mode == "302" else 200)
    after = site.ask("callback", params, method="HEAD")

    assert before.body == after.body == b""
    assert before.header("Location") is None, "there is no connection yet"
    assert head(before) == head(Answer(answer.status, answer.headers_without("Location"), b""))
    assert head(after) == head(answer)
    assert len(amocrm.exchanges()) == 1


@pytest.mark.parametrize("query", [{}, {"code": "c"}], ids=["without a code", "with a code"])
def test_head_of_an_install_call(bare, amocrm, query):
    answer = bare.ask("callback", {"from_widget": "1", "referer": "reforyou.amocrm.ru", **query},
                      method="HEAD")

    expect.plain_text(answer, "")
    assert amocrm.connections() == []


# Calls by amoCRM itself.

@pytest.mark.parametrize("kind", ["from_widget", "from_exchange"])
def test_an_install_call_stores_the_connection_and_gets_plain_text(site, amocrm, kind):
    answer = site.get("callback", {**amocrm.approve(), kind: "1"})

    expect.plain_text(answer, "connected")
    assert len(site.connections()) == 1


def test_the_install_call_as_amocrm_makes_it(on_servers, amocrm):
    sent = amocrm.install()

    assert sent.status == 200 and b"connected" in sent.body
    assert len(on_servers.connections()) == 1


def test_an_install_call_ends_in_time_if_amocrm_hangs(site, amocrm):
    def call():
        amocrm.misbehave("hang")
        return site.get("callback", {**amocrm.approve(), "from_widget": "1"})

    expect.plain_text(process.quick(3, "an install call", call), "temporarily_unavailable")
    site.logged("temporarily_unavailable")


@pytest.mark.parametrize("seconds", [1.5, 60], ids=["for a while", "all the time"])
def test_an_install_call_ends_in_time_if_its_code_is_locked(bare, amocrm, seconds):
    def call():
        params = amocrm.approve()
        amocrm.misbehave("hang")
        lock = held_lock(bare, "code:" + hashlib.sha256(params["code"].encode()).hexdigest())
        release = threading.Timer(seconds, lock.close)
        release.start()
        try:
            return bare.get("callback", {**params, "from_widget": "1"})
        finally:
            release.cancel()
            lock.close()

    expect.plain_text(process.quick(3, "an install call", call), "temporarily_unavailable")


def test_an_invalid_install_call_gets_no_deep_link(site, amocrm):
    answer = site.get("callback", {"from_widget": "1", "code": "c", "client_id": "another"})

    expect.plain_text(answer, "invalid_request")
    assert amocrm.connections() == []


def test_an_install_flag_with_a_state_is_a_browser_request(site, amocrm):
    params = amocrm.approve(state="s")

    expect.connected(site.get("callback", {**params, "from_widget": "1"}), params["code"], "s")


# Methods.

@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_get_405_and_the_allowed_methods(site, amocrm, method):
    answer = site.ask("callback", amocrm.approve(), method=method, body=b"")

    refused(answer)
    assert answer.header("Allow") == "GET, HEAD"
    assert amocrm.connections() == []


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "get", "GETS", "", "G" * 5000])
def test_unknown_methods(bare, amocrm, method):
    answer = bare.ask("callback", amocrm.approve(), method=method)

    refused(answer)
    assert amocrm.connections() == []


def test_a_missing_method(bare):
    program = bare.server.start(bare.url("callback").removeprefix("http://localhost"),
                                REQUEST_METHOD=None)

    output, _ = program.communicate(timeout=process.PATIENCE)

    assert program.returncode == 0
    assert output.startswith(b"Status: 405 ")


def refused(answer):
    expect.hardened(answer)
    assert answer.status == 405
    assert answer.media_type == "application/json"
    members = json.loads(answer.text)
    assert members["success"] is False
    assert members["error"] == "method_not_allowed"
    assert members["message"]


# Languages.

@pytest.mark.parametrize("wanted, given", [
    ("uk", "uk"), ("ru-RU,ru;q=0.9,en;q=0.8", "ru"), ("de,en;q=0.5", "en"), (None, "en"),
    ("uk;q=0,ru;q=0.1", "ru"), ("*", "en"), ("UK-ua", "uk"),
])
def test_the_page_is_in_the_visitors_language(site, wanted, given):
    answer = site.get("callback", {"error": "access_denied"},
                      headers={"Accept-Language": wanted} if wanted else {})

    assert answer.header("Content-Language") == given
    assert f'<html lang="{given}"' in answer.text
    assert "accept-language" in answer.header("Vary").lower()
    expect.failed(answer, "access_denied")


def test_a_missing_query_string_variable(bare, amocrm):
    """A server may omit QUERY_STRING if there is no query."""
    path = bare.url("callback").removeprefix("http://localhost")
    program = bare.server.start(path, QUERY_STRING=None)

    output, _ = program.communicate(timeout=process.PATIENCE)

    assert program.returncode == 0
    assert b"error=missing_code" in output


# amoCRM's server, recognised by its user agent: calls of 2021 had a state of amoCRM's own.

SENDER = {"User-Agent": hooks.SENDER_AGENT}


@pytest.mark.parametrize("state", ["made-up", None, "a.b.c"])
def test_an_install_call_with_a_state_of_its_own(site, amocrm, state):
    site.configure(app_connections="per_user", app_state="signed")
    params = amocrm.approve(state=state)

    expect.plain_text(site.get("callback", params, headers=SENDER), "connected")

    assert len(amocrm.exchanges()) == 1 and len(site.connections()) == 1
    user = app.User(site, "thief")
    app.already_claimed(user.exchange(params, state=user.state()))
    assert not user.is_connected()


OTHER_AGENTS = {
    "a browser": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36",
    "a browser that adds the name": f"Mozilla/5.0 {hooks.SENDER_AGENT}",
    "the beginning of the name": "amoService-oAuth",
    "the name in small letters": hooks.SENDER_AGENT.lower(),
    "amoCRM's webhooks": hooks.WEBHOOK_AGENT,
    "empty": "",
}


@pytest.mark.parametrize("agent", OTHER_AGENTS.values(), ids=OTHER_AGENTS.keys())
def test_only_amocrms_agent_lets_such_an_install_call_in(site, amocrm, agent):
    """The same parameters, first with another agent, then with amoCRM's."""
    site.configure(app_connections="per_user", app_state="signed")
    params = amocrm.approve(state="made-up")

    expect.failed(site.get("callback", params, headers={"User-Agent": agent}), "invalid_request")
    assert amocrm.connections() == [] and site.connections() == []

    expect.plain_text(site.get("callback", params, headers=SENDER), "connected")
    assert [one["app_user"] for one in site.connections()] == [None]


@pytest.mark.parametrize("headers", [SENDER, {}], ids=["amoCRM's agent", "another"])
def test_amocrms_agent_does_not_change_whose_a_signed_state_is(bare, amocrm, headers):
    """Anybody can send it."""
    bare.configure(app_connections="per_user", app_state="signed")
    owner, thief = app.User(bare, "owner"), app.User(bare, "thief")
    params = amocrm.approve(state=owner.state())

    expect.hardened(bare.get("callback", params, headers=headers))

    app.already_claimed(thief.exchange(params, state=thief.state()))
    app.connected(owner.exchange(params))
