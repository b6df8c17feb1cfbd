"""amocrmctl replay: events are delivered again, whether they were delivered or not."""

import time
from datetime import datetime, timezone

import pytest

from deliveries import (RETRY_AFTER, configure, counts, cursor_file, dead, deliver, event, line,
                        numbers, put, receiver, site, travel)  # noqa: F401

HOUR = 3600


def replay(site, *options, status=0):
    done = site.ctl("replay", *options, check=False)
    assert done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done


def rfc3339(at):
    return f"{datetime.fromtimestamp(at, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def now(site):
    """Five delivered events, received 4, 3, 2, 1 and 0 hours ago."""
    now = int(time.time())
    put(site, *(event(n, account=5 + n % 2, at=now - (4 - n) * HOUR) for n in range(5)))
    deliver(site)
    return now


SINCE = {
    "all": (["--since", "1d"], [0, 1, 2, 3, 4]),
    "a duration": (["--since", "150m"], [2, 3, 4]),
    "between": (["--since", "210m", "--until", "30m"], [1, 2, 3]),
    "since after until": (["--since", "30m", "--until", "210m"], []),
    "until is now by default": (["--since", "30m"], [4]),
    "options in the other order": (["--until=150m", "--since=1d"], [0, 1]),
}


@pytest.mark.parametrize("options, expected", SINCE.values(), ids=SINCE.keys())
def test_since_and_until(site, receiver, now, options, expected):
    receiver.clear()

    done = replay(site, *options)

    assert numbers(receiver.taken()) == expected
    assert receiver.problems() == []
    assert (done.stdout, done.stderr) == ("", f"sent {len(expected)}, failed 0\n")


def test_since_and_until_are_inclusive(site, receiver, now):
    receiver.clear()

    replay(site, "--since", rfc3339(now - 3 * HOUR), "--until", rfc3339(now - HOUR))

    assert numbers(receiver.taken()) == [1, 2, 3]


def test_events_are_delivered_as_printed_and_signed_again(site, receiver, now):
    before = receiver.taken()
    receiver.clear()

    replay(site, "--since", "1d")

    assert [one.line for one in receiver.taken()] == [one.line for one in before] \
        == site.ctl("events").stdout.splitlines()
    assert [one.id for one in receiver.taken()] == [one.id for one in before]


def test_one_event_by_its_id(site, receiver, now):
    meant = receiver.taken()[2]
    receiver.clear()

    assert replay(site, "--since", "1d", "--id", meant.id).stderr == "sent 1, failed 0\n"
    assert replay(site, "--since", "1h", "--id", meant.id).stderr == "sent 0, failed 0\n"
    assert replay(site, "--since", "1d", "--id", meant.id[:8]).stderr == "sent 0, failed 0\n"

    assert [one.line for one in receiver.taken()] == [meant.line]


def test_duplicates_are_sent_once(site, receiver):
    put(site, event(1), event(1), event(2), event(1))

    replay(site, "--since", "1h")

    assert numbers(receiver.taken()) == [1, 2]


def test_dry_run(site, amocrm, receiver, now):
    receiver.clear()
    configure(site, amocrm, receiver, deliver_url=None, deliver_secret=None)

    done = replay(site, "--since", "150m", "--dry-run")

    assert done.stdout == "".join(site.ctl("events").stdout.splitlines(True)[2:])
    assert done.stderr == "would send 3, failed 0\n"
    assert receiver.connections() == []


def test_failures_are_reported_and_the_others_are_sent(site, receiver, now):
    receiver.clear()
    receiver.misbehave("status", None, account=6)

    done = replay(site, "--since", "1d", status=1)

    assert numbers(receiver.taken()) == [0, 2, 4]
    assert done.stderr.splitlines()[-1] == "sent 3, failed 2"
    failed = [one.id for one in receiver.deliveries() if not one.taken]
    assert [f"event {one[:8]}: " in text for one, text in zip(failed, done.stderr.splitlines())] \
        == [True, True]


def test_410_stops_delivery(site, receiver, now):
    receiver.clear()
    receiver.misbehave("status", status=410)

    done = replay(site, "--since", "1d", status=1)

    assert len(receiver.deliveries()) == 1, "it continues after 410"
    assert "410" in done.stderr and done.stderr.splitlines()[-1] == "sent 0, failed 1"


def test_it_does_not_change_the_state_of_deliver(site, receiver, now):
    put(site, event(5), event(6))
    receiver.misbehave("status")
    deliver(site, status=1)
    before = cursor_file(site).read_text()

    replay(site, "--since", "1d")

    assert cursor_file(site).read_text() == before
    travel(site)
    assert deliver(site).stdout == counts(2)


def test_an_event_that_was_given_up_can_be_sent_again(site, receiver):
    put(site, event(1))
    receiver.misbehave("status", None)
    deliver(site, status=1)
    travel(site, attempts=len(RETRY_AFTER))
    deliver(site, status=1)
    receiver.clear()

    replay(site, "--since", "1h", "--id", dead(site)[0]["id"])

    assert numbers(receiver.taken()) == [1]


def test_torn_lines_are_skipped(site, receiver):
    put(site, event(1), line(event(2))[:50], "nonsense", event(3))

    replay(site, "--since", "1h")

    assert numbers(receiver.taken()) == [1, 3]


WRONG = {
    "nothing": [], "no since": ["--until", "1h"], "no time": ["--since"], "no such time":
    ["--since", "yesterday"], "no such end": ["--since", "1d", "--until", "tomorrow"],
    "an argument": ["--since", "1d", "5"], "an unknown option": ["--since", "1d", "--all"],
}


@pytest.mark.parametrize("label, options", WRONG.items(), ids=WRONG.keys())
def test_wrong_arguments_are_reported(site, receiver, label, options):
    put(site, event(1))

    why, usage = replay(site, *options, status=2).stderr.splitlines()
    assert ("TIME must be" if "such" in label else "--since TIME") in why
    assert usage.startswith("usage: amocrmctl [-c FILE] replay --since TIME")

    assert receiver.connections() == []


def test_missing_settings_are_reported(site, amocrm, receiver):
    put(site, event(1))
    for missing in ("deliver_url", "deliver_secret"):
        configure(site, amocrm, receiver, **{missing: None})
        assert "url and secret" in replay(site, "--since", "1d", status=1).stderr
    configure(site, amocrm, receiver, deliver_allow_private="no")
    assert "allow_private" in replay(site, "--since", "1d", status=1).stderr
    assert receiver.connections() == []
