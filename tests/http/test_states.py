"""Signed states, and the attacks that they prevent.

A state of ours names the app user who requested the authorization.  A code that comes back with it
is reserved: it connects no user until that user claims it, and no other user can claim it.
"""

import json
import time

import pytest

import app
import expect
from app import FORM, MODES, User, in_every_mode, where_states_are_signed
from sandbox import hooks, tokens
from sandbox.tokens import base64url, unbase64url

OTHER_KEY = "fedcba9876543210" * 4


def invalid(answer, state=None):
    expect.failed(answer, "invalid_request", state)


def assert_not_connected(*users):
    for user in users:
        assert not user.is_connected(), f"{user.name} is connected"


# A thief of the link: another app, or another person who uses the phone, gets the deep link.

@in_every_mode
def test_a_stolen_deep_link_is_useless_to_another_user(site, amocrm, mode):
    site.configure(**mode)
    owner, thief = User(site, "owner"), User(site, "thief")
    params = owner.consents(amocrm)

    for attempt in (params, {"code": params["code"]}, {**params, "state": thief.state()},
                    {**params, "state": "x"}, {**params, "referer": "evil.com"}):
        app.already_claimed(thief.exchange(attempt))
        app.already_claimed(thief.exchange(attempt, kind=FORM))
    assert_not_connected(owner, thief)

    app.connected(owner.exchange(params))
    app.already_claimed(thief.exchange(params))
    assert len(amocrm.exchanges()) == 1


@where_states_are_signed
def test_a_thief_who_is_faster_than_the_callback_gets_nothing(site, amocrm, mode):
    """The code has not been exchanged yet, but its state names its owner."""
    site.configure(**mode)
    owner, thief = User(site, "owner"), User(site, "thief")
    params = amocrm.approve(state=owner.state())

    for state in (params["state"], None, "x"):
        app.refused(thief.exchange(params, state=state), 400, "invalid_request")

    assert amocrm.connections() == []
    app.connected(owner.exchange(params))


@in_every_mode
def test_the_callback_does_not_change_the_owner_of_a_reserved_code(bare, amocrm, mode):
    """A thief of the deep link can call the callback too, with any state; this changes nothing."""
    bare.configure(**mode)
    owner, thief = User(bare, "owner"), User(bare, "thief")
    params = owner.consents(amocrm)

    bare.get("callback", {**params, "state": thief.state()})
    bare.get("callback", {"code": params["code"], "from_widget": "1"})
    bare.get("callback", {"code": params["code"]})

    app.already_claimed(thief.exchange(params, state=thief.state()))
    assert_not_connected(owner, thief)
    app.connected(owner.exchange(params))


# Consent phishing: the attacker makes a victim consent with the attacker's own state.

@in_every_mode
def test_consent_with_another_users_state_connects_nobody(site, amocrm, mode):
    site.configure(**mode)
    phisher, victim = User(site, "phisher"), User(site, "victim")
    lure = phisher.state()

    params = amocrm.approve(state=lure, user=2)
    expect.connected(site.get("callback", params), params["code"], lure)

    # the deep link opens the victim's own app, so only the victim gets the code
    assert_not_connected(phisher, victim)
    for state in (lure, victim.state(), None):
        app.already_claimed(victim.exchange(params, state=state))
    assert_not_connected(phisher, victim)
    assert [connection["app_user"] for connection in site.connections()] == [None]


@where_states_are_signed
def test_an_attackers_code_in_the_victims_app_connects_nobody(site, amocrm, mode):
    """The reverse attack: the victim would work in the attacker's account."""
    site.configure(**mode)
    phisher, victim = User(site, "phisher"), User(site, "victim")
    unseen = amocrm.approve(state=phisher.state(), user=2)
    for state in (unseen["state"], None, "", "x"):
        app.refused(victim.exchange(unseen, state=state), 400, "invalid_request")
    assert amocrm.connections() == []

    seen = phisher.consents(amocrm, user=2)
    for state in (seen["state"], victim.state(), None):
        app.already_claimed(victim.exchange(seen, state=state))
    assert_not_connected(phisher, victim)


