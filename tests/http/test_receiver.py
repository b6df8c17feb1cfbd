"""Tests of the receiver and of parts of the mock amoCRM server: if they were too lenient, the tests
that use them would prove little."""

import http.client
import json
import time
from urllib.parse import urlsplit

import pytest

from sandbox import limits, process
from sandbox.oauth import Account, User
from sandbox.receiver import KINDS, Receiver, new_secret, signature
from sandbox.subscriptions import EVENTS, Subscriptions

BODY = b'{"id":"e1","account_id":5}'
GOOD = {"Content-Type": "application/json", "webhook-id": "e1"}


@pytest.fixture
def receiver():
    with Receiver() as running:
        yield running


def post(receiver, body=BODY, path="/events", secret=None, at=None, **changed):
    """Sends a valid delivery with these changes; returns the status of the response."""
    at = int(time.time()) if at is None else at
    headers = {**GOOD, "webhook-timestamp": str(at),
               "webhook-signature": signature(secret or receiver.secrets[0], "e1", at, body)}
    headers.update({name.replace("_", "-"): value for name, value in changed.items()})
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=process.PATIENCE)
    try:
        connection.request("POST", path, body,
                           {name: value for name, value in headers.items() if value is not None})
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_signature_of_the_specification():
    """The test vector of the specification's libraries."""
    assert signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
                     1614265330, b'{"test": 2432232314}') \
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_valid_delivery_is_accepted(receiver):
    assert post(receiver) == 200
    assert [one.account for one in receiver.taken()] == [5]
    receiver.secrets.append(new_secret())
    assert post(receiver, secret=receiver.secrets[1]) == 200
    assert receiver.problems() == []


WRONG = {
    "another secret": {"secret": new_secret()},
    "another body": {"body": BODY + b" ", "webhook_signature": "v1,AAAA"},
    "no signature": {"webhook_signature": None},
    "another version": {"webhook_signature": "v2,AAAA"},
    "an old timestamp": {"at": int(time.time()) - 400},
    "a timestamp to come": {"at": int(time.time()) + 4000},
    "no timestamp": {"webhook_timestamp": None},
    "another id": {"webhook_id": "e2"},
    "no id": {"webhook_id": None},
    "another path": {"path": "/elsewhere"},
    "another type": {"Content_Type": "text/plain"},
    "no JSON": {"body": b"x"},
    "no account": {"body": b'{"id":"e1"}'},
    "another event's body": {"body": b'{"id":"e2","account_id":5}'},
}


@pytest.mark.parametrize("changed", WRONG.values(), ids=WRONG.keys())
def test_an_invalid_delivery_is_refused(receiver, changed):
    assert post(receiver, **changed) == 401
    assert receiver.taken() == [] and len(receiver.problems()) == 1


def test_it_fails_on_demand(receiver):
    receiver.misbehave("status", 2, status=500)
    receiver.misbehave("redirect", account=6)
    assert [post(receiver) for _ in range(3)] == [500, 500, 200]
    assert post(receiver, b'{"id":"e1","account_id":6}') == 307
    receiver.misbehave("status", None, every=3, status=503)
    assert [post(receiver) for _ in range(6)] == [200, 200, 503, 200, 200, 503]
    receiver.behave()
    assert post(receiver) == 200
    with pytest.raises(ValueError, match="no such misbehaviour"):
        receiver.misbehave("nonsense")
    assert all(kind.__doc__ for kind in KINDS.values())


# amoCRM's rate limit.

