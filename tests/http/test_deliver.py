"""amocrmctl deliver: every event reaches the back end, in its account's order, signed."""

import email.utils
import importlib.util
import json
import os
import signal
import sys
import threading
import time
from urllib.parse import quote

import pytest

import app
import journal
import webhooks
from connections import ID, SOON, connect
from deliveries import (RETRY_AFTER, actions, blocked, configure, counts, cursor_file, dead, deliver,
                        event, line, numbers, put, receiver, site, travel)  # noqa: F401
from sandbox import pki, process
from sandbox.receiver import Receiver, new_secret, signature
from sandbox.site import ROOT

DAY = 86400


# What is sent.

def test_an_event_is_posted_as_it_is_printed(site, receiver):
    webhooks.accepted(webhooks.send(site, b"leads[add][0][id]=1&account[id]=5"))
    began = int(time.time())

    done = deliver(site)

    assert (done.stdout, done.stderr) == (counts(1), "")
    [delivery] = receiver.deliveries()
    assert receiver.problems() == []
    assert delivery.line + "\n" == site.ctl("events").stdout
    assert delivery.id == delivery.event["id"]
    assert began <= int(delivery.timestamp) <= time.time()
    assert delivery.header("Content-Type") == "application/json"
    assert delivery.header("User-Agent").startswith("amo-crm-cgi/")
    assert delivery.header("Expect") is None and delivery.header("Transfer-Encoding") is None
    assert delivery.signatures == [
        signature(receiver.secret, delivery.id, delivery.timestamp, delivery.body)]


def test_each_is_sent_once(site, receiver):
    put(site, *(event(n) for n in range(3)))

    assert deliver(site).stdout == counts(3)
    assert deliver(site).stdout == counts(0)
    put(site, event(3))
    assert deliver(site, "--once").stdout == counts(1)

    assert numbers(receiver.deliveries()) == [0, 1, 2, 3]


def test_without_events_nothing_is_done(site, receiver):
    assert deliver(site).stdout == counts(0)
    assert receiver.connections() == []


BODIES = {
    "Ukrainian": "п'ятниця, їжак".encode(),
    "beyond the first plane": "🏠 \U0010fffd".encode(),
    "what JSON escapes": b"\"\\\b\f\n\r\t\x01\x1f\x7f/",
    "what JavaScript would not take": "\u2028\u2029".encode(),
    "not UTF-8": b"\xff\xc0\xaf\xed\xa0\x80ok",
    "a NUL": b"a\0b",
    "a script": b"</script><script>",
    "escapes as text": b"\\u0041\\n%41+",
    "nothing": b"",
    "long": b"\xd1\x8f" * 100_000,
}


@pytest.mark.parametrize("text", BODIES.values(), ids=BODIES.keys())
def test_whatever_stands_in_it(site, receiver, text):
    body = b"leads[add][0][name]=" + quote(text).encode() + b"&account[id]=5"
    if b"\0" in text:
        webhooks.refused(webhooks.send(site, body), 400, "invalid_request")
        return
    webhooks.accepted(webhooks.send(site, body))

    deliver(site)

    [delivery] = receiver.taken()
    assert delivery.line + "\n" == site.ctl("events").stdout


def test_as_long_as_a_webhook_may_be(site, receiver):
    """Many times what is read of an answer; every byte is several in JSON, and more in a string."""
    head = b"account[id]=5&leads[add][0][text]="
    webhooks.accepted(webhooks.send(site, head + b"\x01" * (webhooks.MAX_BODY - len(head))))
    put(site, event(1))

    assert deliver(site).stdout == counts(2)

    assert len(receiver.taken()[0].body) > 6 * (webhooks.MAX_BODY - 1000)


def test_as_long_as_an_event_may_be(site, amocrm, receiver):
    """The configuration allows bodies of 8 MiB; the journal, events of 32 MiB."""
    configure(site, amocrm, receiver, webhook_max_body=8388608)
    head = b"account[id]=5&leads[add][0][text]="
    webhooks.accepted(webhooks.send(site, head + b"\x01" * 4_500_000))
    put(site, event(1))

    assert deliver(site).stdout == counts(2)

    assert len(receiver.taken()[0].body) > 27_000_000


def test_an_event_of_no_account(site, receiver):
    put(site, {**event(1), "account_id": None}, {**event(2), "account_id": None})

    assert deliver(site).stdout == counts(2)


