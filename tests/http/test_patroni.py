"""Failover by Patroni, with the examples of docs/several-hosts.md: the database of the primary is
killed, then its whole host; then a host freezes and comes back.  Writers go on by themselves, and
nothing that was acknowledged is lost.

Patroni's times are shorter than in the example, see sandbox/patroni.py.
"""

import json
import subprocess
import threading

import pytest

from sandbox import process
from sandbox.database_user import POSTGRESQL
from sandbox.patroni import PASSWORD, Patroni
from sandbox.pgbouncer import Haproxy, Pgbouncer
from sandbox.servers import Bare, NotInstalled
from sandbox.site import Site

ROWS = 8        # that each writer stores before and after a failure
DEADLINE = 10   # seconds; a client that waits for a frozen host gives up, as the programs do
SHARED = "target_session_attrs=read-write connect_timeout=2 tcp_user_timeout=5000"


@pytest.fixture(scope="module")
def cluster():
    folder = process.new_folder()
    folder.chmod(0o751)     # for the user of the databases
    try:
        with Patroni(folder / "databases") as patroni:
            assert stored(patroni.conninfo(SHARED), "CREATE TABLE written "
                          "(writer int, number int, PRIMARY KEY (writer, number))")
            yield patroni
    except NotInstalled as reason:
        pytest.skip(str(reason))
    finally:
        process.remove_folder(folder)


@pytest.fixture(scope="module")
def pool(cluster):
    """PgBouncer and HAProxy, as on a web host."""
    try:
        with Haproxy(cluster.folder, cluster) as haproxy, \
             Pgbouncer(cluster.folder, "127.0.0.1", haproxy.port, PASSWORD,
                       cluster.certificate_authority) as pgbouncer:
            yield pgbouncer
    except NotInstalled as reason:
        pytest.skip(str(reason))


def psql(conninfo, statement):
    return [POSTGRESQL / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, "-d", conninfo]


def stored(conninfo, statement):
    """Whether the statement succeeded, without a warning that it may be on one host only."""
    try:
        done = subprocess.run(psql(conninfo, statement), capture_output=True, timeout=DEADLINE,
                              env={"PGPASSWORD": PASSWORD})
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and not done.stderr


class Writer(threading.Thread):
    """Stores one row after another, each on a new connection, until it is told to stop.  A row that
    was not acknowledged is tried again: it may be there already."""

    def __init__(self, number, conninfo):
        super().__init__(daemon=True)
        self.number = number
        self.acknowledged = 0
        self._conninfo = conninfo
        self._end = threading.Event()

    def run(self):
        while not self._end.is_set():
            if stored(self._conninfo, f"INSERT INTO written VALUES ({self.number}, "
                                      f"{self.acknowledged}) ON CONFLICT DO NOTHING"):
                self.acknowledged += 1

    def stop(self):
        self._end.set()
        self.join()


@pytest.fixture
def write(cluster):
    """Starts a writer for each of the ways to the database."""
    started = []

    def start(*conninfos):
        assert stored(cluster.conninfo(SHARED), "TRUNCATE written")
        for number, conninfo in enumerate(conninfos):
            started.append(Writer(number, conninfo))
            started[-1].start()
        return started
    yield start
    for writer in started:
        writer.stop()


def wait_for_rows(cluster, writers):
    """Until each writer has stored so many more rows."""
    before = [writer.acknowledged for writer in writers]
    cluster.wait_until(lambda: all(writer.acknowledged >= count + ROWS
                                   for writer, count in zip(writers, before)), "more rows")


def rows(cluster):
    return set(cluster.sql("SELECT writer, number FROM written", "amo_crm").split("\n"))


def acknowledged(writers):
    return {f"{writer.number}|{row}" for writer in writers for row in range(writer.acknowledged)}


@pytest.mark.parametrize("failure, repair", [("kill_database", None), ("kill_host", "start"),
                                             ("freeze", "thaw")])
