"""amocrmctl deliver: every event reaches the back end, signed, and in order for each account."""

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
import expect
import findings
import journal
import webhooks
from connections import ID, SOON, connect
from deliveries import (RETRY_AFTER, actions, blocked, configure, counts, cursor_file, dead, deliver,
                        event, line, numbers, put, receiver, site, travel)  # noqa: F401
from sandbox import pki, process
from sandbox.proxy import Proxy
from sandbox.receiver import Receiver, new_secret, signature
from sandbox.site import ROOT

DAY = 86400
BACKEND = "backend.localhost"   # every name below localhost is this machine


# The request.

def test_an_event_is_delivered_as_it_is_printed(site, receiver):
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


def test_each_event_is_sent_once(site, receiver):
    put(site, *(event(n) for n in range(3)))

    assert deliver(site).stdout == counts(3)
    assert deliver(site).stdout == counts(0)
    put(site, event(3))
    assert deliver(site, "--once").stdout == counts(1)

    assert numbers(receiver.deliveries()) == [0, 1, 2, 3]


def test_without_events_no_connection_is_made(site, receiver):
    assert deliver(site).stdout == counts(0)
    assert receiver.connections() == []


BODIES = {
    "Ukrainian": "п'ятниця, їжак".encode(),
    "beyond the first plane": "🏠 \U0010fffd".encode(),
    "characters that JSON escapes": b"\"\\\b\f\n\r\t\x01\x1f\x7f/",
    "line ends of JavaScript": "\u2028\u2029".encode(),
    "not UTF-8": b"\xff\xc0\xaf\xed\xa0\x80ok",
    "a NUL": b"a\0b",
    "a script": b"</script><script>",
    "escapes as text": b"\\u0041\\n%41+",
    "nothing": b"",
    "long": b"\xd1\x8f" * 100_000,
}


@pytest.mark.parametrize("text", BODIES.values(), ids=BODIES.keys())
def test_any_content_of_an_event(site, receiver, text):
    body = b"leads[add][0][name]=" + quote(text).encode() + b"&account[id]=5"
    if b"\0" in text:
        webhooks.refused(webhooks.send(site, body), 400, "invalid_request")
        return
    webhooks.accepted(webhooks.send(site, body))

    deliver(site)

    [delivery] = receiver.taken()
    assert delivery.line + "\n" == site.ctl("events").stdout


def test_the_longest_default_webhook(site, receiver):
    """Bytes of the webhook become several bytes of JSON, up to twice the limit of a body."""
    head = b"account[id]=5&leads[add][0][text]="
    controls = (2 * webhooks.MAX_BODY - webhooks.MAX_BODY) // 5 - 200
    webhooks.accepted(webhooks.send(
        site, head + b"\x01" * controls + b"a" * (webhooks.MAX_BODY - len(head) - controls)))
    put(site, event(1))

    assert deliver(site).stdout == counts(2)

    assert len(receiver.taken()[0].body) > 2 * webhooks.MAX_BODY - 4000


def test_the_longest_event(site, amocrm, receiver):
    """The configuration allows bodies of 8 MiB, and lines of twice as much."""
    configure(site, amocrm, receiver, webhook_max_body=8388608)
    head = b"account[id]=5&leads[add][0][text]="
    webhooks.accepted(webhooks.send(site, head + b"\x01" * 2_700_000))
    put(site, event(1))

    assert deliver(site).stdout == counts(2)

    assert len(receiver.taken()[0].body) > 16_000_000


def test_events_without_an_account(site, receiver):
    put(site, {**event(1), "account_id": None}, {**event(2), "account_id": None})

    assert deliver(site).stdout == counts(2)


def test_lines_that_are_not_events_are_skipped(site, receiver):
    whole = line(event(2))
    put(site, event(1), "not an event", '{"not":"ours"}', whole[:50], whole[:-1], "[]", "null",
        "", event(3))

    done = deliver(site)

    assert numbers(receiver.deliveries()) == [1, 3]
    assert "torn or unreadable lines" in done.stderr