def test_what_is_no_event_is_passed(site, receiver):
    whole = line(event(2))
    put(site, event(1), "no event at all", '{"not":"ours"}', whole[:50], whole[:-1], "[]", "null",
        "", event(3))

    done = deliver(site)

    assert numbers(receiver.deliveries()) == [1, 3]
    assert "torn lines" in done.stderr


def test_a_line_is_waited_for_until_it_is_whole(site, receiver):
    put(site, event(1))
    whole = line(event(2)) + "\n"
    with journal.segment(site).open("a") as file:
        file.write(whole[:40])

    assert deliver(site).stdout == counts(1)
    with journal.segment(site).open("a") as file:
        file.write(whole[40:])
    assert deliver(site).stdout == counts(1)

    assert numbers(receiver.deliveries()) == [1, 2]


def test_events_of_one_segment_after_the_other(site, receiver):
    for number in (1, 2, 10):
        put(site, event(number), number=number)
    assert deliver(site).stdout == counts(3)
    put(site, event(11), number=11)
    journal.segment(site, 1).unlink()
    journal.segment(site, 10).unlink()

    assert deliver(site).stdout == counts(1)

    assert numbers(receiver.deliveries()) == [1, 2, 10, 11]


# What need not be kept.

def age(file, days):
    then = time.time() - days * DAY
    os.utime(file, (then, then))


def segments(site):
    return sorted(int(file.stem) for file in journal.segment(site).parent.glob("0*.ndjson"))


def test_what_is_delivered_and_old_is_forgotten(site, amocrm, receiver):
    for number in range(1, 6):
        put(site, event(number), number=number)
    for number, days in {1: 100, 2: 91, 3: 89, 4: 95}.items():
        age(journal.segment(site, number), days)

    deliver(site)

    assert segments(site) == [3, 4, 5], "the oldest go first, and none from the middle"
    configure(site, amocrm, receiver, webhook_keep_days=88)
    assert deliver(site).stdout == counts(0)
    assert segments(site) == [5], "the newest stays"
    assert numbers(receiver.taken()) == [1, 2, 3, 4, 5]


def test_what_is_not_delivered_is_not_forgotten(site, receiver):
    for number in range(1, 6):
        put(site, event(number, account=number), number=number)
        age(journal.segment(site, number), 1000)
    receiver.misbehave("status", account=3)

    deliver(site, status=1)

    assert segments(site)[-3:] == [3, 4, 5] and 1 not in segments(site)
    travel(site)
    assert deliver(site).stdout == counts(1)
    assert segments(site) == [5]


def test_following_forgets_too(site, receiver):
    with Following(site):
        for number in (1, 2):
            put(site, event(number), number=number)
        age(journal.segment(site, 1), 1000)
        process.wait_until(lambda: segments(site) == [2], "the first segment to go")
    assert numbers(receiver.taken()) == [1, 2]


# The signature.

def test_two_secrets_make_two_signatures(site, amocrm, receiver):
    old, new = receiver.secret, new_secret(64)
    receiver.secrets = [new]
    configure(site, amocrm, receiver, deliver_secret=f"{new} {old}")
    put(site, event(1))

    deliver(site)

    [delivery] = receiver.taken()
    assert delivery.signatures == [
        signature(secret, delivery.id, delivery.timestamp, delivery.body) for secret in (new, old)]


def test_the_old_secret_alone_verifies_while_there_are_two(site, amocrm, receiver):
    configure(site, amocrm, receiver, deliver_secret=f"{new_secret()} {receiver.secret}")
    put(site, event(1))

    deliver(site)

    assert len(receiver.taken()) == 1


def test_another_secret_is_refused_by_the_receiver(site, amocrm, receiver):
    configure(site, amocrm, receiver, deliver_secret=new_secret())
    put(site, event(1))

    assert "401" in deliver(site, status=1).stderr

    assert receiver.taken() == []


def test_the_example_for_receivers_verifies_it(site, receiver, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)   # nothing is left among the documents
    place = ROOT / "docs" / "examples" / "verify_webhook.py"
    spec = importlib.util.spec_from_file_location("verify_webhook", place)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    put(site, event(1, name="їжак"))

    deliver(site)

    [delivery] = receiver.deliveries()
    keys, headers = example.read_secrets(receiver.secret), dict(delivery.headers)
    assert example.refusal(keys, headers, delivery.body, time.time()) == ""
    for changed in (delivery.body + b" ", delivery.body.replace(b"1", b"2", 1)):
        assert example.refusal(keys, headers, changed, time.time()) != ""