def by_the_administrator(site, amocrm):
    site.ctl("disconnect", 31920194)


def by_amocrm(site, amocrm):
    site.get("disconnect", hooks.disconnect_query(amocrm.integration, amocrm.who()[0]))


@pytest.mark.parametrize("end", [by_the_administrator, by_amocrm])
@in_every_mode
def test_consent_phishing_does_not_reconnect_former_users(bare, amocrm, mode, end):
    bare.configure(**mode)
    boss, other, phisher = (User(bare, name) for name in ("boss", "other", "phisher"))
    lure = phisher.state()
    boss.connects(amocrm)
    end(bare, amocrm)

    params = phisher.consents(amocrm, lure)

    assert_not_connected(boss, other, phisher)
    app.connected(phisher.exchange(params))
    assert phisher.is_connected()
    assert boss.is_connected() == (mode["app_connections"] == "shared")


@where_states_are_signed
def test_an_unclaimed_consent_does_not_disconnect_others(bare, amocrm, mode):
    bare.configure(**mode)
    boss, ivan = User(bare, "boss"), User(bare, "ivan")
    state = ivan.state()
    boss.connects(amocrm)

    ivan.consents(amocrm, state)

    assert boss.is_connected()


def test_an_older_code_does_not_replace_a_newer_claim(bare, amocrm):
    """Both codes are of the same amoCRM user, who has one connection."""
    bare.configure(**MODES["per_user, signed state"])
    olena, ivan = User(bare, "olena"), User(bare, "ivan")
    older, newer = olena.consents(amocrm), ivan.consents(amocrm)
    app.connected(ivan.exchange(newer))

    for _ in range(2):
        app.already_claimed(olena.exchange(older))

    assert_not_connected(olena)
    assert ivan.is_connected()
    olena.connects(amocrm)
    assert_not_connected(ivan)


@in_every_mode
def test_an_older_code_of_the_same_user_changes_nothing(bare, amocrm, mode):
    bare.configure(**mode)
    olena = User(bare)
    older, newer = olena.consents(amocrm), olena.consents(amocrm)
    app.connected(olena.exchange(newer))

    app.connected(olena.exchange(older))

    assert olena.is_connected()
    assert len(bare.connections()) == 1


# States that are not ours, or have expired.

def unsigned(site, mine):
    header = json.dumps({"typ": "amo-crm-state+jwt", "alg": "none"})
    return f"{base64url(header.encode())}.{mine.split('.')[1]}."


def changed_user(site, mine):
    header, claims, signature = mine.split(".")
    claims = {**json.loads(unbase64url(claims)), "sub": "ivan"}
    return f"{header}.{base64url(json.dumps(claims).encode())}.{signature}"


def forged(**how):
    return lambda site, mine: app.forged_state(site, **how)


def raw_claims(text):
    """Signed by us, but with these raw bytes as claims."""
    def make(site, mine):
        signed = f"{mine.split('.')[0]}.{base64url(text)}"
        key = app.derived(app.key_ring(site)[0][1])
        return f"{signed}.{base64url(app.hs256(key)(signed.encode()))}"
    return make


