"""GET status: the app asks whether its user is connected, and how to become so."""

import json
import re
import time
from urllib.parse import parse_qsl, urlsplit

import pytest

import app
from app import PER_USER, User, in_both_set_ups
from sandbox import hooks, process
from sandbox.tokens import unbase64url

MEMBERS = ["connected", "hasTokens", "domain", "accountId"]


def told(user):
    return app.done(user.status())


def not_connected(user, domain="reforyou.amocrm.ru"):
    answer = told(user)
    data = dict(answer["data"])
    assert data.pop("authorizeUrl")
    assert {**answer, "data": data} == {"success": True, "data": {
        "connected": False, "hasTokens": False, "domain": domain, "accountId": None}}


def connected(user, domain="reforyou.amocrm.ru", account_id="31920194"):
    assert told(user) == {"success": True, "data": {
        "connected": True, "hasTokens": True, "domain": domain, "accountId": account_id}}


@in_both_set_ups
def test_before_and_after(site, amocrm, mode):
    site.configure(**mode)
    olena = User(site)
    not_connected(olena)

    olena.connects(amocrm)

    connected(olena)


def test_without_a_pinned_account_there_is_no_domain_to_tell(site, amocrm):
    site.configure(**PER_USER, amocrm_account=None)
    olena = User(site)
    not_connected(olena, domain=None)

    olena.connects(amocrm, account="overseas.kommo.com")

    connected(olena, "overseas.kommo.com", "30000003")


def test_nobody_is_asked_and_nothing_is_written(bare, amocrm):
    User(bare).connects(amocrm)
    before = seen(bare.store)
    asked = len(amocrm.connections())

    connected(User(bare))
    connected(User(bare, "ivan"))

    assert len(amocrm.connections()) == asked
    assert seen(bare.store) == before


def seen(folder):
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*")}


# Where to go to be connected.

def test_the_authorize_url(site, amocrm):
    url = urlsplit(User(site).authorize_url())

    assert url._replace(query="").geturl() == amocrm.authorize_url
    query = parse_qsl(url.query, keep_blank_values=True, strict_parsing=True)
    assert [name for name, _ in query] == ["client_id", "state", "mode"]
    assert dict(query)["client_id"] == amocrm.integration.client_id
    assert dict(query)["mode"] == "popup"


@pytest.mark.parametrize("configured, begins", [
    ("https://www.amocrm.ru/oauth", "https://www.amocrm.ru/oauth?client_id="),
    ("https://www.kommo.com/oauth", "https://www.kommo.com/oauth?client_id="),
    ("https://www.kommo.com/oauth?lang=es", "https://www.kommo.com/oauth?lang=es&client_id="),
    (None, "https://www.amocrm.ru/oauth?client_id="),
])
def test_the_authorize_url_is_the_configured_one(bare, configured, begins):
    bare.configure(amocrm_authorize_url=configured)

    url = User(bare).authorize_url()

    assert url.startswith(begins)
    assert url.endswith("&mode=popup")
    assert url.count("?") == 1 and url.count("client_id=") == 1


def test_a_client_id_is_escaped(bare):
    bare.configure(amocrm_client_id="a b&state=c#%")

    url = User(bare).authorize_url()

    assert "client_id=a%20b%26state%3Dc%23%25&state=" in url
    assert dict(parse_qsl(urlsplit(url).query))["client_id"] == "a b&state=c#%"


def test_the_state_in_it_is_signed_and_names_the_app_user(bare):
    kid, key = app.key_ring(bare)[0]
    before = int(time.time())

    state = User(bare, "їжак \"1\"").state()

    header, claims, signature = state.split(".")
    assert json.loads(unbase64url(header)) == {
        "typ": "amo-crm-state+jwt", "alg": "HS256", "kid": kid}
    claims = json.loads(unbase64url(claims))
    assert claims.pop("jti")
    assert before + 1800 <= claims.pop("exp") <= time.time() + 1800
    assert claims == {"aud": "amo-crm:state", "sub": "їжак \"1\""}
    signed = state.rpartition(".")[0].encode()
    assert unbase64url(signature) == app.hs256(app.derived(key))(signed)
    assert unbase64url(signature) != app.hs256(key)(signed)


def test_no_two_states_are_alike(bare):
    assert len({User(bare).state() for _ in range(20)}) == 20


def test_the_longest_name_still_makes_an_address(bare, amocrm):
    for name in ("a" * 150, "ї" * 75, "\"" * 150, "🦔" * 37):
        assert len(User(bare, name).authorize_url()) < 2048
    User(bare, "\"" * 150).connects(amocrm)
    app.refused(User(bare, "a" * 151).status(), 401, "invalid_token")


# What is not a working connection.

@in_both_set_ups
def test_revoked(site, amocrm, mode):
    site.configure(**mode)
    olena = User(site)
    olena.connects(amocrm)
    site.get("disconnect", hooks.disconnect_query(amocrm.integration, amocrm.who()[0]))

    data = told(olena)["data"]

    assert list(data) == [*MEMBERS, "authorizeUrl"]
    assert (data["connected"], data["hasTokens"]) == (False, True)
    assert (data["domain"], data["accountId"]) == ("reforyou.amocrm.ru", "31920194")
    olena.connects(amocrm)
    connected(olena)


