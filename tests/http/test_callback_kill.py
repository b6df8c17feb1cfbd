"""A web server kills a CGI program when a phone hangs up, or when a limit is reached.

Callbacks are killed at random moments, one or two at a time, several hundred times.  A connection
whose response was complete must be stored and readable afterwards; otherwise it may be stored or
not, but never partially.
"""

import random
import signal
import subprocess
import time

import pytest

import expect
from app import User
from connections import ANY_ACCOUNT, occupied, slots
from killing import Moments, killed_after
from sandbox import process
from sandbox.process import wait_until
from sandbox.servers import cgi_answer

ROUNDS = 400        # turns, of which half are enough on a slow machine
TIME = 10           # seconds that a machine is not slow
ENOUGH = 20         # of the programs that were killed, and of those that responded
USERS = 40          # so that records are changed as well as created
MANY_CALLS = {"amocrm_budget": "50 50"}
DEBRIS_MAX = 2      # files left by killed writers, until the next writer removes them
KEPT = {"locks", "budget", "lock"}      # and events, shards, and the slots of the escrow


def usual_time(site, amocrm):
    """The median time of a callback in seconds."""
    taken = []
    for _ in range(5):
        began = time.monotonic()
        site.get("callback", amocrm.approve())
        taken.append(time.monotonic() - began)
    return sorted(taken)[2]


@pytest.mark.parametrize("connections", ["per_user", "shared"])
def test_no_connection_is_lost_after_its_response(bare, amocrm, connections):
    bare.configure(**MANY_CALLS, **(ANY_ACCOUNT if connections == "per_user" else {}))
    for user in range(100, 100 + USERS):
        amocrm.add_user(user)
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    path = bare.url("callback").removeprefix("http://localhost")
    moments = Moments(chance, usual_time(bare, amocrm))
    answered, killed, began = [], 0, time.monotonic()
    for turn in range(ROUNDS):
        if (killed > ENOUGH and len(answered) > ENOUGH
                and (turn >= ROUNDS // 2 or time.monotonic() - began > TIME)):
            break
        pair = []
        for _ in range(chance.choice((1, 2))):
            user = chance.randrange(100, 100 + USERS)
            params = amocrm.approve(user=user)
            pair.append((user, params, bare.server.start(path, params)))
        for user, params, program in pair:
            output = killed_after(program, moments.draw())
            moments.learn(program.returncode != 0)
            killed += program.returncode != 0
            if complete(output):
                expect.connected(cgi_answer(output), params["code"])
                answered.append(user)

    assert killed > ENOUGH and len(answered) > ENOUGH, \
        f"too few: {killed} killed, {len(answered)} responses"
    stored = {one["amocrm_user_id"]: one for one in bare.connections()}
    if connections == "per_user":
        lost = set(answered) - set(stored)
        assert not lost, f"lost after the response: {sorted(lost)} (seed {seed})"
    else:
        assert stored, f"no connection is left (seed {seed})"
    on_lists = bare.ctl("check", check=False).stdout
    assert "account's list" not in on_lists, f"{on_lists} (seed {seed})"
    if connections == "shared":
        assert User(bare).is_connected(), f"the shared connection is lost (seed {seed})"
    for user in stored:
        token = bare.ctl("token", f"31920194/{user}").stdout.rstrip("\n")
        assert amocrm.oauth.bearer(amocrm.who()[0], token).user.id == user, f"seed {seed}"


def complete(output):
    head, end, body = output.partition(b"\r\n\r\n")
    return bool(end) and f"Content-Length: {len(body)}\r\n".encode() in head + b"\r\n"


def test_killed_writers_do_not_fill_the_disk(bare, amocrm):
    """Later writers remove the files that killed writers have left."""
    bare.configure(**MANY_CALLS)
    path = bare.url("callback").removeprefix("http://localhost")
    span = usual_time(bare, amocrm)
    for turn in range(80):
        killed_after(bare.server.start(path, amocrm.approve()), span * (0.2 + turn / 80))
    for _ in range(3):
        expect.connected(bare.get("callback", params := amocrm.approve()), params["code"])

    # how many slots the escrow has depends on when programs were killed
    debris = [file.name for file in {*bare.store.rglob("*")} - {*slots(bare)}
              if file.is_file() and file.suffix not in (".gdbm", ".room", ".ndjson")
              and file.name not in KEPT]
    assert len(debris) <= DEBRIS_MAX, debris
    bare.ctl("accounts")
    assert occupied(bare) == []


def test_a_signal_during_the_exchange_waits_until_the_tokens_are_stored(bare, amocrm):
    """TERM, HUP and PIPE after the request to amoCRM would lose the tokens, and the code is
    used."""
    path = bare.url("callback").removeprefix("http://localhost")
    for name in ("SIGTERM", "SIGHUP", "SIGPIPE"):
        amocrm.forget()
        params = amocrm.approve(user=2)
        program = bare.server.start(path, params)
        wait_until(amocrm.exchanges, "the exchange")
        program.send_signal(getattr(signal, name))
        try:
            program.communicate(timeout=process.PATIENCE)
        except subprocess.TimeoutExpired:
            program.kill()
            raise
        expect.connected(bare.get("callback", params), params["code"])
        assert len(amocrm.exchanges()) == 1, f"{name} has lost the tokens"