def test_an_incomplete_line_is_not_delivered_yet(site, receiver):
    put(site, event(1))
    whole = line(event(2)) + "\n"
    with journal.segment(site).open("a") as file:
        file.write(whole[:40])

    assert deliver(site).stdout == counts(1)
    with journal.segment(site).open("a") as file:
        file.write(whole[40:])
    assert deliver(site).stdout == counts(1)

    assert numbers(receiver.deliveries()) == [1, 2]


def test_segments_are_delivered_in_order(site, receiver):
    for number in (1, 2, 10):
        put(site, event(number), number=number)
    assert deliver(site).stdout == counts(3)
    put(site, event(11), number=11)
    journal.segment(site, 1).unlink()
    journal.segment(site, 10).unlink()

    assert deliver(site).stdout == counts(1)

    assert numbers(receiver.deliveries()) == [1, 2, 10, 11]


# Removing old segments.

def age(file, days):
    then = time.time() - days * DAY
    os.utime(file, (then, then))


def segments(site):
    return sorted(int(file.stem) for file in journal.segment(site).parent.glob("0*.ndjson"))


def test_old_delivered_segments_are_removed(site, amocrm, receiver):
    for number in range(1, 6):
        put(site, event(number), number=number)
    for number, days in {1: 100, 2: 91, 3: 89, 4: 95}.items():
        age(journal.segment(site, number), days)

    deliver(site)

    assert segments(site) == [3, 4, 5], "old segments are removed from the beginning only"
    configure(site, amocrm, receiver, webhook_keep_days=88)
    assert deliver(site).stdout == counts(0)
    assert segments(site) == [5], "the newest segment is kept"
    assert numbers(receiver.taken()) == [1, 2, 3, 4, 5]


def test_undelivered_segments_are_kept(site, receiver):
    for number in range(1, 6):
        put(site, event(number, account=number), number=number)
        age(journal.segment(site, number), 1000)
    receiver.misbehave("status", account=3)

    deliver(site, status=1)

    assert segments(site)[-3:] == [3, 4, 5] and 1 not in segments(site)
    travel(site)
    assert deliver(site).stdout == counts(1)
    assert segments(site) == [5]


def test_follow_removes_old_segments(site, receiver):
    with Following(site):
        for number in (1, 2):
            put(site, event(number), number=number)
        age(journal.segment(site, 1), 1000)
        process.wait_until(lambda: segments(site) == [2], "the removal of the first segment")
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


def test_the_old_secret_verifies_while_two_are_configured(site, amocrm, receiver):
    configure(site, amocrm, receiver, deliver_secret=f"{new_secret()} {receiver.secret}")
    put(site, event(1))

    deliver(site)

    assert len(receiver.taken()) == 1


def test_the_receiver_refuses_another_secret(site, amocrm, receiver):
    configure(site, amocrm, receiver, deliver_secret=new_secret())
    put(site, event(1))

    assert "401" in deliver(site, status=1).stderr

    assert receiver.taken() == []


def test_the_example_receiver_verifies_a_delivery(site, receiver, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)   # no file is left in docs/
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
    "not base64": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa*w",
    "an invalid secret after a valid one": f"{new_secret()} whsec_short",
}


@pytest.mark.parametrize("secret", BAD_SECRETS.values(), ids=BAD_SECRETS.keys())
def test_an_invalid_secret_is_reported_before_connecting(site, amocrm, receiver, secret):
    configure(site, amocrm, receiver, deliver_secret=secret)
    put(site, event(1))

    done = deliver(site, status=1)

    assert "secret" in done.stderr
    assert secret in (None, "whsec_") or secret not in done.stderr
    assert receiver.connections() == []


# URLs that are allowed and refused.

def test_a_missing_url_is_reported(site, amocrm, receiver):
    configure(site, amocrm, receiver, deliver_url=None)

    assert "url" in deliver(site, status=1).stderr


def test_https_and_its_certificate(site, amocrm, tmp_path):
    """A receiver with a certificate of the CA in ca_file, and one with that of an unknown CA."""
    good = amocrm.issue("backend", [BACKEND])
    unknown = pki.Authority(tmp_path / "ca", "Unknown CA").issue("backend", [BACKEND])
    for certificate, taken in ((unknown, 0), (good, 1)):
        with Receiver(certificate=certificate) as receiver:
            configure(site, amocrm, receiver, deliver_ca_file=amocrm.ca_file,
                      deliver_url=f"https://{BACKEND}:{receiver.port}/events")
            site.new_store()
            put(site, event(1))

            done = deliver(site, status=not taken)

            assert len(receiver.taken()) == taken
            assert receiver.connections()
            assert "certificate" in done.stderr or taken


