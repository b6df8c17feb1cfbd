"""amocrmctl events: the events that are printed, their format, and following the journal."""

import json
import os
import select
import signal
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import journal
import webhooks
from sandbox import process
from webhooks import accepted, send

EVENT = b"leads[add][0][id]=%d&account[id]=5"


@pytest.fixture
def site(bare):
    bare.configure(webhook_accounts="any")
    return bare


def put(site, *times, number=1):
    """Appends events that were received at these times."""
    journal.append(site, "".join(_line(n, at) + "\n" for n, at in enumerate(times)), number=number)


def _line(n, at):
    return json.dumps({
        "id": "0" * 64, "received_at": at, "account_id": 5, "subdomain": None,
        "events": ["leads.add"], "request_id": None,
        "payload": {"leads": {"add": [{"id": str(n)}]}}}, separators=(",", ":"))


def printed(site, *options):
    return [json.loads(line)["received_at"]
            for line in site.ctl("events", *options).stdout.splitlines()]


def test_without_events_nothing_is_printed(site):
    done = site.ctl("events")

    assert (done.stdout, done.stderr) == ("", "")


def test_events_are_printed_as_they_are_stored(site):
    for n in range(3):
        accepted(send(site, EVENT % n))

    assert site.ctl("events").stdout == journal.segment(site).read_text()


STORED = ["2026-11-22T04:19:00.000Z", "2026-11-22T04:19:00.500Z", "2026-11-22T06:00:00.000Z"]
SINCE = {
    "before all": ("2026-11-22T00:00:00Z", 3),
    "at the time of the first": ("2026-11-22T04:19:00Z", 3),
    "a millisecond later": ("2026-11-22T04:19:00.001Z", 2),
    "at the time of the second": ("2026-11-22T04:19:00.5Z", 2),
    "microseconds are ignored": ("2026-11-22T04:19:00.500900Z", 2),
    "between": ("2026-11-22T05:00:00Z", 1),
    "after all": ("2026-11-23T00:00:00Z", 0),
    "east of Greenwich": ("2026-11-22T07:00:00+02:00", 1),
    "west of Greenwich": ("2026-11-21T21:00:00-08:00", 1),
    "small letters": ("2026-11-22t05:00:00z", 1),
    "a space instead of T": ("2026-11-22 05:00:00Z", 1),
    "a leap second": ("2026-11-22T04:18:60Z", 3),
    "the epoch": ("1970-01-01T00:00:00Z", 3),
    "before the epoch": ("1900-01-01T00:00:00Z", 3),
}


@pytest.mark.parametrize("since, count", SINCE.values(), ids=SINCE.keys())
def test_since_a_time(site, since, count):
    put(site, *STORED)

    assert printed(site, "--since", since) == STORED[3 - count:]


def test_since_a_duration(site):
    now = datetime.now(timezone.utc)
    ago = [timedelta(days=2, hours=12), timedelta(hours=30), timedelta(hours=1),
           timedelta(minutes=5), timedelta(seconds=20)]
    times = [f"{now - span:%Y-%m-%dT%H:%M:%S}.000Z" for span in ago]
    put(site, *times)

    for option, count in {"3d": 5, "2d": 4, "36h": 4, "2h": 3, "10m": 2, "60s": 1, "0s": 0,
                          "999999d": 5}.items():
        assert printed(site, "--since", option) == times[5 - count:], option
        assert printed(site, f"--since={option}") == times[5 - count:], option


