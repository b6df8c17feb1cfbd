"""Shared by the tests of POST webhook: sending a body, and the events that are stored."""

import hashlib
import json
import re
from datetime import datetime, timezone

import expect

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
MAX_BODY = 1 << 20    # the default


def send(site, body, query=None, *, content_type=FORM, chunked=False, **headers):
    """`headers` are added, for example Content_Length="5" for a wrong length."""
    sent = {"Content-Type": content_type} if content_type else {}
    sent.update({name.replace("_", "-"): value for name, value in headers.items()})
    return site.post("webhook", query, body=body, headers=sent, chunked=chunked)


def accepted(answer):
    expect.hardened(answer)
    assert (answer.status, answer.media_type) == (200, "application/json"), answer.body
    assert answer.json == {"success": True}


def refused(answer, status, error):
    expect.hardened(answer)
    assert (answer.status, answer.media_type) == (status, "application/json"), answer.body
    members = answer.json
    assert members.pop("message").endswith(".")
    assert members == {"success": False, "error": error}
    assert (answer.header("Retry-After") is not None) == (status == 503)


def lines(site, *options):
    """The output of `amocrmctl events`, without our own events about connections."""
    printed = site.ctl("events", *options)
    assert printed.stderr == "", printed.stderr
    stored = [json.loads(line) for line in printed.stdout.splitlines()]
    return [line for line in stored
            if line.get("entity") != "connection"
            and not any(name.startswith("connection.") for name in line.get("events", []))]


def digest(body):
    return hashlib.sha256(body).hexdigest()


def is_of(line, body):
    """Whether the id of a stored event is that of this body, which says nothing of a time."""
    if line["request_id"] is not None:
        return line["id"] == digest(line["request_id"].encode() + b"\n" + body)
    return re.fullmatch("[0-9a-f]{64}", line["id"]) and line["id"] != digest(body)


def time_of(line):
    return datetime.strptime(line["received_at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(
        tzinfo=timezone.utc).timestamp()
