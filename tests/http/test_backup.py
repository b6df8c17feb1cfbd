"""amocrmctl export and import: everything is restored, and newer tokens are not overwritten."""

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
from sandbox import process
from sandbox.hooks import disconnect_query


@pytest.fixture
def site(bare):
    keys = bare.keys.read_text()
    bare.configure(**ANY_ACCOUNT)
    yield bare
    bare.write_keys(keys)


def sealed(site):
    return site.ctl("export").stdout


def summary(imported, skipped=0):
    return f"imported {imported}, skipped {skipped}: already present and at least as new\n"


def by_id(site):
    return {(one["account_id"], one["amocrm_user_id"]): one for one in site.connections()}


def everything(site, amocrm):
    """Fills the store with records of each kind; returns the connected app user."""
    olena = app.User(site)
    site.configure(**{**ANY_ACCOUNT, "app_state": "signed"})
    olena.connects(amocrm)
    site.configure(**ANY_ACCOUNT)
    connect(site, amocrm, account=32720107, user=12)
    take_in(site, [made_up(5, state="revoked"), made_up(6, 2, app_user="їжак\n\""),
                   {"key": "app:їжак\n\"", "value": "connection:6:2"},
                   made_up(7, refreshed_at=1000000000)])
    return olena


# Export and import.

@pytest.mark.parametrize("options", [[], ["--plain"]], ids=["sealed", "plain"])
def test_everything_is_restored(site, amocrm, options):
    olena = everything(site, amocrm)
    before, plain = by_id(site), sorted(site.ctl("export", "--plain").stdout.splitlines())
    backup = site.ctl("export", *options).stdout
    site.new_store()

    assert site.ctl("import", input=backup).stdout == summary(7)

    assert by_id(site) == before
    assert sorted(site.ctl("export", "--plain").stdout.splitlines()) == plain
    assert olena.is_connected()
    assert works(amocrm, site.ctl("token", f"{ID}/1").stdout.strip()) == 1
    assert site.ctl("refresh", f"{ID}/1").returncode == 0
    hook = disconnect_query(amocrm.integration, amocrm.who()[0])
    assert site.get("disconnect", hook).status == 200
    assert by_id(site)[ID, 1]["state"] == "revoked", "the account's list of connections is missing"


def test_a_shared_set_up_is_restored(site, amocrm):
    site.configure()
    connect(site, amocrm)
    backup = sealed(site)
    site.new_store()

    site.ctl("import", input=backup)

    assert app.User(site).is_connected()


def test_with_another_key_ring_only_a_plain_backup_is_restored(site, amocrm):
    everything(site, amocrm)
    before, pairs = by_id(site), stored(site)
    closed, plain = sealed(site), site.ctl("export", "--plain").stdout
    site.new_store()
    site.write_keys(f"k2 {secrets.token_hex(32)}\n")

    done = site.ctl("import", input=closed, check=False)
    assert done.returncode == 1
    assert done.stdout == summary(2), "the records of app users are not secret"
    assert done.stderr.count("which is not in the key ring") == 5
    assert site.connections() == []

    assert site.ctl("import", input=plain).stdout == summary(5, 2)
    assert (by_id(site), stored(site)) == (before, pairs)


def test_another_key_with_the_same_id_does_not_decrypt(site, amocrm):
    connect(site, amocrm)
    backup = sealed(site)
    site.new_store()
    site.write_keys(f"k1 {secrets.token_hex(32)}\n")

    done = site.ctl("import", input=backup, check=False)

    assert done.returncode == 1 and "cannot be decrypted" in done.stderr
    assert site.connections() == []


def test_a_record_that_does_not_decrypt_does_not_stop_the_export(site):
    take_in(site, [made_up(7)])
    site.write_keys(f"k2 {secrets.token_hex(32)}\n")
    take_in(site, [made_up(account) for account in (5, 6, 8, 9)])

    done = site.ctl("export", "--plain", check=False)

    assert done.returncode == 1
    assert sorted(json.loads(line)["key"] for line in done.stdout.splitlines()) == [
        f"connection:{account}:1" for account in (5, 6, 8, 9)]
    assert done.stderr.startswith("amocrmctl export: connection:7:1: ")
    assert len(sealed(site).splitlines()) == 5, "a sealed export decrypts nothing"


