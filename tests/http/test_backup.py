"""amocrmctl export and import: everything comes back, and nothing newer is lost for it."""

import json
import os
import pty
import random
import secrets
import time

import pytest

import app
import connections
from connections import (ANY_ACCOUNT, ID, compact, connect, exported, made_up, stored, take_in,
                         works)
from sandbox.hooks import disconnect_query


@pytest.fixture
def site(bare):
    keys = bare.keys.read_text()
    bare.configure(**ANY_ACCOUNT)
    yield bare
    bare.write_keys(keys)


def sealed(site):
    return site.ctl("export").stdout


def told(imported, left_alone=0):
    return f"imported {imported}, left alone {left_alone}: here already, and as new\n"


def by_id(site):
    return {(one["account_id"], one["amocrm_user_id"]): one for one in site.connections()}


def everything(site, amocrm):
    """A store with something of each kind; who is in it."""
    olena = app.User(site)
    site.configure(**{**ANY_ACCOUNT, "app_state": "signed"})
    olena.connects(amocrm)
    site.configure(**ANY_ACCOUNT)
    connect(site, amocrm, account=32720107, user=12)
    take_in(site, [made_up(5, state="revoked"), made_up(6, 2, app_user="їжак\n\""),
                   {"key": "app:їжак\n\"", "value": "connection:6:2"},
                   made_up(7, refreshed_at=1000000000)])
    return olena


# There and back.

@pytest.mark.parametrize("options", [[], ["--plain"]], ids=["sealed", "plain"])
def test_everything_comes_back(site, amocrm, options):
    olena = everything(site, amocrm)
    before, plain = by_id(site), sorted(site.ctl("export", "--plain").stdout.splitlines())
    backup = site.ctl("export", *options).stdout
    site.new_store()

    assert site.ctl("import", input=backup).stdout == told(7)

    assert by_id(site) == before
    assert sorted(site.ctl("export", "--plain").stdout.splitlines()) == plain
    assert olena.is_connected()
    assert works(amocrm, site.ctl("token", f"{ID}/1").stdout.strip()) == 1
    assert site.ctl("refresh", f"{ID}/1").returncode == 0
    hook = disconnect_query(amocrm.integration, amocrm.who()[0])
    assert site.get("disconnect", hook).status == 200
    assert by_id(site)[ID, 1]["state"] == "revoked", "the account has forgotten whose it is"


def test_a_shared_set_up_comes_back(site, amocrm):
    site.configure()
    connect(site, amocrm)
    backup = sealed(site)
    site.new_store()

    site.ctl("import", input=backup)

    assert app.User(site).is_connected()


def test_with_another_key_ring_only_the_plain_one_comes_back(site, amocrm):
    everything(site, amocrm)
    before, pairs = by_id(site), stored(site)
    closed, plain = sealed(site), site.ctl("export", "--plain").stdout
    site.new_store()
    site.write_keys(f"k2 {secrets.token_hex(32)}\n")

    done = site.ctl("import", input=closed, check=False)
    assert done.returncode == 1
    assert done.stdout == told(2), "whose they are is no secret"
    assert done.stderr.count("which is not in the key ring") == 5
    assert site.connections() == []

    assert site.ctl("import", input=plain).stdout == told(5, 2)
    assert (by_id(site), stored(site)) == (before, pairs)


def test_the_same_id_for_another_key_does_not_open_it(site, amocrm):
    connect(site, amocrm)
    backup = sealed(site)
    site.new_store()
    site.write_keys(f"k1 {secrets.token_hex(32)}\n")

    done = site.ctl("import", input=backup, check=False)

    assert done.returncode == 1 and "does not open" in done.stderr
    assert site.connections() == []


def test_one_that_does_not_open_keeps_no_other_back(site):
    take_in(site, [made_up(7)])
    site.write_keys(f"k2 {secrets.token_hex(32)}\n")
    take_in(site, [made_up(account) for account in (5, 6, 8, 9)])

    done = site.ctl("export", "--plain", check=False)

    assert done.returncode == 1
    assert sorted(json.loads(line)["key"] for line in done.stdout.splitlines()) == [
        f"connection:{account}:1" for account in (5, 6, 8, 9)]
    assert done.stderr.startswith("amocrmctl export: connection:7:1: ")
    assert len(sealed(site).splitlines()) == 5, "what stays sealed need not be opened"


def test_nothing_is_nothing(site):
    assert sealed(site) == ""
    assert site.ctl("import", input="").stdout == told(0)


def test_a_sealed_backup_tells_no_secret(site, amocrm):
    everything(site, amocrm)
    backup = sealed(site).encode()

    for name, secret in site.secrets():
        assert secret not in backup, name
    assert b"access-" not in backup and b"refresh-" not in backup


