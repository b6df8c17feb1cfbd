"""From files to a database and back by export and import, without losing a connection."""

import pytest

import app
import deliveries
from connections import (ANY_ACCOUNT, ID, connect, made_up, notices, stored, take_in, works)
from databases import BareDatabase
from deliveries import receiver  # noqa: F401
from sandbox.hooks import disconnect_query


@pytest.fixture
def site(bare, amocrm, receiver):  # noqa: F811
    deliveries.configure(bare, amocrm, receiver, **ANY_ACCOUNT)
    yield bare
    bare.new_store()


def fill(site, amocrm, **settings):
    """Connections of each kind; returns the connected app user."""
    olena = app.User(site)
    site.configure(**{**settings, **ANY_ACCOUNT, "app_state": "signed"})
    olena.connects(amocrm)
    site.configure(**{**settings, **ANY_ACCOUNT})
    connect(site, amocrm, account=32720107, user=12)
    take_in(site, [made_up(5, state="revoked"), made_up(6, 2, app_user="їжак\n\""),
                   {"key": "app:їжак\n\"", "value": "connection:6:2"},
                   made_up(7, refreshed_at=1000000000)])
    return olena


def contents(site):
    return sorted(site.ctl("export", "--plain").stdout.splitlines())


def all_is_delivered(site, receiver):  # noqa: F811
    """Before a migration: what is not, stays behind."""
    before = len(receiver.taken())
    site.ctl("deliver", "--once")
    assert len(receiver.taken()) - before == len(notices(site)) > 0


def works_as_before(site, amocrm, olena):
    assert olena.is_connected()
    assert works(amocrm, site.ctl("token", f"{ID}/1").stdout.strip()) == 1
    assert site.ctl("refresh", f"{ID}/1").stdout == "refreshed 1, failed 0\n"


def test_there_and_back(site, amocrm, cluster, receiver):  # noqa: F811
    usual = {"deliver_url": receiver.url, "deliver_secret": receiver.secret,
             "deliver_allow_private": "yes"}
    olena = fill(site, amocrm, **usual)
    all_is_delivered(site, receiver)
    in_files, pairs = contents(site), stored(site)
    database = BareDatabase(site, cluster)

    backup = site.ctl("export").stdout
    site.configure(**usual, **ANY_ACCOUNT, **database.settings())
    site.ctl("engine", "init")
    assert site.ctl("import", input=backup).stdout.startswith("imported 7, skipped 0")

    assert contents(site) == in_files and stored(site) == pairs
    works_as_before(site, amocrm, olena)
    site.ctl("disconnect", "5/1")
    all_is_delivered(site, receiver)
    in_database = contents(site)
    assert in_database != in_files

    backup = site.ctl("export").stdout
    site.new_store()
    site.configure(**usual, **ANY_ACCOUNT)
    assert site.ctl("import", input=backup).stdout.startswith("imported 6, skipped 0")

    assert contents(site) == in_database
    works_as_before(site, amocrm, olena)
    hook = disconnect_query(amocrm.integration, amocrm.who()[0])
    assert site.get("disconnect", hook).status == 200
    assert {one["state"] for one in site.connections() if one["account_id"] == ID} == {"revoked"}


def test_an_import_continues_where_it_was_cut_short(site, cluster):
    lines = [made_up(account) for account in range(1, 21)]
    database = BareDatabase(site, cluster)
    site.configure(**ANY_ACCOUNT, **database.settings())
    site.ctl("engine", "init")
    take_in(site, lines[:7])

    assert take_in(site, lines).stdout.startswith("imported 13, skipped 7")
    assert len(site.connections()) == 20


def test_an_import_before_init_ends_at_once(site, cluster):
    site.configure(**ANY_ACCOUNT, **BareDatabase(site, cluster).settings())

    done = take_in(site, [made_up(account) for account in range(1, 21)], check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("amocrmctl import: line 1: ") and done.stderr.count("\n") == 1
    assert "run `amocrmctl engine init`" in done.stderr
