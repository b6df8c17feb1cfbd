"""POST exchange-code: the app presents the code of its deep link, and gets the connection.

The tests of its body are in test_app_body.py.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import app
import expect
from app import (
    FORM, JSON, PER_USER, User, in_both_set_ups, in_every_mode, where_states_are_signed)
from sandbox import process


# Success.

@in_every_mode
def test_a_new_code(site, amocrm, mode):
    site.configure(**mode)
    olena = User(site)

    app.connected(olena.exchange(amocrm.approve(state=olena.state())))

    assert len(amocrm.exchanges()) == 1
    assert olena.is_connected()
    [connection] = site.connections()
    assert connection["app_user"] == (None if mode["app_connections"] == "shared" else "olena")
    assert (connection["account_id"], connection["amocrm_user_id"]) == (31920194, 1)
    assert connection["state"] == "active"


@in_every_mode
def test_a_code_exchanged_by_the_callback_is_not_exchanged_again(site, amocrm, mode):
    site.configure(**mode)
    olena = User(site)
    params = olena.consents(amocrm)
    assert not olena.is_connected()

    app.connected(olena.exchange(params))

    assert len(amocrm.exchanges()) == 1
    assert olena.is_connected()


@in_every_mode
def test_a_repeated_request_gets_the_same_response(bare, amocrm, mode):
    bare.configure(**mode)
    olena = User(bare)
    params = olena.connects(amocrm)
    before = bare.connections()

    for _ in range(2):
        app.connected(olena.exchange(params))

    assert len(amocrm.exchanges()) == 1
    assert bare.connections() == before


@in_every_mode
def test_the_callback_may_come_after_the_app(bare, amocrm, mode):
    bare.configure(**mode)
    olena = User(bare)
    params = amocrm.approve(state=olena.state())
    app.connected(olena.exchange(params))

    expect.connected(bare.get("callback", params), params["code"], params["state"])

    assert len(amocrm.exchanges()) == 1
    app.connected(olena.exchange(params))
    assert olena.is_connected()


@pytest.mark.parametrize("mode", [app.MODES["shared, any state"], app.MODES["per_user, any state"]],
                         ids=["shared", "per_user"])
def test_a_state_made_by_the_app(bare, amocrm, mode):
    """If any state is accepted, the state need not be ours, and may be missing."""
    bare.configure(**mode)
    olena = User(bare)
    for kind, state in ((JSON, "of the app's"), (FORM, "of the app's"), (JSON, None)):
        params = amocrm.approve(state=state)
        app.connected(olena.exchange(params, kind=kind))
        bare.get("callback", params := amocrm.approve(state=state))
        app.connected(olena.exchange(params, kind=kind))

    assert len(amocrm.exchanges()) == 6


def test_without_a_pinned_account_the_referer_is_contacted(bare, amocrm):
    bare.configure(**PER_USER, amocrm_account=None)
    for number, account in enumerate(amocrm.accounts):
        user = User(bare, f"user {number}")
        params = amocrm.approve(account.host, state=user.state())
        app.connected(user.exchange(params), account.host, str(account.id))

    assert [request.host for request in amocrm.exchanges()] == [one.host for one in amocrm.accounts]


# Codes of other app users.

@in_every_mode
def test_a_code_claimed_by_another_app_user(site, amocrm, mode):
    site.configure(**mode)
    olena, ivan = User(site, "olena"), User(site, "ivan")
    params = olena.connects(amocrm)

    for state in (params["state"], ivan.state() if not ivan.is_connected() else None, "x", None):
        app.already_claimed(ivan.exchange(params, state=state))

    app.connected(olena.exchange(params))
    assert len(amocrm.exchanges()) == 1


@in_every_mode
def test_a_code_reserved_for_another_app_user(site, amocrm, mode):
    site.configure(**mode)
    olena, ivan = User(site, "olena"), User(site, "ivan")
    params = olena.consents(amocrm)

    for state in (params["state"], ivan.state(), "x", None):
        app.already_claimed(ivan.exchange(params, state=state))

    assert not ivan.is_connected()
    app.connected(olena.exchange(params))


@pytest.mark.parametrize("connections", ["shared", "per_user"])
def test_an_unreserved_code_belongs_to_the_first_claimant(bare, amocrm, connections):
    bare.configure(app_connections=connections, app_state="any")
    bare.get("callback", params := amocrm.approve(state="of the app's"))

    app.connected(User(bare, "ivan").exchange(params))

    app.already_claimed(User(bare, "olena").exchange(params))


def test_only_one_of_many_concurrent_users_gets_a_code(site, amocrm):
    site.configure(app_connections="per_user", app_state="any")
    params = amocrm.approve()
    users = [User(site, f"user {number}") for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda user: user.exchange(params), users))

    assert sorted(answer.status for answer in answers) == [200] + [409] * 7
    [winner] = [user for user, answer in zip(users, answers) if answer.status == 200]
    assert [connection["app_user"] for connection in site.connections()] == [winner.name]
    assert [user.name for user in users if user.is_connected()] == [winner.name]
    assert len(amocrm.exchanges()) == 1


@in_every_mode
def test_concurrent_callback_and_app_make_one_exchange(bare, amocrm, mode):
    bare.configure(**mode)
    olena = User(bare)
    params = amocrm.approve(state=olena.state())
    asks = [lambda: bare.get("callback", params), lambda: olena.exchange(params)] * 4

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda ask: ask(), asks))

    for answer in answers[::2]:
        expect.connected(answer, params["code"], params["state"])
    for answer in answers[1::2]:
        app.connected(answer)
    assert len(amocrm.exchanges()) == 1
    assert olena.is_connected()


# The owner of a connection if there are several.

def test_per_user_a_new_authorization_replaces_the_users_own(bare, amocrm):
    bare.configure(**PER_USER)
    olena, ivan = User(bare, "olena"), User(bare, "ivan")
    amocrm.add_user(3)
    another_state = olena.state()
    olena.connects(amocrm, user=1)
    ivan.connects(amocrm, user=2)
    olena.connects(amocrm, another_state, user=3)

    assert sorted((one["app_user"], one["amocrm_user_id"]) for one in bare.connections()) == [
        ("ivan", 2), ("olena", 3)]


def test_per_user_an_amocrm_user_belongs_to_the_last_claimant(bare, amocrm):
    bare.configure(**PER_USER)
    olena, ivan = User(bare, "olena"), User(bare, "ivan")
    olena.connects(amocrm, user=1)

    params = ivan.consents(amocrm, user=1)
    assert olena.is_connected(), "the owner changes only with the claim"
    app.connected(ivan.exchange(params))

    assert ivan.is_connected()
    data = app.done(olena.status())["data"]
    assert (data["connected"], data["hasTokens"]) == (False, False)
    assert len(bare.connections()) == 1


def test_per_user_an_old_code_does_not_take_a_connection_back(bare, amocrm):
    """The stored tokens are now those of another user's authorization."""
    bare.configure(**PER_USER)
    olena, ivan = User(bare, "olena"), User(bare, "ivan")
    old = olena.connects(amocrm, user=1)
    ivan.connects(amocrm, user=1)

    app.refused(olena.exchange(old), 400, "auth_failed")

    assert ivan.is_connected() and not olena.is_connected()