def test_the_settings_for_amocrm_do_not_apply_to_deliveries(site, amocrm, receiver, tmp_path):
    """Neither its proxy nor its other addresses are used, and its ca_file is not trusted."""
    with Proxy() as proxy, process.dead_port() as port:
        configure(site, amocrm, receiver, amocrm_proxy=proxy.url,
                  amocrm_ca_file=tmp_path / "none.pem", amocrm_connect_to=f"::127.0.0.1:{port}")
        put(site, event(1))
        deliver(site)
        assert len(receiver.taken()) == 1 and proxy.asked == []

    with Receiver(certificate=amocrm.issue("backend", [BACKEND])) as other:
        configure(site, amocrm, other, amocrm_ca_file=amocrm.ca_file,
                  deliver_url=f"https://{BACKEND}:{other.port}/events")
        put(site, event(2), number=2)
        assert "certificate" in deliver(site, status=1).stderr


def test_the_settings_for_deliveries_do_not_apply_to_amocrm(bare, amocrm, receiver, tmp_path):
    with Proxy() as proxy:
        configure(bare, amocrm, receiver, deliver_proxy=proxy.url,
                  deliver_ca_file=tmp_path / "none.pem")
        params = amocrm.approve()
        expect.connected(bare.get("callback", params), params["code"])
        assert proxy.asked == []


def test_a_proxy_for_deliveries(site, amocrm, receiver):
    with (Receiver(certificate=amocrm.issue("backend", [BACKEND])) as receiver,
          Proxy(receiver.port) as proxy):
        configure(site, amocrm, receiver, deliver_url=f"https://{BACKEND}/events",
                  deliver_proxy=proxy.url, deliver_ca_file=amocrm.ca_file)
        put(site, event(1))

        deliver(site)

        assert proxy.asked == [f"{BACKEND}:443"] and len(receiver.taken()) == 1


# {port} is the receiver's, where it can be reached at all.
PRIVATE = {
    "loopback": "https://127.0.0.1:{port}/events",
    "all of loopback": "https://127.1.2.3:{port}/events",
    "loopback as one number": "https://2130706433:{port}/events",
    "loopback in hexadecimal": "https://0x7f000001:{port}/events",
    "loopback in octal": "https://0177.0.0.1:{port}/events",
    "loopback cut short": "https://127.1:{port}/events",
    "a name that is loopback": "https://localhost:{port}/events",
    "loopback's name in capitals": "https://LOCALHOST:{port}/events",
    "loopback's name with a dot": "https://localhost.:{port}/events",
    "a name that resolves to loopback": "https://backend.localhost:{port}/events",
    "this machine": "https://0.0.0.0:{port}/events",
    "loopback, IPv6": "https://[::1]:{port}/events",
    "loopback, IPv4 in IPv6": "https://[::ffff:127.0.0.1]:{port}/events",
    "this machine, IPv6": "https://[::]:{port}/events",
    "10.0.0.0/8": "https://10.0.0.1/events",
    "172.16.0.0/12": "https://172.16.0.1/events",
    "172.16.0.0/12, its last address": "https://172.31.255.254/events",
    "192.168.0.0/16": "https://192.168.1.1/events",
    "link-local, a cloud's metadata service": "https://169.254.169.254/events",
    "carrier-grade NAT": "https://100.64.0.1/events",
    "multicast": "https://224.0.0.1/events",
    "broadcast": "https://255.255.255.255/events",
    "unique local": "https://[fd00::1]/events",
    "link-local, IPv6": "https://[fe80::1]/events",
    "IPv4 in 6to4": "https://[2002:7f00:1::]/events",
    "IPv4 in NAT64": "https://[64:ff9b::7f00:1]/events",
}


@pytest.mark.parametrize("url", PRIVATE.values(), ids=PRIVATE.keys())
def test_private_addresses_are_refused(site, amocrm, receiver, url):
    configure(site, amocrm, receiver, deliver_url=url.format(port=receiver.port),
              deliver_allow_private="no")
    put(site, event(1))

    def try_again():
        if cursor_file(site).exists():
            travel(site, attempts=1)
        deliver(site, status=1)

    process.quick(2, "the refusal", try_again)      # a connection would be tried for longer
    assert receiver.connections() == []