def test_an_empty_store_and_an_empty_backup(site):
    assert sealed(site) == ""
    assert site.ctl("import", input="").stdout == summary(0)


def test_a_sealed_backup_contains_no_secret(site, amocrm):
    everything(site, amocrm)
    backup = sealed(site).encode()

    for name, secret in site.secrets():
        assert secret not in backup, name
    assert b"access-" not in backup and b"refresh-" not in backup


def test_a_plain_backup_is_not_printed_on_a_terminal(site, amocrm):
    connect(site, amocrm)
    master, slave = pty.openpty()
    try:
        running = site.start_ctl("export", "--plain", stdin=slave, stdout=slave)
        _, complaint = running.communicate(timeout=process.PATIENCE)
    finally:
        os.close(slave)
        os.close(master)

    assert running.returncode == 1
    assert b"terminal" in complaint


# Records that exist already.

def test_newer_tokens_are_left_alone(site, amocrm):
    connect(site, amocrm)
    connections.age(site, 1000)
    backups = [sealed(site), site.ctl("export", "--plain").stdout]
    site.ctl("refresh", ID)
    newest = stored(site)

    for backup in backups:
        assert site.ctl("import", input=backup).stdout == summary(0, 1)
        assert stored(site) == newest


def test_equally_new_tokens_are_left_alone(site, amocrm):
    connect(site, amocrm)
    before = exported(site)

    assert site.ctl("import", input=sealed(site)).stdout == summary(0, 1)

    assert exported(site) == before


def test_newer_tokens_replace_older_ones(site, amocrm):
    connect(site, amocrm)
    backup = sealed(site)
    connections.age(site, 1000)
    site.ctl("refresh", ID)
    connections.age(site, 500)

    assert site.ctl("import", input=backup).stdout == summary(1)

    assert sealed(site) != backup, "sealed again"
    assert works(amocrm, stored(site)[ID, 1]["access_token"]) == 1


def test_the_current_connection_of_an_app_user_is_kept(site):
    take_in(site, [made_up(5), made_up(6), {"key": "app:olena", "value": "connection:5:1"}])

    done = take_in(site, [{"key": "app:olena", "value": "connection:6:1"}])

    assert done.stdout == summary(0, 1)
    assert {"key": "app:olena", "value": "connection:5:1"} in exported(site)


def test_an_interrupted_import_can_be_repeated(site):
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
    assert take_in(site, lines).stdout == summary(0, 99)


# Corrupt backups.

def with_value(line, change):
    return {**line, "value": change(line["value"])}


def with_clear(line, **changed):
    state, clear, rest = line["value"].split("\n")
    return {**line, "value": "\n".join((state, compact({**json.loads(clear), **changed}), rest))}


def with_pair(line, **changed):
    return {**line, "tokens": compact({**json.loads(line["tokens"]), **changed})}


def flipped(value):
    """Changes one character of the sealed text; not the last one, which may contain unused bits."""
    return value[:-20] + ("A" if value[-20] != "A" else "B") + value[-19:]


