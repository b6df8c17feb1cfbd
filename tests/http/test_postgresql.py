"""amo-crm-postgresql: what it stores, and what it says when that fails."""

import ast
import itertools
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from postgresql_helper import Failed, Helper, new_database, transaction
from sandbox import process
from sandbox.cluster import ROLE
from sandbox.postgresql_proxy import PostgresqlProxy
from sandbox.servers import find

numbers = itertools.count()


@pytest.fixture(scope="module")
def database(one_cluster):
    """The name of a database of our own, with the schema."""
    return new_database(one_cluster, f"helper{next(numbers)}")


@pytest.fixture
def start(cluster, database):
    """Starts a helper; arguments as of Cluster.conninfo."""
    started = []

    def start_helper(password_file=cluster.password_file, launcher=(), **changes):
        conninfo = cluster.conninfo(**{"database": database, **changes})
        started.append(Helper(conninfo, password_file, launcher))
        return started[-1]

    yield start_helper
    for helper in started:
        helper.close()


@pytest.fixture
def helper(start):
    return start()


@pytest.fixture
def key():
    return f"test:{next(numbers)}"


@pytest.fixture
def background():
    with ThreadPoolExecutor() as pool:
        yield pool.submit


@pytest.fixture
def proxy(cluster):
    with PostgresqlProxy(cluster) as started:
        yield started


def await_waiting(cluster, database, event):
    """Returns when a session waits for that; gives its process."""
    return int(process.wait_until(lambda: cluster.psql(
        f"SELECT pid FROM pg_stat_activity WHERE wait_event = '{event}'"
        f" AND datname = '{database}' LIMIT 1"), f"a session that waits for {event}"))


def count_waiting(cluster, database):
    """Sessions that wait for a lock."""
    return int(cluster.psql("SELECT count(*) FROM pg_stat_activity"
                            f" WHERE wait_event_type = 'Lock' AND datname = '{database}'"))


def unavailable(function, *arguments, **keywords):
    """The reason why it may be repeated."""
    with pytest.raises(Failed) as failed:
        function(*arguments, **keywords)
    assert failed.value.kind == "unavailable", failed.value
    return failed.value.reason


# Records.


def test_a_value_keeps_its_bytes(helper, key):
    value = bytes(range(256)) + "Ж\n".encode()

    helper.put(key, value)

    assert helper.get(key) == value
    helper.begin()
    assert helper.read("test:none", key) == [None, value]
    helper.roll_back()


def test_a_record_is_changed_and_erased(helper, key):
    helper.put(key, b"old")
    helper.put(key, b"new")
    assert helper.get(key) == b"new"

    helper.begin()
    helper.read(key)
    helper.write(key, None)
    assert helper.get(key) is None
    helper.commit()
    assert helper.get(key) is None


def test_an_expired_record_is_none(helper, key):
    helper.put(key, b"short", expires=int(time.time()) - 1)
    assert helper.get(key) is None
    assert [] == [record for page in helper.each(key) for record in page]

    helper.begin()
    assert helper.read(key) == [None]
    helper.write(key, b"again", expires=int(time.time()) + 1000, absent=True)
    helper.commit()
    assert helper.get(key) == b"again"


def test_what_expired_long_ago_is_removed(cluster, database, helper, start, key):
    helper.put(key, b"short", expires=int(time.time()) - 4000)

    helper.close()

    assert cluster.psql(f"SELECT count(*) FROM record WHERE key = '{key}'",
                        database=database) == "0"


def test_a_section_that_is_rolled_back_changes_nothing(helper, key):
    helper.begin("a turn")
    helper.read(key)
    helper.write(key, b"1", absent=True)
    helper.roll_back()

    assert helper.get(key) is None


def test_a_section_that_its_program_has_left_is_rolled_back(helper, key):
    helper.begin()
    helper.write(key, b"1", absent=True)

    helper.in_section = False

    assert helper.get(key) is None


def test_two_writers_of_a_record_that_was_not_there(start, key):
    first, second = start(), start()
    for writer in (first, second):
        writer.begin()
        assert writer.read(key) == [None]
    first.write(key, b"1", absent=True)
    first.commit()

    assert "another writer" in unavailable(second.write, key, b"2", absent=True)
    second.roll_back()
    assert second.get(key) == b"1"


