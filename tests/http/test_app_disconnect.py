"""POST or DELETE disconnect: the app erases its user's connection."""

import pytest

import app
from app import MODES, PER_USER, User, in_both_set_ups, in_every_mode
from sandbox import hooks, process

by_either_method = pytest.mark.parametrize("method", ["POST", "DELETE"])


@by_either_method
@in_both_set_ups
def test_disconnecting_erases_and_is_idempotent(site, amocrm, mode, method):
    site.configure(**mode)
    olena = User(site)
    olena.connects(amocrm)
    asked = len(amocrm.connections())

    for _ in range(3):
        app.disconnected(olena.disconnect(method))

    assert not olena.is_connected()
    assert site.connections() == []
    assert site.ctl("token", 31920194, check=False).returncode == 1
    assert len(amocrm.connections()) == asked, "amoCRM has no API for disconnecting"
    site.assert_no_secret_in_store_or_logs()


@by_either_method
@in_every_mode
def test_disconnecting_without_a_connection_succeeds(site, amocrm, mode, method):
    site.configure(**mode)

    app.disconnected(User(site).disconnect(method))

    assert amocrm.connections() == []
    assert site.connections() == []


def test_per_user_other_users_stay_connected(site, amocrm):
    site.configure(**PER_USER, amocrm_account=None)
    olena, ivan, petro = (User(site, name) for name in ("olena", "ivan", "petro"))
    olena.connects(amocrm, user=1)
    ivan.connects(amocrm, user=2)
    petro.connects(amocrm, account="overseas.kommo.com")
    before = {one["app_user"]: one for one in site.connections()}

    app.disconnected(olena.disconnect())
    app.disconnected(User(site, "maria").disconnect("DELETE"))

    assert not olena.is_connected()
    assert ivan.is_connected() and petro.is_connected()
    del before["olena"]
    assert {one["app_user"]: one for one in site.connections()} == before
    assert site.ctl("token", "31920194/2").stdout and site.ctl("token", 30000003).stdout


def test_shared_any_app_user_disconnects_everybody(site, amocrm):
    olena, ivan = User(site, "olena"), User(site, "ivan")
    olena.connects(amocrm)

    app.disconnected(ivan.disconnect())

    assert not olena.is_connected() and not ivan.is_connected()
    assert site.connections() == []


@in_every_mode
def test_connecting_again_after_disconnecting(bare, amocrm, mode):
    bare.configure(**mode)
    olena = User(bare)
    for _ in range(2):
        olena.connects(amocrm)
        assert olena.is_connected()
        app.disconnected(olena.disconnect())

    assert bare.connections() == []


@in_both_set_ups
def test_a_revoked_connection_is_erased(bare, amocrm, mode):
    bare.configure(**mode)
    olena = User(bare)
    olena.connects(amocrm)
    bare.get("disconnect", hooks.disconnect_query(amocrm.integration, amocrm.who()[0]))

    app.disconnected(olena.disconnect())

    assert bare.connections() == []
    assert app.done(olena.status())["data"]["hasTokens"] is False


def test_per_user_a_connection_taken_over_by_another_user_stays(bare, amocrm):
    bare.configure(**PER_USER)
    olena, ivan = User(bare, "olena"), User(bare, "ivan")
    olena.connects(amocrm, user=1)
    ivan.connects(amocrm, user=1)

    app.disconnected(olena.disconnect())

    assert ivan.is_connected()


def test_a_reserved_connection_stays_reserved(bare, amocrm):
    """It is not a connection of any user yet, so no user can disconnect it."""
    bare.configure(**MODES["shared, signed state"])
    olena = User(bare)
    params = olena.consents(amocrm)

    app.disconnected(User(bare, "ivan").disconnect())

    app.connected(olena.exchange(params))


@in_both_set_ups
def test_no_sealed_token_remains_on_disk(bare, amocrm, mode):
    """Even with the disk and the key ring there is nothing left to decrypt."""
    bare.configure(**mode)
    olena = User(bare)
    olena.connects(amocrm)
    pieces = app.pieces(app.sealed(bare)["connection:31920194:1"])
    assert len(pieces) > 10 and all(piece in app.store_bytes(bare) for piece in pieces)

    app.disconnected(olena.disconnect())

    left = app.store_bytes(bare)
    assert sum(piece in left for piece in pieces) == 0


# The request.

def test_the_body_is_ignored(site, amocrm):
    User(site, "ivan").connects(amocrm)
    for body in (b'{"app_user":"ivan"}', b"code=c", b"\0\xff", b"x" * 100_000):
        headers = {**User(site).headers, "Content-Type": app.JSON}
        app.disconnected(site.post("disconnect", body=body, headers=headers))

    assert site.connections() == []


def test_amocrms_signature_is_not_a_token(site, amocrm):
    olena = User(site)
    olena.connects(amocrm)
    query = hooks.disconnect_query(amocrm.integration, amocrm.who()[0])

    for method, body in (("POST", b""), ("DELETE", None)):
        answer = site.ask("disconnect", query, method=method, body=body)
        app.refused(answer, 401, "missing_token")
    assert olena.is_connected()


def test_other_methods_get_405_and_the_allowed_methods(site, amocrm):
    User(site).connects(amocrm)

    for method in ("PUT", "PATCH", "OPTIONS"):
        answer = User(site).disconnect(method, body=b"")
        app.refused(answer, 405, "method_not_allowed")
        assert answer.header("Allow") == "GET, POST, DELETE"
    assert len(site.connections()) == 1


def test_a_read_only_store_is_reported(site, amocrm):
    olena = User(site)
    olena.connects(amocrm)
    for folder in (site.store / "connections", site.store):
        process.give(folder, 0o500, owner=True)

    app.refused(olena.disconnect(), 503, "server_error")

    for folder in (site.store, site.store / "connections"):
        process.give(folder, 0o700, owner=True)
    assert olena.is_connected()