BAD_STATES = {
    "missing": lambda site, mine: None,
    "empty": lambda site, mine: "",
    "made by the app": lambda site, mine: "xyz",
    "two dots": lambda site, mine: "..",
    "without its signature": lambda site, mine: mine.rpartition(".")[0],
    "with an empty signature": lambda site, mine: mine.rpartition(".")[0] + ".",
    "cut by a character": lambda site, mine: mine[:-1],
    "longer by a character": lambda site, mine: mine + "A",
    "padded": lambda site, mine: mine + "=",
    "with a blank behind": lambda site, mine: mine + " ",
    "twice": lambda site, mine: f"{mine}.{mine}",
    "for another user": changed_user,
    "unsigned": unsigned,
    "signed by another key": forged(secret=app.derived(bytes.fromhex(OTHER_KEY))),
    "signed by the key itself, not the derived one": lambda site, mine: app.forged_state(
        site, secret=app.key_ring(site)[0][1]),
    "signed by the app's secret": lambda site, mine: app.forged_state(
        site, secret=site.jwt_secret.encode()),
    "signed by the client secret": lambda site, mine: app.forged_state(
        site, secret=site.amocrm.integration.client_secret.encode()),
    "signed by an empty key": forged(secret=b""),
    "of a key that is not on the ring": forged(kid="k9"),
    "of an empty kid": forged(kid="", header={"kid": ""}),
    "without a kid": forged(header={"kid": None}),
    "a number for kid": forged(header={"kid": 1}),
    "of another type": forged(header={"typ": "JWT"}),
    "without a type": forged(header={"typ": None}),
    "of another algorithm": forged(header={"alg": "HS512"}),
    "with a key of its own": forged(header={"jwk": {"kty": "oct", "k": "AAAA"}}),
    "critical": forged(header={"crit": ["exp"]}),
    "for another audience": forged(aud="amo-crm"),
    "for several audiences": forged(aud=["amo-crm:state"]),
    "without an audience": forged(aud=None),
    "expired a second ago": lambda site, mine: app.forged_state(site, exp=int(time.time()) - 1),
    "expired long ago": forged(exp=1),
    "without an expiry": forged(exp=None),
    "a word for expiry": forged(exp="4102444800"),
    "a fraction for expiry": forged(exp=4102444800.5),
    "an expiry beyond 63 bits": forged(exp=1 << 64),
    "without a user": forged(sub=None),
    "an empty user": forged(sub=""),
    "a number for user": forged(sub=5),
    "a user with a NUL": raw_claims(
        b'{"aud":"amo-crm:state","sub":"a\\u0000b","exp":4102444800}'),
    "two users": raw_claims(
        b'{"aud":"amo-crm:state","sub":"a","sub":"olena","exp":4102444800}'),
    "claims that are no object": raw_claims(b'"olena"'),
    "too long": forged(padding="x" * 1600),
    "the app's own token": lambda site, mine: site.app_token("olena"),
    "the app's own token, with our audience": lambda site, mine: site.app_token(
        "olena", aud="amo-crm:state"),
}


@pytest.mark.parametrize("make", BAD_STATES.values(), ids=BAD_STATES.keys())
def test_a_state_that_is_not_ours_never_reaches_amocrm(bare, amocrm, make):
    bare.configure(**MODES["per_user, signed state"])
    olena = User(bare)
    bad = make(bare, olena.state())

    answer = bare.get("callback", amocrm.approve(state=bad))

    invalid(answer)
    app.refused(olena.exchange(amocrm.approve(state=bad)), 400, "invalid_request")
    assert amocrm.connections() == []
    assert bare.connections() == []


@where_states_are_signed
def test_a_bad_state_never_reaches_amocrm_behind_real_servers(on_servers, amocrm, mode):
    on_servers.configure(**mode)
    olena = User(on_servers)
    mine = olena.state()
    for label, make in BAD_STATES.items():
        with app.row(label):
            invalid(on_servers.get("callback", amocrm.approve(state=make(on_servers, mine))))
    app.refused(olena.exchange(amocrm.approve()), 400, "invalid_request")

    assert amocrm.connections() == []
    params = olena.consents(amocrm, mine)
    app.connected(olena.exchange(params))


def test_a_forged_state_with_our_own_key_is_accepted(
        bare, amocrm):
    bare.configure(**MODES["per_user, signed state"])
    for said in ({}, {"exp": int(time.time()) + 30}, {"exp": 4102444800}, {"jti": None}):
        olena = User(bare)
        params = amocrm.approve(state=app.forged_state(bare, **said))
        expect.connected(bare.get("callback", params), params["code"], params["state"])
        app.already_claimed(User(bare, "ivan").exchange(params))
        app.connected(olena.exchange(params))


