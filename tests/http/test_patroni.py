"""Failover by Patroni, with the examples of docs/several-hosts.md: the database of the primary is
killed, then its whole host.  Writers go on by themselves, and nothing that was acknowledged is lost.

Patroni's times are shorter than in the example, see sandbox/patroni.py.
"""

import subprocess
import threading

import pytest

from sandbox import process
from sandbox.patroni import PASSWORD, POSTGRESQL, Patroni
from sandbox.servers import NotInstalled

WRITERS = 3
ROWS = 20       # that each writer stores before and after a failure


@pytest.fixture(scope="module")
def cluster():
    folder = process.new_folder()
    folder.chmod(0o751)     # nobody's folder is in it
    try:
        with Patroni(folder / "databases") as patroni:
            psql(patroni, "CREATE TABLE written (writer int, number int, PRIMARY KEY (writer, number))")
            yield patroni
    except NotInstalled as reason:
        pytest.skip(str(reason))
    finally:
        process.remove_folder(folder)


def command(cluster, statement):
    """psql, which looks for the primary among all nodes as the programs do."""
    return [POSTGRESQL / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, "-d",
            cluster.conninfo("target_session_attrs=read-write connect_timeout=2 "
                             "tcp_user_timeout=5000")]


def psql(cluster, statement):
    """The output; None if the statement failed, or if what it has stored may not be on a standby."""
    done = subprocess.run(command(cluster, statement), capture_output=True, text=True,
                          env={"PGPASSWORD": PASSWORD})
    return done.stdout.rstrip("\n") if done.returncode == 0 and not done.stderr else None


class Writer(threading.Thread):
    """Stores one row after another, each on a new connection, until it is told to stop.  A row that
    was not acknowledged is tried again: it may be there already."""

    def __init__(self, cluster, number):
        super().__init__(daemon=True)
        self._cluster = cluster
        self._number = number
        self._end = threading.Event()
        self.acknowledged = 0

    def run(self):
        while not self._end.is_set():
            row = f"({self._number}, {self.acknowledged})"
            if psql(self._cluster, f"INSERT INTO written VALUES {row} ON CONFLICT DO NOTHING") is not None:
                self.acknowledged += 1

    def stop(self):
        self._end.set()
        self.join()


@pytest.fixture
def writers(cluster):
    assert psql(cluster, "TRUNCATE written") is not None
    started = [Writer(cluster, number) for number in range(WRITERS)]
    for writer in started:
        writer.start()
    yield started
    for writer in started:
        writer.stop()


def wait_for_rows(cluster, writers):
    """Until each writer has stored so many more rows."""
    before = [writer.acknowledged for writer in writers]
    cluster.wait_until(lambda: all(writer.acknowledged >= count + ROWS
                                   for writer, count in zip(writers, before)), "more rows")


def lost(cluster, writers):
    """The acknowledged rows that are not there."""
    for writer in writers:
        writer.stop()
    rows = psql(cluster, "SELECT writer, number FROM written").split("\n")
    return {f"{number}|{row}" for number, writer in enumerate(writers)
            for row in range(writer.acknowledged)} - set(rows)


@pytest.mark.parametrize("failure", ["kill_database", "kill_host"])
def test_a_standby_takes_over(cluster, writers, failure):
    wait_for_rows(cluster, writers)
    before = cluster.primary()

    getattr(before, failure)()
    wait_for_rows(cluster, writers)

    assert cluster.primary() is not before
    if failure == "kill_host":
        before.start()
    cluster.wait_until(cluster.complete, "the former primary as a standby")
    assert lost(cluster, writers) == set()


def test_nothing_is_acknowledged_without_a_standby(cluster):
    primary = cluster.primary()
    standbys = [node for node in cluster.nodes if node is not primary]
    for standby in standbys:
        standby.kill_host()

    with subprocess.Popen(command(cluster, "INSERT INTO written VALUES (-1, 0)"),
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
