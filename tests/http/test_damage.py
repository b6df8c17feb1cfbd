"""One record of the store is damaged: it is named, and everything else goes on."""

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
NAME = f"connection:{ID}:{BAD}"


def damage(site, key, needle=None):
    """A bit of a record's value, as a failing disk would leave it."""
    file = connections.shard(site, key)
    held = bytearray(file.read_bytes())
    ids = key.split(":")[1:]
    needle = needle or b'{"account_id":%d,"amocrm_user_id":%d,' % tuple(map(int, ids))
    at = held.index(needle) + len(needle) - 1
    held[at] ^= 1
    file.write_bytes(held)


@pytest.fixture
def site(bare, amocrm):
    """Four connections of an account; one is damaged, and none lasts long."""
    bare.configure(**ANY_ACCOUNT)
    for user in USERS:
        amocrm.add_user(user)
        connect(bare, amocrm, user=user, life=SOON)
    damage(bare, NAME)
    return bare


def named(done, key=NAME):
    """It failed, for that alone."""
    assert done.returncode == 1
    [complaint] = done.stderr.splitlines()
    assert key in complaint and "damaged" in complaint, complaint
    return done


def test_the_others_are_refreshed(site, amocrm):
    done = named(site.ctl("refresh", "--due", 3600, check=False))

    assert done.stdout == "refreshed 3, failed 0\n"
    assert len(amocrm.exchanges("refresh_token")) == 3


def test_the_others_are_told(site):
    told = json.loads(named(site.ctl("accounts", "--json", check=False)).stdout)

    assert {one["amocrm_user_id"] for one in told} == set(USERS) - {BAD}
    assert named(site.ctl("accounts", check=False)).stdout.count(f"{ID}/") == 3


@pytest.mark.parametrize("options", [(), ("--plain",)])
def test_the_others_are_exported(site, options):
    done = named(site.ctl("export", *options, check=False))

    assert done.stdout.count("\n") == 3


def test_the_others_are_sealed_anew(site):
    keys = site.keys.read_text()
    try:
        site.write_keys(site.ctl("keygen").stdout + keys)
        assert named(site.ctl("rekey", check=False)).stdout == "sealed anew 3 of 3\n"
    finally:
        site.write_keys(keys)


def test_check_names_it(site):
    done = site.ctl("check", check=False)

    assert done.returncode == 1
    [wrong] = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
    assert f"{ID}:{BAD}" in wrong and "1 of 4" in wrong


def test_the_others_can_be_named(site, amocrm):
    """One by one, by their account alone, and by its host."""
    for who in (f"{ID}/101", ID, connections.HOST):
        assert connections.works(amocrm, site.ctl("token", who).stdout.strip()) != BAD
        assert site.ctl("refresh", who).returncode == 0
    assert site.ctl("disconnect", f"{ID}/101").returncode == 0
    named(site.ctl("token", f"{ID}/{BAD}", check=False), f"{ID}:{BAD}")


def test_it_can_be_erased(site):
    site.ctl("disconnect", f"{ID}/{BAD}")

    assert len(site.connections()) == 3
    assert site.ctl("disconnect", f"{ID}/{BAD}", check=False).returncode == 1


def test_amocrms_hook_revokes_the_others_and_is_asked_to_come_again(site, amocrm):
    query = hooks.disconnect_query(amocrm.integration, amocrm.who()[0])

    for _ in range(2):
        app.refused(site.get("disconnect", query), 503, "server_error")

        told = site.ctl("export", check=False).stdout
        assert told.count('"value":"revoked') == 3 and '"value":"active' not in told
    site.ctl("disconnect", f"{ID}/{BAD}")
    app.disconnected(site.get("disconnect", query))


def test_the_accounts_webhooks_are_taken(site):
    assert webhooks.send(site, b"account[id]=%d&leads[add][0][id]=1" % ID).status == 200


@app.in_both_set_ups
def test_a_new_authorization_takes_its_place(bare, amocrm, mode):
    bare.configure(**mode)
    olena = User(bare)
    olena.connects(amocrm)
    damage(bare, f"connection:{ID}:1")

    assert not olena.is_connected()
    olena.connects(amocrm)

    assert olena.is_connected()
    assert len(bare.connections()) == 1
    app.disconnected(olena.disconnect())
    assert bare.connections() == []


@app.in_both_set_ups
def test_the_app_can_end_it(bare, amocrm, mode):
    bare.configure(**mode)
    olena = User(bare)
    olena.connects(amocrm)
    damage(bare, f"connection:{ID}:1")

    app.disconnected(olena.disconnect())

    assert bare.connections() == []


def test_by_browser_too(bare, amocrm):
    connect(bare, amocrm)
    damage(bare, f"connection:{ID}:1")

    expect.connected(bare.get("callback", told := amocrm.approve()), told["code"])

    assert len(bare.connections()) == 1


def test_another_amocrm_user_takes_its_place_where_there_is_one(bare, amocrm):
    connect(bare, amocrm)
    damage(bare, f"connection:{ID}:1")

    connect(bare, amocrm, user=2)

    assert connections.one(bare)["amocrm_user_id"] == 2


def test_it_comes_back_from_a_backup(bare, amocrm):
    connect(bare, amocrm)
    before, kept = exported(bare), bare.connections()
    damage(bare, f"connection:{ID}:1")

    take_in(bare, before)

    assert bare.connections() == kept


def test_so_does_whose_it_is(bare, amocrm):
    bare.configure(**PER_USER)
    olena = User(bare)
    olena.connects(amocrm)
    before = exported(bare)
    damage(bare, "app:olena", b"connection:%d:1" % ID)

    take_in(bare, before)

    assert olena.is_connected()


def test_a_pointer(bare, amocrm):
    """Whose it was has to connect again, and can."""
    bare.configure(**PER_USER)
    olena = User(bare)
    olena.connects(amocrm)
    damage(bare, "app:olena", b"connection:%d:1" % ID)

    assert not olena.is_connected()
    named(bare.ctl("export", check=False), "app:olena")
    olena.connects(amocrm)

    assert olena.is_connected()


def test_a_list_is_made_anew(site, amocrm):
    """By whoever needs it first."""
    damage(site, f"account:{ID}", b" ".join(b"%d" % user for user in USERS))

    app.refused(site.get("disconnect", hooks.disconnect_query(
        amocrm.integration, amocrm.who()[0])), 503, "server_error")

    assert site.ctl("export", check=False).stdout.count('"value":"revoked') == 3
    site.ctl("disconnect", f"{ID}/{BAD}")
    connect(site, amocrm, user=1)
    assert len(site.connections()) == 4
    assert "account's list" not in site.ctl("check", check=False).stdout


def test_a_disk_that_fails_is_no_damage(bare, amocrm):
    """Nothing takes the place of what cannot be read now."""
    connect(bare, amocrm)
    file = connections.shard(bare, f"connection:{ID}:1")
    file.unlink()
    file.mkdir()
    try:
        expect.failed(bare.get("callback", amocrm.approve()), "server_error")
        app.refused(User(bare).status(), 503, "server_error")
    finally:
        file.rmdir()