@pytest.mark.parametrize("known", [False, True])
def test_a_turn_waits_for_the_section_before(cluster, database, start, key, background, known):
    first, second = start(), start()
    if known:
        second.begin(f"turn of {key}")
        second.commit()
    first.begin(f"turn of {key}")
    begun = background(second.begin, f"turn of {key}")
    await_waiting(cluster, database, "transactionid")
    first.write(key, b"1", absent=True)
    first.commit()

    begun.result(process.PATIENCE)

    assert second.read(key) == [b"1"]
    second.roll_back()


TAKE_TURN = ("INSERT INTO turn VALUES ('{}') ON CONFLICT (name)"
             " DO UPDATE SET name = excluded.name WHERE false")


def test_a_turn_whose_row_was_removed_is_one_sections(cluster, database, start, key, background):
    """Both waited for the row."""
    helpers = [start(), start()]
    helpers[0].begin(key)
    helpers[0].commit()
    with transaction(cluster, database) as execute:
        execute(TAKE_TURN.format(key))
        begun = [background(helper.begin, key) for helper in helpers]
        process.wait_until(lambda: count_waiting(cluster, database) == 2, "both")
        execute(f"DELETE FROM turn WHERE name = '{key}'")
        execute("COMMIT")
    process.wait_until(lambda: any(one.done() for one in begun), "a section")
    process.wait_until(lambda: count_waiting(cluster, database) == 1
                       or all(one.done() for one in begun), "the other")

    first, second = sorted(zip(begun, helpers), key=lambda one: not one[0].done())
    assert not second[0].done()
    first[1].roll_back()
    second[0].result(process.PATIENCE)
    second[1].roll_back()


def test_turns_are_removed_unless_they_are_held(cluster, start, key):
    cluster.new_database("turns")
    helper = start(database="turns")
    helper.do("init")
    cluster.psql("INSERT INTO turn SELECT generate_series(1, 1800)", database="turns")
    with transaction(cluster, "turns") as execute:
        execute(TAKE_TURN.format(1))
        helper.put(key, b"1")
        helper.close()

        assert "800|t" == cluster.psql("SELECT count(*), bool_or(name = '1') FROM turn",
                                       database="turns")


def test_of_two_sections_that_wait_for_each_other_one_is_repeated(start, background):
    first, second = start(), start()
    first.begin("a")
    second.begin("b")
    waiting = [background(first.begin, "b"), background(second.begin, "a")]

    failures = [begun.exception(process.PATIENCE) for begun in waiting]

    failed, = filter(None, failures)
    assert failed.kind == "unavailable" and "40P01" in failed.reason
    for helper, failure in zip((first, second), failures):
        if failure:
            unavailable(helper.commit)
        else:
            helper.commit()


def test_all_pages_of_many_records(cluster, database, start):
    helper = start()
    cluster.psql("INSERT INTO record SELECT 'many:' || i, 'x' FROM generate_series(1, 1001) i;"
                 "INSERT INTO record VALUES ('many;', 'x'), ('many', 'x'), ('many:2' || U&'\\042F', 'x');"
                 "INSERT INTO record SELECT 'large:' || i, repeat('x', 65000)::bytea"
                 " FROM generate_series(1, 20) i", database=database)

    pages = list(helper.each("many:"))
    keys = [key for page in pages for key, _ in page]
    assert keys == sorted([f"many:{i}" for i in range(1, 1002)] + ["many:2Я"], key=str.encode)
    assert len(pages) == 6
    large = list(helper.each("large:"))
    assert len(large) > 1
    assert sum(map(len, large)) == 20


# Leases.


def later(held, token):
    """Whether the lease that was given is abandoned; its token is a later one."""
    assert held[0] > token
    return held[1]


def test_one_holder_at_a_time(start, key):
    first, second = start(), start()
    token, abandoned = first.hold(key, "first")
    assert token and not abandoned

    assert second.hold(key, "second") == (0, False)
    first.let_go(key, token)

    assert later(second.hold(key, "second"), token) is False


def test_a_lease_whose_reply_was_lost_is_the_holders_own(start, key):
    helper = start()
    token, _ = helper.hold(key, "holder")

    assert later(helper.hold(key, "holder"), token) is False


