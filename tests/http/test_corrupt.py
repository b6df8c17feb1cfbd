"""One record of the store is corrupt: it is reported, and everything else works."""

import json

import pytest

import app
import connections
import expect
import webhooks
from app import PER_USER, User
from connections import ANY_ACCOUNT, ID, SOON, connect, exported, take_in
from sandbox import hooks

USERS = (101, 102, 103, 104)
BAD = 102
KEY = f"connection:{ID}:{BAD}"


def corrupt(site, key, needle=None):
    """Flips one bit of a record's value, as a failing disk might."""
    file = connections.shard(site, key)
    held = bytearray(file.read_bytes())
    ids = key.split(":")[1:]
    needle = needle or b'{"account_id":%d,"amocrm_user_id":%d,' % tuple(map(int, ids))
    at = held.index(needle) + len(needle) - 1
    held[at] ^= 1
    file.write_bytes(held)


@pytest.fixture
def site(bare, amocrm):
    """Four connections of an account, whose access tokens expire soon; one is corrupt."""
    bare.configure(**ANY_ACCOUNT)
    for user in USERS:
        amocrm.add_user(user)
        connect(bare, amocrm, user=user, life=SOON)
    corrupt(bare, KEY)
    return bare


def reported(done, key=KEY):
    """The command failed because of this record only."""
    assert done.returncode == 1
    [complaint] = done.stderr.splitlines()
    assert key in complaint and "corrupt" in complaint, complaint
    return done


def test_the_other_connections_are_refreshed(site, amocrm):
    done = reported(site.ctl("refresh", "--due", 3600, check=False))

    assert done.stdout == "refreshed 3, failed 0\n"
    assert len(amocrm.exchanges("refresh_token")) == 3


def test_the_other_connections_are_listed(site):
    listed = json.loads(reported(site.ctl("accounts", "--json", check=False)).stdout)

    assert {one["amocrm_user_id"] for one in listed} == set(USERS) - {BAD}
    assert reported(site.ctl("accounts", check=False)).stdout.count(f"{ID}/") == 3


@pytest.mark.parametrize("options", [(), ("--plain",)])
def test_the_other_connections_are_exported(site, options):
    done = reported(site.ctl("export", *options, check=False))

    assert done.stdout.count("\n") == 3


def test_the_other_connections_are_sealed_again(site):
    keys = site.keys.read_text()
    try:
        site.write_keys(site.ctl("keygen").stdout + keys)
        assert reported(site.ctl("rekey", check=False)).stdout == "re-encrypted 3 of 3\n"
    finally:
        site.write_keys(keys)


def test_check_reports_the_corrupt_record(site):
    done = site.ctl("check", check=False)

    assert done.returncode == 1
    [wrong] = [line for line in done.stdout.splitlines() if line.startswith("WRONG")
               and "webhook_key" not in line]
    assert f"{ID}:{BAD}" in wrong and "1 of 4" in wrong


def test_the_other_connections_can_be_selected(site, amocrm):
    """By account and user, by the account alone, and by its host."""
    for who in (f"{ID}/101", ID, connections.HOST):
        assert connections.works(amocrm, site.ctl("token", who).stdout.strip()) != BAD
        assert site.ctl("refresh", who).returncode == 0
    assert site.ctl("disconnect", f"{ID}/101").returncode == 0
    reported(site.ctl("token", f"{ID}/{BAD}", check=False), f"{ID}:{BAD}")


def test_the_corrupt_connection_can_be_erased(site):
    site.ctl("disconnect", f"{ID}/{BAD}")

    assert len(site.connections()) == 3
    assert site.ctl("disconnect", f"{ID}/{BAD}", check=False).returncode == 1


def test_amocrms_hook_revokes_the_others_and_gets_503(site, amocrm):
    query = hooks.disconnect_query(amocrm.integration, amocrm.who()[0])

    for _ in range(2):
        app.refused(site.get("disconnect", query), 503, "server_error")

        exported = site.ctl("export", check=False).stdout
        assert exported.count('"value":"revoked') == 3 and '"value":"active' not in exported
    site.ctl("disconnect", f"{ID}/{BAD}")
    app.disconnected(site.get("disconnect", query))


