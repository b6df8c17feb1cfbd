"""Webhooks killed at any moment: an event whose response was 200 is stored exactly as it was
sent."""

import contextlib
import json
import random
import socket
import threading
import time
from urllib.parse import urlencode

import webhooks
from killing import Moments
from sandbox import process
from sandbox.servers import cgi_answer

ROUNDS = 400
AT_ONCE = 3
PATH = "/api/amo-crm/webhook"
HEADERS = {"Content-Type": webhooks.FORM}


def item_of(n):
    """The item of event n.  Every fifth one is large, so that writing it takes a while."""
    length = 100000 if n % 5 == 0 else n * 37 % 250
    return {"id": str(n), "text": chr(0x430 + n % 32) * length}


def body_of(n):
    pairs = {f"leads[update][0][{name}]": value for name, value in item_of(n).items()}
    return urlencode({**pairs, "account[id]": "5"}).encode()


def answered(output):
    """Whether the output is a complete response with status 200."""
    with contextlib.suppress(AssertionError, ValueError):
        answer = cgi_answer(output, "POST")
        return answer.status == 200 and answer.header("Content-Length") == str(len(answer.body))
    return False


def ask_and_kill(site, n, patience):
    program = site.server.start(PATH, method="POST", headers=HEADERS, body=body_of(n))
    killer = threading.Timer(patience, program.kill)
    killer.start()
    try:
        with contextlib.suppress(BrokenPipeError):
            output, _ = program.communicate(body_of(n), timeout=process.PATIENCE)
            return answered(output)
        return False
    finally:
        killer.cancel()
        program.kill()
        program.wait()


def usual_time(site):
    began = time.monotonic()
    for n in range(-5, 0):
        program = site.server.start(PATH, method="POST", headers=HEADERS, body=body_of(n))
        assert answered(program.communicate(body_of(n), timeout=process.PATIENCE)[0])
    return (time.monotonic() - began) / 5


def stored(site):
    """The stored items, and the message about lines that were skipped."""
    printed = site.ctl("events", "--items")
    items = [json.loads(line) for line in printed.stdout.splitlines()]
    return items, printed.stderr


def test_no_event_is_lost_after_a_200(bare):
    bare.configure(webhook_accounts="any")
    chance = random.Random(20261122)
    moments = Moments(chance, usual_time(bare))
    counted_from = len(stored(bare)[0])
    was_answered = set()

    def sender(numbers):
        for n in numbers:
            answered_first = ask_and_kill(bare, n, moments.draw())
            moments.learn(not answered_first)
            if answered_first:
                was_answered.add(n)

    senders = [threading.Thread(target=sender, args=(range(first, ROUNDS, AT_ONCE),))
               for first in range(AT_ONCE)]
    for one in senders:
        one.start()
    for one in senders:
        one.join()

    items, complaint = stored(bare)
    items = items[counted_from:]
    there = [int(line["item"]["id"]) for line in items]
    assert len(set(there)) == len(there), "an event is stored twice"
    for line in items:
        assert line["item"] == item_of(int(line["item"]["id"]))
    assert was_answered <= set(there), f"lost: {sorted(was_answered - set(there))}"
    # kills came before, during and after the write
    assert 20 < len(was_answered) < ROUNDS - 20, len(was_answered)
    assert complaint == "" or "lines skipped" in complaint

    webhooks.accepted(webhooks.send(bare, body_of(ROUNDS)))
    assert stored(bare)[0][-1]["item"] == item_of(ROUNDS)


def test_a_sender_that_hangs_up_does_not_affect_the_others(on_servers):
    """amoCRM gives up after two seconds, and the server may then kill the program."""
    on_servers.configure(webhook_accounts="any")
    for n in range(60):
        body = body_of(n)
        with contextlib.suppress(OSError), socket.create_connection(
                ("127.0.0.1", on_servers.server.port), 30) as connection:
            connection.sendall(
                f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {webhooks.FORM}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            time.sleep(n % 7 / 1000)

    webhooks.accepted(webhooks.send(on_servers, body_of(60)))

    items, complaint = stored(on_servers)
    for line in items:
        assert line["item"] == item_of(int(line["item"]["id"]))
    assert "60" in [line["item"]["id"] for line in items]