def test_a_lease_that_was_let_go_as_abandoned(start, key):
    first, second = start(), start()
    token, _ = first.hold(key, "first")
    first.let_go(key, token, abandoned=True)

    token, abandoned = second.hold(key, "second")

    assert abandoned
    second.let_go(key, token)
    assert later(first.hold(key, "first"), token) is False


CALLER = """
import sys
sys.path[:0] = sys.argv[1:3]
from postgresql_helper import Helper
helper = Helper(sys.argv[3], sys.argv[4])
token, abandoned = helper.hold(sys.argv[5], "killed", 3600)
print((token, abandoned), flush=True)
helper.begin("a turn of the killed", sys.argv[5], token)
print("begun", flush=True)
sys.stdin.read()
"""


def test_a_killed_holder_lets_go_at_once(cluster, database, start, key):
    folder = Path(__file__).parent
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, folder, folder.parent, cluster.conninfo(database),
         cluster.password_file, key],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    token, abandoned = ast.literal_eval(caller.stdout.readline())
    assert token and not abandoned
    assert caller.stdout.readline() == "begun\n"

    caller.kill()
    caller.communicate()

    helper = start()
    held = process.wait_until(
        lambda: (lambda held: held if held[0] else None)(helper.hold(key, "next")), "the lease")
    assert later(held, token) is True
    helper.begin("a turn of the killed", key, held[0])
    helper.roll_back()


def test_a_lease_whose_time_is_over_was_abandoned(start, key):
    first, second = start(), start()
    token, _ = first.hold(key, "first", seconds=0.001)

    taken = process.wait_until(
        lambda: (lambda held: held if held[0] else None)(second.hold(key, "second")), "the lease")

    assert later(taken, token) is True


def leave(cluster, database, name, until, abandoned_at="NULL"):
    """The lease of a host that died."""
    cluster.psql("INSERT INTO lease (name, holder, token, until, abandoned_at) VALUES"
                 f" ('{name}', 'dead', nextval('lease_seq'), {until}, {abandoned_at})",
                 database=database)


def test_what_a_dead_host_left_is_known_after_hours(start, cluster, database, key):
    leave(cluster, database, key, "now() - interval '20 hours'")
    ending = start()
    ending.put(f"{key}:any", b"x")

    ending.close()      # removes past leases

    assert start().hold(key, "next")[1] is True


def test_a_second_host_that_died_counts_beside_the_first(start, cluster, database, key):
    leave(cluster, database, key, "now() - interval '1 min'", "now() - interval '30 hours'")

    assert start().hold(key, "next")[1] is True


def test_past_leases_are_removed(start, cluster, database, key):
    helper = start()
    token, _ = helper.hold(key, "holder")
    helper.let_go(key, token)
    helper.put(f"{key}:any", b"x")

    helper.close()

    assert not cluster.psql(f"SELECT 1 FROM lease WHERE name = '{key}'", database=database)


def test_a_lease_that_was_not_let_go_in_time_is_left_by_the_next(start, key):
    helper = start()
    lost, other = f"{key}:lost", f"{key}:other"
    helper.hold(lost, "first")

    helper.hold(other, "second")

    assert start().hold(lost, "third")[1] is True


def test_who_has_lost_its_lease_changes_nothing(start, key):
    first, second = start(), start()
    token, _ = first.hold(key, "first", seconds=0.001)
    process.wait_until(lambda: second.hold(key, "second")[0], "the lease")

    with pytest.raises(Failed, match="storage: fenced off") as failed:
        first.begin(lease=key, token=token)

    assert key in failed.value.reason
    first.in_section = True
    unavailable(first.write, key, b"late", absent=True)
    first.in_section = False
    assert second.get(key) is None
    second.begin(lease=key, token=token + 1)
    second.roll_back()


def test_a_lease_is_not_taken_during_its_holders_section(cluster, database, start, key, background):
    first, second = start(), start()
    token, _ = first.hold(key, "first", seconds=0.001)
    first.begin(lease=key, token=token)
    taken = background(second.hold, key, "second")
    await_waiting(cluster, database, "transactionid")
    first.write(key, b"1", absent=True)
    first.commit()

    assert taken.result(process.PATIENCE) == (token + 1, True)
    assert second.get(key) == b"1"


