"""`amocrmctl check` with [store] engine = postgresql: a single fault of the database, or of how it
is used, is the only one reported."""

import contextlib
import os
import secrets

import pytest

from databases import BareDatabase
from findings import check, configure, faults, good, only
from sandbox import pki, process
from sandbox.cluster import Cluster

PARTS = {"configuration", "keys", "redirect_uri", "client_id", "client_secret", "authorize_url",
         "deep_link", "jwt", "webhook_key", "deliver", "certificates", "network", "amo-crm-https",
         "amo-crm-crypto", "store", "disk", "password_file", "engine", "tls", "durability",
         "engine-clock", "schema", "rights", "engine-disk", "latency", "records", "connections",
         "events", "clock"}
NOWHERE = "192.0.2.1"   # RFC 5737: no machine has it
ROOT_ONLY = pytest.mark.skipif(not process.is_root(), reason="only root can change owners")


@contextlib.contextmanager
def setting(cluster, name, value, node=None):
    """The primary, or the node, runs with this setting."""
    node = node or cluster.primary

    def change(sql, expected=None):
        cluster.psql(f"ALTER SYSTEM {sql};\nSELECT pg_reload_conf();", node, database="postgres")
        process.wait_until(lambda: expected in (None, cluster.psql(
            f"SHOW {name}", node, database="postgres")), f"{name} = {value}")
    change(f"SET {name} = '{value}'", value)
    try:
        yield
    finally:
        if node.running:
            change(f"RESET {name}")


@pytest.fixture(scope="module")
def durable_cluster():
    """That of other tests has fsync = off, which check finds."""
    with Cluster() as started:
        yield started


@pytest.fixture
def cluster(durable_cluster):
    yield durable_cluster
    durable_cluster.heal()


@pytest.fixture
def database(bare, cluster):
    """With tables, and nothing wrong."""
    keys = bare.keys.read_text()
    database = BareDatabase(bare, cluster)
    use(database)
    bare.ctl("engine", "init")
    yield database
    bare.write_keys(keys)


def use(database, changes={}, **words):
    configure(database.site, **{**database.settings(**words), **changes})


def checked(database):
    found = check(database.site)
    assert not any(database.cluster.password in finding.text for finding in found)
    return found


def plant(database, level, part, *words):
    only(checked(database), level, part, *words)


def found(database, *expected):
    """Exactly these faults, each (level, part), and their texts."""
    wrong = faults(checked(database))
    assert {(finding.level, finding.part) for finding in wrong} == set(expected), wrong
    return " ".join(finding.text for finding in wrong)


def test_nothing_is_wrong(database, amocrm):
    database.site.get("callback", amocrm.approve())

    assert good(database.site) == PARTS


def test_nothing_is_wrong_over_a_socket(database):
    node = database.cluster.primary
    use(database, host=node.folder, port=node.port, sslmode=None, sslrootcert=None)

    assert good(database.site) == PARTS


def test_files_have_no_engine(bare):
    configure(bare)

    assert not good(bare) & {"engine", "schema", "durability", "engine-clock", "rights", "latency",
                             "tls", "password_file"}


# How the database is reached.