BAD_SECRETS = {
    "none": None,
    "no prefix": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "another prefix": "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "only the prefix": "whsec_",
    "23 bytes": new_secret(23),
    "65 bytes": new_secret(65),
    "no base64": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa*w",
    "a bad one beside a good one": f"{new_secret()} whsec_short",
}


@pytest.mark.parametrize("secret", BAD_SECRETS.values(), ids=BAD_SECRETS.keys())
def test_a_secret_that_is_none_is_told_beforehand(site, amocrm, receiver, secret):
    configure(site, amocrm, receiver, deliver_secret=secret)
    put(site, event(1))

    done = deliver(site, status=1)

    assert "secret" in done.stderr
    assert secret in (None, "whsec_") or secret not in done.stderr
    assert receiver.connections() == []


# Where it is sent, and where never.

def test_without_a_url_nothing_can_be_done(site, amocrm, receiver):
    configure(site, amocrm, receiver, deliver_url=None)

    assert "url" in deliver(site, status=1).stderr


def test_https_and_its_certificate(site, amocrm, tmp_path):
    """A receiver whose certificate the CA in ca_file has signed, and one whose has not."""
    good = amocrm.issue("backend", ["backend.example"])
    unknown = pki.Authority(tmp_path / "ca", "Unknown CA").issue("backend", ["backend.example"])
    for certificate, taken in ((unknown, 0), (good, 1)):
        with Receiver(certificate=certificate) as receiver:
            configure(site, amocrm, receiver, deliver_url="https://backend.example/events",
                      amocrm_connect_to=f"backend.example:443:127.0.0.1:{receiver.port}")
            site.new_store()
            put(site, event(1))

            done = deliver(site, status=not taken)

            assert len(receiver.taken()) == taken
            assert receiver.connections()
            assert "certificate" in done.stderr or taken


# {port} leads to the receiver wherever that is possible at all.
PRIVATE = {
    "loopback": "https://127.0.0.1:{port}/events",
    "all of loopback": "https://127.1.2.3:{port}/events",
    "loopback as one number": "https://2130706433:{port}/events",
    "loopback in hexadecimal": "https://0x7f000001:{port}/events",
    "loopback in octal": "https://0177.0.0.1:{port}/events",
    "loopback cut short": "https://127.1:{port}/events",
    "a name that is loopback": "https://localhost:{port}/events",
    "the same in capitals": "https://LOCALHOST:{port}/events",
    "the same with a dot": "https://localhost.:{port}/events",
    "a name that leads to loopback": "https://backend.example/events",
    "this machine": "https://0.0.0.0:{port}/events",
    "loopback, IPv6": "https://[::1]:{port}/events",
    "loopback, IPv4 in IPv6": "https://[::ffff:127.0.0.1]:{port}/events",
    "this machine, IPv6": "https://[::]:{port}/events",
    "ten": "https://10.0.0.1/events",
    "one seven two": "https://172.16.0.1/events",
    "its end": "https://172.31.255.254/events",
    "one nine two": "https://192.168.1.1/events",
    "link-local, where clouds tell secrets": "https://169.254.169.254/events",
    "carriers'": "https://100.64.0.1/events",
    "multicast": "https://224.0.0.1/events",
    "broadcast": "https://255.255.255.255/events",
    "unique local": "https://[fd00::1]/events",
    "link-local, IPv6": "https://[fe80::1]/events",
    "IPv4 in 6to4": "https://[2002:7f00:1::]/events",
    "IPv4 in NAT64": "https://[64:ff9b::7f00:1]/events",
}


@pytest.mark.parametrize("url", PRIVATE.values(), ids=PRIVATE.keys())
def test_private_addresses_are_not_called(site, amocrm, receiver, url):
    configure(site, amocrm, receiver, deliver_url=url.format(port=receiver.port),
              deliver_allow_private="no",
              amocrm_connect_to=f"backend.example:443:127.0.0.1:{receiver.port}")
    put(site, event(1))
    began = time.monotonic()

    deliver(site, status=1)

    assert receiver.connections() == []
    assert time.monotonic() - began < 2, "it has tried to connect"