# Failures.


@pytest.mark.parametrize("what", ["commit", "hold"])
def test_a_commit_that_no_standby_has_is_not_stored(cluster, database, start, key, background, what):
    """The server itself says that it is, when the wait for a standby is cancelled."""
    helper = start()
    helper.get(key)
    standbys = cluster.standbys
    for node in standbys:
        cluster.stop(node)
    if what == "commit":
        helper.begin()
        helper.write(key, b"1", absent=True)
        waiting = background(helper.commit)
    else:
        waiting = background(helper.hold, key, "holder")
    waiting_process = await_waiting(cluster, database, "SyncRep")

    cluster.psql(f"SELECT pg_cancel_backend({waiting_process})")

    assert "warned" in unavailable(waiting.result, process.PATIENCE)
    for node in standbys:
        cluster.start(node)
    helper.in_section = False
    assert helper.get(key) in (None, b"1")


def test_a_server_that_is_started_again(cluster, start, key):
    helper = start()
    helper.put(key, b"1")
    helper.begin()
    helper.read(key)

    cluster.stop(cluster.primary)
    cluster.start(cluster.primary)

    unavailable(helper.write, key, b"2")
    assert "lost" in unavailable(helper.commit)
    helper.in_section = False
    assert helper.get(key) == b"1"


def test_an_idle_session_that_was_ended_is_made_again(cluster, database, start, key):
    helper = start()
    helper.put(key, b"1")

    cluster.psql("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
                 f"WHERE datname = '{database}' AND usename = '{ROLE}'")

    assert helper.get(key) == b"1"


def test_one_session_serves_all_requests(cluster, start, key):
    cluster.new_database("session")
    helper = start(database="session")
    helper.do("init")

    def sessions():
        return cluster.psql("SELECT pid FROM pg_stat_activity WHERE datname = 'session'")

    before = sessions()
    helper.put(key, b"1")
    helper.get(key)

    assert sessions() == before and before.isdigit()


def test_a_server_that_takes_no_changes_any_more(cluster, start, key):
    """The next request looks for another."""
    helper = start()
    helper.put(key, b"1")
    cluster.psql("ALTER SYSTEM SET default_transaction_read_only = on", database="postgres")
    cluster.primary.reload()
    try:
        process.wait_until(lambda: "on" == cluster.psql("SHOW default_transaction_read_only"),
                           "the setting")
        helper.begin()
        assert "25006" in unavailable(helper.write, key, b"2")
        helper.in_section = False
        assert "read-only" in unavailable(helper.get, key)
    finally:
        cluster.psql("SET default_transaction_read_only = off;"
                     "ALTER SYSTEM RESET default_transaction_read_only", database="postgres")
        cluster.primary.reload()
    process.wait_until(lambda: "off" == cluster.psql("SHOW default_transaction_read_only"),
                       "the setting")
    helper.put(key, b"2")
    assert helper.get(key) == b"2"


def test_another_primary(cluster, start, key):
    helper = start()
    helper.put(key, b"1")
    helper.begin()

    cluster.kill()
    unavailable(helper.read, key)
    helper.in_section = False
    unavailable(helper.get, key)
    cluster.promote()

    helper.put(key, b"2")
    assert helper.get(key) == b"2"


def test_only_a_primary_is_used(cluster, start, key):
    standby = cluster.standbys[0]
    helper = start(host="127.0.0.1", port=standby.port)

    assert "read-only" in unavailable(helper.get, key)


def test_a_reply_that_is_lost(cluster, database, start, proxy, key):
    helper = start(**words(proxy))
    helper.begin()
    helper.write(key, b"1", absent=True)
    proxy.lose_reply()

    unavailable(helper.commit)

    assert helper.get(key) == b"1"


def words(proxy):
    """Of its connection string."""
    named = dict(word.split("=", 1) for word in proxy.conninfo().split())
    return {"host": "127.0.0.1", "port": named["port"], "sslmode": "disable", "sslrootcert": None}