@pytest.mark.parametrize("url", [PRIVATE[name] for name in (
    "loopback", "a name that is loopback", "a name that resolves to loopback", "this machine")])
def test_private_addresses_are_contacted_if_allowed(site, amocrm, receiver, url):
    """So the test above proves something.  The receiver has no TLS: only the handshake begins."""
    configure(site, amocrm, receiver, deliver_url=url.format(port=receiver.port))
    put(site, event(1))

    deliver(site, status=1)

    assert receiver.connections()


@pytest.mark.parametrize("url", PRIVATE.values(), ids=PRIVATE.keys())
def test_private_addresses_are_refused_behind_a_proxy(site, amocrm, receiver, url):
    """The proxy's address says nothing about the host's."""
    with Proxy() as proxy:
        configure(site, amocrm, receiver, deliver_url=url.format(port=receiver.port),
                  deliver_allow_private="no", deliver_proxy=proxy.url)
        put(site, event(1))

        deliver(site, status=1)

        assert proxy.asked == [], "the proxy was asked for a private address"


def test_a_name_without_an_address_here_is_not_left_to_the_proxy(site, amocrm, receiver):
    with Proxy() as proxy:
        configure(site, amocrm, receiver, deliver_url="https://nobody.invalid/events",
                  deliver_allow_private="no", deliver_proxy=proxy.url)
        put(site, event(1))

        done = deliver(site, status=1)

        assert proxy.asked == [] and "nobody.invalid" in done.stderr


@pytest.mark.parametrize("host, allowed", [
    ("192.0.2.1", "no"), ("[2001:db8::1]", "no"), ("127.0.0.1", "yes"), ("nobody.invalid", "yes")])
def test_other_addresses_are_asked_of_the_proxy(site, amocrm, receiver, host, allowed):
    """So the tests above prove something; the proxy itself has a private address."""
    with Proxy() as proxy:
        configure(site, amocrm, receiver, deliver_url=f"https://{host}/events",
                  deliver_allow_private=allowed, deliver_proxy=proxy.url)
        put(site, event(1))

        deliver(site, status=1)

        assert proxy.asked and set(proxy.asked) == {f"{host}:443"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/events", "http://backend.example/events",
                                 "http://192.0.2.1/events"])
def test_plain_http_is_refused(site, amocrm, receiver, url):
    configure(site, amocrm, receiver, deliver_url=url.format(port=receiver.port),
              deliver_allow_private="no")
    put(site, event(1))

    assert "allow_private" in deliver(site, status=1).stderr

    assert receiver.connections() == []
    assert not cursor_file(site).exists(), "the account is blocked, though no request was sent"


@pytest.mark.parametrize("url", ["https://user:word@127.0.0.1:{port}/events", "https://",
                                 "ftp://127.0.0.1:{port}/events", "file:///etc/passwd"])
def test_an_invalid_url_is_reported_before_connecting(site, amocrm, receiver, url):
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


# Responses that accept an event, and failures.

@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_statuses_that_accept_an_event(site, receiver, status):
    put(site, event(1))
    receiver.misbehave("status", status=status)

    assert deliver(site).stdout == counts(1)
    assert deliver(site).stdout == counts(0)


@pytest.mark.parametrize("status", [300, 304, 307, 400, 401, 403, 404, 409, 413, 422, 451, 499])
def test_a_rejected_event_does_not_hold_up_its_account(site, receiver, status):
    put(site, event(1), event(2))
    receiver.misbehave("status", 3, status=status)

    assert str(status) in deliver(site, status=1).stderr
    for _ in range(2):
        assert 0 < blocked(site)[5]["next_at"] - time.time() < 60, "all within a minute"
        travel(site)
        done = deliver(site, status=int(len(receiver.deliveries()) < 3))

    assert done.stdout == counts(1, given_up=1)
    assert numbers_of(dead(site)) == [1]
    assert numbers(receiver.taken()) == [2]


