"""amocrmctl rekey: a key is replaced, and every token can be decrypted all the time."""

import contextlib
import random
import secrets
import threading
import time

import pytest

import connections
from connections import (
    ANY_ACCOUNT, ID, connect, forget_list, made_up, pair, stored, take_in, works)
from killing import Moments
from sandbox import hooks, process

MANY = 100
KILLS = 20


@pytest.fixture
def site(bare):
    keys = bare.keys.read_text()
    yield bare
    bare.write_keys(keys)


def new_key(site):
    """Adds a key at the top of the ring, above the current one, as an administrator does."""
    made = site.ctl("keygen").stdout
    site.write_keys(made + site.keys.read_text().splitlines(True)[0])
    return made


def first_key(site):
    return site.keys.read_text().partition(" ")[0]


def sealing_keys(site):
    """The ids of the keys that the connections are sealed with."""
    return {line["value"].split("\n")[2].partition(".")[0] for line in connections.exported(site)
            if line["key"].startswith("connection:")}


def test_the_old_key_can_be_removed_afterwards(site, amocrm):
    connect(site, amocrm)
    before = pair(site)
    made = new_key(site)

    assert site.ctl("rekey").stdout == "re-encrypted 1 of 1\n"

    site.write_keys(made)
    assert sealing_keys(site) == {made.split(" ")[0]}
    assert pair(site) == before
    assert works(amocrm, site.ctl("token", ID).stdout.removesuffix("\n")) == 1
    assert amocrm.connections() == []


def test_a_connection_with_the_current_key_is_left_alone(site, amocrm):
    connect(site, amocrm)
    before = connections.exported(site)

    assert site.ctl("rekey").stdout == "re-encrypted 0 of 1\n"

    assert connections.exported(site) == before


def test_without_connections(site):
    assert site.ctl("rekey").stdout == "re-encrypted 0 of 0\n"


@pytest.mark.parametrize("first", ["k", "k11", "K1", "k-1"])
def test_a_key_with_a_similar_id(site, amocrm, first):
    connect(site, amocrm)
    site.write_keys(f"{first} {secrets.token_hex(32)}\n" + site.keys.read_text())

    assert site.ctl("rekey").stdout == "re-encrypted 1 of 1\n"

    assert sealing_keys(site) == {first}


def test_everything_else_is_unchanged(site, amocrm):
    site.configure(**ANY_ACCOUNT)
    take_in(site, [made_up(5), made_up(5, 2, state="revoked"), made_up(6, app_user="їжак\n\""),
                   made_up(7, refreshed_at=1000000000),
                   {"key": "app:їжак\n\"", "value": "connection:6:1"}])
    before, pairs = site.connections(), stored(site)
    new_key(site)

    assert site.ctl("rekey").stdout == "re-encrypted 4 of 4\n"

    def by_id(listed):
        return sorted(listed, key=lambda one: (one["account_id"], one["amocrm_user_id"]))
    assert by_id(site.connections()) == by_id(before)
    assert stored(site) == pairs


def test_a_connection_missing_from_its_accounts_list_is_added(site, amocrm):
    """Otherwise amoCRM's hook would not find the connection, and its webhooks would be refused."""
    connect(site, amocrm)
    forget_list(site)

    done = site.ctl("rekey")

    assert done.stdout == "re-encrypted 0 of 1\n"
    assert done.stderr == (
        f"amocrmctl rekey: {ID}/1 was missing from its account's list, and was added\n")
    site.get("disconnect", hooks.disconnect_query(amocrm.integration, amocrm.who()[0]))
    assert connections.one(site)["state"] == "revoked"
    assert site.ctl("rekey").stderr == ""


def test_a_record_that_does_not_decrypt_is_reported_and_skipped(site):
    site.configure(**ANY_ACCOUNT)
    take_in(site, [made_up(7)])
    lost = site.keys.read_text()
    site.write_keys(f"k2 {secrets.token_hex(32)}\n")
    take_in(site, [made_up(account) for account in (5, 6, 8, 9)])
    made = new_key(site)

    done = site.ctl("rekey", check=False)

    assert (done.returncode, done.stdout) == (1, "re-encrypted 4 of 5\n")
    [complaint] = done.stderr.splitlines()
    assert complaint.startswith("amocrmctl rekey: connection:7:1: ")
    assert '"k1"' in complaint and "key ring" in complaint
    site.write_keys(made + lost)
    assert site.ctl("rekey").stdout == "re-encrypted 1 of 5\n"
    site.write_keys(made)
    assert len(stored(site)) == 5