def test_a_server_that_hangs(start, proxy, key):
    helper = start(**words(proxy))
    helper.put(key, b"1")
    proxy.hang()

    began = time.monotonic()
    helper.send("get", wait=0.3, key=key)
    assert "in time" in unavailable(helper.receive)
    assert time.monotonic() - began >= 0.3
    helper.send("get", wait=0.3, key=key)
    assert "in time" in unavailable(helper.receive)

    proxy.resume()
    assert helper.get(key) == b"1"


def test_a_large_value_to_a_server_that_hangs(cluster, database, start, key):
    """More than the buffers of a socket hold, so that sending it does not end."""
    helper = start()
    helper.begin()
    session = int(cluster.psql("SELECT pid FROM pg_stat_activity WHERE state LIKE 'idle in%'"
                               f" AND datname = '{database}'"))
    os.kill(session, signal.SIGSTOP)
    try:
        helper.send("write", wait=0.3, changes=[
            {"key": key, "value": "A" * (16 << 20), "expires": 0, "absent": 1}])
        assert "in time" in unavailable(helper.receive)
    finally:
        os.kill(session, signal.SIGCONT)

    helper.in_section = False
    assert helper.get(key) is None


# PgBouncer.

POOL = """\
[databases]
* = host=127.0.0.1 port={primary}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
server_tls_sslmode = verify-full
server_tls_ca_file = {ca_file}
pool_mode = transaction
default_pool_size = 1
"""


@pytest.fixture
def pool(cluster):
    """PgBouncer with one connection to the server for all its clients.  The words for it."""
    port = process.free_port()
    folder = process.new_folder()
    users, settings = folder / "users", folder / "pgbouncer.ini"
    users.write_text(f'"{ROLE}" "{cluster.password}"\n')
    settings.write_text(POOL.format(primary=cluster.primary.port, port=port, users=users,
                                    ca_file=cluster.ca_file))
    for path in (users, settings):
        process.give(path, 0o640)
    daemon = process.Daemon([find("pgbouncer"), settings], folder / "output",
                            **process.as_web_user())
    process.wait_until(lambda: not daemon.running or process.port_taken(port), "PgBouncer")
    assert daemon.running, daemon.output()
    yield {"host": "127.0.0.1", "port": port, "sslmode": "disable", "sslrootcert": None}
    daemon.stop()
    process.remove_folder(folder)


def test_helpers_share_a_session_of_a_pool(cluster, start, pool, key):
    cluster.new_database("pooled")
    first, second = (start(database="pooled", **pool) for _ in range(2))
    assert first.do("init")["created"]

    for number in range(3):
        for helper in (first, second):
            helper.begin("a turn")
            old, = helper.read(key)
            helper.write(key, (old or b"") + b"x", absent=old is None)
            helper.commit()
        token, _ = first.hold(key, f"holder {number}")
        assert second.hold(key, "another") == (0, False)
        second.begin(lease=key, token=token)
        assert second.read(key) == [b"xx" * (number + 1)]
        second.roll_back()
        first.let_go(key, token)
    assert second.get(key) == b"x" * 6

    assert cluster.psql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'pooled'") == "1"


# Set-ups that are wrong.


def refused(start, **changes):
    with pytest.raises(Failed) as failed:
        start(**changes).get("test:none")
    assert failed.value.kind == "config", failed.value
    return failed.value.reason


@pytest.mark.parametrize("changes, reason", [
    ({"user": "nobody"}, "nobody"),
    ({"database": "none"}, 'database "none" does not exist'),
    ({"database": "postgres"}, "amocrmctl engine init"),
    ({"password_file": None}, "no password supplied"),
    ({"password_file": "/none"}, "/none: No such file"),
    ({"sslrootcert": None}, "root certificate file"),
    ({"host": "localhost", "hostaddr": "127.0.0.1", "sslmode": "disable", "sslrootcert": None},
     "no encryption"),
    ({"sslmode": "never"}, "never"),
    ({"nonsense": "1"}, "nonsense"),
])
def test_a_wrong_setting(start, changes, reason):
    assert reason in refused(start, **changes)


def test_a_wrong_password(start, tmp_path):
    wrong = tmp_path / "password"
    wrong.write_text("wrong\n")
    wrong.chmod(0o600)

    assert "password authentication failed" in refused(start, password_file=wrong)


