"""Tokens that amoCRM has just issued, and a store that fails: what will be written is tried before
amoCRM is asked; afterwards everything is tried again; at last the tokens wait in the escrow."""

import contextlib
import hashlib
import json
import re
import shutil
import subprocess

import pytest

import app
import connections
import expect
import findings
from connections import ID, SOON, connect, occupied, pair, slots, works
from sandbox import hooks, process
from sandbox.site import BASE
from sandbox.web import Malformed

KEY = f"connection:{ID}:1"
INDEX = f"account:{ID}"
SECOND = 32720107      # another account


def refreshes(amocrm):
    return len(amocrm.exchanges("refresh_token"))


def under_strace(site, *arguments, inject=(), output="/dev/null"):
    """Runs amocrmctl, whose system calls fail as `inject` says."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    user = process.web_user()
    done = subprocess.run(
        ["strace", "-o", output, *(["-u", user.pw_name] if user else []),
         *(f"--inject={each}" for each in inject), site.amocrmctl, "-c", site.config,
         *map(str, arguments)], capture_output=True, text=True, cwd="/", timeout=120)
    if "ptrace" in done.stderr:
        pytest.skip(f"strace does not work here: {done.stderr}")
    return done


# Before amoCRM is asked.

def empty(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[:5000])


def make_directory(path):
    path.unlink()
    path.mkdir()


def make_room_a_directory(path):
    folder = path.with_name(path.name.replace(".gdbm", ".0.new"))
    folder.mkdir()
    (folder / "file").touch()       # an empty folder is removed


DAMAGES = {
    "the account's list, emptied": (INDEX, empty),
    "the account's list, cut": (INDEX, cut),
    "the account's list, a directory": (INDEX, make_directory),
    "the connection, emptied": (KEY, empty),
    "the connection, cut": (KEY, cut),
    "the connection, a directory": (KEY, make_directory),
    "a directory where the copy belongs": (KEY, make_room_a_directory),
}


COMMANDS = {
    "token ACCOUNT": ("token", ID),
    "token ACCOUNT/USER": ("token", f"{ID}/1"),
    "token HOST": ("token", connections.HOST),
    "refresh --due": ("refresh", "--due", 3600),
}


@pytest.mark.parametrize("key, damage", DAMAGES.values(), ids=DAMAGES.keys())
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_damaged_store_burns_no_token(bare, amocrm, key, damage, command):
    connect(bare, amocrm, life=SOON)
    path = connections.shard(bare, key)
    whole = path.read_bytes()

    damage(path)
    done = bare.ctl(*command, check=False)

    assert done.returncode == 1 and done.stderr, done.stdout
    assert refreshes(amocrm) == 0, "amoCRM was asked, and the new tokens cannot be stored"
    for left in bare.store.glob("connections/*.0.new"):
        shutil.rmtree(left)
    if path.is_dir():
        path.rmdir()
    path.write_bytes(whole)
    process.give(path, 0o600, owner=True)
    assert works(amocrm, bare.ctl("token", ID).stdout.strip()) == 1


def test_a_store_whose_locks_cannot_be_opened_burns_no_token(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    (bare.store / "locks").unlink()
    (bare.store / "locks").mkdir()

    assert bare.ctl("token", ID, check=False).returncode == 1
    assert refreshes(amocrm) == 0


@pytest.mark.parametrize("limit, cause", [
    ("-f 20", "File too large"),
    ("-n 8", "Too many open files"),
])
def test_a_limit_is_named_as_the_cause(bare, amocrm, limit, cause):
    connect(bare, amocrm, life=SOON)

    done = bare.ctl("token", ID, check=False,
                    launcher=("/bin/bash", "-c", f'ulimit {limit}; exec "$@"', "bash"))

    assert done.returncode == 1
    assert cause in done.stderr and str(bare.store) in done.stderr, done.stderr
    assert "repair" not in done.stderr and "must belong" not in done.stderr
    assert refreshes(amocrm) == 0


def test_an_escrow_that_cannot_be_opened_burns_no_token(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    shutil.rmtree(bare.store / "escrow")
    (bare.store / "escrow").write_text("")

    assert bare.ctl("token", ID, check=False).returncode == 1
    assert refreshes(amocrm) == 0


# The same for the exchange of a code.

POINTER = "app:"
CODE_DAMAGES = {
    **DAMAGES,
    "a directory where the copy of the account's list belongs": (INDEX, make_room_a_directory),
    "the pointer, emptied": (POINTER, empty),
    "the pointer, a directory": (POINTER, make_directory),
}


def exchanges(amocrm):
    return len(amocrm.exchanges("authorization_code"))


def repair(path, whole):
    if path.is_dir():
        path.rmdir()
    path.write_bytes(whole)
    process.give(path, 0o600, owner=True)


@pytest.mark.parametrize("key, damage", CODE_DAMAGES.values(), ids=CODE_DAMAGES.keys())
def test_a_damaged_store_burns_no_code(bare, amocrm, key, damage):
    connect(bare, amocrm)
    path = connections.shard(bare, key)
    whole = path.read_bytes()
    params = amocrm.approve()
    asked = exchanges(amocrm)

    damage(path)
    answer = bare.get("callback", params)

    if damage is not make_room_a_directory or key == INDEX:     # copies are named after its shard
        expect.failed(answer, "server_error")
        assert exchanges(amocrm) == asked, "the code is used up"
        for left in bare.store.glob("connections/*.0.new"):
            shutil.rmtree(left)
        repair(path, whole)
    expect.connected(bare.get("callback", params), params["code"])


def test_a_damaged_shard_of_the_code_burns_no_code(bare, amocrm):
    connect(bare, amocrm)
    params = amocrm.approve()
    asked = exchanges(amocrm)
    path = connections.shard(bare, "code:" + hashlib.sha256(params["code"].encode()).hexdigest())
    assert not path.exists()
    path.mkdir()

    expect.failed(bare.get("callback", params), "server_error")

    assert exchanges(amocrm) == asked
    path.rmdir()
    expect.connected(bare.get("callback", params), params["code"])


def answer_under_strace(site, params, *inject, output="/dev/null"):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    user = process.web_user()
    return site.server.ask(BASE + "callback", params, "GET", {}, None,
                           launcher=("strace", "-o", output,
                                     *(["-u", user.pw_name] if user else []),
                                     *(f"--inject={each}" for each in inject)))


def test_a_code_whose_tokens_cannot_be_stored(bare, amocrm):
    params = amocrm.approve()

    answer = answer_under_strace(bare, params, "rename:error=EIO:when=1+")

    expect.failed(answer, "server_error")
    assert exchanges(amocrm) == 1
    assert len(occupied(bare)) == 1
    expect.connected(bare.get("callback", params), params["code"])
    assert exchanges(amocrm) == 1
    assert occupied(bare) == []
    assert works(amocrm, pair(bare)["access_token"]) == 1


def test_tokens_of_a_code_are_folded_in_by_status(bare, amocrm):
    answer_under_strace(bare, amocrm.approve(), "rename:error=EIO:when=1+")

    assert app.User(bare).is_connected()
    assert occupied(bare) == []


def test_a_disconnection_reaches_tokens_that_wait(bare, amocrm):
    answer_under_strace(bare, amocrm.approve(), "rename:error=EIO:when=1+")
    olena = app.User(bare)

    app.disconnected(olena.disconnect())

    assert occupied(bare) == []
    assert bare.connections() == []
    assert not olena.is_connected()


@pytest.mark.parametrize("inject", ["rename:signal=KILL:when=1", "rename:signal=KILL:when=2"])
def test_a_kill_while_the_tokens_of_a_code_are_saved(bare, amocrm, inject):
    params = amocrm.approve()

    with contextlib.suppress(Malformed):
        answer_under_strace(bare, params, inject)

    assert exchanges(amocrm) == 1
    expect.connected(bare.get("callback", params), params["code"])
    assert exchanges(amocrm) == 1
    assert occupied(bare) == []


# After amoCRM has answered.

def calls_before_the_escrow(trace):
    """The system calls between the reading of amoCRM's answer and the writing of a slot: a kill at
    one of these loses the tokens."""
    lines = trace.read_text().splitlines()
    [written] = [n for n, line in enumerate(lines) if re.match(r'pwrite64\(.*"amoescr1', line)]
    answered = max(n for n, line in enumerate(lines[:written])
                   if re.match(r'read\(.*\\"status\\":200', line))
    between = [line.partition("(")[0] for line in lines[answered + 1:written]]
    return between[1:] if between[0] == "getrandom" else between    # json-c, at its first object


SEALING = ["sendto", "poll", "read"]    # by amo-crm-crypto


def test_refreshed_tokens_are_written_at_once(bare, amocrm, tmp_path):
    connect(bare, amocrm, life=SOON)

    under_strace(bare, "token", ID, output=tmp_path / "trace")

    assert calls_before_the_escrow(tmp_path / "trace") == SEALING


def test_the_tokens_of_a_code_are_written_at_once(bare, amocrm, tmp_path):
    params = amocrm.approve()

    answer_under_strace(bare, params, output=tmp_path / "trace")

    assert calls_before_the_escrow(tmp_path / "trace") == SEALING


def test_a_store_that_fails_for_good_after_amocrm_has_answered(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    before = pair(bare)

    done = under_strace(bare, "token", ID, inject=["rename:error=EIO:when=1+"])

    assert done.returncode == 0, done.stderr
    assert works(amocrm, done.stdout.strip()) == 1
    assert refreshes(amocrm) == 1
    assert len(occupied(bare)) == 1
    sealed = occupied(bare)[0].read_bytes()
    assert done.stdout.strip().encode() not in sealed, "the tokens are not sealed"

    bare.ctl("refresh", ID)
    assert refreshes(amocrm) == 2
    assert occupied(bare) == []
    assert works(amocrm, pair(bare)["access_token"]) == 1
    assert pair(bare) != before


FOLDERS = {
    "accounts": ("accounts",),
    "export": ("export",),
    "rekey": ("rekey",),
    "refresh --due": ("refresh", "--due", 0),
}


@pytest.mark.parametrize("command", FOLDERS.values(), ids=FOLDERS.keys())
def test_commands_that_fold_the_tokens_in(bare, amocrm, command):
    connect(bare, amocrm, life=SOON)
    printed = under_strace(bare, "token", ID, inject=["rename:error=ENOSPC:when=1+"]).stdout.strip()
    assert len(occupied(bare)) == 1
    asked = refreshes(amocrm)

    bare.ctl(*command)

    assert occupied(bare) == []
    assert pair(bare)["access_token"] == printed
    assert refreshes(amocrm) == asked


@pytest.mark.parametrize("call", ["rename:when=1", "fsync:when=3", "copy_file_range:when=2"])
def test_a_kill_while_the_tokens_are_saved(bare, amocrm, call):
    connect(bare, amocrm, life=SOON)
    bare.ctl("refresh", ID)
    amocrm.oauth.access_life = SOON
    bare.ctl("refresh", ID)
    asked = refreshes(amocrm)

    name, when = call.split(":")
    done = under_strace(bare, "token", ID, inject=[f"{name}:signal=KILL:{when}"])

    assert done.stdout == ""
    assert refreshes(amocrm) == asked + 1, "it was killed too early for this test"
    assert works(amocrm, bare.ctl("token", ID).stdout.strip()) == 1
    assert occupied(bare) == []


def test_both_places_fail(bare, amocrm):
    connect(bare, amocrm, life=SOON)

    done = under_strace(bare, "token", ID,
                        inject=["rename:error=EIO:when=1+", "pwrite64:error=EIO:when=1+"])

    assert done.returncode == 1
    assert done.stdout == ""
    assert f"the new tokens of {KEY} are lost" in done.stderr


# A slot that cannot be read may hold them.

def leave_refreshed(site, amocrm):
    """The refreshed tokens of the only connection wait in the escrow."""
    connect(site, amocrm, life=SOON)
    under_strace(site, "token", ID, inject=["rename:error=EIO:when=1+"])
    assert len(occupied(site)) == 1


def test_a_slot_without_permission_revokes_no_connection(bare, amocrm):
    leave_refreshed(bare, amocrm)
    [slot] = slots(bare)
    asked = refreshes(amocrm)

    slot.chmod(0)
    done = bare.ctl("token", ID, check=False)
    listed = bare.ctl("accounts", check=False)

    assert done.returncode == 1 and f"{slot}: Permission denied" in done.stderr, done.stderr
    assert listed.returncode == 1 and f"{slot}: Permission denied" in listed.stderr
    slot.chmod(0o600)
    token = bare.ctl("token", ID).stdout.strip()
    assert works(amocrm, token) == 1
    assert refreshes(amocrm) <= asked + 1
    assert occupied(bare) == []


def test_a_slot_that_cannot_be_read_is_not_overwritten(bare, amocrm):
    leave_refreshed(bare, amocrm)

    done = under_strace(bare, "token", ID, inject=["pread64:error=EIO:when=1+"])

    assert done.returncode == 1 and "escrow/000: cannot be read" in done.stderr, done.stderr
    assert len(occupied(bare)) == 1
    assert works(amocrm, bare.ctl("token", ID).stdout.strip()) == 1


def test_an_escrow_that_cannot_be_listed_revokes_no_connection(bare, amocrm):
    leave_refreshed(bare, amocrm)
    asked = refreshes(amocrm)

    done = under_strace(bare, "token", ID, inject=["getdents64:error=EIO:when=1+"])

    assert done.returncode == 1 and f"{bare.store}/escrow: Input/output error" in done.stderr
    assert refreshes(amocrm) == asked
    assert works(amocrm, bare.ctl("token", ID).stdout.strip()) == 1


def test_an_unreadable_slot_of_one_connection_does_not_stop_another(bare, amocrm):
    bare.configure(**connections.ANY_ACCOUNT)
    connect(bare, amocrm, account=SECOND, life=SOON)
    leave_refreshed(bare, amocrm)
    [slot] = slots(bare)

    slot.chmod(0)
    done = bare.ctl("token", SECOND)

    assert works(amocrm, done.stdout.strip(), SECOND) == 11


def test_a_slot_without_permission_refuses_no_code(bare, amocrm):
    params = amocrm.approve()
    answer_under_strace(bare, params, "rename:error=EIO:when=1+")
    [slot] = slots(bare)

    slot.chmod(0)
    expect.failed(bare.get("callback", params), "server_error")

    slot.chmod(0o600)
    expect.connected(bare.get("callback", params), params["code"])
    assert occupied(bare) == []


@contextlib.contextmanager
def another_key_ring(site):
    keys = site.keys.read_text()
    site.write_keys("other " + "ab" * 32 + "\n")
    try:
        yield
    finally:
        site.write_keys(keys)


def test_tokens_whose_key_is_lost_do_not_stop_a_new_authorization(bare, amocrm):
    leave_refreshed(bare, amocrm)

    with another_key_ring(bare):
        connect(bare, amocrm, life=SOON)

        assert works(amocrm, bare.ctl("token", ID).stdout.strip()) == 1
        bare.ctl("accounts")
        assert occupied(bare) == []


def test_tokens_whose_key_is_lost_do_not_stop_a_disconnection(bare, amocrm):
    """Whose they are is not known."""
    bare.configure(app_connections="per_user", app_state="any")
    amocrm.misbehave("opaque_token", path="/oauth2/access_token")
    answer_under_strace(bare, amocrm.approve(), "rename:error=EIO:when=1+")
    [slot] = occupied(bare)
    olena = app.User(bare)

    with another_key_ring(bare):
        olena.connects(amocrm)
        hook = bare.get("disconnect", hooks.disconnect_query(amocrm.integration, amocrm.who()[0]))
        assert hook.status == 200, hook.text
        assert not olena.is_connected()
        olena.connects(amocrm)
        app.disconnected(olena.disconnect())
        listed = bare.ctl("accounts", check=False)
        assert listed.returncode == 1
        assert f"escrow/{slot.name}: encrypted with key" in listed.stderr, listed.stderr
        assert "delete this file" in listed.stderr
        olena.connects(amocrm)
        bare.ctl("disconnect", ID)

        slot.unlink()
        assert bare.connections() == []


@pytest.mark.parametrize("disconnect", [
    lambda site, amocrm: app.disconnected(app.User(site).disconnect()),
    lambda site, amocrm: site.get(
        "disconnect", hooks.disconnect_query(amocrm.integration, amocrm.who()[0])),
], ids=["by the app", "by amoCRM"])
def test_a_key_that_comes_back_connects_nobody_again(bare, amocrm, disconnect):
    answer_under_strace(bare, amocrm.approve(), "rename:error=EIO:when=1+")
    assert len(occupied(bare)) == 1

    with another_key_ring(bare):
        disconnect(bare, amocrm)

    bare.ctl("accounts")
    assert bare.connections() == [] and occupied(bare) == []


# The record that they replace is lost.

@pytest.mark.parametrize("settings", [{}, app.PER_USER], ids=["shared", "per user"])
def test_a_connection_lost_with_its_shard_is_restored(bare, amocrm, settings):
    bare.configure(**settings)
    olena = app.User(bare)
    with connections.tokens_that_last(amocrm, SOON):
        olena.connects(amocrm)
    backup = bare.ctl("export").stdout
    under_strace(bare, "token", ID, inject=["rename:error=EIO:when=1+"])
    asked = refreshes(amocrm)

    empty(connections.shard(bare, KEY))
    repaired = bare.ctl("repair")
    bare.ctl("accounts")
    bare.ctl("import", input=backup)

    assert "connect-again" not in repaired.stdout
    assert works(amocrm, bare.ctl("token", ID).stdout.strip()) == 1
    assert refreshes(amocrm) == asked and occupied(bare) == []
    assert olena.is_connected()


@pytest.mark.parametrize("settings", [{}, app.PER_USER], ids=["shared", "per user"])
def test_a_lost_connection_that_was_disconnected_is_not_restored(bare, amocrm, settings):
    bare.configure(**settings)
    olena = app.User(bare)
    with connections.tokens_that_last(amocrm, SOON):
        olena.connects(amocrm)
    under_strace(bare, "token", ID, inject=["rename:error=EIO:when=1+"])
    assert len(occupied(bare)) == 1

    connections.shard(bare, KEY).unlink()
    app.disconnected(olena.disconnect())

    assert not olena.is_connected()
    assert bare.ctl("accounts", "--json").stdout.strip() == "[]" and occupied(bare) == []


def test_no_backup_is_imported_beside_tokens_that_wait(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    backup = bare.ctl("export").stdout
    under_strace(bare, "token", ID, inject=["rename:error=EIO:when=1+"])
    connections.shard(bare, KEY).unlink()

    with another_key_ring(bare):
        done = bare.ctl("import", input=backup, check=False)

    assert done.returncode == 1
    assert f"newer tokens of {KEY} wait in the escrow" in done.stderr, done.stderr
    bare.ctl("accounts")
    assert works(amocrm, bare.ctl("token", ID).stdout.strip()) == 1
    assert refreshes(amocrm) == 1


def test_a_connection_whose_shard_is_missing_is_restored(bare, amocrm):
    leave_refreshed(bare, amocrm)

    connections.shard(bare, KEY).unlink()
    bare.ctl("refresh", "--due", 0)

    assert works(amocrm, bare.ctl("token", ID).stdout.strip()) == 1
    assert occupied(bare) == []


def test_an_older_backup_does_not_replace_tokens_that_wait(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    backup = connections.exported(bare, "--plain")
    for line in backup:
        if line["key"] == KEY:
            clear = json.loads(line["value"].split("\n")[1])
            clear["refreshed_at"] -= 10
            line["value"] = "\n".join(["active", connections.compact(clear), ""])
    under_strace(bare, "token", ID, inject=["rename:error=EIO:when=1+"])

    connections.shard(bare, KEY).unlink()
    connections.take_in(bare, backup)

    assert works(amocrm, bare.ctl("token", ID).stdout.strip()) == 1
    assert refreshes(amocrm) == 1


def test_repair_does_not_give_up_what_cannot_be_restored_yet(bare, amocrm):
    leave_refreshed(bare, amocrm)

    empty(connections.shard(bare, KEY))
    with another_key_ring(bare):
        repaired = bare.ctl("repair", check=False)

    assert repaired.returncode == 1 and "connect-again" not in repaired.stdout
    bare.ctl("accounts")
    assert works(amocrm, bare.ctl("token", ID).stdout.strip()) == 1


def test_a_disconnected_connection_is_not_restored(bare, amocrm):
    leave_refreshed(bare, amocrm)

    bare.ctl("disconnect", ID)
    bare.ctl("repair")

    assert bare.connections() == [] and occupied(bare) == []


def test_check_reports_tokens_that_wait(bare, amocrm):
    findings.configure(bare)
    connect(bare, amocrm, life=SOON)
    under_strace(bare, "token", ID, inject=["rename:error=EIO:when=1+"])
    assert len(occupied(bare)) == 1

    found = findings.check(bare)
    findings.only(found, "warn", "escrow", KEY, "amocrmctl accounts")
    assert len(occupied(bare)) == 1, "check changed something"

    bare.ctl("accounts")
    assert not findings.faults(findings.check(bare))


def test_a_slot_is_kept_and_reused(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    for _ in range(3):
        bare.ctl("refresh", ID)

    [slot] = slots(bare)
    assert slot.stat().st_mode & 0o777 == 0o600
    assert slot.stat().st_blocks * 512 >= slot.stat().st_size > 65536
