"""amocrmctl deliver --follow, often killed with kill -9, with a back end that fails every third
time:  every event arrives, in order for each account."""

import random
import threading
import time
from collections import defaultdict

import webhooks
from deliveries import (RETRY_AFTER, blocked, dead, deliver, event, numbers,
                        present_cursor_file, put, receiver, site, travel)  # noqa: F401
from sandbox import process

ACCOUNTS = 8
EVENTS = 15             # of each account
LONGEST = 0.5           # seconds that a turn waits for what need not come
TURNS_MAX = 20 * EVENTS * ACCOUNTS  # every other one delivers something
TURNS = 15


def send_all(site, sent):
    """amoCRM sends webhooks while deliver is killed and restarted."""
    for number in range(ACCOUNTS * EVENTS):
        body = b"leads[add][0][id]=%d&account[id]=%d" % (number, 5 + number % ACCOUNTS)
        webhooks.accepted(webhooks.send(site, body))
        sent.append(number)


def passes_within(seconds, true):
    """Waits until the condition is true, or that many seconds."""
    try:
        process.wait_until(true, "a condition", seconds)
    except TimeoutError:
        pass


def storm(site, receiver, chance):
    """Kills deliver until all events have arrived; returns the number of kills."""
    def arrived():
        return len({one.id for one in receiver.taken()}) == ACCOUNTS * EVENTS

    kills = 0
    while not arrived():
        assert kills < TURNS_MAX, "some events do not arrive"
        came = len(receiver.deliveries())
        if present_cursor_file(site):
            travel(site)
        following = site.start_ctl("deliver", "--follow")
        # every other time in the middle of a delivery: of the first, which is due, or of a later
        # one, unless all that is left is blocked for longer than a turn
        if chance.random() < 0.5:
            process.wait_until(lambda: len(receiver.deliveries()) > came, "a delivery")
            passes_within(LONGEST, lambda more=chance.randrange(1, 10):
                          len(receiver.deliveries()) >= came + more)
            time.sleep(chance.uniform(0, 0.02))
        else:
            time.sleep(chance.uniform(0.02, LONGEST))
        assert following.poll() is None, following.communicate()
        following.kill()
        following.communicate()
        kills += 1
    return kills


def test_every_event_arrives_in_order(site, receiver):
    seed = random.randrange(1 << 32)
    receiver.misbehave("status", None, every=3, status=503, retry_after=1)
    sent = []
    sender = threading.Thread(target=send_all, args=(site, sent))
    sender.start()
    try:
        kills = storm(site, receiver, random.Random(seed))
    finally:
        sender.join()

    assert len(sent) == ACCOUNTS * EVENTS and kills > 5
    assert receiver.problems() == [] and dead(site) == []
    arrived = defaultdict(list)
    for one, number in zip(receiver.taken(), numbers(receiver.taken())):
        arrived[one.account].append(number)
    for account, came in arrived.items():
        # a duplicate may be late: the helper sends what it was given before the kill
        first = list(dict.fromkeys(came))
        assert first == list(range(account - 5, ACCOUNTS * EVENTS, ACCOUNTS)), f"seed {seed}"
    twice = len(receiver.taken()) - ACCOUNTS * EVENTS
    assert twice <= kills, "more than one duplicate for each kill"

    receiver.clear()
    travel(site)    # a duplicate may have been refused
    deliver(site)
    assert len(receiver.deliveries()) <= 1 and blocked(site) == {}


def test_no_event_is_lost_while_it_is_given_up(site, receiver):
    """deliver is killed at about the last attempt."""
    chance = random.Random()
    for number in range(TURNS):
        put(site, event(number))
        receiver.misbehave("status", None)
        deliver(site, status=1)
        travel(site, attempts=len(RETRY_AFTER))
        came = len(receiver.deliveries())
        delivering = site.start_ctl("deliver")
        process.wait_until(lambda: len(receiver.deliveries()) > came, "the last attempt")
        time.sleep(chance.uniform(0, 0.01))
        delivering.kill()
        delivering.communicate()
        receiver.behave()
        travel(site)
        deliver(site)

    given_up = {int(one["payload"]["leads"]["add"][0]["id"]) for one in dead(site)}
    assert given_up | set(numbers(receiver.taken())) == set(range(TURNS))