def test_a_plain_one_is_not_shown_on_a_terminal(site, amocrm):
    connect(site, amocrm)
    master, slave = pty.openpty()
    try:
        running = site.start_ctl("export", "--plain", stdin=slave, stdout=slave)
        _, complaint = running.communicate(timeout=30)
    finally:
        os.close(slave)
        os.close(master)

    assert running.returncode == 1
    assert b"terminal" in complaint


# What is here already.

def test_newer_tokens_are_left_alone(site, amocrm):
    connect(site, amocrm)
    connections.age(site, 1000)
    backups = [sealed(site), site.ctl("export", "--plain").stdout]
    site.ctl("refresh", ID)
    newest = stored(site)

    for backup in backups:
        assert site.ctl("import", input=backup).stdout == told(0, 1)
        assert stored(site) == newest


def test_those_that_are_as_new_are_left_alone(site, amocrm):
    connect(site, amocrm)
    before = exported(site)

    assert site.ctl("import", input=sealed(site)).stdout == told(0, 1)

    assert exported(site) == before


def test_newer_ones_take_the_place_of_older_ones(site, amocrm):
    connect(site, amocrm)
    backup = sealed(site)
    connections.age(site, 1000)
    site.ctl("refresh", ID)
    connections.age(site, 500)

    assert site.ctl("import", input=backup).stdout == told(1)

    assert sealed(site) != backup, "sealed anew"
    assert works(amocrm, stored(site)[ID, 1]["access_token"]) == 1


def test_whose_a_connection_is_by_now_stays_so(site):
    take_in(site, [made_up(5), made_up(6), {"key": "app:olena", "value": "connection:5:1"}])

    done = take_in(site, [{"key": "app:olena", "value": "connection:6:1"}])

    assert done.stdout == told(0, 1)
    assert {"key": "app:olena", "value": "connection:5:1"} in exported(site)


def test_cut_short_and_run_again(site):
    lines = [made_up(account) for account in range(1, 100)]
    given = "".join(compact(line) + "\n" for line in lines).encode()
    chance = random.Random()
    for _ in range(3):
        running = site.start_ctl("import", stdin=-1)
        running.stdin.write(given)
        running.stdin.close()
        time.sleep(chance.uniform(0.02, 0.2))
        running.kill()
        running.stdout.read()
        running.stdout.close()
        running.stderr.close()
        running.wait()
        assert set(stored(site)) <= {(account, 1) for account in range(1, 100)}

    done = take_in(site, lines)

    assert done.returncode == 0
    assert len(stored(site)) == 99
    assert take_in(site, lines).stdout == told(0, 99)


# What is damaged.

def with_value(line, change):
    return {**line, "value": change(line["value"])}


def with_clear(line, **changed):
    state, clear, rest = line["value"].split("\n")
    return {**line, "value": "\n".join((state, compact({**json.loads(clear), **changed}), rest))}


def flipped(value):
    """One character of the sealed text, which is not its last: that may hold unused bits."""
    return value[:-20] + ("A" if value[-20] != "A" else "B") + value[-19:]


# What is made of a good sealed line.
DAMAGED_SEALED = {
    "cut": lambda line: compact(line)[:-30],
    "cut in the value": lambda line: with_value(line, lambda value: value[:-30]),
    "a character changed": lambda line: with_value(line, flipped),
    "another state": lambda line: with_value(line, lambda value: "x" + value),
    "no state": lambda line: with_value(line, lambda value: value.partition("\n")[2]),
    "no sealed part": lambda line: with_value(line, lambda value: value.rpartition("\n")[0]),
    "an empty sealed part": lambda line: with_value(
        line, lambda value: value.rpartition("\n")[0] + "\n"),
    "another host": lambda line: with_clear(line, host="second.amocrm.ru"),
    "another user of the app": lambda line: with_clear(line, app_user="mallory"),
    "another time": lambda line: with_clear(line, refreshed_at=4000000000),
    "another account's name": lambda line: {**line, "key": "connection:6:1"},
    "another account": lambda line: {**with_clear(line, account_id=6), "key": "connection:6:1"},
    "another key's id": lambda line: with_value(
        line, lambda value: value.replace("\nk1.", "\nk2.")),
}
DAMAGED_PLAIN = {
    "no JSON": lambda line: "connection:5:1 = x",
    "empty": lambda line: "",
    "a list": lambda line: "[]",
    "no key": lambda line: {"value": line["value"]},
    "no value": lambda line: {"key": line["key"]},
    "a value that is no text": lambda line: {**line, "value": 5},
    "a name twice": lambda line: compact(line)[:-1] + ',"key":"connection:5:1"}',
    "what is no connection": lambda line: {**line, "key": "code:5"},
    "what only we may write": lambda line: {"key": "account:5", "value": "1 2 3"},
    "no tokens": lambda line: {"key": line["key"], "value": line["value"]},
    "tokens that are no JSON": lambda line: {**line, "tokens": "x"},
    "no refresh token": lambda line: {**line, "tokens": '{"access_token":"a","expires_at":5}'},
    "no access token": lambda line: {**line, "tokens": '{"refresh_token":"a","expires_at":5}'},
    "no end of them": lambda line: {**line, "tokens": '{"access_token":"a","refresh_token":"b"}'},
    "no account": lambda line: with_clear(line, account_id="x"),
    "a host that is not amoCRM's": lambda line: with_clear(line, host="x.evil.com"),
    "a host that is more than one": lambda line: with_clear(line, host="x.amocrm.ru@evil.com"),
    "no host": lambda line: with_clear(line, host=None),
}