@pytest.mark.parametrize("url", [PRIVATE[name] for name in (
    "loopback", "a name that is loopback", "a name that leads to loopback", "this machine")])
def test_they_are_where_it_is_allowed(site, amocrm, receiver, url):
    """Or the test above proves nothing.  https it is, so the handshake is all that comes."""
    configure(site, amocrm, receiver, deliver_url=url.format(port=receiver.port),
              amocrm_connect_to=f"backend.example:443:127.0.0.1:{receiver.port}")
    put(site, event(1))

    deliver(site, status=1)

    assert receiver.connections()


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/events", "http://backend.example/events",
                                 "http://192.0.2.1/events"])
def test_plain_http_is_refused(site, amocrm, receiver, url):
    configure(site, amocrm, receiver, deliver_url=url.format(port=receiver.port),
              deliver_allow_private="no",
              amocrm_connect_to=f"backend.example:80:127.0.0.1:{receiver.port}")
    put(site, event(1))

    assert "allow_private" in deliver(site, status=1).stderr

    assert receiver.connections() == []
    assert not cursor_file(site).exists(), "the account is blocked, though nobody was asked"


@pytest.mark.parametrize("url", ["https://user:word@127.0.0.1:{port}/events", "https://",
                                 "ftp://127.0.0.1:{port}/events", "file:///etc/passwd"])
def test_a_url_that_is_none_is_told_beforehand(site, amocrm, receiver, url):
    configure(site, amocrm, receiver, deliver_url=url.format(port=receiver.port))
    put(site, event(1))

    assert "url" in deliver(site, status=1).stderr

    assert receiver.connections() == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_not_followed(site, receiver, status):
    put(site, event(1))
    receiver.misbehave("redirect", status=status)

    assert str(status) in deliver(site, status=1).stderr

    assert len(receiver.connections()) == 1
    assert list(blocked(site)) == [5]


# What is taken, and what becomes of what is not.

@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_what_counts_as_taken(site, receiver, status):
    put(site, event(1))
    receiver.misbehave("status", status=status)

    assert deliver(site).stdout == counts(1)
    assert deliver(site).stdout == counts(0)


@pytest.mark.parametrize("kind, told", [
    ({"status": 300}, "300"), ({"status": 304}, "304"), ({"status": 400}, "400"),
    ({"status": 401}, "401"), ({"status": 404}, "404"), ({"status": 409}, "409"),
    ({"status": 429}, "429"), ({"status": 500}, "500"), ({"status": 503}, "503"),
    ({"kind": "reset"}, "127.0.0.1")])
def test_what_does_not(site, receiver, kind, told):
    put(site, event(1))
    receiver.misbehave(**{"kind": "status", **kind})

    done = deliver(site, status=1)

    assert done.stdout == counts(0, blocked=1)
    assert told in done.stderr and event(1)["id"][:8] in done.stderr
    assert deliver(site, status=1).stdout == counts(0, blocked=1), "its time has not come"
    assert len(receiver.deliveries()) == 1
    travel(site)
    assert deliver(site).stdout == counts(1)


def test_nobody_listens(site, amocrm, receiver):
    put(site, event(1))
    with process.dead_port() as port:
        configure(site, amocrm, receiver, deliver_url=f"http://127.0.0.1:{port}/events")
        assert deliver(site, status=1).stdout == counts(0, blocked=1)
    configure(site, amocrm, receiver)
    travel(site)

    assert deliver(site).stdout == counts(1)


def test_a_long_answer_is_not_read(site, receiver):
    put(site, event(1), event(2))
    receiver.misbehave("long")

    assert deliver(site).stdout == counts(2)


def test_a_slow_receiver_is_waited_for(site, receiver):
    put(site, event(1))
    receiver.misbehave("slow", seconds=1.5)

    assert deliver(site).stdout == counts(1)


def test_410_ends_it(site, receiver):
    put(site, event(1), event(2), event(3, account=6))
    receiver.misbehave("status", status=410)

    done = deliver(site, status=1)

    assert "410" in done.stderr and "no more events" in done.stderr
    assert len(receiver.deliveries()) == 1
    assert deliver(site).stdout == counts(3), "what was refused for good is lost"


def test_410_ends_following(site, receiver):
    put(site, event(1))
    receiver.misbehave("status", status=410)

    with Following(site) as following:
        assert following.ended() == 0, "it would be started again"
    assert b"410" in following.complaint


