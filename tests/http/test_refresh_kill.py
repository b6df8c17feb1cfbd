"""amocrmctl token and refresh, killed with kill -9 at any moment.

A token that was printed is on disk.  A connection is lost only if amoCRM had already revoked its
old token when the process was killed, before the reply with the new pair was stored.
"""

import random
import time

import pytest

from connections import (ANY_ACCOUNT, ID, SOON, connect, notices, pair, stored, tokens_that_last,
                         works)
from killing import Moments, killed_after
from sandbox import process
from sandbox.limits import PER_SECOND, busiest_second

ROUNDS = 80
ACCOUNTS = 50
DUE = 3600
TURNS_MAX = 20 * ACCOUNTS   # most turns refresh one connection or more


def usual_time(site):
    """The median time of a refresh in seconds."""
    taken = []
    for _ in range(5):
        began = time.monotonic()
        site.ctl("token", ID)
        taken.append(time.monotonic() - began)
    return sorted(taken)[2]


def test_what_was_printed_is_on_disk(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    amocrm.oauth.kommo_grace = True
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    printed = killed = 0
    with tokens_that_last(amocrm, SOON):    # every call has to refresh the token
        moments = Moments(chance, usual_time(bare))
        for _ in range(ROUNDS):
            asking = bare.start_ctl("token", ID)
            line = killed_after(asking, moments.draw())
            moments.learn(asking.returncode != 0)
            killed += asking.returncode != 0
            if line.endswith(b"\n"):
                printed += 1
                assert pair(bare)["access_token"].encode() == line.rstrip(b"\n"), f"seed {seed}"
    assert killed > ROUNDS // 10 and printed > ROUNDS // 20, \
        f"too few: {killed} killed, {printed} printed"
    assert works(amocrm, bare.ctl("token", ID).stdout.removesuffix("\n")) == 1


def fleet(site, amocrm, size):
    site.configure(**ANY_ACCOUNT, amocrm_budget="50 50")
    for user in range(100, 100 + size):
        amocrm.add_user(user)
        connect(site, amocrm, user=user, life=SOON)


def due(site):
    """The users whose tokens are still due, and those whose connection is revoked."""
    soon = time.time() + DUE
    pairs = stored(site)
    states = {one["amocrm_user_id"]: one["state"] for one in site.connections()}
    assert pairs.keys() == {(ID, user) for user in states}
    return ({user for user, state in states.items()
             if state == "active" and pairs[ID, user]["expires_at"] < soon},
            {user for user, state in states.items() if state != "active"})


def refreshes(amocrm):
    return amocrm.exchanges("refresh_token")


def aim(amocrm, refreshing, chance):
    """Waits until amoCRM has received one of the next requests; returns a short random delay."""
    more = len(refreshes(amocrm)) + chance.randrange(1, 4)
    process.wait_until(lambda: len(refreshes(amocrm)) >= more or refreshing.poll() is not None,
                       "a request")
    return chance.uniform(0, 0.03)


def storm(site, amocrm, chance):
    """Refreshes and kills until nothing is due; returns the number of kills, and the users whose
    request was in progress at a kill."""
    first = {tokens["refresh_token"]: user for (_, user), tokens in stored(site).items()}
    kills, turns = [], 0
    while due(site)[0]:
        turns += 1
        assert turns < TURNS_MAX, "tokens are still due"
        refreshing = site.start_ctl("refresh", "--due", DUE)
        killed_after(refreshing,
                     aim(amocrm, refreshing, chance) if chance.random() < 0.7 else chance.uniform(0.02, 1.5))
        if refreshing.returncode:
            kills.append(len(refreshes(amocrm)))
    asked = [first[request.json["refresh_token"]] for request in refreshes(amocrm)]
    # the helper may send a request after the kill
    return len(kills), {user for count in kills for user in asked[max(count - 1, 0):count + 1]}


@pytest.mark.parametrize("grace, size", [(True, ACCOUNTS), (False, ACCOUNTS // 2)],
                         ids=["with grace", "without grace"])
def test_random_kills(bare, amocrm, grace, size):
    fleet(bare, amocrm, size)
    amocrm.oauth.kommo_grace = grace
    seed = random.randrange(1 << 32)

    kills, in_progress = storm(bare, amocrm, random.Random(seed))

    assert kills > 2, "too few kills"
    assert busiest_second([request.time for request in refreshes(amocrm)]) <= 2 * PER_SECOND
    lost = due(bare)[1]
    if grace:
        assert not lost, f"lost: {lost} (seed {seed})"
    assert lost <= in_progress, f"lost without a kill: {lost - in_progress} (seed {seed})"
    assert [action for _, action in notices(bare)].count("revoked") == len(lost)
    for (_, user), tokens in stored(bare).items():
        if user not in lost:
            assert works(amocrm, tokens["access_token"]) == user, f"seed {seed}"
