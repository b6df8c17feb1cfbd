"""One shard of the store cannot be read: commands skip it, do all the rest, and name it."""

import json
import os
import shutil

import pytest

import app
import connections
import damage
import webhooks
from connections import ANY_ACCOUNT, ID, SOON, connect
from sandbox import hooks, process

USERS = (101, 102, 103, 104)
BAD = 102
KEY = f"connection:{ID}:{BAD}"


@pytest.fixture(params=damage.ALL, ids=damage.name_of)
def site(request, bare, amocrm):
    """Four connections, whose access tokens expire soon; the shard of one is damaged."""
    bare.configure(**ANY_ACCOUNT)
    for user in USERS:
        amocrm.add_user(user)
        connect(bare, amocrm, user=user, life=SOON)
    file = connections.shard(bare, KEY)
    assert file not in {connections.shard(bare, f"connection:{ID}:{user}")
                        for user in USERS if user != BAD}
    assert file != connections.shard(bare, f"account:{ID}")
    request.param(file)
    yield bare
    bare.new_store()


def reported(site, *command):
    """The command failed, named the shard, and said what to do."""
    done = site.ctl(*command, check=False)
    assert done.returncode == 1, done.stderr
    assert str(connections.shard(site, KEY)) in done.stderr, done.stderr
    assert "run amocrmctl repair" in done.stderr, done.stderr
    return done


def test_all_other_connections_are_used(site, amocrm):
    done = reported(site, "refresh", "--due", 3600)
    assert done.stdout == "refreshed 3, failed 0\n"
    assert len(amocrm.exchanges("refresh_token")) == 3

    listed = json.loads(reported(site, "accounts", "--json").stdout)
    assert {one["amocrm_user_id"] for one in listed} == set(USERS) - {BAD}

    for options in ((), ("--plain",)):
        assert reported(site, "export", *options).stdout.count("\n") == 3

    assert connections.works(amocrm, site.ctl("token", ID).stdout.strip()) != BAD
    assert webhooks.send(site, b"account[id]=%d&leads[add][0][id]=1" % ID).status == 200

    keys = site.keys.read_text()
    try:
        site.write_keys(site.ctl("keygen").stdout + keys)
        assert reported(site, "rekey").stdout == "re-encrypted 3 of 3\n"
    finally:
        site.write_keys(keys)


def test_an_event_with_an_unknown_subdomain_is_not_refused(site):
    """Its account may be the one that cannot be read."""
    known = connections.HOST.split(".")[0]
    assert webhooks.send(site, b"account[subdomain]=unknown&leads[add][0][id]=1").status == 503
    assert webhooks.send(site, b"account[subdomain]=%s&leads[add][0][id]=1"
                         % known.encode()).status == 200


def test_check_names_it(site):
    done = site.ctl("check", check=False)
    wrong = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]

    assert done.returncode == 1
    assert any(connections.shard(site, KEY).name in line and "amocrmctl repair" in line
               for line in wrong), wrong


def test_no_refresh_token_is_used_up(site, amocrm):
    done = site.ctl("token", f"{ID}/{BAD}", check=False)

    assert done.returncode == 1
    assert amocrm.exchanges("refresh_token") == []


def test_the_accounts_list_is_rebuilt_from_what_can_be_read(site, amocrm):
    list_of_users = connections.shard(site, f"account:{ID}")
    held = bytearray(list_of_users.read_bytes())
    at = held.index(b" ".join(b"%d" % user for user in USERS))
    held[at + 1] ^= 1
    list_of_users.write_bytes(held)

    app.disconnected(site.get(
        "disconnect", hooks.disconnect_query(amocrm.integration, amocrm.who()[0])))

    assert reported(site, "export").stdout.count('"value":"revoked') == 3


# Nothing that repair can cure: shards that are closed to us, or in another's place.

def closed(file, _other):
    file.chmod(0)