# Order.

def test_a_blocked_account_does_not_block_others(site, receiver):
    put(site, *(event(n, account=5 + n % 3) for n in range(12)))
    receiver.misbehave("status", None, account=6)

    assert deliver(site, status=1).stdout == counts(8, blocked=1)

    assert numbers(receiver.taken()) == [0, 2, 3, 5, 6, 8, 9, 11]
    assert [one.account for one in receiver.deliveries()].count(6) == 1, "one behind it was tried"
    receiver.behave()
    put(site, event(12, account=6), event(13))
    travel(site)
    assert deliver(site).stdout == counts(6)
    assert numbers(one for one in receiver.taken() if one.account == 6) == [1, 4, 7, 10, 12]


def test_all_accounts_blocked(site, receiver):
    put(site, *(event(n, account=n % 20) for n in range(60)))
    receiver.misbehave("status", None)
    assert deliver(site, status=1).stdout == counts(0, blocked=20)
    receiver.behave()
    travel(site)

    assert deliver(site).stdout == counts(60)

    assert in_order(receiver.taken())


def in_order(deliveries):
    latest = {}
    for one, number in zip(deliveries, numbers(deliveries)):
        if number <= latest.get(one.account, -1):
            return False
        latest[one.account] = number
    return True


def test_behind_a_retried_event_others_may_fail(site, receiver):
    """Each has its attempts for itself."""
    put(site, *(event(n) for n in range(4)))
    receiver.misbehave("status", None, every=2)
    for _ in range(3):
        assert deliver(site, status=1).stdout == counts(1, blocked=1)
        assert blocked(site)[5]["attempts"] == 1
        travel(site)
    assert deliver(site).stdout == counts(1)
    assert numbers(receiver.taken()) == [0, 1, 2, 3]


# When it is tried again.

@pytest.mark.parametrize("attempts", range(9))
def test_the_schedule(site, receiver, attempts):
    put(site, event(1))
    receiver.misbehave("status", None)
    deliver(site, status=1)
    if attempts > 0:
        travel(site, attempts=attempts)
        deliver(site, status=1)

    told = blocked(site)[5]

    assert told["attempts"] == max(attempts + 1, 1)
    wait = told["next_at"] - time.time()
    assert 0.89 * RETRY_AFTER[attempts] - 2 < wait < 1.11 * RETRY_AFTER[attempts] + 1


def test_the_schedule_is_not_the_same_to_the_second(site, receiver):
    """Receivers that failed together are not asked together."""
    put(site, *(event(n, account=n) for n in range(20)))
    receiver.misbehave("status", None)
    deliver(site, status=1)
    travel(site, attempts=5)
    deliver(site, status=1)

    assert len({one["next_at"] for one in blocked(site).values()}) > 10


RETRY_AFTERS = {
    "seconds": ("7", 7), "an hour": ("3600", 3600), "a week is too long": ("604800", DAY),
    "none": (None, 5), "nonsense": ("soon", 5), "a negative number": ("-7", 5),
}


@pytest.mark.parametrize("given, wait", RETRY_AFTERS.values(), ids=RETRY_AFTERS.keys())
def test_retry_after(site, receiver, given, wait):
    put(site, event(1))
    receiver.misbehave("status", status=503, retry_after=given)

    deliver(site, status=1)

    assert abs(blocked(site)[5]["next_at"] - time.time() - wait) < 2


def test_retry_after_a_date(site, receiver):
    put(site, event(1))
    receiver.misbehave("status", status=429,
                       retry_after=email.utils.formatdate(time.time() + 600, usegmt=True))

    deliver(site, status=1)

    assert abs(blocked(site)[5]["next_at"] - time.time() - 600) < 3


@pytest.mark.parametrize("ahead, taken", [(0.99 * DAY, 0), (400 * DAY, 1)],
                         ids=["as the schedule may say", "written when the clock was fast"])
def test_a_clock_that_was_set_back_blocks_nobody(site, receiver, ahead, taken):
    put(site, event(1))
    receiver.misbehave("status")
    deliver(site, status=1)
    travel(site, next_at=int(time.time() + ahead))

    told = deliver(site, status=0 if taken else 1).stdout

    assert told == counts(taken, blocked=1 - taken)