@pytest.mark.parametrize("kind, word", [
    ({"status": 408}, "408"), ({"status": 425}, "425"), ({"status": 429}, "429"), ({"status": 500}, "500"), ({"status": 503}, "503"),
    ({"kind": "reset"}, "127.0.0.1")])
def test_failures_that_are_retried(site, receiver, kind, word):
    put(site, event(1))
    receiver.misbehave(**{"kind": "status", **kind})

    done = deliver(site, status=1)

    assert done.stdout == counts(0, blocked=1)
    assert word in done.stderr and event(1)["id"][:8] in done.stderr
    assert deliver(site, status=1).stdout == counts(0, blocked=1), "it is retried too early"
    assert len(receiver.deliveries()) == 1
    travel(site)
    assert deliver(site).stdout == counts(1)


def test_connection_refused(site, amocrm, receiver):
    put(site, event(1))
    with process.dead_port() as port:
        configure(site, amocrm, receiver, deliver_url=f"http://127.0.0.1:{port}/events")
        assert deliver(site, status=1).stdout == counts(0, blocked=1)
    configure(site, amocrm, receiver)
    travel(site)

    assert deliver(site).stdout == counts(1)


def test_a_long_response_is_not_read(site, receiver):
    put(site, event(1), event(2))
    receiver.misbehave("long")

    assert deliver(site).stdout == counts(2)


def test_a_slow_receiver(site, receiver):
    put(site, event(1))
    receiver.misbehave("slow", seconds=1.5)

    assert deliver(site).stdout == counts(1)


def test_410_stops_delivery(site, receiver):
    put(site, event(1), event(2), event(3, account=6))
    receiver.misbehave("status", status=410)

    done = deliver(site, status=1)

    assert "410" in done.stderr and "no more events" in done.stderr
    assert len(receiver.deliveries()) == 1
    assert deliver(site).stdout == counts(3), "events are lost after 410"


def test_410_stops_follow(site, receiver):
    put(site, event(1))
    receiver.misbehave("status", status=410)

    with Following(site) as following:
        assert following.ended() == 0, "a supervisor would start it again"
    assert b"410" in following.complaint


# Order.

def test_a_blocked_account_does_not_block_others(site, receiver):
    put(site, *(event(n, account=5 + n % 3) for n in range(12)))
    receiver.misbehave("status", None, account=6)

    assert deliver(site, status=1).stdout == counts(8, blocked=1)

    assert numbers(receiver.taken()) == [0, 2, 3, 5, 6, 8, 9, 11]
    assert [one.account for one in receiver.deliveries()].count(6) == 1, "a later event was sent"
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


def test_each_event_has_its_own_attempts(site, receiver):
    """The number of attempts is counted for each event."""
    put(site, *(event(n) for n in range(4)))
    receiver.misbehave("status", None, every=2)
    for _ in range(3):
        assert deliver(site, status=1).stdout == counts(1, blocked=1)
        assert blocked(site)[5]["attempts"] == 1
        travel(site)
    assert deliver(site).stdout == counts(1)
    assert numbers(receiver.taken()) == [0, 1, 2, 3]


# Retries.

@pytest.mark.parametrize("attempts", range(9))
def test_the_retry_schedule(site, receiver, attempts):
    put(site, event(1))
    receiver.misbehave("status", None)
    before = time.time()
    deliver(site, status=1)
    if attempts > 0:
        travel(site, attempts=attempts)
        before = time.time()
        deliver(site, status=1)

    account = blocked(site)[5]

    assert account["attempts"] == max(attempts + 1, 1)
    assert 0.89 * RETRY_AFTER[attempts] - 1 < account["next_at"] - before
    assert account["next_at"] - time.time() < 1.11 * RETRY_AFTER[attempts] + 1


def test_the_retry_schedule_has_jitter(site, receiver):
    """Events that failed together are not retried together."""
    put(site, *(event(n, account=n) for n in range(20)))
    receiver.misbehave("status", None)
    deliver(site, status=1)
    travel(site, attempts=5)
    deliver(site, status=1)

    assert len({one["next_at"] for one in blocked(site).values()}) > 10


RETRY_AFTERS = {
    "longer": ("70", 70), "shorter": ("1", 5), "an hour": ("3600", 3600), "a week is too long": ("604800", DAY),
    "none": (None, 5), "nonsense": ("soon", 5), "a negative number": ("-7", 5),
}


