"""Something else is in the place of a file that the programs open: nothing hangs, and no code or
refresh token is used up."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import app
import expect
import webhooks
from connections import ANY_ACCOUNT, ID, SOON, connect
from sandbox import process


def in_place_of(site, path, make):
    path = site.store / path
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    make(path)
    if not path.is_symlink():
        path.chmod(0o700 if path.is_dir() else 0o600)
        shutil.chown(path, site.store.stat().st_uid, site.store.stat().st_gid)


def copies(site, make):
    """The copy of whatever shard is changed."""
    for shard in range(512):
        for step in range(4):
            in_place_of(site, f"connections/{shard:03x}.{step}.new", make)


def link_to_nothing(path):
    path.symlink_to("/nowhere/at/all")


PLACES = {
    "a folder for the locks": lambda site: in_place_of(site, "locks", Path.mkdir),
    "a dangling link for the locks": lambda site: in_place_of(site, "locks", link_to_nothing),
    "a file for the shards": lambda site: in_place_of(site, "connections", Path.touch),
    "a dangling link for the shards": lambda site: in_place_of(
        site, "connections", link_to_nothing),
    "a folder for the reserve": lambda site: in_place_of(site, "connections/0.room", Path.mkdir),
    "a FIFO for the reserve": lambda site: in_place_of(site, "connections/3.room", os.mkfifo),
    "a FIFO for the key ring": lambda site: in_place_of(site, site.keys, os.mkfifo),
    "a folder for the key ring": lambda site: in_place_of(site, site.keys, Path.mkdir),
}


@pytest.fixture
def site(bare, amocrm):
    keys = bare.keys.read_text()
    bare.configure(**ANY_ACCOUNT)
    connect(bare, amocrm, life=SOON)
    yield bare
    bare.new_store()
    if bare.keys.is_dir():
        bare.keys.rmdir()
    else:
        bare.keys.unlink()
    bare.write_keys(keys)


@pytest.mark.parametrize("place", PLACES)
def test_no_code_is_used_up(site, amocrm, place):
    PLACES[place](site)

    expect.failed(site.get("callback", amocrm.approve()), "server_error")

    assert amocrm.exchanges() == []


@pytest.mark.parametrize("place", PLACES)
def test_no_refresh_token_is_used_up(site, amocrm, place):
    PLACES[place](site)

    assert site.ctl("refresh", ID, check=False).returncode == 1

    assert amocrm.exchanges() == []


def test_a_dangling_link_for_the_shards_is_not_an_empty_store(site):
    """As of a disk that is not mounted."""
    in_place_of(site, "connections", link_to_nothing)

    for command in (("accounts",), ("export",), ("token", ID), ("refresh", "--due", 0)):
        done = site.ctl(*command, check=False)
        assert done.returncode == 1 and "connections: is a dangling symbolic link" in done.stderr, command
    app.refused(app.User(site).status(), 503, "server_error")
    app.refused(webhooks.send(site, b"account[id]=%d&leads[add][0][id]=1" % ID), 503,
                "server_error")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, link_to_nothing],
                         ids=["folders", "FIFOs", "dangling links"])
def test_what_is_in_the_place_of_a_copy_is_removed(site, amocrm, make):
    copies(site, make)

    amocrm.add_user(2)
    connect(site, amocrm, user=2)

    assert site.ctl("refresh", ID).returncode == 0
    assert all(path.is_file() and not path.is_symlink()
               for path in (site.store / "connections").glob("*.gdbm"))


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir],
                         ids=["a FIFO", "a folder"])
def test_an_event_that_cannot_be_stored_is_refused(site, make):
    webhooks.send(site, b"account[id]=%d&leads[add][0][id]=1" % ID)
    [segment] = (site.store / "events").glob("*.ndjson")
    in_place_of(site, segment, make)

    answer = webhooks.send(site, b"account[id]=%d&leads[add][0][id]=2" % ID)

    app.refused(answer, 503, "server_error")
    assert site.ctl("events", check=False).returncode == 1


@pytest.mark.parametrize("name", ["cursor", "dead.ndjson"])
def test_a_fifo_makes_no_delivery_wait(site, name):
    webhooks.send(site, b"account[id]=%d&leads[add][0][id]=1" % ID)
    in_place_of(site, f"events/{name}", os.mkfifo)

    site.ctl("deliver", "--once", check=False)
    site.ctl("check", check=False)


@pytest.fixture
def fifo(site):
    path = site.folder / "fifo.pem"
    os.mkfifo(path)
    process.give(path, 0o640)
    yield path
    path.unlink()


def test_a_fifo_for_the_certificates_uses_up_no_code(site, amocrm, fifo):
    site.configure(**ANY_ACCOUNT, amocrm_ca_file=fifo)

    expect.failed(site.get("callback", amocrm.approve()), "server_error")
    site.logged("fault=server_error", str(fifo), "is not a regular file")
    assert site.ctl("refresh", ID, check=False).returncode == 1

    assert amocrm.exchanges() == []


def test_a_fifo_for_the_public_key_makes_no_program_wait(site, fifo):
    signer = app.Signer(site.folder, "ES256")
    site.configure(**ANY_ACCOUNT, jwt_algorithm="ES256", jwt_public_key=fifo, jwt_secret=None)

    app.refused(site.get("status", headers=app.bearer(signer.token())), 500, "server_error")
    site.logged("fault=server_error", str(fifo), "is not a regular file")


def may_mount():
    return process.is_root() and subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True,
        check=False).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="no mount namespaces (unshare -m)")
def test_a_read_only_disk(site, amocrm):
    launcher = ["unshare", "-m", "sh", "-c", f"mount --bind {site.store} {site.store} && mount -o "
                f'remount,ro,bind {site.store} && exec "$@"', "sh"]
    read_only = {"check": False, "as_web_user": False, "launcher": launcher}

    assert site.ctl("refresh", ID, **read_only).returncode == 1
    assert amocrm.exchanges() == []
    assert site.ctl("repair", **read_only).returncode == 0
    assert site.ctl("accounts", **read_only).returncode == 0
    [wrong] = [line for line in site.ctl("check", **read_only).stdout.splitlines()
               if line.startswith("WRONG")
               and "store" in line]
    assert "Read-only file system" in wrong and "mount it read-write" in wrong
