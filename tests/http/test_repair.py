"""`amocrmctl repair`: what is whole of a damaged shard is kept, and it is said who must connect
again."""

import os
import stat

import pytest

import connections
import damage
from app import PER_USER, User
from connections import ANY_ACCOUNT, ID, connect, exported, stored, take_in
from sandbox import process

USERS = (101, 102, 103, 104)
BAD = 102
KEY = f"connection:{ID}:{BAD}"
RECORD_LEFT = (damage.one_block_of_zeros, damage.garbage_for_a_header)


@pytest.fixture
def site(bare, amocrm):
    bare.configure(**ANY_ACCOUNT)
    for user in USERS:
        amocrm.add_user(user)
        connect(bare, amocrm, user=user)
    yield bare
    bare.new_store()


def asides(site):
    return sorted((site.store / "connections").glob("*.damaged-*"))


def leftovers(site):
    return sorted((site.store / "connections").glob("*.repair.new"))


def nothing_left_to_repair(site):
    done = site.ctl("repair")
    assert (done.stdout, done.stderr) == ("", "amocrmctl repair: nothing to repair\n")


def test_nothing_to_repair(site):
    before = site.ctl("export").stdout

    nothing_left_to_repair(site)

    assert site.ctl("export").stdout == before and not asides(site)


def test_nothing_to_repair_in_a_new_store(bare):
    bare.new_store()
    nothing_left_to_repair(bare)


def test_usage(bare):
    assert bare.ctl("repair", "now", check=False).returncode == 2


@pytest.mark.parametrize("harm", damage.ALL, ids=damage.name_of)
def test_a_damaged_shard(site, amocrm, harm):
    backup, before = exported(site), stored(site)
    file = connections.shard(site, KEY)
    harm(file)

    done = site.ctl("repair")

    left = {ids[1] for ids in stored(site)}
    assert left >= set(USERS) - {BAD}
    if harm in RECORD_LEFT:
        assert stored(site) == before and f"kept {ID}/{BAD}\n" in done.stdout
    if BAD not in left:
        assert f"connect-again {ID}/{BAD}\n" in done.stdout
    [aside] = asides(site)
    assert aside.name.startswith(file.name + ".damaged-")
    assert str(aside) in done.stderr and "rm " in done.stderr
    if stat.S_ISREG(aside.lstat().st_mode):
        assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert not leftovers(site)
    nothing_left_to_repair(site)
    take_in(site, backup)
    assert stored(site) == before


@pytest.mark.parametrize("harm", damage.ALL, ids=damage.name_of)
def test_a_damaged_index(site, amocrm, harm):
    before = stored(site)
    harm(connections.shard(site, f"account:{ID}"))

    site.ctl("repair")

    assert stored(site) == before
    assert connections.works(amocrm, site.ctl("token", ID).stdout.strip()) in USERS
    nothing_left_to_repair(site)


@pytest.mark.parametrize("harm", damage.ALL, ids=damage.name_of)
def test_a_damaged_pointer(bare, amocrm, harm):
    bare.configure(**PER_USER)
    olena = User(bare)
    olena.connects(amocrm)
    harm(connections.shard(bare, "app:olena"))

    bare.ctl("repair")

    assert olena.is_connected()
    nothing_left_to_repair(bare)


def test_a_user_whose_connection_is_gone(bare, amocrm):
    bare.configure(**PER_USER)
    olena = User(bare)
    olena.connects(amocrm)
    connections.shard(bare, f"connection:{ID}:1").unlink()

    done = bare.ctl("repair")

    assert done.stdout == f"connect-again {ID}/1\nconnect-again-app olena\n"
    nothing_left_to_repair(bare)
    olena.connects(amocrm)
    assert olena.is_connected()


@pytest.mark.parametrize("key", ["app:", f"connection:{ID}:1"])
def test_the_shared_connection_is_gone(bare, amocrm, key):
    connect(bare, amocrm)
    damage.emptied(connections.shard(bare, key))

    done = bare.ctl("repair")

    assert "connect-again everybody\n" in done.stdout
    nothing_left_to_repair(bare)
    connect(bare, amocrm)
    assert User(bare).is_connected()


def test_one_corrupt_record(site):
    file = connections.shard(site, KEY)
    held = bytearray(file.read_bytes())
    held[held.index(b'{"account_id":%d,"amocrm_user_id":%d,' % (ID, BAD)) + 9] ^= 1
    file.write_bytes(held)

    done = site.ctl("repair")

    assert f"connect-again {ID}/{BAD}\n" in done.stdout and KEY in done.stderr
    assert {ids[1] for ids in stored(site)} == set(USERS) - {BAD}
    nothing_left_to_repair(site)


def test_an_import_before_the_repair_restores_the_others(site):
    backup, before = exported(site), stored(site)
    file = connections.shard(site, KEY)
    damage.emptied(file)
    lost = connections.shard(site, f"connection:{ID}:103")
    lost.unlink()

    done = take_in(site, backup, check=False)

    assert done.returncode == 1 and "imported 1" in done.stdout
    site.ctl("repair")
    take_in(site, backup)
    assert stored(site) == before


@pytest.mark.parametrize("mode", [0, 0o600], ids=["mode 0", "another's"])
def test_a_shard_that_may_not_be_read_is_not_damaged(site, mode):
    if not process.is_root():
        pytest.skip("only root can change owners")
    file = connections.shard(site, KEY)
    held, owner = file.read_bytes(), file.stat().st_uid
    file.chmod(mode)
    if mode:
        os.chown(file, 0, 0)
    try:
        done = site.ctl("repair", check=False)
        assert done.returncode == 1 and "Permission denied" in done.stderr
        assert file.read_bytes() == held and not asides(site)
    finally:
        file.chmod(0o600)
        os.chown(file, owner, -1)


def test_a_killed_repair_is_completed_by_the_next(site):
    """Killed at every system call that changes the directory, one after the other."""
    before = stored(site)
    file = connections.shard(site, KEY)
    for call in ("link", "linkat", "rename", "unlink", "fsync", "fdatasync", "pwrite64", "write"):
        damage.garbage_for_a_header(file)
        site.ctl("repair", check=False, launcher=(
            "strace", "-f", "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when=1"))
        site.ctl("repair")
        assert stored(site) == before, call
        assert not leftovers(site), call
        nothing_left_to_repair(site)
