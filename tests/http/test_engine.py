"""`amocrmctl engine init` and `engine state`, with a PostgreSQL cluster."""

import hashlib
import secrets

import pytest

from databases import BareDatabase
from sandbox import process
from sandbox.cluster import NODES

STATE = {"primary", "server_version", "schema", "standbys", "leases_held", "leases_over", "pending",
         "oldest_pending_at", "oldest_pending_s", "blocked_accounts", "dead", "connections",
         "events", "size_bytes"}


@pytest.fixture
def database(bare, cluster):
    keys = bare.keys.read_text()
    database = BareDatabase(bare, cluster)
    database.configure()
    yield database
    bare.write_keys(keys)


def refused(site, *arguments):
    done = site.ctl("engine", *arguments, check=False)
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_usage(bare):
    for arguments in [(), ("start",), ("init", "--json"), ("state", "json"),
                      ("state", "--json", "more")]:
        assert bare.ctl("engine", *arguments, check=False).returncode == 2


@pytest.mark.parametrize("arguments", [("init",), ("state",), ("state", "--json")])
def test_files_need_no_engine(bare, arguments):
    assert "engine = files: the store is on this machine" in refused(bare, *arguments)


# init

def test_init_creates_the_schema_once(database):
    assert database.site.ctl("engine", "init").stdout.startswith("schema 1: created\n")
    assert database.site.ctl("engine", "init").stdout.startswith("schema 1: already there\n")

    assert database.psql("SELECT value FROM meta WHERE name = 'schema'") == "1"


def test_several_hosts_init_at_once(database):
    started = [database.site.start_ctl("engine", "init", text=True) for _ in range(4)]
    printed = [one.communicate(timeout=process.PATIENCE)[0] for one in started]

    assert all(one.returncode == 0 for one in started)
    assert sorted(text.split("\n")[0] for text in printed) == 3 * ["schema 1: already there"] + [
        "schema 1: created"]


def test_init_records_which_keys_this_host_has_and_never_a_key(database):
    key = secrets.token_hex(32)
    database.site.write_keys(f"k1 {key}\n")

    database.site.ctl("engine", "init")

    assert database.keys() == {"k1": hashlib.sha256(bytes.fromhex(key)).hexdigest()}


def test_a_host_with_a_newer_key_adds_it(database):
    database.site.ctl("engine", "init")
    database.site.write_keys(f"k2 {secrets.token_hex(32)}\n" + database.site.keys.read_text())

    database.site.ctl("engine", "init")

    assert set(database.keys()) == {"k1", "k2"}


@pytest.mark.parametrize("kid, words", [("k1", "have another key k1"),
                                        ("k9", "have a key k1, which is missing here")])
def test_a_host_with_another_key_ring_is_told(database, kid, words):
    database.site.ctl("engine", "init")
    before = database.keys()
    database.site.write_keys(f"{kid} {secrets.token_hex(32)}\n")

    told = refused(database.site, "init")

    assert words in told and "copy their key ring here" in told
    assert database.keys() == before


@pytest.mark.parametrize("more", ["", "REVOKE USAGE ON SCHEMA public FROM PUBLIC"])
def test_init_needs_the_owner_of_the_database(database, more):
    database.psql(f"ALTER DATABASE {database.name} OWNER TO postgres; {more}")

    assert f"ALTER DATABASE {database.name} OWNER TO amo_crm" in refused(database.site, "init")


def test_a_newer_schema_is_left_alone(database):
    database.site.ctl("engine", "init")
    database.psql("UPDATE meta SET value = '99' WHERE name = 'schema'")

    for arguments in [("init",), ("state",)]:
        assert "schema 99" in refused(database.site, *arguments)


# rekey