def test_shared_the_newest_authorization_is_used_by_everybody(bare, amocrm):
    bare.configure(**app.MODES["shared, signed state"])
    olena, ivan = User(bare, "olena"), User(bare, "ivan")
    params = amocrm.approve(user=2, state=ivan.state())
    olena.connects(amocrm, user=1)
    app.connected(ivan.exchange(params))

    assert olena.is_connected() and ivan.is_connected()
    assert [one["amocrm_user_id"] for one in bare.connections()] == [2]


@in_both_set_ups
def test_a_code_whose_connection_has_been_erased(bare, amocrm, mode):
    bare.configure(**mode)
    olena = User(bare)
    params = olena.connects(amocrm)
    app.disconnected(olena.disconnect())

    app.refused(olena.exchange(params), 400, "auth_failed")

    assert not olena.is_connected()
    assert len(amocrm.exchanges()) == 1
    olena.connects(amocrm)


# New codes where states are signed.

@where_states_are_signed
def test_a_new_code_requires_the_callers_own_state(site, amocrm, mode):
    site.configure(**mode)
    olena, ivan = User(site, "olena"), User(site, "ivan")
    mine = olena.state()
    states = {
        "none": None, "empty": "", "foreign": "xyz", "another user's": ivan.state(),
        "expired": app.forged_state(site, exp=int(time.time()) - 1), "cut": mine[:-1],
        "the app's own token": site.app_token("olena"),
    }
    for label, state in states.items():
        with app.row(label):
            app.refused(olena.exchange(amocrm.approve(), state=state), 400, "invalid_request")

    assert amocrm.connections() == []
    assert site.connections() == []
    app.connected(olena.exchange(amocrm.approve(), state=mine))


@pytest.mark.parametrize("pinned, calls", [
    ({"amocrm_account": "reforyou.amocrm.ru"}, 0), ({"amocrm_account_id": 31920194}, 1)])
def test_another_account_than_the_pinned_one(site, amocrm, pinned, calls):
    site.configure(app_connections="per_user", app_state="any", **pinned)

    app.refused(User(site, "olena").exchange(amocrm.approve("second.amocrm.ru")), 400,
                "wrong_account")

    assert len(amocrm.exchanges()) == calls and site.connections() == []


@pytest.mark.parametrize("connections", ["shared", "per_user"])
def test_another_users_signed_state_is_refused_where_any_is_accepted(site, amocrm, connections):
    site.configure(app_connections=connections, app_state="any")
    params = amocrm.approve(state=User(site, "olena").state())

    app.refused(User(site, "ivan").exchange(params), 400, "invalid_request")

    assert amocrm.connections() == []
    app.connected(User(site, "olena").exchange(params))


# amoCRM refuses or fails.