@pytest.mark.parametrize("days, is_connected", [(91, True), (93, False)])
def test_tokens_that_nobody_renewed_for_three_months(bare, amocrm, days, is_connected):
    """A backup is as good as a clock: the renewal is put back in one, and that is restored."""
    olena = User(bare)
    olena.connects(amocrm)
    saved = bare.ctl("export", "--plain").stdout
    renewed = re.search(r'refreshed_at\\":(\d+)', saved)[1]
    bare.new_store()
    bare.ctl("import", input=saved.replace(renewed, str(int(renewed) - days * 24 * 3600)))

    data = told(olena)["data"]

    assert (data["connected"], data["hasTokens"]) == (is_connected, True)
    assert ("authorizeUrl" in data) is not is_connected


def test_an_access_token_that_is_over_can_still_be_renewed(bare, amocrm):
    olena = User(bare)
    amocrm.oauth.clock.advance(-2 * 24 * 3600)
    olena.connects(amocrm)

    connected(olena)


# Whose connection one sees.

def test_per_user_nobody_sees_anybody_elses(site, amocrm):
    site.configure(**PER_USER, amocrm_account=None)
    people = [User(site, name) for name in ("olena", "ivan", "petro")]
    for user, account in zip(people, amocrm.accounts):
        user.connects(amocrm, account=account.host)

    for user, account in zip(people, amocrm.accounts):
        connected(user, account.host, str(account.id))
    not_connected(User(site, "maria"), domain=None)
    app.disconnected(people[0].disconnect())
    not_connected(people[0], domain=None)
    for user, account in list(zip(people, amocrm.accounts))[1:]:
        connected(user, account.host, str(account.id))


def test_shared_everybody_sees_the_one(site, amocrm):
    User(site, "olena").connects(amocrm)

    for name in ("olena", "ivan", "somebody new"):
        connected(User(site, name))


NAMES = {
    "not Latin": "їжак 🦔", "quotes": "a\"b'\\c%s", "a blank": " ", "a path": "../olena",
    "a record's name": "connection:31920194:1", "as long as it may be": "a" * 150,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_users_by_any_name_are_kept_apart(bare, amocrm, name):
    bare.configure(**PER_USER)
    user, alike = User(bare, name), User(bare, name[:-1] + "_")

    user.connects(amocrm)

    connected(user)
    not_connected(alike)
    not_connected(User(bare, "olena"))
    assert [connection["app_user"] for connection in bare.connections()] == [name]


@pytest.mark.parametrize("one, other", [("olena", "Olena"), ("olena", "olena "), ("a", "а"),
                                        ("é", "e\u0301"), ("1", "01")])
def test_names_that_look_alike_are_two_users(bare, amocrm, one, other):
    bare.configure(**PER_USER)
    User(bare, one).connects(amocrm)

    not_connected(User(bare, other))


def test_what_was_everybodys_becomes_nobodys_by_a_change_of_the_set_up(bare, amocrm):
    User(bare).connects(amocrm)

    bare.configure(app_connections="per_user")

    not_connected(User(bare))


# Methods, and our own faults.

def test_head_is_the_head_alone(site):
    answer = User(site).status(method="HEAD")

    assert answer.status == 200 and answer.body == b""
    assert answer.header("Content-Type") == app.JSON
    assert site.ask("status", method="HEAD").status == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused_and_the_right_ones_named(site, method):
    answer = User(site).status(method=method, body=b"")

    app.refused(answer, 405, "method_not_allowed")
    assert answer.header("Allow") == "GET, HEAD"


def test_what_stands_in_the_query_is_ignored(site):
    for query in ("sub=ivan&user=ivan", "%zz", "a=1&a=1", "-h", "x=" + "y" * 4000):
        url = app.done(User(site).status(query=query))["data"]["authorizeUrl"]
        assert json.loads(unbase64url(app.state_of(url).split(".")[1]))["sub"] == "olena"


def test_a_store_that_is_not_there_is_not_one_that_is_empty(site):
    """Or the app would ask its user to connect again, into nothing."""
    site.store.rmdir()

    app.refused(User(site).status(), 503, "server_error")

    site.logged("amo-crm status:", "server_error", str(site.store))


def test_a_store_that_cannot_be_read(site, amocrm):
    User(site).connects(amocrm)
    process.give(site.store, 0o000, owner=True)

    app.refused(User(site).status(), 503, "server_error")


def test_a_key_ring_that_is_not_there(bare, amocrm):
    """Who is connected needs no key to be told so; a state cannot be made without one."""
    olena = User(bare)
    ring = bare.keys.read_text()
    olena.connects(amocrm)
    bare.keys.unlink()
    try:
        connected(olena)
        app.disconnected(olena.disconnect())
        app.refused(olena.status(), 500, "server_error")
    finally:
        bare.write_keys(ring)