WRONG = {
    "no time": ["--since"],
    "a date alone": ["--since", "2026-11-22"],
    "no zone": ["--since", "2026-11-22T04:19:00"],
    "30 February": ["--since", "2026-02-30T00:00:00Z"],
    "29 February of a common year": ["--since", "2026-02-29T00:00:00Z"],
    "day 0": ["--since", "2026-11-00T00:00:00Z"],
    "day 32": ["--since", "2026-12-32T00:00:00Z"],
    "the 13th month": ["--since", "2026-13-01T00:00:00Z"],
    "month 0": ["--since", "2026-00-01T00:00:00Z"],
    "24 hours": ["--since", "2026-11-22T24:00:00Z"],
    "60 minutes": ["--since", "2026-11-22T23:60:00Z"],
    "61 seconds": ["--since", "2026-11-22T23:59:61Z"],
    "a fraction without digits": ["--since", "2026-11-22T04:19:00.Z"],
    "a zone of 24 hours": ["--since", "2026-11-22T04:19:00+24:00"],
    "trailing characters": ["--since", "2026-11-22T04:19:00Zx"],
    "a sign in it": ["--since", "2026-11-+2T04:19:00Z"],
    "no unit": ["--since", "2"],
    "an unknown unit": ["--since", "2y"],
    "no number": ["--since", "d"],
    "a negative number": ["--since", "-2d"],
    "more than centuries": ["--since", "1000000d"],
    "two units": ["--since", "1d2h"],
    "empty": ["--since", ""],
    "an unknown option": ["--sometimes"],
    "an argument": ["5"],
}


@pytest.mark.parametrize("options", WRONG.values(), ids=WRONG.keys())
def test_wrong_arguments_are_reported(site, options):
    done = site.ctl("events", *options, check=False)

    assert done.returncode == 2
    assert done.stdout == ""
    assert "usage:" in done.stderr


def test_older_segments_are_read_before_newer_ones(site):
    put(site, STORED[0], number=1)
    put(site, STORED[1], number=2)
    put(site, STORED[2], number=10)
    os.utime(journal.segment(site, 1), (0, 0))

    assert printed(site) == STORED
    assert printed(site, "--since", "2026-11-22T00:00:00Z") == STORED[1:]


def test_torn_lines_are_skipped_and_counted(site):
    accepted(send(site, EVENT % 1))
    whole = journal.segment(site).read_text()
    with journal.segment(site).open("a") as file:
        file.write(whole[:-20])
    accepted(send(site, EVENT % 2))
    with journal.segment(site).open("a") as file:
        file.write("not an event\n"
                   '{"not":"ours"}\n'
                   '{"received_at":"today","account_id":5,"payload":{}}\n'
                   '{"received_at":{},"account_id":5,"payload":{}}\n')

    done = site.ctl("events")

    assert [json.loads(line)["payload"]["leads"]["add"] for line in done.stdout.splitlines()] == [
        [{"id": "1"}], [{"id": "2"}]]
    assert "lines skipped: 5 " in done.stderr


# One line for each item.