def of_root(file, _other):
    os.chown(file, 0, 0)


def exchanged(file, other):
    kept = file.with_suffix(".kept")
    file.rename(kept)
    other.rename(file)
    kept.rename(other)


def copied(file, other):
    shutil.copyfile(other, file)


def linked(file, other):
    file.unlink()
    os.link(other, file)


MISPLACED = "put its own file back there"
OTHERS = [(closed, 3, "run amocrmctl check"), (exchanged, 2, MISPLACED), (copied, 3, MISPLACED),
          (linked, 3, MISPLACED)]
if process.is_root():
    OTHERS.append((of_root, 3, "run amocrmctl check"))


@pytest.fixture
def four(bare, amocrm):
    bare.configure(**ANY_ACCOUNT)
    for user in USERS:
        amocrm.add_user(user)
        connect(bare, amocrm, user=user, life=SOON)
    yield bare
    bare.new_store()


@pytest.mark.parametrize("harm, left, cure", OTHERS, ids=lambda value: getattr(value, "__name__", ""))
def test_the_cure_is_another_than_repair(four, amocrm, harm, left, cure):
    """Each connection that is where it belongs is used once, and repair removes nothing."""
    file, other = (connections.shard(four, f"connection:{ID}:{user}") for user in (BAD, USERS[3]))
    kept = {one: one.read_bytes() for one in (file, other)}
    harm(file, other)

    for command in (("refresh", "--due", 3600), ("accounts",), ("export",)):
        done = four.ctl(*command, check=False)
        assert done.returncode == 1
        assert file.name in done.stderr and cure in done.stderr, done.stderr
    assert len(amocrm.exchanges("refresh_token")) == left
    done = four.ctl("repair", check=False)
    assert done.returncode == 1
    assert cure in done.stderr and "connect-again" not in done.stdout, done.stdout + done.stderr

    file.unlink()
    file.write_bytes(kept[file])
    if harm is exchanged:
        other.write_bytes(kept[other])
    shutil.chown(file, file.parent.stat().st_uid, file.parent.stat().st_gid)
    assert four.ctl("token", f"{ID}/{BAD}").stdout
    assert len(four.connections()) == 4


def test_repair_passes_a_shard_that_it_cannot_open(four):
    (before, _), (after, lost) = sorted((connections.shard(four, f"connection:{ID}:{user}"), user)
                                        for user in (USERS[0], BAD))
    before.chmod(0)
    damage.emptied(after)

    done = four.ctl("repair", check=False)

    assert done.returncode == 1
    assert before.name in done.stderr and "shards left alone: 1" in done.stderr, done.stderr
    assert list(after.parent.glob(after.name + ".damaged-*"))
    assert f"connect-again {ID}/{lost}\n" in done.stdout, done.stdout


def test_repair_passes_a_shard_that_it_cannot_replace(four):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    before, after = sorted(connections.shard(four, f"connection:{ID}:{user}")
                           for user in (USERS[0], BAD))
    damage.emptied(before)
    damage.emptied(after)

    done = four.ctl("repair", check=False, launcher=(
        "strace", "-o", "/dev/null", "-e", "inject=link,linkat:error=EPERM:when=1",
        "-e", "inject=rename:error=EBUSY:when=1"))
    if "ptrace" in done.stderr:
        pytest.skip(f"strace does not work here: {done.stderr}")

    assert done.returncode == 1
    assert f"{before}: cannot be moved aside" in done.stderr, done.stderr
    assert list(after.parent.glob(after.name + ".damaged-*"))
    four.ctl("repair")
    assert len(four.connections()) == 2


@pytest.mark.skipif(not process.is_root(), reason="only root can change owners")
def test_shards_of_another_user_are_reported_once(four):
    (four.store / "connections").chmod(0o700)
    os.chown(four.store / "connections", 0, 0)

    done = four.ctl("accounts", check=False)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "run amocrmctl check" in done.stderr, done.stderr