def test_where_any_state_is_accepted_a_bad_one_is_forwarded(bare, amocrm):
    bare.configure(**MODES["per_user, any state"])
    mine = User(bare).state()
    params = amocrm.approve()
    for label, make in BAD_STATES.items():
        bad = make(bare, mine) or ""
        if len(bad) <= 2048:
            with app.row(label):
                answer = bare.get("callback", {**params, "state": bad})
                assert answer.link_query == {"code": params["code"], "state": bad}


@pytest.mark.parametrize("label", ["for another user", "unsigned", "signed by another key",
                                   "expired a second ago", "the app's own token"])
def test_where_any_state_is_accepted_a_bad_one_reserves_nothing(bare, amocrm, label):
    bare.configure(**MODES["per_user, any state"])
    bad = BAD_STATES[label](bare, User(bare).state())
    bare.get("callback", params := amocrm.approve(state=bad))

    app.connected(User(bare, "somebody").exchange(params))


def test_an_error_of_amocrm_returns_only_a_state_of_ours(site, amocrm):
    site.configure(**MODES["shared, signed state"])
    mine = User(site).state()

    expect.failed(site.get("callback", amocrm.deny(state=mine)), "access_denied", mine)
    for foreign in ("xyz", mine[:-1], app.forged_state(site, exp=1)):
        expect.failed(site.get("callback", amocrm.deny(state=foreign)), "access_denied", None)
    expect.failed(site.get("callback", {"state": mine}), "missing_code", mine)
    expect.failed(site.get("callback", {**amocrm.approve(state=mine), "client_id": "another"}),
                  "invalid_request", mine)


# A state is not a token, and a token is not a state.

def test_a_state_is_not_accepted_as_the_apps_token(site, amocrm):
    state = User(site).state()
    params = amocrm.approve(state=state)

    for program, method in app.PROGRAMS.items():
        body = None if method == "GET" else json.dumps(params).encode()
        headers = {"Content-Type": app.JSON} if method == "POST" else {}
        for name, value in (("Authorization", f"Bearer {state}"), ("X-Auth-Token", state)):
            answer = site.ask(program, method=method, body=body, headers={**headers, name: value})
            app.refused(answer, 401, "invalid_token")
    assert amocrm.connections() == []


def test_a_state_is_not_accepted_as_a_token_with_the_same_secret(bare):
    """An administrator's mistake: the app's secret is the key that our states are signed with."""
    for header, aud in (({"typ": "amo-crm-state+jwt"}, None), ({"typ": "JWT"}, "amo-crm:state"),
                        ({"typ": "JWT"}, ["amo-crm:state"]), ({}, "amo-crm:state")):
        token = app.token({"alg": "HS256", **header}, app.claims_of("olena", aud=aud),
                          app.hs256(bare.jwt_secret.encode()))
        app.refused(bare.get("status", headers=app.bearer(token)), 401, "invalid_token")


def test_the_apps_token_is_not_accepted_as_a_state(site, amocrm):
    site.configure(**MODES["per_user, signed state"])
    olena = User(site)
    for token in (olena.token, site.app_token(aud="amo-crm:state"),
                  tokens.app_token(site.jwt_secret, algorithm="HS512")):
        invalid(site.get("callback", amocrm.approve(state=token)))
        app.refused(olena.exchange(amocrm.approve(state=token)), 400, "invalid_request")

    assert amocrm.connections() == []


# The key ring.

@pytest.fixture
def key_ring(one_site):
    """The text of the key ring, which is restored after the test."""
    text = one_site.keys.read_text()
    yield text
    one_site.write_keys(text)