def test_amocrm_refuses(site, amocrm):
    site.configure(**PER_USER)
    olena = User(site)
    app.refused(olena.exchange(code="def50200" + "0" * 100, state=olena.state()),
                400, "auth_failed")

    site.logged("exchange-code", "auth_failed", "Cannot decrypt the authorization code")
    assert site.connections() == []
    assert not olena.is_connected()


def test_amocrm_is_not_reachable(site, amocrm):
    site.configure(**PER_USER)
    olena = User(site)
    params = amocrm.approve(state=olena.state())
    with process.dead_port() as port:
        site.configure(**PER_USER, amocrm_connect_to=f"::127.0.0.1:{port}")
        app.refused(olena.exchange(params), 503, "temporarily_unavailable")
    assert site.connections() == []

    site.configure(**PER_USER)
    app.connected(olena.exchange(params))


AMOCRM = {
    "a spent code": ("code_revoked", 400, "auth_failed"),
    "a wrong secret of ours": ("client_secret", 400, "auth_failed"),
    "an unpaid account": ("invalid_client_russian", 400, "auth_failed"),
    "blocked": ("forbidden", 503, "temporarily_unavailable"),
    "too busy": ("too_many", 503, "temporarily_unavailable"),
    "broken": ("server_error", 503, "temporarily_unavailable"),
    "a page for JSON": ("not_json", 503, "temporarily_unavailable"),
    "an answer cut short": ("cut", 503, "temporarily_unavailable"),
    "another certificate": ("certificate_of_another", 503, "temporarily_unavailable"),
}


@pytest.mark.parametrize("kind, status, error", AMOCRM.values(), ids=AMOCRM.keys())
def test_amocrm_fails(bare, amocrm, kind, status, error):
    amocrm.misbehave(kind, 2 if kind.startswith("certificate") else 1)

    app.refused(User(bare).exchange(amocrm.approve()), status, error)

    assert bare.connections() == []
    bare.assert_no_secret_in_store_or_logs()


def test_the_exchange_has_a_deadline(bare, amocrm):
    bare.configure(amocrm_timeout=1)

    def fails_late():
        amocrm.misbehave("hang")
        began = time.monotonic()
        app.refused(User(bare).exchange(amocrm.approve()), 503, "temporarily_unavailable")
        assert time.monotonic() - began > 0.9

    process.quick(2.5, "an exchange with a deadline of 1 s", fails_late)


@in_both_set_ups
def test_tokens_are_kept_while_the_account_cannot_be_requested(bare, amocrm, mode):
    """The code is used up by then; the app's next request uses the tokens that were kept."""
    bare.configure(**mode)
    olena = User(bare)
    amocrm.misbehave("opaque_token", path="/oauth2/access_token")
    amocrm.misbehave("server_error", path="/api/v4/account")
    params = amocrm.approve(state=olena.state())
    app.refused(olena.exchange(params), 503, "temporarily_unavailable")

    app.connected(olena.exchange(params))

    assert len(amocrm.exchanges()) == 1
    assert olena.is_connected()


# Methods, and faults of our own.

@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_get_405_and_the_allowed_method(site, amocrm, method):
    body = None if method == "GET" else json.dumps(amocrm.approve()).encode()
    answer = site.ask("exchange-code", amocrm.approve(), method=method, body=body,
                      headers={**User(site).headers, "Content-Type": JSON})

    app.refused(answer, 405, "method_not_allowed")
    assert answer.header("Allow") == "POST"
    assert amocrm.connections() == []


def test_the_response_to_head_has_no_body(site):
    answer = site.ask("exchange-code", method="HEAD", headers=User(site).headers)

    assert (answer.status, answer.body) == (405, b"")
    assert answer.header("Allow") == "POST"


@pytest.mark.parametrize("program", app.PROGRAMS)
def test_a_broken_configuration_is_reported_in_json_without_a_reason(site, program):
    user = User(site)
    headers = user.headers
    site.write_config(site.config.read_text() + "colour = blue\n")

    answer = site.ask(program, method=app.PROGRAMS[program], headers=headers,
                      body=None if program == "status" else b"")

    app.refused(answer, 500, "server_error")
    assert "colour" not in answer.text and str(site.config) not in answer.text
    site.logged(f"amo-crm {program}:", "server_error", "colour")


def test_a_read_only_store_does_not_use_up_the_code(site, amocrm):
    params = amocrm.approve()
    process.give(site.store, 0o500, owner=True)

    app.refused(User(site).exchange(params), 503, "server_error")

    assert amocrm.exchanges() == []
    process.give(site.store, 0o700, owner=True)
    app.connected(User(site).exchange(params))


@where_states_are_signed
def test_no_secret_is_in_store_or_logs(site, amocrm, mode):
    site.configure(**mode)
    olena = User(site)
    params = olena.connects(amocrm)
    app.already_claimed(User(site, "ivan").exchange(params, state=None))
    olena.exchange(code="def50200" + "0" * 1000, state=params["state"])
    olena.exchange(amocrm.approve(), state="s", referer="evil.com")
    site.logged("exchange-code", "auth_failed")

    site.assert_no_secret_in_store_or_logs()
    for token in (params["state"], olena.token):
        assert token.rpartition(".")[2].encode() not in site.log_bytes()
