"""amocrmctl deliver with a store in PostgreSQL: any number of processes deliver, and each account's
events arrive in order."""

import itertools
import random
import threading
from collections import defaultdict

import pytest

import webhooks
from deliveries import RETRY_AFTER, configure, counts, deliver, event, line, numbers, receiver  # noqa: F401
from postgresql_helper import encode
from queues import Queue
from sandbox import process

ACCOUNTS = 6
EVENTS = 12             # of each account
DELIVERERS = 3
DAY = 86400
BATCH = 100             # events of one account in a row


@pytest.fixture
def queue(bare, amocrm, receiver, cluster):  # noqa: F811
    made = Queue(bare, cluster)
    configure(bare, amocrm, receiver, **made.settings())
    return made


@pytest.fixture
def site(queue):
    return queue.site


def by_account(deliveries):
    """The numbers of each account's leads, in the order of their first arrival."""
    arrived = defaultdict(dict)
    for one, number in zip(deliveries, numbers(deliveries)):
        arrived[one.account][number] = True
    return {account: list(came) for account, came in arrived.items()}


# What is delivered.

def test_every_event_is_delivered_once_and_as_it_was_stored(queue, site, receiver):
    queue.put(event(0), event(1, 6), event(2), {**event(3), "account_id": None})

    assert deliver(site).stdout == counts(4)
    assert deliver(site).stdout == counts(0)

    assert receiver.problems() == []
    assert sorted(numbers(receiver.taken())) == [0, 1, 2, 3]
    assert by_account(receiver.taken())[5] == [0, 2]
    assert receiver.taken()[-1].line == line(event(2, at=0) | receiver.taken()[-1].event)
    assert (queue.pending(), queue.claims()) == (0, 0)


def test_a_webhook_is_delivered_and_replayed(queue, site, receiver):
    webhooks.accepted(webhooks.send(site, b"leads[add][0][id]=1&account[id]=5"))

    assert deliver(site).stdout == counts(1)
    site.ctl("replay", "--since", "1h")

    first, again = receiver.taken()
    assert first.line == again.line == site.ctl("events").stdout.split("\n")[0]
    assert list(site.store.rglob("*.ndjson")) == []


def test_without_events_no_connection_is_made(queue, site, receiver):
    assert deliver(site).stdout == counts(0)
    assert receiver.connections() == []


def test_events_that_were_not_to_be_delivered(queue, site, receiver):
    queue.put(event(0), pending=False)
    assert deliver(site).stdout == counts(0)


def test_a_repetition_within_a_day_is_passed(queue, site, receiver):
    first = event(1, at=1_000_000)
    queue.put(first, event(2), first)
    for later in (DAY - 1, 2 * DAY):
        queue.put({**first, "received_at": event(1, at=1_000_000 + later)["received_at"]})
    queue.put({**first, "account_id": 6})
    # all of them are older than keep_days, but wait
    assert deliver(site).stdout == counts(4)

    assert by_account(receiver.taken()) == {5: [1, 2], 6: [1]}
    assert sum(one.account == 5 and one.id == first["id"] for one in receiver.taken()) == 2
    assert queue.pending() == 0


def test_a_repetition_whose_append_was_stored_late(queue, site, receiver):
    """It got its number before the event that has been delivered."""
    first = event(1)
    queue.put(first)
    deliver(site)
    queue.put(first)
    queue.psql("UPDATE event SET seq = -seq WHERE seq = (SELECT seq FROM pending);"
               " UPDATE pending SET seq = -seq")

    assert deliver(site).stdout == counts(0)
    assert queue.pending() == 0


def test_a_repetition_of_an_event_that_was_not_to_be_delivered(queue, site, receiver):
    """The host that received the first copy had no [deliver] url."""
    first = event(1)
    with queue.helper() as helper:
        for pending in (0, 1, 1):
            helper.do("append", account_id=5, id=first["id"][:32], pending=pending, repeated=0,
                      received_at=first["received_at"], line=encode(line(first).encode()))

    assert deliver(site).stdout == counts(1)
    assert numbers(receiver.taken()) == [1] and queue.pending() == 0