ITEMS = {
    "one": (b"leads[add][0][id]=1", [("leads", "add", {"id": "1"})]),
    "several": (
        b"leads[add][0][id]=1&leads[add][1][id]=2&contacts[update][0][id]=3&leads[delete][0][id]=4",
        [("leads", "add", {"id": "1"}), ("leads", "add", {"id": "2"}),
         ("leads", "delete", {"id": "4"}), ("contacts", "update", {"id": "3"})]),
    "two indexes": (
        b"task[update][0][0][id]=1&task[update][0][1][id]=2&task[update][1][0][id]=3",
        [("task", "update", {"id": "1"}), ("task", "update", {"id": "2"}),
         ("task", "update", {"id": "3"})]),
    "indexes with gaps": (
        b"leads[add][3][id]=1&leads[add][7][id]=2",
        [("leads", "add", {"id": "1"}), ("leads", "add", {"id": "2"})]),
    "a scalar": (b"leads[delete]=5", [("leads", "delete", "5")]),
    "an item that is not a list": (b"leads[add][id]=5", [("leads", "add", {"id": "5"})]),
    "lists inside an item stay": (
        b"leads[add][0][tags][0][id]=1&leads[add][0][x][5]=2",
        [("leads", "add", {"tags": [{"id": "1"}], "x": {"5": "2"}})]),
    "nothing but the account": (b"account[id]=5", []),
    "a list of its own": (b"x=1&y[0][id]=1", [("y", None, {"id": "1"})]),
    "a Digital Pipeline widget": (b"event[type]=1&event[data][id]=2",
                                  [("event", None, {"type": "1", "data": {"id": "2"}})]),
    "nothing but values": (b"x=1", [("x", None, "1")]),
    "a widget's list of texts": (
        b"add[0][text]=a&add[1][text]=b",
        [("add", None, {"text": "a"}), ("add", None, {"text": "b"})]),
    "plain texts": (b"add[0]=a&add[1]=b&add[2]=", [("add", None, text) for text in ("a", "b", "")]),
    "plain texts of an action": (
        b"leads[delete][0]=4&leads[delete][1]=5", [("leads", "delete", "4"), ("leads", "delete", "5")]),
    "lists of plain texts in a list": (
        b"add[0][0]=a&add[0][1]=b&add[1][0]=c", [("add", None, text) for text in ("a", "b", "c")]),
    "a list of texts beside an entity": (
        b"add[0][text]=a&leads[add][0][id]=1&x=1&update[0]=b",
        [("add", None, {"text": "a"}), ("leads", "add", {"id": "1"}), ("update", None, "b")]),
}
# In JSON, texts may be other values too.
JSON_ITEMS = {
    "a widget's list of texts": (b'"add":[{"text":"a"},{"text":"b"}]',
                                 [("add", None, {"text": "a"}), ("add", None, {"text": "b"})]),
    "plain texts": (b'"add":["a","[b","\\"c"]', [("add", None, text) for text in ("a", "[b", '"c')]),
    "plain values": (b'"add":[1,null,true]', [("add", None, value) for value in (1, None, True)]),
    "plain texts and objects": (b'"add":["a",{"text":"b"}]',
                                [("add", None, "a"), ("add", None, {"text": "b"})]),
}
JSON_BODIES = {name: (b'{"account":{"id":5},%s}' % body, expected)
               for name, (body, expected) in JSON_ITEMS.items()}


def check_items(site, body, content_type, expected):
    accepted(send(site, body, content_type=content_type))
    [event] = webhooks.lines(site)

    lines = webhooks.lines(site, "--items")

    assert [(line["entity"], line["action"], line["item"]) for line in lines] == expected
    for line in lines:
        assert list(line) == ["id", "received_at", "account_id", "entity", "action", "item"]
        assert {name: line[name] for name in ("id", "received_at", "account_id")} == {
            name: event[name] for name in ("id", "received_at", "account_id")}
    return event


@pytest.mark.parametrize("body, expected", ITEMS.values(), ids=ITEMS.keys())
def test_items(site, body, expected):
    event = check_items(site, body + b"&account[id]=5", webhooks.FORM, expected)

    assert event["events"] == names_of(expected)


@pytest.mark.parametrize("body, expected", JSON_BODIES.values(), ids=JSON_BODIES.keys())
def test_items_of_json(site, body, expected):
    event = check_items(site, body, webhooks.JSON, expected)

    assert event["events"] == names_of(expected)


def names_of(items):
    """What "events" has to contain: each name once, in the order of the items."""
    return list(dict.fromkeys(".".join(filter(None, item[:2])) for item in items))


def test_an_empty_list_has_a_name_and_no_items(site):
    event = check_items(site, b'{"account":{"id":5},"add":[]}', webhooks.JSON, [])

    assert event["events"] == ["add"]


def test_items_since(site):
    put(site, *STORED)

    assert len(webhooks.lines(site, "--items", "--since", "2026-11-22T05:00:00Z")) == 1


def test_untrusted_names_are_escaped(site):
    accepted(send(site, b"a%22%0A%5C[b%22][0][id]=1"))

    [line] = webhooks.lines(site, "--items")
    assert (line["entity"], line["action"]) == ('a"\n\\', 'b"')


# Following.

