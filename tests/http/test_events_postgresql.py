"""amocrmctl events with a store in PostgreSQL: writers commit in another order than that of their
events' numbers."""

import time

import pytest

from deliveries import event
from queues import Queue
from sandbox import process
from test_events import Follower

AHEAD = 30      # seconds that the clock of a host may be ahead


@pytest.fixture
def queue(bare, cluster):
    made = Queue(bare, cluster)
    bare.configure(**made.settings(), webhook_accounts="any")
    return made


def number(printed):
    return int(printed["payload"]["leads"]["add"][0]["id"])


def await_read(queue):
    """Returns when a follower has read what is committed now."""
    now = queue.psql("SELECT clock_timestamp()")
    process.wait_until(lambda: queue.psql(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle'"
        f" AND query LIKE '%FROM event WHERE seq >%' AND query_start > '{now}'"), "a follower")


def committed_late(queue, late, *others, options=()):
    """What a follower prints if an event is committed after others, whose numbers are higher."""
    with queue.transaction() as execute:
        queue.put(late, execute=execute)
        queue.put(*others)
        with Follower(queue.site, *options) as follower:
            await_read(queue)
            execute("COMMIT")
            queue.put(event(9, at=time.time() + AHEAD))
            return list(iter(lambda: number(follower.line()), 9))


def test_the_first_event_is_committed_late(queue):
    assert committed_late(queue, event(1), event(2)) == [1, 2]


def test_a_later_event_is_committed_late(queue):
    queue.put(event(1), event(2))
    assert committed_late(queue, event(3), event(4)) == [1, 2, 3, 4]


@pytest.mark.parametrize("late, other, since, expected", [
    (0, 0, "1h", [2, 3]), (AHEAD, AHEAD, "0s", [2, 3]), (AHEAD, -AHEAD, "0s", [2]),
])
def test_a_late_event_is_printed_since_a_time(queue, late, other, since, expected):
    """The clock of the host that received it may be ahead."""
    now = time.time()
    queue.put(event(1, at=now - 7200))
    assert committed_late(queue, event(2, at=now + late), event(3, at=now + other),
                          options=("--since", since)) == expected


def test_numbers_that_never_appear(queue):
    """A failover skips up to 32 of the sequence."""
    with Follower(queue.site) as follower:
        queue.put(event(1))
        assert number(follower.line()) == 1
        queue.psql("SELECT setval('event_seq', 33)")
        queue.put(event(2), event(3))
        assert [number(follower.line()) for _ in range(2)] == [2, 3]