@pytest.mark.parametrize("given, wait", RETRY_AFTERS.values(), ids=RETRY_AFTERS.keys())
def test_retry_after(site, receiver, given, wait):
    put(site, event(1))
    receiver.misbehave("status", status=503, retry_after=given)
    before = time.time()

    deliver(site, status=1)

    assert before + wait - 2 < blocked(site)[5]["next_at"] < time.time() + wait + 2


def test_retry_after_a_date(site, receiver):
    put(site, event(1))
    at = time.time() + 600
    receiver.misbehave("status", status=429, retry_after=email.utils.formatdate(at, usegmt=True))

    deliver(site, status=1)

    assert abs(blocked(site)[5]["next_at"] - at) < 3


@pytest.mark.parametrize("ahead, taken", [(0.99 * DAY, 0), (400 * DAY, 1)],
                         ids=["within the schedule", "written when the clock was fast"])
def test_a_clock_that_was_set_back_does_not_block_an_account(site, receiver, ahead, taken):
    put(site, event(1))
    receiver.misbehave("status")
    deliver(site, status=1)
    travel(site, next_at=int(time.time() + ahead))

    printed = deliver(site, status=0 if taken else 1).stdout

    assert printed == counts(taken, blocked=1 - taken)


def test_an_event_is_given_up_after_the_last_attempt(site, receiver):
    put(site, event(1), event(2), event(3, account=6))
    receiver.misbehave("status", None, account=5)
    deliver(site, status=1)
    travel(site, attempts=len(RETRY_AFTER))

    done = deliver(site, status=1)

    assert done.stdout == counts(0, given_up=1, blocked=1)
    assert "gave up on event" in done.stderr
    assert dead(site) == [event(1)] or dead(site)[0]["id"] == event(1)["id"]
    assert (site.store / "events" / "dead.ndjson").stat().st_mode & 0o777 == 0o600
    assert blocked(site)[5]["attempts"] == 1, "the attempts of the next event start at one"
    receiver.behave()
    travel(site)
    assert deliver(site).stdout == counts(1)
    assert numbers(receiver.taken()) == [3, 2]


def test_an_event_that_was_given_up_is_not_delivered_again(site, receiver):
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


# Duplicates.

def test_a_duplicate_is_not_sent(site, receiver):
    body = b"leads[add][0][id]=1&leads[add][0][date_create]=1700000000&account[id]=5"
    for _ in range(3):
        webhooks.accepted(webhooks.send(site, body))
    assert deliver(site).stdout == counts(1)
    webhooks.accepted(webhooks.send(site, body))
    webhooks.accepted(webhooks.send(site, body.replace(b"=1", b"=2")))

    assert deliver(site).stdout == counts(1), "another process does not know what was sent"

    assert len({one.id for one in receiver.deliveries()}) == len(receiver.deliveries()) == 2


def test_calls_of_the_digital_pipeline_are_all_sent(site, receiver):
    """Three calls for one lead have the same body; the last is repeated, as amoCRM would."""
    body = b"leads[status][0][id]=1&leads[status][0][status_id]=142&account[id]=5"
    for request_id in ("a", "b", "c", "c"):
        webhooks.accepted(webhooks.send(site, body, X_Amocrm_Requestid=request_id))

    assert deliver(site).stdout == counts(3)

    assert [one.event["request_id"] for one in receiver.taken()] == ["a", "b", "c"]


@pytest.mark.parametrize("later, sent", [(1, 1), (DAY - 60, 1), (DAY + 60, 2)])
@pytest.mark.parametrize("restart", [False, True], ids=["in one run", "in two"])
def test_a_duplicate_a_day_later_is_another_event(site, receiver, later, sent, restart):
    began = time.time() - 1.9 * DAY
    first = event(1, at=began)
    put(site, first)
    if restart:
        deliver(site)
    put(site, {**event(1, at=began + later)})

    deliver(site)

    assert len(receiver.deliveries()) == sent


def test_a_duplicate_of_a_blocked_event(site, receiver):
    put(site, event(1), event(1))
    receiver.misbehave("status")
    deliver(site, status=1)
    put(site, event(1), event(2))
    deliver(site, status=1)
    travel(site)

    assert deliver(site).stdout == counts(2)

    assert numbers(receiver.taken()) == [1, 2]