def test_a_repetition_of_a_dead_letter_is_passed(queue, site, receiver):
    queue.put(event(1))
    receiver.misbehave("status", status=503)
    deliver(site, status=1)
    queue.travel(attempts=len(RETRY_AFTER))
    receiver.misbehave("status", status=503)
    assert deliver(site, status=1).stdout == counts(0, given_up=1)
    queue.put(event(1))

    assert deliver(site).stdout == counts(0)
    assert queue.pending() == 0


def repeated_after(queue, *seconds):
    """An event, and its copies at that time after it."""
    for later in (0, *seconds):
        queue.put({**event(1), "received_at": event(1, at=1_000_000 + later)["received_at"]})


def test_a_repetition_was_not_delivered(queue, site, receiver):
    """It does not prolong the day within which others are passed."""
    repeated_after(queue, DAY - 1, DAY + 1)

    assert deliver(site).stdout == counts(2)


def test_the_clock_was_set_back_by_a_day(queue, site, receiver):
    repeated_after(queue, 1 - DAY, -DAY)

    assert deliver(site).stdout == counts(2)


def test_lines_that_are_not_events_are_skipped(queue, site, receiver):
    queue.put((5, "not an event"), (5, line(event(2))[:50]), (5, "{}"), event(3))

    done = deliver(site)

    assert numbers(receiver.deliveries()) == [3]
    assert "skipped 3 torn or unreadable lines" in done.stderr
    assert queue.pending() == 0


def test_a_long_event(queue, site, receiver):
    queue.put(event(0, text="\u0451" * 4_000_000), event(1))

    assert deliver(site).stdout == counts(2)

    assert numbers(receiver.taken()) == [0, 1]
    assert len(receiver.taken()[0].body) > 8_000_000


# Failures.

def test_a_blocked_account_waits_while_others_go_on(queue, site, receiver):
    queue.put(event(0), event(1), event(2, 6))
    receiver.misbehave("status", None, account=5, status=503)

    assert deliver(site, status=1).stdout == counts(1, blocked=1)
    assert deliver(site, status=1).stdout == counts(0, blocked=1)
    assert numbers(receiver.deliveries()) == [0, 2]
    attempts, rejections, wait = queue.attempts()
    assert (attempts, rejections) == (1, 0) and wait <= 6

    queue.put(event(3, 6))
    queue.travel()
    assert deliver(site, status=1).stdout == counts(1, blocked=1)
    assert queue.attempts()[0] == 2 and queue.attempts()[2] > 200
    assert queue.pending() == 2

    receiver.behave()
    queue.travel()
    assert deliver(site).stdout == counts(2)
    assert by_account(receiver.taken()) == {5: [0, 1], 6: [2, 3]}
    assert (queue.pending(), queue.claims()) == (0, 0)


def test_many_blocked_accounts_between_others(queue, site, receiver):
    queue.put(*(event(account, account) for account in range(1, 9)))
    for account in (1, 2, 4, 8):
        receiver.misbehave("status", None, account=account, status=503)
    deliver(site, status=1)
    receiver.clear()
    queue.put(*(event(10 + account, account) for account in range(1, 9)))

    assert deliver(site, status=1).stdout == counts(4, blocked=4)

    assert numbers(receiver.taken()) == [13, 15, 16, 17]


def test_a_wait_from_before_the_clock_was_set_back_is_over(queue, site, receiver):
    queue.put(event(0))
    receiver.misbehave("status", status=503)
    deliver(site, status=1)
    queue.psql("UPDATE delivery SET next_at = now() + interval '3 days',"
               " until = now() + interval '1 day', holder = 'another'")

    assert deliver(site).stdout == counts(1)


def test_an_event_that_no_attempt_delivered_becomes_a_dead_letter(queue, site, receiver):
    queue.put(event(0), event(1))
    receiver.misbehave("status", 2, status=503)
    deliver(site, status=1)
    queue.travel(attempts=len(RETRY_AFTER))

    done = deliver(site, status=1)

    assert done.stdout == counts(1, given_up=1)
    assert "gave up on event" in done.stderr
    assert queue.dead() == ["the receiver replied with 503"]
    assert queue.psql("SELECT dead.line = e.line FROM dead JOIN event e USING (account_id, seq)") == "t"
    assert numbers(receiver.taken()) == [1]
    assert (queue.pending(), queue.claims()) == (0, 0)


