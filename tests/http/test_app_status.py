"""GET status: whether the app's user is connected, and the URL to connect."""

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


def status_of(user):
    return app.done(user.status())


def not_connected(user, domain="reforyou.amocrm.ru"):
    answer = status_of(user)
    data = dict(answer["data"])
    assert data.pop("authorizeUrl")
    assert {**answer, "data": data} == {"success": True, "data": {
        "connected": False, "hasTokens": False, "domain": domain, "accountId": None}}


def connected(user, domain="reforyou.amocrm.ru", account_id="31920194"):
    assert status_of(user) == {"success": True, "data": {
        "connected": True, "hasTokens": True, "domain": domain, "accountId": account_id}}


@in_both_set_ups
def test_before_and_after_connecting(site, amocrm, mode):
    site.configure(**mode)
    olena = User(site)
    not_connected(olena)

    olena.connects(amocrm)

    connected(olena)


def test_without_a_pinned_account_there_is_no_domain(site, amocrm):
    site.configure(**PER_USER, amocrm_account=None)
    olena = User(site)
    not_connected(olena, domain=None)

    olena.connects(amocrm, account="overseas.kommo.com")

    connected(olena, "overseas.kommo.com", "30000003")


def test_status_neither_contacts_amocrm_nor_writes(bare, amocrm):
    User(bare).connects(amocrm)
    before = seen(bare.store)
    asked = len(amocrm.connections())

    connected(User(bare))
    connected(User(bare, "ivan"))

    assert len(amocrm.connections()) == asked
    assert seen(bare.store) == before


def seen(folder):
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*")}


# The authorize URL.

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


def test_the_state_in_the_authorize_url_is_signed_and_names_the_app_user(bare):
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


def test_every_state_is_unique(bare):
    assert len({User(bare).state() for _ in range(20)}) == 20


def test_the_longest_app_user_fits_into_the_authorize_url(bare, amocrm):
    for name in ("a" * 150, "ї" * 75, "\"" * 150, "🦔" * 37):
        assert len(User(bare, name).authorize_url()) < 2048
    User(bare, "\"" * 150).connects(amocrm)
    app.refused(User(bare, "a" * 151).status(), 401, "invalid_token")


# Connections that do not work any more.

@in_both_set_ups
def test_a_revoked_connection(site, amocrm, mode):
    site.configure(**mode)
    olena = User(site)
    olena.connects(amocrm)
    site.get("disconnect", hooks.disconnect_query(amocrm.integration, amocrm.who()[0]))

    data = status_of(olena)["data"]

    assert list(data) == [*MEMBERS, "authorizeUrl"]
    assert (data["connected"], data["hasTokens"]) == (False, True)
    assert (data["domain"], data["accountId"]) == ("reforyou.amocrm.ru", "31920194")
    olena.connects(amocrm)
    connected(olena)


@pytest.mark.parametrize("days, is_connected", [(91, True), (93, False)])
def test_tokens_that_were_not_refreshed_for_three_months(bare, amocrm, days, is_connected):
    """The time of the refresh is moved into the past in a backup, which is then restored."""
    olena = User(bare)
    olena.connects(amocrm)
    saved = bare.ctl("export", "--plain").stdout
    refreshed = re.search(r'refreshed_at\\":(\d+)', saved)[1]
    bare.new_store()
    bare.ctl("import", input=saved.replace(refreshed, str(int(refreshed) - days * 24 * 3600)))

    data = status_of(olena)["data"]

    assert (data["connected"], data["hasTokens"]) == (is_connected, True)
    assert ("authorizeUrl" in data) is not is_connected


def test_an_expired_access_token_can_still_be_refreshed(bare, amocrm):
    olena = User(bare)
    amocrm.oauth.clock.advance(-2 * 24 * 3600)
    olena.connects(amocrm)

    connected(olena)


# The connection that a user sees.

def test_per_user_each_user_sees_only_their_own_connection(site, amocrm):
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


def test_shared_everybody_sees_the_same_connection(site, amocrm):
    User(site, "olena").connects(amocrm)

    for name in ("olena", "ivan", "somebody new"):
        connected(User(site, name))


NAMES = {
    "not Latin": "їжак 🦔", "quotes": "a\"b'\\c%s", "a blank": " ", "a path": "../olena",
    "a record's name": "connection:31920194:1", "as long as it may be": "a" * 150,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_users_with_unusual_names_are_kept_apart(bare, amocrm, name):
    bare.configure(**PER_USER)
    user, alike = User(bare, name), User(bare, name[:-1] + "_")

    user.connects(amocrm)

    connected(user)
    not_connected(alike)
    not_connected(User(bare, "olena"))
    assert [connection["app_user"] for connection in bare.connections()] == [name]


@pytest.mark.parametrize("one, other", [("olena", "Olena"), ("olena", "olena "), ("a", "а"),
                                        ("é", "e\u0301"), ("1", "01")])
def test_similar_names_are_different_users(bare, amocrm, one, other):
    bare.configure(**PER_USER)
    User(bare, one).connects(amocrm)

    not_connected(User(bare, other))


def test_a_shared_connection_belongs_to_no_user_after_a_change_to_per_user(bare, amocrm):
    User(bare).connects(amocrm)

    bare.configure(app_connections="per_user")

    not_connected(User(bare))


# Methods, and faults of our own.

def test_head_has_no_body(site):
    answer = User(site).status(method="HEAD")

    assert answer.status == 200 and answer.body == b""
    assert answer.header("Content-Type") == app.JSON
    assert site.ask("status", method="HEAD").status == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_get_405_and_the_allowed_methods(site, method):
    answer = User(site).status(method=method, body=b"")

    app.refused(answer, 405, "method_not_allowed")
    assert answer.header("Allow") == "GET, HEAD"


def test_the_query_is_ignored(site):
    for query in ("sub=ivan&user=ivan", "%zz", "a=1&a=1", "-h", "x=" + "y" * 4000):
        url = app.done(User(site).status(query=query))["data"]["authorizeUrl"]
        assert json.loads(unbase64url(app.state_of(url).split(".")[1]))["sub"] == "olena"


def test_a_missing_store_is_not_an_empty_store(site):
    """Otherwise the app would ask its user to connect again, which cannot be stored either."""
    site.store.rmdir()

    app.refused(User(site).status(), 503, "server_error")

    site.logged("amo-crm status:", "server_error", str(site.store))


def test_an_unreadable_store(site, amocrm):
    User(site).connects(amocrm)
    process.give(site.store, 0o000, owner=True)

    app.refused(User(site).status(), 503, "server_error")


def test_a_missing_key_ring(bare, amocrm):
    """A connected user's status needs no key; without a connection a state has to be signed."""
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
