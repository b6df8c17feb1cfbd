"""The PostgreSQL cluster of other tests loses nothing that it has acknowledged, and the proxy in
front of it loses what it is told to."""

import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox import cluster as cluster_module
from sandbox import pki, process
from sandbox.cluster import Cluster
from sandbox.postgresql_proxy import PostgresqlProxy
from sandbox.site import ROOT

numbers = itertools.count()


@pytest.fixture
def table(cluster):
    name = f"numbers{next(numbers)}"
    cluster.psql_as_program(f"CREATE TABLE {name} (n int)")
    return name


@pytest.fixture
def proxy(cluster):
    with PostgresqlProxy(cluster) as started:
        yield started


@pytest.fixture
def background():
    with ThreadPoolExecutor() as pool:
        yield pool.submit


def rows(cluster, table):
    return cluster.psql_as_program(f"SELECT n FROM {table} ORDER BY n").split()


def test_a_commit_waits_for_a_standby(cluster, table, background):
    standbys = cluster.standbys
    for node in standbys:
        cluster.kill(node)

    committed = background(cluster.psql_as_program, f"INSERT INTO {table} VALUES (1)")
    process.wait_until(lambda: cluster.psql(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"), "the commit")
    assert not committed.done()
    cluster.start(standbys[0])

    committed.result(process.PATIENCE)
    assert rows(cluster, table) == ["1"]


def test_an_acknowledged_row_survives_its_primary(cluster, table):
    """The standby that does not have the row is not promoted."""
    behind, current = cluster.standbys
    cluster.kill(behind)
    cluster.psql_as_program(f"INSERT INTO {table} VALUES (1)")
    cluster.kill()
    cluster.start(behind)

    cluster.promote()

    assert cluster.primary is current
    cluster.psql_as_program(f"INSERT INTO {table} VALUES (2)")
    assert rows(cluster, table) == ["1", "2"]


def test_a_primary_that_is_cut_off_commits_nothing(cluster, table, background):
    old = cluster.primary
    cluster.promote()

    waiting = background(cluster.psql, f"INSERT INTO {table} VALUES (1)", old)
    process.wait_until(lambda: cluster.psql(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'", old), "the commit")
    assert not waiting.done()
    cluster.kill(old)

    with pytest.raises(RuntimeError):
        waiting.result(process.PATIENCE)
    cluster.rejoin(old)
    assert rows(cluster, table) == []
    assert len(cluster.standbys) == 2


def test_programs_have_no_special_rights(cluster):
    assert cluster.psql_as_program(
        "SELECT current_user, rolsuper, rolreplication, ssl FROM pg_roles, pg_stat_ssl "
        "WHERE rolname = current_user AND pid = pg_backend_pid()") == "amo_crm|f|f|t"


@pytest.mark.parametrize("changes, reason", [
    ({"sslmode": "disable", "sslrootcert": None}, "no encryption"),
    ({"user": "postgres"}, "no pg_hba.conf entry"),
])
def test_no_other_connection_is_accepted(cluster, changes, reason):
    with pytest.raises(RuntimeError, match=reason):
        cluster.psql_as_program("SELECT 1", cluster.conninfo(**changes))


def test_its_certificate_is_verified(cluster, tmp_path):
    another = pki.Authority(tmp_path, "Another CA").certificate

    with pytest.raises(RuntimeError, match="certificate verify failed"):
        cluster.psql_as_program("SELECT 1", cluster.conninfo(sslrootcert=another))


def test_a_wrong_password_is_refused(cluster, monkeypatch):
    monkeypatch.setattr(cluster, "password", "wrong")

    with pytest.raises(RuntimeError, match="password authentication failed"):
        cluster.psql_as_program("SELECT 1")


def test_the_proxy_passes_everything(cluster, proxy, table):
    cluster.psql_as_program(f"INSERT INTO {table} VALUES (1)", proxy.conninfo())

    assert rows(cluster, table) == ["1"]


def test_a_reply_is_lost(cluster, proxy, table):
    proxy.lose_reply()

    with pytest.raises(RuntimeError, match="closed the connection"):
        cluster.psql_as_program(f"BEGIN;\nINSERT INTO {table} VALUES (1);\nCOMMIT;",
                                proxy.conninfo())

    assert proxy.lost.is_set()
    assert rows(cluster, table) == ["1"]


def test_a_reply_hangs(cluster, proxy, table, background):
    proxy.hang_reply("INSERT")

    client = background(cluster.psql_as_program, f"INSERT INTO {table} VALUES (1)",
                        proxy.conninfo())

    assert proxy.lost.wait(process.PATIENCE)
    assert rows(cluster, table) == ["1"]
    assert not client.done()
    proxy.cut()
    with pytest.raises(RuntimeError):
        client.result(process.PATIENCE)


def test_everything_hangs(cluster, proxy, table, background):
    proxy.hang()
    client = background(cluster.psql_as_program, f"INSERT INTO {table} VALUES (1)",
                        proxy.conninfo())
    process.wait_until(lambda: proxy.connections, "the connection")
    assert not client.done()

    proxy.resume()

    with pytest.raises(RuntimeError):
        client.result(process.PATIENCE)
    assert rows(cluster, table) == []


SCRIPT = """
import sys, time
sys.path.append({tests!r})
from sandbox.cluster import Cluster
cluster = Cluster(fsync=False)
print(cluster.folder, flush=True)
time.sleep(1000)
"""


def processes(folder):
    """Those that name the folder, or whose parent does: PostgreSQL's children are renamed."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in entry.joinpath("cmdline").read_bytes():
                found += [int(entry.name), *process.children(entry.name)]
        except OSError:
            pass
    return found


def test_it_ends_with_whoever_started_it():
    """Even after kill -9."""
    with subprocess.Popen([sys.executable, "-c", SCRIPT.format(tests=str(ROOT / "tests"))],
                          stdout=subprocess.PIPE, text=True) as script:
        folder = Path(script.stdout.readline().strip())
        started = processes(folder)
        assert len(started) > 6
        script.kill()
    try:
        process.wait_until(lambda: not any(map(process.alive, started)), "the end of the cluster")
    finally:
        process.remove_folder(folder)


def test_a_failed_start_leaves_nothing(monkeypatch):
    folders = []
    new_folder = process.new_folder
    monkeypatch.setattr(process, "new_folder", lambda: folders.append(new_folder()) or folders[0])
    monkeypatch.setattr(cluster_module, "HBA", "nonsense\n")

    with pytest.raises(RuntimeError, match="does not start"):
        Cluster(fsync=False)

    assert not folders[0].exists()
    assert not processes(folders[0])