UNUSABLE = {
    "no server": ({"port": "1,1,1"}, "Connection refused", "start the database"),
    "another database": ({"dbname": "nothing"}, '"nothing" does not exist', "CREATE DATABASE"),
    "another user": ({"user": "postgres"}, "no pg_hba.conf entry", "add a line"),
    "no encryption": ({"sslmode": "disable", "sslrootcert": None}, "no encryption", "pg_hba.conf"),
    "no certificate of an authority": ({"sslrootcert": None}, "certificate", "sslrootcert must be"),
    "an unknown host": ({"host": "nothing.invalid", "port": "1"}, "nothing.invalid",
                        "correct [store] database"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_database_that_cannot_be_used(database, case):
    words, *told = UNUSABLE[case]
    use(database, **words)

    plant(database, "WRONG", "engine", *told)


def test_the_certificate_of_another_authority(database):
    folder = process.new_folder()
    authority = pki.Authority(folder / "ca", "Another CA")
    process.give(authority.folder, 0o755)
    try:
        use(database, sslrootcert=authority.certificate)
        plant(database, "WRONG", "engine", "certificate verify failed: unable to get local issuer "
              "certificate", "sslrootcert must be")
    finally:
        process.remove_folder(folder)


def test_no_primary(database):
    database.cluster.stop(database.cluster.primary)

    plant(database, "WRONG", "engine", "no host accepts changes; standbys: 2, hosts that do not "
          "answer: 1", "promote a standby")


def test_a_standby_that_is_down(database):
    standby, other = database.cluster.standbys
    database.cluster.stop(standby)

    plant(database, "warn", "engine", f"127.0.0.1:{standby.port}", "do not answer: 1 of 3",
          "take it out of [store] database")


def test_two_primaries(database):
    """The old one, which acknowledges nothing any more, is asked first."""
    old = database.cluster.primary
    others = database.cluster.standbys
    use(database, port=",".join(str(node.port) for node in (old, *others)))
    database.cluster.promote()

    text = found(database, ("WRONG", "engine"), ("WRONG", "durability"))

    assert f"127.0.0.1:{old.port}" in text and f"127.0.0.1:{database.cluster.primary.port}" in text
    assert "both accept changes -> stop the one that is not the primary" in text


def test_one_server_by_two_names(database):
    port = database.cluster.primary.port
    use(database, host="127.0.0.1,localhost", port=f"{port},{port}")

    assert good(database.site) == PARTS


TLS = {"verify-ca": ("warn", "another server"), "require": ("warn", "another server"),
       "prefer": ("WRONG", "plain text"), None: ("WRONG", "sslmode=prefer")}


@pytest.mark.parametrize("sslmode", TLS)
def test_a_network_without_verification(database, sslmode):
    level, words = TLS[sslmode]
    ports = [node.port for node in database.cluster.nodes]
    use(database, host=f"127.0.0.1,127.0.0.1,127.0.0.1,{NOWHERE}",
        port=",".join(map(str, [*ports, 1])), sslmode=sslmode,
        **({} if sslmode == "verify-ca" else {"sslrootcert": None}))

    text = found(database, (level, "tls"), ("warn", "engine"))

    assert words in text and "set sslmode=verify-full" in text
    assert f"{NOWHERE}:1" in text


def test_verification_over_a_network(database):
    use(database, host=f"127.0.0.1,{NOWHERE}", port=f"{database.cluster.primary.port},1")

    assert "tls" not in {finding.part for finding in faults(checked(database))}


# The password.

@pytest.fixture
def password_file(database):
    """One of the site's own."""
    path = database.site.folder / "password"
    path.write_text(database.cluster.password + "\n")
    process.give(path, 0o640)
    use(database, {"store_password_file": path})
    yield path
    path.unlink(missing_ok=True)


def test_a_wrong_password(database, password_file):
    password_file.write_text(secrets.token_hex() + "\n")

    plant(database, "WRONG", "engine", "password authentication failed", "ALTER ROLE")


def test_an_empty_password_file(database, password_file):
    password_file.write_text("\n")

    plant(database, "WRONG", "engine", "holds no password", "write the password")


def test_no_password_file(database):
    use(database, {"store_password_file": None})

    plant(database, "WRONG", "engine", "no password supplied", "set [store] password_file")


def test_a_missing_password_file(database, password_file):
    password_file.unlink()

    plant(database, "WRONG", "password_file", str(password_file), "write the password")


def test_a_password_file_for_everybody(database, password_file):
    password_file.chmod(0o644)

    plant(database, "WRONG", "password_file", "0644", "chmod")


@ROOT_ONLY
def test_a_password_file_of_somebody_else(database, password_file):
    os.chown(password_file, 12345, -1)

    plant(database, "WRONG", "password_file", str(password_file))


# What the server keeps.

@pytest.mark.parametrize("value", ["remote_write", "local", "off"])
def test_commits_that_do_not_wait_for_a_standbys_disk(database, value):
    with setting(database.cluster, "synchronous_commit", value):
        plant(database, "WRONG", "durability", f"synchronous_commit is {value}", "set it to on")


def test_commits_of_this_user_that_do_not_wait(database):
    database.psql(f"ALTER ROLE amo_crm IN DATABASE {database.name} SET synchronous_commit = local")

    plant(database, "WRONG", "durability", "synchronous_commit is local", "for the user")


def test_commits_that_wait_for_more(database):
    with setting(database.cluster, "synchronous_commit", "remote_apply"):
        assert good(database.site) == PARTS


def test_no_synchronous_standby_is_named(database):
    with setting(database.cluster, "synchronous_standby_names", ""):
        plant(database, "WRONG", "durability", "synchronous_standby_names is empty",
              "the death of one machine", "Patroni")


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
def test_a_server_that_a_power_failure_destroys(database, name):
    with setting(database.cluster, name, "off"):
        plant(database, "WRONG", "durability", f"{name} is off", "set it to on")


def test_no_standby_is_connected(database):
    for node in database.cluster.standbys:
        database.cluster.kill(node)

    text = found(database, ("WRONG", "durability"), ("warn", "engine"))

    assert "no synchronous standby is connected" in text and "start a standby" in text


def test_standbys_that_are_not_synchronous(database):
    """Seen by a member of pg_monitor."""
    database.psql("GRANT pg_monitor TO amo_crm")
    try:
        assert "synchronous: 2" in " ".join(one.text for one in checked(database))
        with setting(database.cluster, "synchronous_standby_names", "another"):
            plant(database, "WRONG", "durability", "no synchronous standby is connected")
    finally:
        database.psql("SET synchronous_commit = local; REVOKE pg_monitor FROM amo_crm")


def test_commits_that_take_long(database):
    with contextlib.ExitStack() as stack:
        for node in database.cluster.standbys:
            stack.enter_context(
                setting(database.cluster, "recovery_min_apply_delay", "600ms", node))
        database.psql(f"ALTER ROLE amo_crm IN DATABASE {database.name} "
                      "SET synchronous_commit = remote_apply")
        plant(database, "warn", "latency", "a commit takes ", "look at the disks")


@pytest.mark.parametrize("off, words", [("- interval '3 s'", "behind"),
                                        ("+ interval '3 s'", "ahead of")])
def test_another_time_than_ours(database, off, words):
    """A function in place of the server's own."""
    database.psql(f"""
        CREATE SCHEMA other;
        GRANT USAGE ON SCHEMA other TO amo_crm;
        CREATE FUNCTION other.clock_timestamp() RETURNS timestamptz
            LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() {off} $$;
        ALTER ROLE amo_crm IN DATABASE {database.name} SET search_path = other, pg_catalog, public;
    """)

    plant(database, "WRONG", "engine-clock", words, "timedatectl set-ntp true")


# What is in it.

def test_no_tables(bare, cluster):
    database = BareDatabase(bare, cluster)
    use(database)

    plant(database, "WRONG", "schema", "no tables", "run amocrmctl engine init")


def test_a_newer_schema(database):
    database.psql("UPDATE meta SET value = '99' WHERE name = 'schema'")

    plant(database, "WRONG", "schema", "schema 99", "upgrade the programs of this host")


@pytest.mark.parametrize("right", ["SELECT ON meta", "INSERT ON event", "DELETE ON dead",
                                   "USAGE ON event_seq", "USAGE ON lease_seq"])
def test_a_missing_right(database, right):
    database.psql(f"REVOKE {right} FROM amo_crm")

    plant(database, "WRONG", "rights", f"amo_crm lacks: {right.replace('ON', 'on')}", "GRANT")


def test_rights_on_every_table(database):
    names = database.psql("SELECT relname FROM pg_class WHERE relkind IN ('r', 'S') "
                          "AND relnamespace = 'public'::regnamespace").split()
    assert len(names) > 9
    database.psql("REVOKE DELETE ON ALL TABLES IN SCHEMA public FROM amo_crm;"
                  "REVOKE USAGE ON ALL SEQUENCES IN SCHEMA public FROM amo_crm;")

    [finding] = faults(checked(database))

    for name in names:
        assert f" on {name}," in finding.found + ",", name


def test_a_superuser(database):
    database.psql("ALTER ROLE amo_crm SUPERUSER")
    try:
        plant(database, "warn", "rights", "is a superuser", "create a user for the programs")
    finally:
        database.psql("ALTER ROLE amo_crm NOSUPERUSER")


def test_a_key_that_this_host_lacks(database):
    database.psql("INSERT INTO meta VALUES ('key:k2', 'x')")

    plant(database, "WRONG", "keys", "has no key k2", "copy the key ring of the other hosts")


def test_another_key_under_the_same_id(database):
    database.site.write_keys(f"k1 {secrets.token_hex(32)}\n")

    plant(database, "WRONG", "keys", "has another key k1", "copy the key ring of the other hosts")


def test_a_key_that_is_not_recorded(database):
    database.site.write_keys(database.site.keys.read_text() + f"k2 {secrets.token_hex(32)}\n")

    plant(database, "warn", "keys", "k2 is not recorded", "run amocrmctl engine init")
    database.site.ctl("engine", "init")
    assert good(database.site) == PARTS


# Delivery.

DELIVER = {"deliver_url": "https://receiver.foryou-realestate.com/",
           "deliver_secret": "whsec_" + "QUJDREVGR0hJSktM" * 2}
EVENT = "INSERT INTO event VALUES (5, 1, gen_random_uuid(), now() - interval '{}', 'x');"
DELIVERY = {
    "events that nobody delivers": (
        EVENT.format("2 hours") + "INSERT INTO pending VALUES (5, 1);",
        "WRONG", "1 events wait", "deliver --follow"),
    "a blocked account": (
        EVENT.format("2 hours") + "INSERT INTO pending VALUES (5, 1);"
        "INSERT INTO delivery VALUES (5, 'x', 1, now(), 3, 0, now() + interval '1 hour');",
        "warn", "account 5 is blocked", "failed attempts: 3"),
    "events that were given up": (
        "INSERT INTO dead VALUES (5, 1, now(), 'x', 'x')",
        "warn", "1 events were given up", "DELETE FROM dead"),
}


@pytest.mark.parametrize("case", DELIVERY)
def test_delivery(database, case):
    sql, level, *words = DELIVERY[case]
    use(database, DELIVER)
    assert good(database.site) == PARTS | {"delivery"}
    database.psql(sql)

    plant(database, level, "delivery", *words)