def test_rekey_leaves_only_the_keys_of_this_ring(database):
    database.site.ctl("engine", "init")
    database.site.write_keys(f"k2 {secrets.token_hex(32)}\n" + database.site.keys.read_text())
    database.site.ctl("rekey")
    assert set(database.keys()) == {"k1", "k2"}
    database.site.write_keys(database.site.keys.read_text().split("\n")[0] + "\n")

    database.site.ctl("rekey")

    assert set(database.keys()) == {"k2"}


def test_rekey_does_not_encrypt_with_another_key_than_the_other_hosts(database):
    database.site.ctl("engine", "init")
    before = database.keys()
    database.site.write_keys(f"k1 {secrets.token_hex(32)}\n")

    done = database.site.ctl("rekey", check=False)

    assert done.returncode == 1
    assert "have another key k1" in done.stderr and "amocrmctl keygen" in done.stderr
    assert database.keys() == before


# state

def test_the_state_of_a_new_database(database):
    database.site.ctl("engine", "init")

    state = database.state()

    assert set(state) == STATE
    assert state.pop("size_bytes") > 1_000_000
    assert state.pop("server_version")
    assert state.pop("standbys") == [{"name": node.name, "sync_state": None}
                                     for node in database.cluster.standbys]
    assert state == {"primary": f"127.0.0.1:{database.cluster.primary.port}", "schema": 1,
                     "oldest_pending_at": None, "oldest_pending_s": None,
                     **{name: 0 for name in ("leases_held", "leases_over", "pending", "dead",
                                             "blocked_accounts", "connections", "events")}}


def test_the_state_for_people(database):
    database.site.ctl("engine", "init")

    done = database.site.ctl("engine", "state")

    assert f"primary            127.0.0.1:{database.cluster.primary.port}, PostgreSQL " in done.stdout
    standby = next(node for node in NODES if node != database.cluster.primary.name)
    assert f"{standby} (state not visible)" in done.stdout
    assert "GRANT pg_monitor" in done.stderr


def test_a_member_of_pg_monitor_sees_the_state_of_standbys(database):
    database.site.ctl("engine", "init")
    database.psql("GRANT pg_monitor TO amo_crm")
    try:
        standbys = database.state()["standbys"]
    finally:
        database.psql("REVOKE pg_monitor FROM amo_crm")

    assert {standby["sync_state"] for standby in standbys} == {"quorum"}


def test_what_is_counted(database):
    database.site.ctl("engine", "init")
    database.psql("""
        INSERT INTO record VALUES ('connection:1:1', 'x'), ('connection:2:1', 'x'), ('account:1', 'x');
        INSERT INTO lease VALUES ('held', 'a', 1, now() + '1 hour'), ('over', 'b', 1, now() - '1 s'::interval),
            ('let go', 'c', 1, 'epoch');
        INSERT INTO event VALUES (1, 1, gen_random_uuid(), now() - '1 hour'::interval, 'x'),
            (1, 2, gen_random_uuid(), now(), 'x'), (2, 3, gen_random_uuid(), now() - '2 hours'::interval, 'x');
        INSERT INTO pending VALUES (1, 1), (1, 2);
        INSERT INTO delivery VALUES (1, 'a', 1, now(), 3), (2, 'a', 1, now(), 3);
        INSERT INTO dead VALUES (2, 3, now(), 'x', 'x');
    """)

    state = database.state()

    assert {name: state[name] for name in ("connections", "leases_held", "leases_over", "events",
                                           "pending", "blocked_accounts", "dead")} == {
        "connections": 2, "leases_held": 1, "leases_over": 1, "events": 3, "pending": 2,
        "blocked_accounts": 1, "dead": 1}
    assert state["oldest_pending_s"] // 60 in (60, 61)
    assert state["oldest_pending_at"].endswith("Z")


def test_without_a_schema_there_is_no_state(database):
    assert "run `amocrmctl engine init`" in refused(database.site, "state")


def test_a_database_that_cannot_be_reached(database):
    database.configure(port="1,1,1")

    assert "Connection refused" in refused(database.site, "state", "--json")
