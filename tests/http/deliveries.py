"""Shared by the tests of deliver and replay: events in the journal, the cursor, and the
receiver."""

import hashlib
import json
import time
from datetime import datetime, timezone

import pytest

import journal
from sandbox.receiver import Receiver

HOSTS = ("reforyou.amocrm.ru", "second.amocrm.ru")
RETRY_AFTER = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]   # seconds


@pytest.fixture
def receiver():
    with Receiver() as running:
        yield running


@pytest.fixture
def site(bare, amocrm, receiver):
    configure(bare, amocrm, receiver)
    return bare


def configure(site, amocrm, receiver, **changes):
    """Redirects only amoCRM's hosts to the mock server, so that deliveries reach the receiver."""
    port = amocrm.connect_to.rpartition(":")[2]
    usual = {"deliver_url": receiver.url, "deliver_secret": receiver.secret,
             "deliver_allow_private": "yes", "webhook_accounts": "any",
             "amocrm_connect_to": " ".join(f"{host}:443:127.0.0.1:{port}" for host in HOSTS)}
    site.configure(**{**usual, **changes})


def event(n, account=5, *, at=None, **payload):
    """An event as the journal stores it; `at` in seconds since the epoch."""
    payload = {"account": {"id": str(account)}, "leads": {"add": [{"id": str(n)}]}, **payload}
    body = json.dumps(payload, ensure_ascii=False)
    received = datetime.fromtimestamp(time.time() if at is None else at, timezone.utc)
    return {"id": hashlib.sha256(body.encode()).hexdigest(),
            "received_at": f"{received:%Y-%m-%dT%H:%M:%S}.000Z", "account_id": account,
            "subdomain": None, "events": ["leads.add"], "request_id": None, "payload": payload}


def line(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def put(site, *events, number=1):
    """Appends events, or other lines, to the journal."""
    journal.append(site, "".join(
        (one if isinstance(one, str) else line(one)) + "\n" for one in events), number=number)
    return events


def deliver(site, *options, status=0):
    """Runs deliver once, which has to exit with this status."""
    done = site.ctl("deliver", *options, check=False)
    assert done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done


def counts(delivered, given_up=0, blocked=0):
    return f"delivered {delivered}, given up {given_up}, accounts blocked {blocked}\n"


def cursor_file(site):
    return site.store / "events" / "cursor"


def present_cursor_file(site):
    """A process that was killed between two renames leaves only the file before; None: there is
    neither."""
    files = (cursor_file(site), cursor_file(site).with_name("cursor.old"))
    return next((file for file in files if file.exists()), None)


def read_cursor(site):
    file = present_cursor_file(site)
    _version, checksum, text = file.read_text().split(" ", 2)
    assert checksum == hashlib.sha256(text.encode()).hexdigest()[:16]
    return json.loads(text)


def write_cursor(site, cursor):
    text = json.dumps(cursor)
    checksum = hashlib.sha256(text.encode()).hexdigest()[:16]
    cursor_file(site).write_text(f"1 {checksum} {text}")


def blocked(site):
    """The blocked accounts, by their ids."""
    return {one["account_id"]: one for one in read_cursor(site)["held_up"]}


def travel(site, **changes):
    """Makes the next attempt due now; `attempts=n`: as if n attempts had been made."""
    cursor = read_cursor(site)
    for one in cursor["held_up"]:
        one.update({"next_at": 0, **changes})
    write_cursor(site, cursor)


def numbers(deliveries):
    """The numbers of the leads in these deliveries."""
    return [int(one.event["payload"]["leads"]["add"][0]["id"]) for one in deliveries]


def actions(deliveries):
    return [one.event["events"][0] for one in deliveries]


def dead(site):
    file = site.store / "events" / "dead.ndjson"
    return [json.loads(text) for text in file.read_text().splitlines()] if file.exists() else []