def test_killed_at_any_moment(site):
    """It can be repeated, and meanwhile every token is available."""
    site.configure(**ANY_ACCOUNT)
    take_in(site, [made_up(account) for account in range(1, MANY + 1)])
    before = stored(site)
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    moments = Moments(chance, time_of_a_whole_run(site) / 4)
    kills = rounds = 0
    while kills < KILLS:
        rounds += 1
        assert rounds < 20 * KILLS, "it was never killed before its end"
        running = site.start_ctl("rekey")
        time.sleep(moments.draw())
        account = chance.randrange(1, MANY + 1)
        token = site.ctl("token", f"{account}/1").stdout
        assert token == f"access-{account}-1-None\n", f"seed {seed}"
        running.kill()
        running.communicate()
        kills += running.returncode != 0
        moments.learn(running.returncode != 0)
        assert stored(site) == before, f"seed {seed}"
        if sealing_keys(site) == {first_key(site)}:
            new_key(site)

    assert site.ctl("rekey").returncode == 0
    site.write_keys(site.keys.read_text().splitlines(True)[0])
    assert stored(site) == before


def time_of_a_whole_run(site):
    new_key(site)
    began = time.monotonic()
    site.ctl("rekey")
    took = time.monotonic() - began
    new_key(site)
    return took


def test_concurrent_refreshes(site, amocrm):
    """Neither command undoes the changes of the other."""
    site.configure(**ANY_ACCOUNT)
    for user in (1, 2):
        connect(site, amocrm, user=user)
    take_in(site, [made_up(account) for account in range(1, 40)])
    for _ in range(3):
        made = new_key(site)
        refreshing = [site.start_ctl("refresh", f"{ID}/{user}") for user in (1, 2)]
        rekeying = site.start_ctl("rekey")
        for one in (*refreshing, rekeying):
            one.communicate(timeout=process.PATIENCE)
            assert one.returncode == 0
        assert sealing_keys(site) == {made.split(" ")[0]}
        for user in (1, 2):
            newest = amocrm.exchanges("refresh_token")
            assert works(amocrm, stored(site)[ID, user]["access_token"]) == user
            assert stored(site)[ID, user]["refresh_token"] not in {
                request.json["refresh_token"] for request in newest}, "an old pair was stored again"


@contextlib.contextmanager
def replaced_meanwhile(site, amocrm, grant):
    """While a request to amoCRM is in progress, the key is replaced and the old one removed."""
    release = threading.Event()
    amocrm.misbehave("held", path="/oauth2/access_token", until=release)
    try:
        yield
        process.wait_until(lambda: amocrm.exchanges(grant), "the request")
        made = new_key(site)
        site.ctl("rekey")
        site.write_keys(made)
    finally:
        release.set()


def assert_only_the_new_key_is_needed(site):
    assert sealing_keys(site) == {first_key(site)}
    assert site.ctl("rekey").stdout.startswith("re-encrypted 0 of ")


def test_a_refresh_that_has_read_the_old_key(site, amocrm):
    connect(site, amocrm, life=connections.SOON)
    with replaced_meanwhile(site, amocrm, "refresh_token"):
        refreshing = site.start_ctl("token", ID)
    printed = refreshing.communicate(timeout=process.PATIENCE)[0].decode()

    assert_only_the_new_key_is_needed(site)
    assert works(amocrm, pair(site)["access_token"]) == 1
    assert printed == pair(site)["access_token"] + "\n" == site.ctl("token", ID).stdout


def test_several_refreshes_that_have_read_the_old_key(site, amocrm):
    site.configure(**ANY_ACCOUNT)
    for user in (1, 2):
        connect(site, amocrm, user=user, life=connections.SOON)
    with replaced_meanwhile(site, amocrm, "refresh_token"):
        refreshing = site.start_ctl("refresh", "--due", "3600")
    assert refreshing.communicate(timeout=process.PATIENCE)[0] == b"refreshed 2, failed 0\n"

    assert_only_the_new_key_is_needed(site)
    for (_, user), tokens in stored(site).items():
        assert works(amocrm, tokens["access_token"]) == user


@pytest.mark.parametrize("connected_before", [False, True], ids=["first", "again"])
def test_an_authorization_that_has_read_the_old_key(site, amocrm, connected_before):
    if connected_before:
        connect(site, amocrm)
    params = amocrm.approve()
    with replaced_meanwhile(site, amocrm, "authorization_code"):
        path = site.url("callback").removeprefix("http://localhost")
        program = site.server.start(path, params)
    program.communicate(timeout=process.PATIENCE)

    assert_only_the_new_key_is_needed(site)
    assert works(amocrm, pair(site)["access_token"]) == 1


def test_takes_no_arguments(site):
    assert site.ctl("rekey", "now", check=False).returncode == 2