def test_an_event_that_is_rejected_is_attempted_three_times(queue, site, receiver):
    queue.put(event(0), event(1))
    receiver.misbehave("status", 3, status=422)
    for attempt in (1, 2):
        assert deliver(site, status=1).stdout == counts(0, blocked=1)
        assert queue.attempts()[:2] == (attempt, attempt) and queue.attempts()[2] < 60
        queue.travel()

    assert deliver(site, status=1).stdout == counts(1, given_up=1)
    assert queue.dead() == ["the receiver replied with 422"]
    assert numbers(receiver.deliveries()) == [0, 0, 0, 1]


def test_a_receiver_that_is_gone(queue, site, receiver):
    queue.put(event(0), event(1, 6))
    receiver.misbehave("status", status=410)

    assert "it wants no more events" in deliver(site, status=1).stderr
    assert len(receiver.deliveries()) == 1 and queue.pending() == 2
    assert deliver(site).stdout == counts(2)    # nobody's claim is in the way


def test_a_fault_of_our_own_is_no_attempt(queue, site, receiver):
    queue.put(event(0))
    site.configure(**{**queue.settings(), "deliver_url": receiver.url.replace("http", "https"),
                      "deliver_secret": receiver.secret, "deliver_allow_private": "yes",
                      "deliver_ca_file": "/nonexistent"})
    deliver(site, status=1)

    assert receiver.deliveries() == [] and queue.dead() == [] and queue.pending() == 1
    assert queue.psql("SELECT attempts FROM delivery") in ("", "0")


