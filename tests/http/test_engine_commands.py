"""amocrmctl's commands over a database, which hosts share: what one stores, the other finds."""

import secrets
import shutil

import pytest

import connections
from connections import ANY_ACCOUNT, ID, connect, exported, made_up, stored, take_in, works
from databases import BareDatabase
from sandbox import process


@pytest.fixture
def database(bare, cluster):
    keys = bare.keys.read_text()
    database = BareDatabase(bare, cluster)
    bare.configure(**ANY_ACCOUNT, **database.settings())
    bare.ctl("engine", "init")
    yield database
    bare.write_keys(keys)


@pytest.fixture
def site(database):
    return database.site


def on_another_host(site):
    """Nothing of this host's [store] path is left."""
    shutil.rmtree(site.store)
    site.store.mkdir()
    process.give(site.store, 0o700, owner=True)


def test_nothing_is_stored_in_files(site, amocrm):
    connect(site, amocrm)
    site.ctl("refresh")
    take_in(site, [made_up(5)])
    site.ctl("rekey")

    assert not (site.store / "connections").exists()


def test_accounts_and_token(site, amocrm):
    connect(site, amocrm)
    connect(site, amocrm, account=32720107, user=12)
    on_another_host(site)

    assert {one["account_id"] for one in site.connections()} == {ID, 32720107}
    assert works(amocrm, site.ctl("token", str(ID)).stdout.strip()) == 1
    assert works(amocrm, site.ctl("token", "32720107/12").stdout.strip(), 32720107) == 12


def test_a_token_is_refreshed_first(site, amocrm):
    connect(site, amocrm, life=connections.SOON)
    before = connections.pair(site)

    assert works(amocrm, site.ctl("token", str(ID)).stdout.strip()) == 1

    assert connections.pair(site) != before


def test_refresh(site, amocrm):
    connect(site, amocrm, life=3600)
    connect(site, amocrm, account=32720107, user=12)
    before = stored(site)

    assert site.ctl("refresh", "--due", "21600").stdout == "refreshed 1, failed 0\n"
    after = stored(site)
    assert after[ID, 1] != before[ID, 1] and after[32720107, 12] == before[32720107, 12]

    assert site.ctl("refresh").stdout == "refreshed 2, failed 0\n"


def test_disconnect(site, amocrm):
    connect(site, amocrm)
    take_in(site, [made_up(5)])

    site.ctl("disconnect", str(ID))

    assert [one["account_id"] for one in site.connections()] == [5]


def test_rekey(site, amocrm):
    connect(site, amocrm)
    take_in(site, [made_up(account) for account in range(1, 6)])
    pairs = stored(site)
    site.write_keys(f"k2 {secrets.token_hex(32)}\n" + site.keys.read_text())

    assert site.ctl("rekey").stdout == "re-encrypted 6 of 6\n"

    site.write_keys(site.keys.read_text().split("\n")[0] + "\n")
    assert stored(site) == pairs
    assert site.ctl("rekey").stdout == "re-encrypted 0 of 6\n"


def test_more_connections_than_a_page_has(site):
    take_in(site, [made_up(account) for account in range(1, 251)])

    assert len(exported(site)) == 250
    assert {one["account_id"] for one in site.connections()} == set(range(1, 251))


NO_FILES = ("amocrmctl repair: the store is in a database, which has no files to repair here: "
            "lists and pointers only\n")


def test_repair(database):
    site = database.site
    take_in(site, [made_up(5), made_up(6, app_user="olena"),
                   {"key": "app:olena", "value": "connection:6:1"}, made_up(7)])
    database.psql("DELETE FROM record WHERE key IN ('account:5', 'app:olena', 'connection:7:1')")

    done = site.ctl("repair")

    assert sorted(done.stdout.splitlines()) == ["connect-again 7/1", "restored 5/1",
                                                "restored 6/1"]
    assert done.stderr == NO_FILES
    assert site.ctl("repair").stderr == NO_FILES + "amocrmctl repair: nothing to repair\n"


@pytest.mark.parametrize("command", [("accounts",), ("export",), ("token", str(ID)), ("refresh",),
                                     ("rekey",), ("repair",), ("disconnect", str(ID))])
def test_a_database_that_cannot_be_reached(database, command):
    site = database.site
    site.configure(**ANY_ACCOUNT, **database.settings(port="1,1,1"))

    done = site.ctl(*command, check=False)

    assert done.returncode == 1
    assert "Connection refused" in done.stderr