def test_what_is_never_taken_is_put_aside(site, receiver):
    put(site, event(1), event(2), event(3, account=6))
    receiver.misbehave("status", None, account=5)
    deliver(site, status=1)
    travel(site, attempts=len(RETRY_AFTER))

    done = deliver(site, status=1)

    assert done.stdout == counts(0, given_up=1, blocked=1)
    assert "given up" in done.stderr
    assert dead(site) == [event(1)] or dead(site)[0]["id"] == event(1)["id"]
    assert (site.store / "events" / "dead.ndjson").stat().st_mode & 0o777 == 0o600
    assert blocked(site)[5]["attempts"] == 1, "the next one begins anew"
    receiver.behave()
    travel(site)
    assert deliver(site).stdout == counts(1)
    assert numbers(receiver.taken()) == [3, 2]


def test_what_was_put_aside_stays_so(site, receiver):
    put(site, event(1))
    receiver.misbehave("status", None)
    deliver(site, status=1)
    travel(site, attempts=len(RETRY_AFTER))
    deliver(site, status=1)
    receiver.clear()

    assert deliver(site).stdout == counts(0)

    assert receiver.deliveries() == []
    assert numbers_of(dead(site)) == [1]


def numbers_of(events):
    return [int(one["payload"]["leads"]["add"][0]["id"]) for one in events]


# Repetitions.

def test_a_repetition_is_not_sent(site, receiver):
    body = b"leads[add][0][id]=1&account[id]=5"
    for _ in range(3):
        webhooks.accepted(webhooks.send(site, body))
    assert deliver(site).stdout == counts(1)
    webhooks.accepted(webhooks.send(site, body))
    webhooks.accepted(webhooks.send(site, body.replace(b"=1", b"=2")))

    assert deliver(site).stdout == counts(1), "another process has forgotten what was sent"

    assert len({one.id for one in receiver.deliveries()}) == len(receiver.deliveries()) == 2


@pytest.mark.parametrize("later, sent", [(1, 1), (DAY - 60, 1), (DAY + 60, 2)])
@pytest.mark.parametrize("restart", [False, True], ids=["in one run", "in two"])
def test_a_day_later_it_is_another_event(site, receiver, later, sent, restart):
    began = time.time() - 1.9 * DAY
    first = event(1, at=began)
    put(site, first)
    if restart:
        deliver(site)
    put(site, {**event(1, at=began + later)})

    deliver(site)

    assert len(receiver.deliveries()) == sent


def test_a_repetition_of_a_blocked_event(site, receiver):
    put(site, event(1), event(1))
    receiver.misbehave("status")
    deliver(site, status=1)
    put(site, event(1), event(2))
    deliver(site, status=1)
    travel(site)

    assert deliver(site).stdout == counts(2)

    assert numbers(receiver.taken()) == [1, 2]


# What becomes of connections is told the same way.

def test_connections_that_come_and_go(site, amocrm, receiver):
    connect(site, amocrm, life=SOON)
    amocrm.misbehave("server_error")
    site.ctl("token", ID, check=False)
    amocrm.misbehave("token_revoked")
    site.ctl("token", ID, check=False)
    connect(site, amocrm)
    app.disconnected(app.User(site).disconnect())

    deliver(site)

    told = receiver.taken()
    assert actions(told) == ["connection.connected", "connection.refresh_failed",
                             "connection.revoked", "connection.connected",
                             "connection.disconnected"]
    assert {one.account for one in told} == {ID}
    assert receiver.problems() == []
    assert [one.line for one in told] == site.ctl("events").stdout.splitlines()
    payload = told[1].event["payload"]
    assert payload["account"] == {"id": str(ID), "subdomain": "reforyou"}
    assert "500" in payload["connection"]["refresh_failed"][0]["reason"]
    for name, secret in site.secrets():
        for one in told:
            assert secret not in one.body, name


# Following, and one at a time.

class Following:
    def __init__(self, site):
        self.process = site.start_ctl("deliver", "--follow")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        _, self.complaint = self.process.communicate()
        print(self.complaint)

    def ended(self):
        return self.process.wait(15)


def arrived(receiver, count):
    return process.wait_until(lambda: len(receiver.taken()) >= count, f"{count} deliveries")