def test_an_event_that_takes_long_to_read(queue, site, receiver):
    """Its claim would be over before the delivery."""
    queue.put(event(0), event(1))
    with queue.transaction() as execute:
        execute("LOCK TABLE event")
        started = site.start_ctl("deliver", text=True)
        process.wait_until(lambda: queue.psql(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database() AND query_start < now() - interval '11 s'"),
            "a deliverer that waits for its event")
        execute("COMMIT")
        printed, said = started.communicate(timeout=process.PATIENCE)

    assert printed == counts(0, blocked=1)
    assert "attempt 1: the database took over 10 s to send the event; next attempt in" in said
    assert receiver.deliveries() == [] and queue.attempts()[:2] == (1, 0)
    with queue.helper() as helper:
        assert helper.do("queue_state", since=0)["blocked"] == 1
    queue.travel()
    assert deliver(site).stdout == counts(2)


# Several accounts, several deliverers.

def test_a_long_queue_lets_others_have_their_turn(queue, site, receiver):
    queue.put(*(event(n) for n in range(2 * BATCH + 1)), event(0, 6), event(1, 6), event(0, 7))

    deliver(site)

    order = [account for account, _ in itertools.groupby(one.account for one in receiver.taken())]
    assert order == [5, 6, 7, 5]
    assert [one.account for one in receiver.taken()].index(6) == BATCH
    assert by_account(receiver.taken()) == {5: list(range(2 * BATCH + 1)), 6: [0, 1], 7: [0]}


def start_and_hold(site, receiver, released):
    """A deliverer in the middle of a delivery."""
    receiver.misbehave("held", until=released)
    came = len(receiver.deliveries())
    started = site.start_ctl("deliver", text=True)
    process.wait_until(lambda: len(receiver.deliveries()) > came, "a delivery")
    return started


def test_an_account_has_one_deliverer_at_a_time(queue, site, receiver):
    queue.put(event(0), event(1), event(2, 6))
    released = threading.Event()
    first = start_and_hold(site, receiver, released)

    try:
        assert deliver(site).stdout == counts(1)
        assert numbers(receiver.taken()) == [2]
    finally:
        released.set()
    assert first.communicate(timeout=process.PATIENCE)[0] == counts(2)
    assert by_account(receiver.taken()) == {5: [0, 1], 6: [2]}


def test_a_claim_that_has_passed_to_another_is_fenced_off(queue, site, receiver):
    queue.put(event(0), event(1))
    released = threading.Event()
    first = start_and_hold(site, receiver, released)
    try:
        queue.psql("UPDATE delivery SET until = 'epoch'")
        with queue.helper() as other:
            claim = other.do("claim", after=-1, holder="another")
            assert claim["account_id"] == 5
            released.set()
            printed, _ = first.communicate(timeout=process.PATIENCE)
            # it has delivered the event, but it must not say so
            assert first.returncode == 0 and printed == counts(1)
            assert queue.pending() == 2 and numbers(receiver.deliveries()) == [0]

            step = {"account_id": 5, "token": claim["token"], "seq": 0, "wait_s": 0,
                    "attempts": 0, "rejections": 0, "reason": None}
            assert other.do("next", **step)["claimed"] == 1
            assert other.do("release", **step)["claimed"] == 1
    finally:
        released.set()
    assert deliver(site).stdout == counts(2)
    assert numbers(receiver.taken()) == [0, 0, 1]


def test_what_a_fenced_off_deliverer_cannot_do(queue):
    queue.put(event(0))
    with queue.helper() as one:
        old = one.do("claim", after=-1, holder="one")
        assert one.do("claim", after=-1, holder="two")["token"] == 0
        queue.psql("UPDATE delivery SET until = 'epoch'")
        new = one.do("claim", after=-1, holder="two")
        assert new["token"] > old["token"]
        before = queue.psql("SELECT * FROM delivery")

        seq = int(queue.psql("SELECT seq FROM pending"))
        step = {"account_id": 5, "token": old["token"], "seq": seq, "wait_s": 9, "attempts": 1,
                "rejections": 1, "reason": "no"}
        for verb in ("next", "taken", "put_off", "bury", "release"):
            assert one.do(verb, **step)["claimed"] == 0, verb

    assert queue.psql("SELECT * FROM delivery") == before
    assert queue.pending() == 1 and queue.dead() == []


def test_a_settlement_may_be_repeated(queue):
    """Its reply may have been lost."""
    queue.put(event(0), event(1), event(2))
    with queue.helper() as one:
        for verb, left in (("taken", 2), ("bury", 1), ("put_off", 1)):
            claim = one.do("claim", after=-1, holder="one")
            assert claim["token"] > 0, "one's own claim"
            step = {"account_id": 5, "token": claim["token"], "seq": 0, "wait_s": 9,
                    "attempts": 1, "rejections": 0, "reason": "no"}
            step["seq"] = one.do("next", **step)["seq"]
            for _ in range(2):
                assert one.do(verb, **step)["claimed"] == 1
            assert queue.pending() == left
    assert queue.dead() == ["no"] and queue.attempts()[0] == 1


def test_killed_deliverers(queue, site, receiver):
    """What was claimed by those that were killed is delivered by others."""
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    receiver.misbehave("status", None, every=5, status=503)
    stop = threading.Event()

    def send_all():
        for number in range(EVENTS):
            events = [event(number, 5 + account) for account in range(ACCOUNTS)]
            queue.put(*events, *chance.sample(events, 2))

    def arrived():
        return {(one.account, number) for one, number
                in zip(receiver.taken(), numbers(receiver.taken()))}

    sender = threading.Thread(target=send_all)
    sender.start()
    running = [site.start_ctl("deliver", "--follow") for _ in range(DELIVERERS)]
    kills = 0
    try:
        while len(arrived()) < ACCOUNTS * EVENTS:
            assert kills < 40 * EVENTS, f"seed {seed}: some events do not arrive"
            came = len(receiver.deliveries())
            queue.travel()
            process.wait_until(lambda came=came: len(receiver.deliveries()) > came
                               or len(arrived()) == ACCOUNTS * EVENTS
                               or queue.travel(), "a delivery")
            stop.wait(chance.uniform(0, 0.02))
            victim = running.pop(0)
            assert victim.poll() is None, victim.communicate()
            victim.kill()
            victim.communicate()
            queue.end_claims(victim.pid)
            running.append(site.start_ctl("deliver", "--follow"))
            kills += 1
        receiver.behave()
        process.wait_until(lambda: queue.travel() or queue.pending() == 0, "the end of the queue")
    finally:
        for one in running:
            one.kill()
            one.communicate()
        sender.join()

    assert receiver.problems() == [] and queue.dead() == []
    expected = list(range(EVENTS))
    assert by_account(receiver.taken()) == {5 + n: expected for n in range(ACCOUNTS)}, seed
    twice = len(receiver.taken()) - ACCOUNTS * EVENTS
    assert twice <= 2 * kills, "repetitions are delivered"


def test_the_claim_of_a_killed_deliverer_lasts(queue, site, receiver):
    """Its helper may still deliver."""
    queue.put(event(0), event(1, 6))
    released = threading.Event()
    first = start_and_hold(site, receiver, released)
    first.kill()
    first.communicate()

    assert deliver(site).stdout == counts(1)
    left = queue.psql("SELECT until > now() AND until <= now() + interval '30 s' FROM delivery")
    released.set()
    assert left == "t"
    queue.end_claims(first.pid)
    assert deliver(site).stdout == counts(1)


def test_a_failover_in_the_middle_of_a_delivery(queue, site, receiver, cluster):
    queue.put(event(0), event(1))
    released = threading.Event()
    first = start_and_hold(site, receiver, released)
    try:
        cluster.kill()
        released.set()
        cluster.promote()
        assert first.communicate(timeout=process.PATIENCE)[0] == counts(2)
    finally:
        released.set()
    assert numbers(receiver.taken()) == [0, 1]
    assert queue.pending() == 0


# Old events.

def test_old_events_are_removed_unless_they_wait(queue, site, receiver):
    old = 1_000_000
    queue.put(event(0, at=old), event(1, 6), event(2, 7, at=old))
    receiver.misbehave("status", None, account=5, status=503)
    queue.psql("INSERT INTO event (account_id, id, received_at, line) SELECT 8, gen_random_uuid(),"
               " 'epoch', 'x' FROM generate_series(1, 2500)")

    deliver(site, status=1)
    deliver(site, status=1)     # what the first has delivered

    assert queue.psql("SELECT account_id FROM event ORDER BY 1") == "5\n6"


def test_old_events_are_removed_where_delivery_was_switched_off(queue, site, receiver):
    queue.put(event(0, at=1_000_000), event(1, at=1_000_000), event(2, 6))
    receiver.misbehave("status", None, account=5, status=503)
    deliver(site, status=1)
    with queue.helper() as helper:
        helper.do("prune_events", keep_s=DAY, waiting=0)
        assert (queue.pending(), queue.attempts()[0]) == (2, 1)
        assert helper.do("prune_events", keep_s=DAY, waiting=1) == {"pruned": 2}
        assert helper.do("queue_state", since=0)["blocked"] == 0

    assert queue.psql("SELECT account_id FROM event") == "6"
    assert (queue.pending(), queue.claims()) == (0, 0)
    assert deliver(site).stdout == counts(0)


# Its state.

def test_the_state_of_the_queue(queue, site, receiver):
    with queue.helper() as helper:
        nothing = helper.do("queue_state", since=0)
        assert set(nothing.values()) == {0}
        queue.put(event(0, at=2_000_000), event(1, 6, at=1_000_000), event(2, at=3_000_000))
        queue.put(event(3, at=4_000_000), pending=False)
        receiver.misbehave("status", account=5, status=503)
        receiver.misbehave("status", account=6, status=503)
        deliver(site, status=1)
        queue.put(event(4, 7, at=3_400_000))

        state = helper.do("queue_state", since=3_500_000)

    assert state == {**nothing, "events": 1, "newest": 3_400_000, "waiting": 1,
                     "waiting_since": 3_400_000, "blocked": 2, "account_id": 5, "attempts": 1,
                     "next_at": state["next_at"]}
    assert state["next_at"] > 4_000_000
