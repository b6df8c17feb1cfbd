"""amocrmctl deliver --follow under a storm of kill -9, with a back end that fails one time in
three: every event arrives, in its account's order."""

import random
import threading
import time
from collections import defaultdict

import webhooks
from deliveries import (RETRY_AFTER, blocked, dead, deliver, event, numbers, put, receiver,
                        site, travel)  # noqa: F401
from sandbox import process

ACCOUNTS = 8
EVENTS = 15             # of each
PATIENCE = 40           # seconds
LONGEST = 1.0           # seconds one is left to live
TURNS = 15


def send_all(site, sent):
    """amoCRM goes on while deliver comes and goes."""
    for number in range(ACCOUNTS * EVENTS):
        body = b"leads[add][0][id]=%d&account[id]=%d" % (number, 5 + number % ACCOUNTS)
        webhooks.accepted(webhooks.send(site, body))
        sent.append(number)


def storm(site, receiver, chance):
    """Until all has arrived; how many were killed."""
    kills, deadline = 0, time.monotonic() + PATIENCE
    while len({one.id for one in receiver.taken()}) < ACCOUNTS * EVENTS:
        assert time.monotonic() < deadline, "not all arrives"
        following = site.start_ctl("deliver", "--follow")
        try:
            # now and then in the very middle of a delivery
            came = len(receiver.deliveries())
            if chance.random() < 0.5:
                process.wait_until(lambda: len(receiver.deliveries()) > came, "a delivery", 3)
                time.sleep(chance.uniform(0, 0.02))
            else:
                time.sleep(chance.uniform(0.02, LONGEST))
        except TimeoutError:
            pass
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
        # a repetition may be late: what was handed to the helper before a kill goes on its way
        first = list(dict.fromkeys(came))
        assert first == list(range(account - 5, ACCOUNTS * EVENTS, ACCOUNTS)), f"seed {seed}"
    twice = len(receiver.taken()) - ACCOUNTS * EVENTS
    assert twice <= kills, "more than one is sent again for each kill"

    receiver.clear()
    travel(site)    # a repetition may have been refused
    deliver(site)
    assert len(receiver.deliveries()) <= 1 and blocked(site) == {}


def test_what_is_put_aside_is_never_nowhere(site, receiver):
    """Killed around the last of all attempts."""
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

    put_aside = {int(one["payload"]["leads"]["add"][0]["id"]) for one in dead(site)}
    assert put_aside | set(numbers(receiver.taken())) == set(range(TURNS))