@pytest.mark.parametrize("mode, content, reason", [
    (0o644, "secret\n", "mode 0644"),
    (0o600, "", "no password"),
    (0o600, "\nsecret\n", "no password"),
])
def test_a_wrong_password_file(start, tmp_path, mode, content, reason):
    wrong = tmp_path / "password"
    wrong.write_text(content)
    wrong.chmod(mode)

    said = refused(start, password_file=wrong)

    assert reason in said and "secret" not in said


def test_without_rights(cluster, database, start):
    cluster.psql(f"REVOKE SELECT ON record FROM {ROLE}", database=database)
    try:
        assert "rights" in refused(start)
    finally:
        cluster.psql(f"GRANT SELECT ON record TO {ROLE}", database=database)


@pytest.mark.parametrize("version, cure", [(2, "upgrade"), (0, "amocrmctl engine init")])
def test_another_schema(cluster, database, start, version, cure):
    cluster.psql(f"UPDATE meta SET value = '{version}' WHERE name = 'schema'", database=database)
    try:
        assert cure in refused(start)
    finally:
        cluster.psql("UPDATE meta SET value = '1' WHERE name = 'schema'", database=database)


def test_a_newer_schema_is_not_initialized(cluster, database, start):
    cluster.psql("UPDATE meta SET value = '2' WHERE name = 'schema'", database=database)
    try:
        with pytest.raises(Failed, match="config: .*upgrade"):
            start().do("init")
        assert "2" == cluster.psql("SELECT value FROM meta WHERE name = 'schema'",
                                   database=database)
    finally:
        cluster.psql("UPDATE meta SET value = '1' WHERE name = 'schema'", database=database)


def test_several_hosts_that_create_the_schema_at_once(cluster, start, background):
    cluster.new_database("empty")
    helpers = [start(database="empty") for _ in range(4)]

    def init(helper):
        while True:
            try:
                return helper.do("init")["created"]
            except Failed as failed:
                assert failed.kind == "unavailable", failed

    created = [background(init, helper) for helper in helpers]

    assert sorted(done.result(process.PATIENCE) for done in created) == [0, 0, 0, 1]


@pytest.mark.parametrize("changes", [{}, {"password_file": None}])
def test_no_file_of_the_users_home_is_looked_for(start, tmp_path, key, changes):
    trace = tmp_path / "trace"
    helper = start(launcher=("strace", "-f", "-o", trace, "-e", "trace=%file"), **changes)
    if changes:
        with pytest.raises(Failed, match="no password"):
            helper.get(key)
    else:
        helper.get(key)
    helper.close()

    looked_for = trace.read_text()

    assert "libpq" in looked_for
    for name in (".pgpass", ".postgresql", ".pg_service", "krb5.conf", "krb5cc"):
        assert name not in looked_for, name


@pytest.mark.parametrize("line", [
    "nonsense\n", "{}\n", '{"do":"get"}\n', '{"do":"get","deadline_ms":1,"section":0}\n',
    '{"do":1,"deadline_ms":1,"section":0,"database":"dbname=x"}\n',
])
def test_what_is_no_request(start, key, line):
    helper = start()
    helper._socket.sendall(line.encode())

    with pytest.raises(Failed, match="server"):
        helper.receive()
    assert helper.get(key) is None


@pytest.mark.parametrize("verb, members", [
    ("get", {}), ("begin", {"turn": None}), ("read", {"keys": 1}), ("read", {"keys": [1]}),
    ("read", {"keys": ["k"] * 9}), ("write", {"changes": [{"key": "k"}]}),
    ("write", {"changes": [{"key": "k", "value": "=", "expires": 0, "absent": 0}]}),
    ("each", {"prefix": "p"}), ("hold", {"name": "n"}), ("let_go", {"name": "n"}), ("none", {}),
])
def test_a_request_without_its_members(helper, verb, members):
    helper.begin()
    with pytest.raises(Failed, match="server: .*not a request"):
        helper.do(verb, **members)
    helper.roll_back()


def test_what_is_committed_at_once_is_refused_in_a_section(helper, key):
    helper.begin()

    with pytest.raises(Failed, match="server: .*not a request"):
        helper.hold(key, "holder")

    helper.roll_back()
    assert helper.hold(key, "holder")[0]