def test_follow_goes_on(site, receiver):
    put(site, event(0))
    with Following(site) as following:
        for n in range(1, 4):
            arrived(receiver, n)
            put(site, event(n), number=1 + n // 3)
        arrived(receiver, 4)
        assert following.process.poll() is None
    assert numbers(receiver.taken()) == [0, 1, 2, 3]


def test_follow_begins_before_the_first_event_of_all(site, receiver):
    with Following(site):
        webhooks.accepted(webhooks.send(site, b"leads[add][0][id]=1&account[id]=5"))
        arrived(receiver, 1)


def test_follow_tries_again_by_itself(site, receiver):
    put(site, event(1), event(2), event(3, account=6))
    receiver.misbehave("status", 2, account=5, retry_after=1)
    with Following(site):
        arrived(receiver, 3)
    assert numbers(receiver.taken()) == [3, 1, 2]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_asking_it_to_end_ends_it(site, receiver, name):
    put(site, event(1))
    with Following(site) as following:
        arrived(receiver, 1)
        process.wait_until(cursor_file(site).exists, "the cursor")
        began = time.monotonic()
        following.process.send_signal(getattr(signal, name))
        assert following.ended() in (0, -getattr(signal, name))
        assert time.monotonic() - began < 2
    assert following.complaint == b""
    assert deliver(site).stdout == counts(0), "what was sent is sent again"


def test_only_one_at_a_time(site, receiver):
    release = threading.Event()
    put(site, event(1))
    receiver.misbehave("held", until=release)
    with Following(site):
        process.wait_until(receiver.deliveries, "the delivery")

        for options in ([], ["--once"], ["--follow"]):
            assert "another amocrmctl deliver" in deliver(site, *options, status=1).stderr

        release.set()
        arrived(receiver, 1)
    assert deliver(site).stdout in (counts(0), counts(1))
    assert {one.id for one in receiver.deliveries()} == {event(1)["id"]}


@pytest.mark.parametrize("options", [["now"], ["--sometimes"], ["--once", "5"], ["--follow=1"],
                                     ["--once", "--follow"]])
def test_a_wrong_call_is_told(site, receiver, options):
    put(site, event(1))

    why, usage = deliver(site, *options, status=2).stderr.splitlines()
    assert "--once or --follow" in why and usage.startswith("usage:")

    assert receiver.connections() == []


# When our own side is at fault.

CURSORS = {
    "empty": "", "no JSON": "{", "a list": "[]", "no place": '{"held_up":[]}',
    "no list": '{"segment":1,"offset":0}',
    "an account without a place": '{"segment":1,"offset":0,"held_up":[{"account_id":5}]}',
    "attempts below none": '{"segment":1,"offset":9,"held_up":[{"account_id":5,"segment":1,'
                           '"offset":0,"attempts":-7,"next_at":0}]}',
    "attempts beyond all numbers": '{"segment":1,"offset":9,"held_up":[{"account_id":5,'
                                   '"segment":1,"offset":0,"attempts":4294967290,"next_at":0}]}',
    "a place before the file": '{"segment":1,"offset":-9,"held_up":[]}',
}


@pytest.mark.parametrize("text", CURSORS.values(), ids=CURSORS.keys())
def test_a_damaged_cursor_is_told_and_nothing_is_sent(site, receiver, text):
    put(site, event(1))
    cursor_file(site).write_text(text)
    process.give(cursor_file(site), 0o600, owner=True)

    assert "events/cursor is damaged" in deliver(site, status=1).stderr

    assert receiver.connections() == []
    assert cursor_file(site).read_text() == text


def test_a_place_that_cannot_be_kept_ends_it(site, receiver):
    put(site, *(event(n) for n in range(5)))
    folder = site.store / "events"
    folder.chmod(0o500)
    try:
        assert "cursor" in deliver(site, status=1).stderr
        assert len(receiver.deliveries()) == 1, "it goes on, and will have to send all again"
    finally:
        folder.chmod(0o700)
    assert deliver(site).stdout == counts(5)


def test_a_store_that_is_not_there(site, amocrm, receiver):
    configure(site, amocrm, receiver, store_path=site.folder / "nowhere")

    assert "nowhere" in deliver(site, status=1).stderr


def test_no_secret_is_told(site, receiver):
    put(site, event(1), event(2, account=6))
    receiver.misbehave("status")

    done = deliver(site, status=1)

    for text in (done.stdout, done.stderr, json.dumps(blocked(site))):
        assert receiver.secret not in text
        assert receiver.secret.removeprefix("whsec_") not in text