# Events about connections.

def test_events_about_connections(site, amocrm, receiver):
    connect(site, amocrm, life=SOON)
    amocrm.misbehave("server_error")
    site.ctl("token", ID, check=False)
    amocrm.misbehave("token_revoked")
    site.ctl("token", ID, check=False)
    connect(site, amocrm)
    app.disconnected(app.User(site).disconnect())

    deliver(site)

    deliveries = receiver.taken()
    assert actions(deliveries) == ["connection.connected", "connection.refresh_failed",
                                   "connection.revoked", "connection.connected",
                                   "connection.disconnected"]
    assert {one.account for one in deliveries} == {ID}
    assert receiver.problems() == []
    assert [one.line for one in deliveries] == site.ctl("events").stdout.splitlines()
    payload = deliveries[1].event["payload"]
    assert payload["account"] == {"id": str(ID), "subdomain": "reforyou"}
    assert "500" in payload["connection"]["refresh_failed"][0]["reason"]
    for name, secret in site.secrets():
        for one in deliveries:
            assert secret not in one.body, name


# deliver --follow, and its lock.

class Following:
    def __init__(self, site):
        self.process = site.start_ctl("deliver", "--follow")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        _, self.complaint = self.process.communicate()
        print(self.complaint)

    def hear(self, text):
        """Waits until the process has complained with that text."""
        heard, pipe = bytearray(), self.process.stderr
        os.set_blocking(pipe.fileno(), False)
        process.wait_until(lambda: heard.extend(pipe.read1() or b"") or text in heard, "a complaint")
        os.set_blocking(pipe.fileno(), True)
        return bytes(heard)

    def ended(self):
        return self.process.wait(process.PATIENCE)


def arrived(receiver, count):
    return process.wait_until(lambda: len(receiver.taken()) >= count, f"{count} deliveries")


