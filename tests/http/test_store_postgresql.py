"""The store in a database, for a program that uses it while the database fails: what was answered
is stored, and what was not is repeated until it is, or reported."""

import itertools
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from postgresql_helper import new_database
from sandbox import process
from sandbox.postgresql_proxy import PostgresqlProxy
from sandbox.site import BUILD, NotBuilt

PROGRAM = BUILD / "tests/unit/common/store/store_client"
PATIENCE_MS = 1000 * process.PATIENCE

numbers = itertools.count()


class Client:
    """store_client, with a method for each of its commands."""

    def __init__(self, conninfo, password_file):
        if not PROGRAM.exists():
            raise NotBuilt(f"{PROGRAM} is missing; run make unit first")
        self._process = subprocess.Popen([PROGRAM, conninfo, password_file],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __getattr__(self, command):
        return lambda *words: self._do(command, *words)

    def _do(self, *words):
        """The reply, which must be ok."""
        reply = self.say(*words)
        assert reply.split()[0] == "ok", reply
        return reply[3:]

    def say(self, *words):
        """Any reply."""
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().rstrip("\n")

    @property
    def helper(self):
        """The process of its helper."""
        pid, = process.children(self._process.pid)
        return pid

    def kill(self):
        self._process.kill()
        self._process.wait()

    def close(self):
        self._process.communicate()


@pytest.fixture(scope="module")
def database(one_cluster):
    return new_database(one_cluster, f"store{next(numbers)}")


@pytest.fixture
def start(cluster, database):
    started = []

    def start_client(**changes):
        conninfo = cluster.conninfo(**{"database": database, **changes})
        started.append(Client(conninfo, str(cluster.password_file)))
        started[-1].within(PATIENCE_MS)
        return started[-1]

    yield start_client
    for client in started:
        client.close()


@pytest.fixture
def proxy(cluster):
    with PostgresqlProxy(cluster) as started:
        yield started


@pytest.fixture
def through(start, proxy):
    """A client that reaches the primary through the proxy."""
    named = dict(word.split("=", 1) for word in proxy.conninfo().split())
    return start(host="127.0.0.1", port=named["port"], sslmode="disable", sslrootcert=None)


@pytest.fixture
def key():
    return f"test:{next(numbers)}"


@pytest.fixture
def background():
    with ThreadPoolExecutor() as pool:
        yield pool.submit


def held(reply):
    """The token of a lease, and whether it was abandoned."""
    token, abandoned = reply.split()
    return int(token), abandoned == "1"


def await_waiting(cluster, database, event):
    """Returns when a session waits for that; gives its process."""
    return int(process.wait_until(lambda: cluster.psql(
        f"SELECT pid FROM pg_stat_activity WHERE wait_event = '{event}'"
        f" AND datname = '{database}' LIMIT 1"), f"a session that waits for {event}"))


def test_writers_of_one_record_lose_nothing(start, key, background):
    """It is not there at first, so no row can be locked."""
    clients = [start() for _ in range(4)]

    def add(client, letter):
        for _ in range(20):
            client.add(key, letter)

    done = [background(add, client, letter) for client, letter in zip(clients, "abcd")]
    for each in done:
        each.result(process.PATIENCE)

    assert "".join(sorted(clients[0].get(key))) == "".join(20 * letter for letter in "abcd")


def test_sections_that_wait_for_each_other(start, background):
    clients = [start() for _ in range(2)]

    def work(client, names):
        for _ in range(10):
            client.section(*names)

    done = [background(work, *each) for each in zip(clients, (("left", "right"), ("right", "left")))]
    for each in done:
        each.result(process.PATIENCE)

    assert clients[0].get("log:left") == clients[0].get("log:right") == 20 * ">"


def test_a_section_that_fails_changes_nothing(start, key):
    client = start()
    client.section(key)

    assert client.say("fail", key, "another") == "refused: the body fails"

    assert client.get(f"log:{key}") == ">"
    assert client.get("log:another") == "-"
    assert client.section(key) == "1"


def test_a_commit_without_an_acknowledgement_is_repeated(through, proxy, key):
    """The commit was executed, so the second one finds the change of the first."""
    proxy.lose_reply()

    through.section(key)

    assert proxy.lost.is_set()
    assert through.get(f"log:{key}") == ">>"


def test_a_reply_that_does_not_come_is_not_waited_for(through, proxy, key):
    proxy.hang_reply()

    through.section(key)

    assert proxy.lost.is_set()
    assert through.get(f"log:{key}") == ">>"


@pytest.mark.parametrize("statement", ["BEGIN", "INSERT INTO turn", "SELECT key", "INSERT INTO record"])
def test_a_connection_that_is_lost_in_a_section(through, proxy, key, statement):
    proxy.lose_reply(statement)

    through.section(key)

    assert proxy.lost.is_set()
    assert through.get(f"log:{key}") == ">"


def test_a_lease_without_an_acknowledgement_is_ours(through, proxy, start, key):
    proxy.lose_reply("INSERT INTO lease")

    token, abandoned = held(through.hold(key, 0, 3600_000))

    assert proxy.lost.is_set()
    assert not abandoned
    assert "is held" in start().say("hold", key, 0, 1000)
    through.put(key, "1")
    proxy.lose_reply("UPDATE lease")
    through.let_go()
    assert proxy.lost.is_set()
    later, abandoned = held(start().hold(key, 0, 3600_000))
    assert later > token and not abandoned


def test_a_helper_that_was_killed_is_started_again(start, key):
    client = start()
    client.put(key, "1")
    token, _ = held(client.hold(key, 0, 3600_000))

    process_id = client.helper
    subprocess.run(["kill", "-9", str(process_id)], check=True)
    process.wait_until(lambda: client.say("put", key, "2") == "ok", "the change")

    assert client.get(key) == "2"
    client.let_go()
    later, abandoned = held(start().hold(key, 0, 3600_000))
    assert later > token and not abandoned


def test_a_lease_is_waited_for(start, key, background):
    first, second = start(), start()
    first.hold(key, 0, 3600_000)
    waiting = background(second.hold, key, PATIENCE_MS, 3600_000)

    first.let_go()

    _, abandoned = held(waiting.result(process.PATIENCE))
    assert not abandoned


def test_a_holder_that_was_killed_has_abandoned_its_lease(start, key):
    first, second = start(), start()
    first.hold(key, 0, 3600_000)

    first.kill()

    def abandoned():
        return held(second.hold(key, PATIENCE_MS, 3600_000))[1]

    assert abandoned()
    second.let_go("abandoned")
    assert abandoned()
    second.let_go()
    assert not abandoned()


def test_who_has_lost_its_lease_changes_nothing(start, key):
    late, next_one = start(), start()
    late.hold(key, 0, 1)
    next_one.hold(key, PATIENCE_MS, 3600_000)

    assert late.say("put", key, "late").startswith("storage: fenced off")

    assert late.get(key) == "-"
    next_one.put(key, "next")
    late.let_go()
    late.put(key, "later")      # without a lease
    assert next_one.get(key) == "later"


def test_what_no_standby_has_is_repeated(cluster, database, start, key, background):
    client = start()
    standbys = cluster.standbys
    for node in standbys:
        cluster.stop(node)
    done = background(client.section, key)
    waiting = await_waiting(cluster, database, "SyncRep")

    cluster.psql(f"SELECT pg_cancel_backend({waiting})")
    process.wait_until(lambda: await_waiting(cluster, database, "SyncRep") != waiting,
                       "another attempt")
    for node in standbys:
        cluster.start(node)

    done.result(process.PATIENCE)
    assert client.get(f"log:{key}").startswith(">>")


def test_nothing_acknowledged_is_lost_with_the_primary(cluster, start, key, background):
    clients = [start() for _ in range(3)]
    stored = itertools.count(1)
    killed = []

    def put(number, client):
        while not killed or number < killed[0]:
            client.put(f"{key}:{next(stored)}", "1")
            number += 1
        client.put(f"{key}:{next(stored)}", "1")

    done = [background(put, 0, client) for client in clients]
    process.wait_until(lambda: int(repr(stored)[6:-1]) > 30, "changes")
    cluster.kill()
    killed.append(0)
    cluster.promote()
    for each in done:
        each.result(process.PATIENCE)

    assert clients[0].each(f"{key}:") == str(next(stored) - 1)


def test_a_database_that_stays_away(cluster, start, key):
    client = start()
    client.put(key, "1")
    cluster.kill()

    client.within(500)
    reply = client.say("put", key, "2")

    assert reply.startswith("unavailable: the database")


def test_many_records(cluster, database, start):
    cluster.psql("INSERT INTO record SELECT 'many:' || i, 'x' FROM generate_series(1, 1001) i",
                 database=database)

    assert start().each("many:") == "1001"
    assert start().each("none:") == "0"


def test_limits(start, key):
    client = start()
    client.put(key, "long:65536")
    assert client.say("put", key, "long:65537") == "server: a record is over 65536 bytes"
    assert client.say("put", "k" * 201, "1").startswith("request: ")
    assert client.say("get", "k" * 201).startswith("request: ")
    client.put("k" * 200, "1")

    assert len(client.get(key)) == 65536
    assert client.each("k" * 200) == "1"