@pytest.mark.parametrize("damage", DAMAGED_SEALED.values(), ids=DAMAGED_SEALED.keys())
def test_a_damaged_sealed_line_is_named_and_passed(site, damage):
    take_in(site, [made_up(4), made_up(5), made_up(7)])
    good = {line["key"]: line for line in exported(site)}
    site.new_store()

    done = take_in(site, [good["connection:4:1"], damage(good["connection:5:1"]),
                          good["connection:7:1"]], check=False)

    named_and_passed(site, done)


@pytest.mark.parametrize("damage", DAMAGED_PLAIN.values(), ids=DAMAGED_PLAIN.keys())
def test_a_damaged_plain_line_is_named_and_passed(site, damage):
    done = take_in(site, [made_up(4), damage(made_up(5)), made_up(7)], check=False)

    named_and_passed(site, done)


def named_and_passed(site, done):
    assert (done.returncode, done.stdout) == (1, told(2))
    [complaint] = done.stderr.splitlines()
    assert complaint.startswith("amocrmctl import: line 2: ")
    assert set(stored(site)) == {(4, 1), (7, 1)}
    for secret in ("access-5", "refresh-5"):
        assert secret not in done.stderr


def test_a_value_of_another_line_is_refused(site):
    take_in(site, [made_up(4), made_up(5)])
    lines = {line["key"]: line for line in exported(site)}
    swapped = [{**lines["connection:4:1"], "key": "connection:5:1"},
               {**lines["connection:5:1"], "key": "connection:4:1"}]
    site.new_store()

    done = take_in(site, swapped, check=False)

    assert (done.returncode, done.stdout) == (1, told(0))
    assert site.connections() == []


def test_the_last_line_may_lack_its_end_and_others_have_two(site):
    lines = [compact(made_up(account)) for account in (4, 5)]

    assert site.ctl("import", input=lines[0] + "\r\n" + lines[1]).stdout == told(2)


def test_a_line_may_be_long(site):
    line = made_up(5, tokens={"access_token": "a" * 16384, "refresh_token": "r" * 16384,
                              "expires_at": 4102444800})

    assert take_in(site, [line]).stdout == told(1)

    assert stored(site)[5, 1]["access_token"] == "a" * 16384
    done = take_in(site, [made_up(6, tokens={"access_token": "a" * 100_000, "refresh_token": "r",
                                             "expires_at": 4102444800})], check=False)
    assert done.returncode == 1 and "line 1: " in done.stderr


@pytest.mark.parametrize("lasts", [100, 86400], ids=["soon over", "fresh"])
def test_a_host_that_is_allowed_no_more_is_not_asked(site, amocrm, lasts):
    """Neither the secret nor a token goes there."""
    take_in(site, [made_up(5, host="five.kommo.com", lasts=lasts)])
    site.configure(**ANY_ACCOUNT, amocrm_account_domains="amocrm.ru")

    for command in (["token", "5"], ["refresh", "5"], ["refresh"], ["subscribe", "5"]):
        done = site.ctl(*command, check=False)
        assert done.returncode == 1 and "account_domains" in done.stderr

    assert amocrm.connections() == []
    assert by_id(site)[5, 1]["state"] == "active"


@pytest.mark.parametrize("command", [
    ["export", "--all"], ["export", "--plain", "x"], ["export", "x"], ["import", "file"]])
def test_a_wrong_call_is_told(site, command):
    done = site.ctl(*command, check=False, input="")

    assert done.returncode == 2 and "usage:" in done.stderr


def test_a_full_disk_behind_the_output_is_no_success(site, amocrm):
    connect(site, amocrm)
    with open("/dev/full", "wb") as full:
        running = site.start_ctl("export", stdout=full)
        _, complaint = running.communicate(timeout=30)

    assert running.returncode == 1
    assert b"standard output" in complaint


def test_importing_again_mends_what_a_kill_left(site, amocrm):
    """A connection that is here, and as new, but on no list, as amoCRM's hook would not find it."""
    connect(site, amocrm)
    lines = exported(site)
    connections.forget_list(site)

    assert take_in(site, lines).stdout == told(0, len(lines))

    site.get("disconnect", disconnect_query(amocrm.integration, amocrm.who()[0]))
    assert connections.one(site)["state"] == "revoked"