def test_the_accounts_webhooks_are_accepted(site):
    assert webhooks.send(site, b"account[id]=%d&leads[add][0][id]=1" % ID).status == 200


@app.in_both_set_ups
def test_a_new_authorization_by_the_app_replaces_the_corrupt_connection(bare, amocrm, mode):
    bare.configure(**mode)
    olena = User(bare)
    olena.connects(amocrm)
    corrupt(bare, f"connection:{ID}:1")

    assert not olena.is_connected()
    olena.connects(amocrm)

    assert olena.is_connected()
    assert len(bare.connections()) == 1
    app.disconnected(olena.disconnect())
    assert bare.connections() == []


@app.in_both_set_ups
def test_the_app_can_disconnect(bare, amocrm, mode):
    bare.configure(**mode)
    olena = User(bare)
    olena.connects(amocrm)
    corrupt(bare, f"connection:{ID}:1")

    app.disconnected(olena.disconnect())

    assert bare.connections() == []


def test_a_new_authorization_by_the_callback_replaces_the_corrupt_connection(bare, amocrm):
    connect(bare, amocrm)
    corrupt(bare, f"connection:{ID}:1")

    expect.connected(bare.get("callback", params := amocrm.approve()), params["code"])

    assert len(bare.connections()) == 1


def test_shared_another_amocrm_user_replaces_the_corrupt_connection(bare, amocrm):
    connect(bare, amocrm)
    corrupt(bare, f"connection:{ID}:1")

    connect(bare, amocrm, user=2)

    assert connections.one(bare)["amocrm_user_id"] == 2


def test_a_connection_is_restored_from_a_backup(bare, amocrm):
    connect(bare, amocrm)
    before, kept = exported(bare), bare.connections()
    corrupt(bare, f"connection:{ID}:1")

    take_in(bare, before)

    assert bare.connections() == kept


def test_the_record_of_an_app_user_is_restored_from_a_backup(bare, amocrm):
    bare.configure(**PER_USER)
    olena = User(bare)
    olena.connects(amocrm)
    before = exported(bare)
    corrupt(bare, "app:olena", b"connection:%d:1" % ID)

    take_in(bare, before)

    assert olena.is_connected()


def test_a_corrupt_record_of_an_app_user(bare, amocrm):
    """The record of an app user is corrupt: the user can connect again."""
    bare.configure(**PER_USER)
    olena = User(bare)
    olena.connects(amocrm)
    corrupt(bare, "app:olena", b"connection:%d:1" % ID)

    assert not olena.is_connected()
    reported(bare.ctl("export", check=False), "app:olena")
    olena.connects(amocrm)

    assert olena.is_connected()


def test_a_corrupt_account_list_is_rebuilt(site, amocrm):
    """The first program that needs the list rebuilds it."""
    corrupt(site, f"account:{ID}", b" ".join(b"%d" % user for user in USERS))

    app.refused(site.get("disconnect", hooks.disconnect_query(
        amocrm.integration, amocrm.who()[0])), 503, "server_error")

    assert site.ctl("export", check=False).stdout.count('"value":"revoked') == 3
    site.ctl("disconnect", f"{ID}/{BAD}")
    connect(site, amocrm, user=1)
    assert len(site.connections()) == 4
    assert "account's list" not in site.ctl("check", check=False).stdout


def test_an_unreadable_record_is_not_replaced(bare, amocrm):
    """A record that cannot be read because of a disk error is not replaced."""
    connect(bare, amocrm)
    file = connections.shard(bare, f"connection:{ID}:1")
    file.unlink()
    file.mkdir()
    try:
        expect.failed(bare.get("callback", amocrm.approve()), "server_error")
        app.refused(User(bare).status(), 503, "server_error")
    finally:
        file.rmdir()