def test_a_standby_takes_over(cluster, write, failure, repair):
    writers = write(cluster.conninfo(SHARED), cluster.conninfo(SHARED))
    wait_for_rows(cluster, writers)
    before = cluster.primary()

    getattr(before, failure)()
    wait_for_rows(cluster, writers)

    for writer in writers:
        writer.stop()
    if repair:
        getattr(before, repair)()
    cluster.wait_until(cluster.complete, "the former primary as a standby")
    assert cluster.primary() is not before
    assert acknowledged(writers) - rows(cluster) == set()


def test_a_pool_finds_the_new_primary(cluster, pool, write):
    writers = write(pool.conninfo(SHARED))
    wait_for_rows(cluster, writers)

    cluster.primary().kill_database()
    wait_for_rows(cluster, writers)

    writers[0].stop()
    assert acknowledged(writers) - rows(cluster) == set()
    cluster.wait_until(cluster.complete, "the former primary as a standby")


def test_nothing_is_acknowledged_without_a_standby(cluster):
    primary = cluster.primary()
    standbys = [node for node in cluster.nodes if node is not primary]
    for standby in standbys:
        standby.kill_host()

    with subprocess.Popen(psql(cluster.conninfo(SHARED), "INSERT INTO written VALUES (-1, 0)"),
                          env={"PGPASSWORD": PASSWORD}, stderr=subprocess.PIPE) as insert:
        cluster.wait_until(lambda: cluster.sql(
            "SELECT 1 FROM pg_stat_activity WHERE usename = 'amo_crm' AND wait_event = 'SyncRep'"),
            "the row's wait for a standby")
        assert insert.poll() is None
        standbys[0].start()
        _, errors = insert.communicate(timeout=process.PATIENCE)

    assert (insert.returncode, errors) == (0, b"")
    standbys[1].start()
    cluster.wait_until(cluster.complete, "both standbys")


@pytest.fixture
def web_hosts(cluster, bare, amocrm):
    """Two sites with the same secrets and the same database."""
    cluster.wait_until(cluster.complete, "both standbys")
    other_folder = bare.folder / "other-host"
    other_folder.mkdir()
    process.give(other_folder, 0o750)
    other = Site(amocrm, other_folder)
    other.server = Bare(other)
    other.jwt_secret = bare.jwt_secret
    other.write_keys(bare.keys.read_text())
    password_file = bare.folder / "database-password"
    password_file.write_text(f"{PASSWORD}\n")
    process.give(password_file, 0o640)
    for site in (bare, other):
        site.configure(store_engine="postgresql", store_database=cluster.conninfo(),
                       store_password_file=password_file)
        site.ctl("engine", "init")
    yield [bare, other]
    process.remove_folder(other_folder)


class Amocrm(threading.Thread):
    """Sends one webhook after another to a site; as amoCRM does, it repeats one that failed."""

    def __init__(self, site, number):
        super().__init__(daemon=True)
        self.site = site
        self.number = number
        self.acknowledged = 0
        self._end = threading.Event()

    def run(self):
        while not self._end.is_set():
            body = f"leads[add][0][id]={self.acknowledged}&leads[add][0][host]={self.number}"
            answer = self.site.post(
                "webhook", headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=f"{body}&account[id]=31920194".encode())
            if answer.status == 200:
                self.acknowledged += 1

    def stop(self):
        self._end.set()
        self.join()


def test_no_web_host_loses_a_webhook(cluster, web_hosts, amocrm):
    """A connection of one host is known to the other, and events of both are in one log."""
    first, second = web_hosts
    assert first.get("callback", amocrm.approve()).status == 200
    senders = [Amocrm(site, number) for number, site in enumerate(web_hosts)]
    for sender in senders:
        sender.start()
    try:
        wait_for_rows(cluster, senders)

        cluster.primary().kill_host()
        wait_for_rows(cluster, senders)
    finally:
        for sender in senders:
            sender.stop()

    for site in web_hosts:
        leads = [event["payload"]["leads"]["add"][0] for event in
                 map(json.loads, site.ctl("events").stdout.splitlines())
                 if event["events"] == ["leads.add"]]
        stored = {f"{lead['host']}|{lead['id']}" for lead in leads}
        assert acknowledged(senders) - stored == set()
    assert [one["state"] for one in second.connections()] == ["active"]
    second.ctl("refresh")
    assert first.ctl("token", "31920194").stdout == second.ctl("token", "31920194").stdout