# Changes of a valid sealed line.
CORRUPT_SEALED = {
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
CORRUPT_PLAIN = {
    "not JSON": lambda line: "connection:5:1 = x",
    "empty": lambda line: "",
    "a list": lambda line: "[]",
    "no key": lambda line: {"value": line["value"]},
    "no value": lambda line: {"key": line["key"]},
    "a value that is not a string": lambda line: {**line, "value": 5},
    "a repeated name": lambda line: compact(line)[:-1] + ',"key":"connection:5:1"}',
    "not a connection": lambda line: {**line, "key": "code:5"},
    "a record that cannot be imported": lambda line: {"key": "account:5", "value": "1 2 3"},
    "no tokens": lambda line: {"key": line["key"], "value": line["value"]},
    "tokens that are not JSON": lambda line: {**line, "tokens": "x"},
    "no refresh token": lambda line: {**line, "tokens": '{"access_token":"a","expires_at":5}'},
    "no access token": lambda line: {**line, "tokens": '{"refresh_token":"a","expires_at":5}'},
    "no expiry": lambda line: {**line, "tokens": '{"access_token":"a","refresh_token":"b"}'},
    "an empty refresh token": lambda line: with_pair(line, refresh_token=""),
    "an empty access token": lambda line: with_pair(line, access_token=""),
    "a line feed in a token": lambda line: with_pair(line, access_token="a\nX: y"),
    "a token with a letter beyond ASCII": lambda line: with_pair(line, refresh_token="\u0456"),
    "a token over the limit": lambda line: with_pair(line, refresh_token="x" * 16385),
    "an app user of no connection": lambda line: {"key": "app:olena", "value": "account:4"},
    "no account": lambda line: with_clear(line, account_id="x"),
    "a host that is not amoCRM's": lambda line: with_clear(line, host="x.evil.com"),
    "a host with user information": lambda line: with_clear(line, host="x.amocrm.ru@evil.com"),
    "no host": lambda line: with_clear(line, host=None),
}


@pytest.mark.parametrize("corrupt", CORRUPT_SEALED.values(), ids=CORRUPT_SEALED.keys())
def test_a_corrupt_sealed_line_is_reported_and_skipped(site, corrupt):
    take_in(site, [made_up(4), made_up(5), made_up(7)])
    good = {line["key"]: line for line in exported(site)}
    site.new_store()

    done = take_in(site, [good["connection:4:1"], corrupt(good["connection:5:1"]),
                          good["connection:7:1"]], check=False)

    reported_and_skipped(site, done)


@pytest.mark.parametrize("corrupt", CORRUPT_PLAIN.values(), ids=CORRUPT_PLAIN.keys())
def test_a_corrupt_plain_line_is_reported_and_skipped(site, corrupt):
    done = take_in(site, [made_up(4), corrupt(made_up(5)), made_up(7)], check=False)

    reported_and_skipped(site, done)


def reported_and_skipped(site, done):
    assert (done.returncode, done.stdout) == (1, summary(2))
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

    assert (done.returncode, done.stdout) == (1, summary(0))
    assert site.connections() == []


def test_lines_may_end_with_crlf_and_the_last_without_newline(site):
    lines = [compact(made_up(account)) for account in (4, 5)]

    assert site.ctl("import", input=lines[0] + "\r\n" + lines[1]).stdout == summary(2)


def test_a_long_line(site):
    line = made_up(5, tokens={"access_token": "a" * 16384, "refresh_token": "r" * 16384,
                              "expires_at": 4102444800})

    assert take_in(site, [line]).stdout == summary(1)

    assert stored(site)[5, 1]["access_token"] == "a" * 16384
    done = take_in(site, [made_up(6, tokens={"access_token": "a" * 100_000, "refresh_token": "r",
                                             "expires_at": 4102444800})], check=False)
    assert done.returncode == 1 and "line 1: " in done.stderr


@pytest.mark.parametrize("lasts", [100, 86400], ids=["expires soon", "fresh"])
def test_a_host_that_is_no_longer_allowed_is_not_contacted(site, amocrm, lasts):
    """Neither the client secret nor a token is sent to it."""
    take_in(site, [made_up(5, host="five.kommo.com", lasts=lasts)])
    site.configure(**ANY_ACCOUNT, amocrm_account_domains="amocrm.ru")

    for command in (["token", "5"], ["refresh", "5"], ["refresh"], ["subscribe", "5"]):
        done = site.ctl(*command, check=False)
        assert done.returncode == 1 and "account_domains" in done.stderr

    assert amocrm.connections() == []
    assert by_id(site)[5, 1]["state"] == "active"


@pytest.mark.parametrize("command", [
    ["export", "--all"], ["export", "--plain", "x"], ["export", "x"], ["import", "file"]])
def test_wrong_arguments_are_reported(site, command):
    done = site.ctl(*command, check=False, input="")

    assert done.returncode == 2 and "usage:" in done.stderr


def test_a_failed_write_to_standard_output_is_an_error(site, amocrm):
    connect(site, amocrm)
    with open("/dev/full", "wb") as full:
        running = site.start_ctl("export", stdout=full)
        _, complaint = running.communicate(timeout=process.PATIENCE)

    assert running.returncode == 1
    assert b"standard output" in complaint


def test_importing_again_repairs_an_interrupted_import(site, amocrm):
    """The connection is stored, but not in its account's list, so amoCRM's hook would not find
    it."""
    connect(site, amocrm)
    lines = exported(site)
    connections.forget_list(site)

    assert take_in(site, lines).stdout == summary(0, len(lines))

    site.get("disconnect", disconnect_query(amocrm.integration, amocrm.who()[0]))
    assert connections.one(site)["state"] == "revoked"
