"""The connection that ACCOUNT and ACCOUNT/USER select in amocrmctl."""

import json

import pytest

from app import MODES, PER_USER, User, where_states_are_signed
from connections import ANY_ACCOUNT, HOST, ID, age, connect, made_up, shard, works
from sandbox import hooks

by_id_and_host = pytest.mark.parametrize("account", [ID, HOST])


@pytest.fixture
def site(bare, amocrm):
    amocrm.add_user(7, "broker")
    return bare


def token(site, account):
    return site.ctl("token", account).stdout.removesuffix("\n")


@where_states_are_signed
@by_id_and_host
def test_a_newer_reserved_connection_is_not_selected(site, amocrm, mode, account):
    """An attacker may have lured the user who consented."""
    site.configure(**mode)
    boss, broker = User(site, "boss"), User(site, "broker")
    state = broker.state()
    boss.connects(amocrm)
    age(site, 100)

    params = broker.consents(amocrm, state, user=7)

    assert works(amocrm, token(site, account)) == 1
    assert works(amocrm, token(site, f"{account}/7")) == 7
    broker.exchange(params)
    assert works(amocrm, token(site, account)) == 7


def test_a_reserved_connection_is_not_selected_if_the_shared_one_is_revoked(site, amocrm):
    site.configure(**MODES["shared, signed state"])
    boss, broker = User(site, "boss"), User(site, "broker")
    state = broker.state()
    boss.connects(amocrm)
    site.get("disconnect", hooks.disconnect_query(amocrm.integration, amocrm.who()[0]))

    broker.consents(amocrm, state, user=7)

    done = site.ctl("token", ID, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "revoked" in done.stderr


def test_where_any_state_is_accepted_the_newest_is_selected(site, amocrm):
    site.configure(**{**PER_USER, **ANY_ACCOUNT})
    User(site).connects(amocrm)
    age(site, 100)

    connect(site, amocrm, user=7)

    assert works(amocrm, token(site, ID)) == 7


def test_another_account_can_be_selected_if_the_shared_connection_is_unreadable(site):
    site.configure(**MODES["shared, any state"])
    lines = [made_up(1), made_up(2), {"key": "app:", "value": "connection:1:1"}]
    site.ctl("import", input="".join(json.dumps(line) + "\n" for line in lines))
    shard(site, "connection:1:1").write_bytes(b"\xff" * 4096)

    assert site.ctl("token", "1", check=False).returncode == 1
    site.ctl("token", "2")
    site.ctl("disconnect", "2")


@pytest.mark.parametrize("command", ["token", "refresh", "disconnect", "subscribe", "unsubscribe"])
def test_invalid_selectors(site, command):
    for text in ("", "/", "/7", f"{ID}/", f"{ID}/x", f"{ID}/7x", f"{ID}/7/8", f"{HOST}/-7",
                 "--all"):
        done = site.ctl(command, text, check=False)
        assert (done.returncode, done.stdout) == (2, ""), text
        assert f"amocrmctl {command}:" in done.stderr and "usage:" in done.stderr, text
    for text in (ID, f"{ID}/7", HOST, f"{HOST}/7", "x"):
        done = site.ctl(command, text, check=False)
        assert done.returncode == 1 and "not connected" in done.stderr, text