class Follower:
    def __init__(self, site, *options):
        self.process = subprocess.Popen(
            [site.amocrmctl, "-c", site.config, "events", "--follow", *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", env={}, bufsize=0,
            **process.as_web_user())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def line(self):
        """The next event, or None if none is printed."""
        if not select.select([self.process.stdout], [], [], process.PATIENCE)[0]:
            return None
        return json.loads(self.process.stdout.readline())

    def waiting(self):
        """Waits until the process has read everything, and sleeps."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        process.wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "S",
                           "the follower to wait")

    def ended(self):
        self.process.wait(process.PATIENCE)
        return self.process.returncode, self.process.stderr.read()


def test_follow_prints_stored_and_new_events(site):
    accepted(send(site, EVENT % 1))
    with Follower(site) as follower:
        for n in range(1, 4):
            assert follower.line()["payload"]["leads"]["add"] == [{"id": str(n)}]
            accepted(send(site, EVENT % (n + 1)))
        assert follower.process.poll() is None


def test_follow_starts_before_the_first_event(site):
    with Follower(site) as follower:
        follower.waiting()
        accepted(send(site, EVENT % 1))
        assert follower.line()["account_id"] == 5


def test_follow_waits_for_the_end_of_a_line_and_continues_in_the_next_segment(site):
    put(site, STORED[0])
    with Follower(site) as follower:
        assert follower.line()["received_at"] == STORED[0]
        whole = journal.segment(site).read_text().replace(STORED[0], STORED[1])
        for part in (whole[:30], whole[30:-1], whole[-1:]):
            assert not select.select([follower.process.stdout], [], [], 0.3)[0]
            with journal.segment(site).open("a") as file:
                file.write(part)
        assert follower.line()["received_at"] == STORED[1]
        put(site, STORED[2], number=2)
        assert follower.line()["received_at"] == STORED[2]
        accepted(send(site, EVENT % 9))
        assert follower.line()["payload"]["leads"]["add"] == [{"id": "9"}]


def test_follow_goes_on_when_the_journal_has_lost_its_end(site):
    """As after a backup was restored."""
    with Follower(site) as follower:
        for at in STORED:
            put(site, at)
            assert follower.line()["received_at"] == at
        os.truncate(journal.segment(site), journal.segment(site).stat().st_size // len(STORED))
        assert follower.line()["received_at"] == STORED[0]
        put(site, STORED[1])
        assert follower.line()["received_at"] == STORED[1]


def test_follow_prints_only_new_events_since_now(site):
    put(site, STORED[0])
    with Follower(site, "--since", "0s", "--items") as follower:
        follower.waiting()
        accepted(send(site, EVENT % 7))
        assert follower.line()["item"] == {"id": "7"}


def test_follow_ends_quietly_on_ctrl_c(site):
    accepted(send(site, EVENT % 1))
    with Follower(site) as follower:
        assert follower.line() is not None
        follower.process.send_signal(signal.SIGINT)
        assert follower.ended() == (-signal.SIGINT, b"")


def test_follow_ends_quietly_if_its_reader_exits(site):
    """It also exits if no event arrives that it could write."""
    accepted(send(site, EVENT % 1))
    with Follower(site) as follower:
        assert follower.line() is not None
        follower.process.stdout.close()
        follower.process.stdout = None
        status, complaint = follower.ended()
        assert complaint == b""
        assert status in (0, -signal.SIGPIPE)


def test_it_ends_quietly_if_its_reader_exits(site):
    put(site, *STORED * 1000)
    done = subprocess.run(
        ["sh", "-c", '"$1" -c "$2" events | head -1', "sh", site.amocrmctl, site.config],
        capture_output=True, text=True, timeout=process.PATIENCE, **process.as_web_user())

    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


# Failures.

def test_a_missing_store_is_not_a_store_without_events(site):
    site.configure(store_path=site.folder / "nowhere")

    done = site.ctl("events", check=False)

    assert done.returncode == 1
    assert "nowhere" in done.stderr


@pytest.mark.parametrize("options", [[], ["--items"], ["--follow"]])
def test_a_failed_write_to_standard_output_is_an_error(site, options):
    put(site, *STORED)
    with open("/dev/full", "w") as full:
        done = subprocess.run([site.amocrmctl, "-c", site.config, "events", *options], stdout=full,
                              stderr=subprocess.PIPE, timeout=process.PATIENCE, **process.as_web_user())

    assert done.returncode == 1
    assert b"standard output" in done.stderr


def test_help(site):
    done = site.ctl("events", "--help")

    for option in ("--since", "--follow", "--items"):
        assert option in done.stdout