def test_follow_delivers_new_events(site, receiver):
    put(site, event(0))
    with Following(site) as following:
        for n in range(1, 4):
            arrived(receiver, n)
            put(site, event(n), number=1 + n // 3)
        arrived(receiver, 4)
        assert following.process.poll() is None
    assert numbers(receiver.taken()) == [0, 1, 2, 3]


def test_follow_starts_before_the_first_event(site, receiver):
    with Following(site):
        webhooks.accepted(webhooks.send(site, b"leads[add][0][id]=1&account[id]=5"))
        arrived(receiver, 1)


def test_follow_reports_a_shorter_journal_once(site, receiver):
    put(site, event(1))
    size = journal.segment(site).stat().st_size
    put(site, event(2), event(3))
    with Following(site) as following:
        arrived(receiver, 3)
        os.truncate(journal.segment(site), size)
        put(site, event(4, account=6))
        arrived(receiver, 5)
        said = following.hear(b"\n")
        receiver.misbehave("status", None, status=410)  # ends a later round, and the process
        put(site, event(5))
        assert following.ended() == 0
    assert numbers(receiver.taken()) == [1, 2, 3, 1, 4]
    assert (said + following.complaint).count(b"the journal is shorter") == 1


def test_follow_retries(site, receiver):
    put(site, event(1), event(2), event(3, account=6))
    receiver.misbehave("status", 1, account=5)
    with Following(site):
        arrived(receiver, 3)
    assert numbers(receiver.taken()) == [3, 1, 2]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_ends_follow(site, receiver, name):
    put(site, event(1))
    with Following(site) as following:
        arrived(receiver, 1)
        process.wait_until(cursor_file(site).exists, "the cursor")
        following.process.send_signal(getattr(signal, name))
        assert following.ended() in (0, -getattr(signal, name))
    assert following.complaint == b""
    assert deliver(site).stdout == counts(0), "a delivered event is sent again"


def test_only_one_deliver_runs_at_a_time(site, receiver):
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
def test_wrong_arguments_are_reported(site, receiver, options):
    put(site, event(1))

    why, usage = deliver(site, *options, status=2).stderr.splitlines()
    assert "--once or --follow" in why and usage.startswith("usage:")

    assert receiver.connections() == []


# Faults of our own.

CURSORS = {
    "empty": "", "not JSON": "{", "a list": "[]", "no position": '{"held_up":[]}',
    "no list": '{"segment":1,"offset":0}',
    "an account without a position": '{"segment":1,"offset":0,"held_up":[{"account_id":5}]}',
    "negative attempts": '{"segment":1,"offset":9,"held_up":[{"account_id":5,"segment":1,'
                           '"offset":0,"attempts":-7,"next_at":0}]}',
    "too many attempts": '{"segment":1,"offset":9,"held_up":[{"account_id":5,'
                                   '"segment":1,"offset":0,"attempts":4294967290,"next_at":0}]}',
    "a negative position": '{"segment":1,"offset":-9,"held_up":[]}',
}


@pytest.mark.parametrize("text", CURSORS.values(), ids=CURSORS.keys())
def test_a_corrupt_cursor_loses_no_event(site, receiver, text):
    put(site, event(1), event(2))
    assert deliver(site).stdout == counts(2)
    put(site, event(3))
    cursor_file(site).write_text(text)

    done = deliver(site)

    assert "events/cursor was damaged; the one before it is used" in done.stderr
    assert done.stdout == counts(2)
    assert numbers(receiver.deliveries()) == [1, 2, 2, 3]
    assert deliver(site).stderr == ""


def test_both_cursors_are_corrupt(site, receiver):
    put(site, event(1), event(2))
    assert deliver(site).stdout == counts(2)
    for path in (cursor_file(site), cursor_file(site).with_name("cursor.old")):
        path.write_text("{")

    done = deliver(site)

    assert "all events are delivered again" in done.stderr
    assert done.stdout == counts(2)
    assert deliver(site).stdout == counts(0)


def test_one_changed_digit_of_the_cursor(site, receiver):
    put(site, *(event(n) for n in range(20)))
    assert deliver(site).stdout == counts(20)
    put(site, event(20))
    text = cursor_file(site).read_text()
    at = text.index('"offset":') + len('"offset":')
    cursor_file(site).write_text(text[:at] + ("9" if text[at] != "9" else "8") + text[at + 1:])

    deliver(site)

    assert set(numbers(receiver.deliveries())) == set(range(21))


@pytest.mark.parametrize("later", [
    [event(9)], [event(n, account=6) for n in range(1, 10)]], ids=["shorter", "as long again"])
def test_a_journal_that_has_lost_its_end(site, receiver, later):
    """As after a backup was restored, or a disk has lost its last writes.  All lines have the same
    length, so the position of the last one is that of another line once more have arrived."""
    put(site, event(1))
    size = journal.segment(site).stat().st_size
    put(site, *(event(n) for n in range(2, 9)))
    assert deliver(site).stdout == counts(8)
    os.truncate(journal.segment(site), size)
    put(site, *later)
    receiver.clear()

    found = findings.check(site)
    done = deliver(site)

    assert [one.level for one in found if "the journal is shorter" in one.found] == ["warn"]
    assert "the journal is shorter" in done.stderr and done.stdout == counts(1 + len(later))
    assert [one.id for one in receiver.deliveries()] == [
        one["id"] for one in (event(1), *later)]
    done = deliver(site)
    assert (done.stderr, done.stdout) == ("", counts(0))


def test_an_unwritable_cursor_stops_delivery(site, receiver):
    put(site, *(event(n) for n in range(5)))
    folder = site.store / "events"
    folder.chmod(0o500)
    try:
        assert "cursor" in deliver(site, status=1).stderr
        assert len(receiver.deliveries()) == 1, "it continues without a saved cursor"
    finally:
        folder.chmod(0o700)
    assert deliver(site).stdout == counts(5)


def test_a_missing_store(site, amocrm, receiver):
    configure(site, amocrm, receiver, store_path=site.folder / "nowhere")

    assert "nowhere" in deliver(site, status=1).stderr


def test_no_secret_is_printed(site, receiver):
    put(site, event(1), event(2, account=6))
    receiver.misbehave("status")

    done = deliver(site, status=1)

    for text in (done.stdout, done.stderr, json.dumps(blocked(site))):
        assert receiver.secret not in text
        assert receiver.secret.removeprefix("whsec_") not in text