def test_seven_in_a_second_then_429_then_403(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    limit = limits.RateLimit()
    assert [limit.verdict() for _ in range(50)] == [None] * 50, "it is not off at first"
    limit.enforce(patience=3)
    assert [limit.verdict() for _ in range(8)] == [None] * 7 + ["too_many"]
    now[0] += 1
    assert limit.verdict() is None, "requests are refused a second later"
    assert [limit.verdict() for _ in range(10)] == [None] * 6 + ["too_many"] * 3 + ["forbidden"]
    now[0] += 100
    assert limit.verdict() == "forbidden", "a client that continues is not blocked"
    limit.lift()
    assert limit.verdict() is None


def test_the_busiest_second():
    assert limits.busiest_second([]) == 0
    assert limits.busiest_second([0, 0.5, 0.9, 1.0, 1.4, 1.45]) == 5


# Control over HTTP.

def control(amocrm, verb, **members):
    connection = http.client.HTTPConnection(urlsplit(amocrm.plain_url).netloc, timeout=process.PATIENCE)
    try:
        connection.request("POST", f"/_sandbox/{verb}", json.dumps(members))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_control_over_http(amocrm):
    amocrm.reset()
    assert control(amocrm, "rename", subdomain="renamed") == (
        200, {"account": "renamed.amocrm.ru"})
    assert amocrm.who()[0].host == "renamed.amocrm.ru"
    assert control(amocrm, "rename", subdomain="again", old="nonsense")[0] == 400
    assert amocrm.who()[0].host == "renamed.amocrm.ru"
    assert control(amocrm, "limit", per_second=2) == (200, {"per_second": 2})
    assert [amocrm.limit.verdict() for _ in range(3)] == [None, None, "too_many"]
    assert control(amocrm, "reset")[0] == 200 and amocrm.limit.verdict() is None
    assert control(amocrm, "subscriptions") == (200, [])
    assert control(amocrm, "subscriptions", account="no.amocrm.ru")[0] == 400
    amocrm.reset()
    assert amocrm.who()[0].host == "reforyou.amocrm.ru"


# Subscriptions.

ACCOUNT, USER = Account(5, "five.amocrm.ru", []), User(1, "Olena")


def subscribed(subscriptions, **members):
    reply = subscriptions.subscribe(ACCOUNT, USER, json.dumps(members).encode())
    return reply.status, json.loads(reply.body)


def test_subscriptions():
    ours = Subscriptions()
    assert ours.listed(ACCOUNT).status == 204
    status, hook = subscribed(ours, destination="https://a.example/x?y", settings=["add_lead"])
    assert (status, hook["settings"], hook["disabled"]) == (201, ["add_lead"], False)
    status, hook = subscribed(ours, destination="https://a.example/x?y", settings=["add_task"])
    assert (status, hook["settings"]) == (200, ["add_task"])
    ours.disable(ACCOUNT, "https://a.example/x?y")
    listed = json.loads(ours.listed(ACCOUNT).body)
    assert [one["disabled"] for one in listed["_embedded"]["webhooks"]] == [True]
    assert ours.unsubscribe(ACCOUNT, b'{"destination":"https://b.example/"}').status == 204
    assert len(ours.of(ACCOUNT)) == 1 and ours.of(Account(6, "", [])) == []
    assert ours.unsubscribe(ACCOUNT, b'{"destination":"https://a.example/x?y"}').status == 204
    assert ours.of(ACCOUNT) == []


@pytest.mark.parametrize("members", [
    {}, {"destination": "https://a.example/"}, {"settings": ["add_lead"]},
    {"destination": "nowhere", "settings": ["add_lead"]},
    {"destination": "https://a.example/", "settings": []},
    {"destination": "https://a.example/", "settings": ["add_lead", "status_contact"]},
    {"destination": "https://a.example/", "settings": "add_lead"}])
def test_a_bad_subscription_is_refused(members):
    ours = Subscriptions()
    assert subscribed(ours, **members)[0] == 400
    assert ours.unsubscribe(ACCOUNT, b"[]").status == 400
    assert ours.of(ACCOUNT) == []


def test_the_number_of_events():
    assert len(EVENTS) == 31
    assert {"add_lead", "status_lead", "note_company", "responsible_task", "note_customer",
            "update_talk", "add_message"} < EVENTS
    assert not {"status_contact", "restore_customer", "update_message"} & EVENTS
