"""Web servers kill CGI programs all the time: when a phone hangs up, when a limit is reached.

Callbacks are killed at random moments, one or two at a time, several hundred times.  Whatever was
answered must be there afterwards, readable; whatever was not may be there or not, but never half.
"""

import random
import select
import signal
import subprocess
import time

import pytest

import expect
from app import User
from sandbox.process import wait_until
from sandbox.servers import cgi_answer

ROUNDS = 400
TIME = 20           # seconds, should the machine be slow
PATIENCE = 120      # seconds, until enough were killed and enough answered
ENOUGH = 20
USERS = 40          # so that records are changed as well as made
ANY_ACCOUNT = {"amocrm_account": None, "app_connections": "per_user", "app_state": "any"}
DEBRIS_MAX = 4      # files left by killed writers, until the next one comes along


def killed_after(program, seconds):
    """What the program had written by then, and whether it was all."""
    program.stdin.close()
    written, deadline = b"", time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([program.stdout], [], [], left)[0]:
            break
        if not (piece := program.stdout.read1()):
            break
        written += piece
    program.kill()
    written += program.stdout.read()
    program.stdout.close()
    program.wait()
    return written


def usual_time(site, amocrm):
    """Seconds a callback takes here."""
    taken = []
    for _ in range(5):
        began = time.monotonic()
        site.get("callback", amocrm.approve())
        taken.append(time.monotonic() - began)
    return sorted(taken)[2]


@pytest.mark.parametrize("connections", ["per_user", "shared"])
def test_what_was_answered_outlives_every_kill(bare, amocrm, connections):
    bare.configure(**(ANY_ACCOUNT if connections == "per_user" else {}))
    for user in range(100, 100 + USERS):
        amocrm.add_user(user)
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    path = bare.url("callback").removeprefix("http://localhost")
    span = usual_time(bare, amocrm)
    answered, killed, began = [], 0, time.monotonic()
    for turn in range(ROUNDS):
        passed = time.monotonic() - began
        enough = killed > ENOUGH and len(answered) > ENOUGH
        if passed > PATIENCE or (enough and (turn >= ROUNDS // 2 or passed > TIME / 2)):
            break
        pair = []
        for _ in range(chance.choice((1, 2))):
            user = chance.randrange(100, 100 + USERS)
            told = amocrm.approve(user=user)
            pair.append((user, told, bare.server.start(path, told)))
        for user, told, program in pair:
            output = killed_after(program, chance.uniform(0.1, 1.4) * span)
            if program.returncode:
                killed += 1
            if complete(output):
                expect.connected(cgi_answer(output), told["code"])
                answered.append(user)

    assert killed > ENOUGH and len(answered) > ENOUGH, \
        f"{killed} killed and {len(answered)} answered says nothing"
    stored = {one["amocrm_user_id"]: one for one in bare.connections()}
    if connections == "per_user":
        lost = set(answered) - set(stored)
        assert not lost, f"answered, and gone: {sorted(lost)} (seed {seed})"
    else:
        assert stored, f"nothing is left (seed {seed})"
    on_lists = bare.ctl("check", check=False).stdout
    assert "account's list" not in on_lists, f"{on_lists} (seed {seed})"
    if connections == "shared":
        assert User(bare).is_connected(), f"everybody's connection is lost (seed {seed})"
    for user in stored:
        token = bare.ctl("token", f"31920194/{user}").stdout.rstrip("\n")
        assert amocrm.oauth.bearer(amocrm.who()[0], token).user.id == user, f"seed {seed}"


def complete(output):
    head, end, body = output.partition(b"\r\n\r\n")
    return bool(end) and f"Content-Length: {len(body)}\r\n".encode() in head + b"\r\n"


def test_killed_writers_do_not_fill_the_disk(bare, amocrm):
    """What they leave is taken away by later ones, or it grows for ever."""
    path = bare.url("callback").removeprefix("http://localhost")
    span = usual_time(bare, amocrm)
    for turn in range(80):
        killed_after(bare.server.start(path, amocrm.approve()), span * (0.2 + turn / 80))
    for _ in range(3):
        expect.connected(bare.get("callback", told := amocrm.approve()), told["code"])

    debris = [file.name for file in bare.store.rglob("*")
              if file.is_file() and file.suffix not in (".gdbm", ".room")
              and file.name != "locks"]
    assert len(debris) <= DEBRIS_MAX, debris


def test_asking_to_end_while_tokens_are_on_their_way_waits_for_the_disk(bare, amocrm):
    """TERM, HUP and PIPE between the request to amoCRM and the disk would cost the code."""
    path = bare.url("callback").removeprefix("http://localhost")
    for name in ("SIGTERM", "SIGHUP", "SIGPIPE"):
        amocrm.forget()
        told = amocrm.approve(user=2)
        program = bare.server.start(path, told)
        wait_until(amocrm.exchanges, "the exchange")
        program.send_signal(getattr(signal, name))
        try:
            program.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            program.kill()
            raise
        expect.connected(bare.get("callback", told), told["code"])
        assert len(amocrm.exchanges()) == 1, f"{name} has lost the tokens"