def test_states_stay_valid_after_a_new_key_until_the_old_one_is_removed(site, amocrm, key_ring):
    site.configure(**MODES["per_user, signed state"])
    olena, ivan = User(site, "olena"), User(site, "ivan")
    by_old = [olena.state() for _ in range(3)]

    site.write_keys(f"k2 {OTHER_KEY}\n{key_ring}")
    by_new = ivan.state()
    kids = [json.loads(unbase64url(state.split(".")[0]))["kid"] for state in (by_old[0], by_new)]
    assert kids == ["k1", "k2"]
    app.connected(olena.exchange(olena.consents(amocrm, by_old[0])))
    app.connected(ivan.exchange(amocrm.approve(state=by_new, user=2)))
    params = olena.consents(amocrm, by_old[1])

    site.write_keys(f"k2 {OTHER_KEY}\n")
    asked = len(amocrm.connections())
    invalid(site.get("callback", amocrm.approve(state=by_old[2])))
    app.refused(olena.exchange(amocrm.approve(state=by_old[2])), 400, "invalid_request")
    assert len(amocrm.connections()) == asked
    # a code that is reserved already stays reserved
    app.already_claimed(ivan.exchange(params))
    app.connected(olena.exchange(params))


def test_only_the_key_named_by_the_kid_is_tried(bare, amocrm, key_ring):
    bare.configure(**MODES["per_user, signed state"])
    bare.write_keys(f"{key_ring}k2 {OTHER_KEY}\n")
    (_, first), (_, second) = app.key_ring(bare)

    for kid, key in (("k1", second), ("k2", first)):
        invalid(bare.get("callback", amocrm.approve(
            state=app.forged_state(bare, kid=kid, secret=app.derived(key)))))
    assert amocrm.connections() == []

    params = amocrm.approve(state=app.forged_state(bare, kid="k2", secret=app.derived(second)))
    expect.connected(bare.get("callback", params), params["code"], params["state"])


# amoCRM's own install calls, which carry no state.

@where_states_are_signed
@pytest.mark.parametrize("kind", ["from_widget", "from_exchange"])
def test_an_install_call_is_stored_for_nobody(bare, amocrm, mode, kind):
    bare.configure(**mode)
    params = amocrm.approve()

    expect.plain_text(bare.get("callback", {**params, kind: "1"}), "connected")

    olena = User(bare)
    assert_not_connected(olena)
    assert [(one["state"], one["app_user"]) for one in bare.connections()] == [("active", None)]
    for state in (olena.state(), "x", None):
        app.already_claimed(olena.exchange(params, state=state))
    # the callback does not reserve it either
    bare.get("callback", {**params, "state": olena.state()})
    app.already_claimed(olena.exchange(params, state=olena.state()))
    assert_not_connected(olena)
    assert len(amocrm.exchanges()) == 1


@where_states_are_signed
def test_after_an_install_call_the_same_amocrm_user_can_connect(bare, amocrm, mode):
    bare.configure(**mode)
    bare.get("callback", {**amocrm.approve(), "from_widget": "1"})

    User(bare).connects(amocrm)

    assert len(bare.connections()) == 1


@where_states_are_signed
def test_an_install_call_does_not_disconnect_users(bare, amocrm, mode):
    bare.configure(**mode)
    olena = User(bare)
    olena.connects(amocrm, user=1)

    for user in (1, 2):
        bare.get("callback", {**amocrm.approve(user=user), "from_widget": "1"})
        assert olena.is_connected()
        token = bare.ctl("token", "31920194/1").stdout.rstrip("\n")
        assert amocrm.oauth.bearer(amocrm.who()[0], token).user.id == 1


@where_states_are_signed
def test_an_install_flag_with_a_state_is_no_install_call(site, amocrm, mode):
    site.configure(**mode)
    for state in ("", "x", "a.b.c"):
        invalid(site.get("callback", {**amocrm.approve(state=state), "from_widget": "1"}))

    assert amocrm.connections() == []


def test_amocrms_own_install_call_is_stored_for_nobody(on_servers, amocrm):
    on_servers.configure(**MODES["per_user, signed state"])

    assert amocrm.install().status == 200

    assert_not_connected(User(on_servers))
    assert [one["app_user"] for one in on_servers.connections()] == [None]


def test_where_any_state_is_accepted_an_install_call_connects(bare, amocrm):
    olena = User(bare)
    params = amocrm.approve()

    bare.get("callback", {**params, "from_widget": "1"})

    assert olena.is_connected()
    app.connected(olena.exchange(params))
