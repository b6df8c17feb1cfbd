"""POST webhook: the response in every case, and what `amocrmctl events` prints afterwards."""

import contextlib
import hashlib
import hmac
import json
import os
import socket
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

import app
import expect
import webhooks
from sandbox import hooks, process
from webhooks import FORM, JSON, MAX_BODY, accepted, digest, refused, send

KEY = "a-key-of-16-characters-or-more"
SMALL = b"leads[add][0][id]=1&account[id]=5"


@pytest.fixture(autouse=True)
def any_account(request):
    """Accepts webhooks of any account, unless a test configures something else."""
    for name in ("site", "bare", "on_servers"):
        if name in request.fixturenames:
            request.getfixturevalue(name).configure(webhook_accounts="any")


def connect(site, amocrm, account=None):
    """Connects an account, and accepts webhooks of connected accounts only."""
    settings = {"app_connections": "per_user", "app_state": "any", "amocrm_account": None}
    site.configure(**settings)
    params = amocrm.approve(account=account)
    expect.connected(site.get("callback", params), params["code"])


# Stored.

def test_an_event_is_stored_with_its_metadata(site, amocrm):
    account = amocrm.who()[0]
    body = hooks.webhook_body(account)
    request_id = str(uuid.uuid4())
    before = time.time()

    accepted(send(site, body, X_Amocrm_Requestid=request_id))

    after = time.time()
    [line] = webhooks.lines(site)
    assert int(before * 1000) / 1000 <= webhooks.time_of(line) <= after
    assert list(line) == ["id", "received_at", "account_id", "subdomain", "events", "request_id",
                          "payload"]
    del line["received_at"]
    assert line == {
        "id": digest(request_id.encode() + b"\n" + body),
        "account_id": account.id,
        "subdomain": account.subdomain,
        "events": ["leads.status"],
        "request_id": request_id,
        "payload": {
            "leads": {"status": [{"id": "1001", "status_id": "142", "pipeline_id": "7",
                                  "old_status_id": "141"}]},
            "account": {"id": str(account.id), "_links": {"self": f"https://{account.host}"},
                        "subdomain": account.subdomain}},
    }


# The pairs as amoCRM sends them, the payload, the events.
SHAPES = {
    "account first": (
        "account[id]=5&account[subdomain]=x&leads[add][0][id]=1",
        {"account": {"id": "5", "subdomain": "x"}, "leads": {"add": [{"id": "1"}]}},
        ["leads.add"]),
    "several entities, actions and items": (
        "leads[add][0][id]=1&leads[add][1][id]=2&leads[update][0][id]=3&contacts[update][0][id]=4"
        "&account[id]=5",
        {"leads": {"add": [{"id": "1"}, {"id": "2"}], "update": [{"id": "3"}]},
         "contacts": {"update": [{"id": "4"}]}, "account": {"id": "5"}},
        ["leads.add", "leads.update", "contacts.update"]),
    "a huge number for a key": (
        "contacts[update][0][linked_leads_id][15319601][ID]=15319601",
        {"contacts": {"update": [{"linked_leads_id": {"15319601": {"ID": "15319601"}}}]}},
        ["contacts.update"]),
    "a key of 20 digits": (
        "leads[update][0][x][12345678901234567890]=1",
        {"leads": {"update": [{"x": {"12345678901234567890": "1"}}]}},
        ["leads.update"]),
    "values as a list of objects": (
        "leads[add][0][custom_fields][0][values][0][value]=a"
        "&leads[add][0][custom_fields][0][values][1][value]=b",
        {"leads": {"add": [{"custom_fields": [{"values": [{"value": "a"}, {"value": "b"}]}]}]}},
        ["leads.add"]),
    "values as a list of scalars": (
        "leads[add][0][custom_fields][0][values][0]=a&leads[add][0][custom_fields][0][values][1]=b",
        {"leads": {"add": [{"custom_fields": [{"values": ["a", "b"]}]}]}},
        ["leads.add"]),
    "values as one object": (
        "leads[add][0][custom_fields][0][values][value]=a",
        {"leads": {"add": [{"custom_fields": [{"values": {"value": "a"}}]}]}},
        ["leads.add"]),
    "a scalar where a list is usual": (
        "leads[delete]=5", {"leads": {"delete": "5"}}, ["leads.delete"]),
    "two indexes": (
        "task[update][0][0][id]=1", {"task": {"update": [[{"id": "1"}]]}}, ["task.update"]),
    "an empty name": (
        "leads[add][0][name]=", {"leads": {"add": [{"name": ""}]}}, ["leads.add"]),
    "a date that is no number": (
        "leads[add][0][birthday]=22.11.2026+04:19",
        {"leads": {"add": [{"birthday": "22.11.2026 04:19"}]}}, ["leads.add"]),
    "JSON in a value": (
        "leads[note][0][note][metadata]={\"a\":[\"\\\"\"]}",
        {"leads": {"note": [{"note": {"metadata": '{"a":["\\""]}'}}]}}, ["leads.note"]),
    "a note": (
        "leads[note][0][note][text]=Привіт 🦔",
        {"leads": {"note": [{"note": {"text": "Привіт 🦔"}}]}}, ["leads.note"]),
    "a company among the contacts": (
        "contacts[add][0][type]=company", {"contacts": {"add": [{"type": "company"}]}},
        ["contacts.add"]),
    "talk": ("talk[update][0][talk_id]=1", {"talk": {"update": [{"talk_id": "1"}]}},
             ["talk.update"]),
    "message": ("message[add][0][text]=a+b", {"message": {"add": [{"text": "a b"}]}},
                ["message.add"]),
    "nothing but the account": ("account[id]=5", {"account": {"id": "5"}}, []),
}


@pytest.mark.parametrize("escaped", [False, True], ids=["raw brackets", "escaped brackets"])
@pytest.mark.parametrize("pairs, payload, events", SHAPES.values(), ids=SHAPES.keys())
def test_every_structure_that_amocrm_sends_is_kept(site, pairs, payload, events, escaped):
    if escaped:
        split = [pair.partition("=") for pair in pairs.split("&")]
        pairs = urlencode([(name, value.replace("+", " ")) for name, _, value in split])
    body = pairs.encode()

    accepted(send(site, body))

    [line] = webhooks.lines(site)
    assert webhooks.is_of(line, body)
    assert line["payload"] == payload
    assert line["events"] == events


TRIGGER = b"account[id]=5&account[subdomain]=x&leads[status][0][id]=1"
BODIES = {
    "a form": (TRIGGER, FORM),
    "a form with a charset": (TRIGGER, FORM + "; charset=UTF-8"),
    "a form in other letters": (TRIGGER, "Application/X-WWW-Form-URLencoded"),
    "JSON": (b'{"account":{"id":5,"subdomain":"x"},"leads":{"status":[{"id":1}]}}', JSON),
    "JSON with a charset": (
        b'{"account":{"id":"5","subdomain":"x"},"leads":{"status":[]}}', JSON + ";charset=utf-8"),
    "JSON over several lines": (
        b'\r\n{\n\t"account" : { "id" : 5, "subdomain": "x" },\n\n'
        b'"leads": {"status": []} }\n\n', JSON),
}


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
@pytest.mark.parametrize("body, content_type", BODIES.values(), ids=BODIES.keys())
def test_forms_and_json_are_stored(site, body, content_type, chunked):
    accepted(send(site, body, content_type=content_type, chunked=chunked))

    [line] = webhooks.lines(site)
    assert webhooks.is_of(line, body)
    assert (line["account_id"], line["subdomain"]) == (5, "x")
    assert line["events"] == ["leads.status"]
    assert line["request_id"] is None


def test_json_numbers_keep_their_spelling(bare):
    body = b'{"a":{"b":[12345678901234567890123, 1.50, 1E+2]}}'

    accepted(send(bare, body, content_type=JSON))

    assert '{"a":{"b":[12345678901234567890123,1.50,1E+2]}}' in bare.ctl("events").stdout


def test_bytes_that_are_not_utf8_are_replaced_after_the_id_is_computed(site):
    body = b"leads[add][0][name]=%FFa\xc0\xaf&leads[add][0][%E2%82]=%ED%A0%80&account[id]=5"

    accepted(send(site, body))

    [line] = webhooks.lines(site)
    assert webhooks.is_of(line, body)
    assert line["payload"]["leads"]["add"] == [
        {"name": "\ufffda\ufffd\ufffd", "\ufffd\ufffd": "\ufffd\ufffd\ufffd"}]


def test_ten_thousand_pairs(site):
    body = urlencode([(f"leads[update][{at // 20}][f][{at % 20}]", str(at))
                      for at in range(10000)]).encode()

    accepted(send(site, body))

    [line] = webhooks.lines(site)
    assert line["payload"]["leads"]["update"] == [
        {"f": [str(at * 20 + field) for field in range(20)]} for at in range(500)]


def test_a_repeated_webhook_is_stored_again_with_the_same_id(site):
    for _ in range(2):
        accepted(send(site, SMALL))

    first, second = webhooks.lines(site)
    assert webhooks.is_of(first, SMALL) and webhooks.is_of(second, SMALL)


def test_a_request_id_is_escaped(bare):
    accepted(send(bare, SMALL, X_Amocrm_Requestid='a"},\x7f\\ї'))

    [line] = webhooks.lines(bare)
    assert line["request_id"] == 'a"},\x7f\\ї'


def test_a_success_is_not_logged(site):
    accepted(send(site, SMALL))
    refused(send(site, b""), 400, "invalid_request")

    site.logged("webhook", "fault=invalid_request", "empty")
    assert len(site.log()) == 1


# Refused.

MALFORMED = {
    "no body": (b"", FORM),
    "no body and no type": (b"", None),
    "no pairs": (b"&&&", FORM),
    "an escape that is not hex": (b"leads[add][0][id]=%zz&account[id]=5", FORM),
    "an escape that is not hex in a key": (b"leads[%zz]=1", FORM),
    "an escape cut short at the end": (b"leads[add]=%4", FORM),
    "an escaped NUL": (b"leads[add]=a%00b", FORM),
    "a raw NUL": (b"leads[add]=a\0b", FORM),
    "50 levels": (b"a" + 49 * b"[a]" + b"=1", FORM),
    "one level too many": (b"a" + 16 * b"[a]" + b"=1", FORM),
    "a name too many": (b"a&" * 320001, FORM),
    "a key that is too long": (b"a" * 1025 + b"=1", FORM),
    "JSON cut short": (b'{"a":1', JSON),
    "a JSON array": (b'[{"a":1}]', JSON),
    "a JSON string": (b'"a"', JSON),
    "two JSON texts": (b'{"a":1}{"b":2}', JSON),
    "JSON with a raw newline in a string": (b'{"a":"b\nc"}', JSON),
    "JSON with a NUL": (b'{"a":"b\0c"}', JSON),
    "JSON that is not UTF-8": (b'{"a":"\xff"}', JSON),
    "JSON with NaN": (b'{"a":NaN}', JSON),
    "JSON of 50 levels": (b'{"a":' * 50 + b"1" + b"}" * 50, JSON),
    "a form said to be JSON": (SMALL, JSON),
}


@pytest.mark.parametrize("body, content_type", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_body_is_refused_and_not_stored(site, body, content_type):
    refused(send(site, body, content_type=content_type), 400, "invalid_request")

    assert webhooks.lines(site) == []


@pytest.mark.parametrize("body", [
    b"a" + 15 * b"[a]" + b"=1", b"a=1&" * 20000, b"a" * 1024 + b"=1",
], ids=["levels", "pairs", "the key's length"])
def test_a_body_just_within_a_limit_is_stored(site, body):
    accepted(send(site, body))

    [line] = webhooks.lines(site)
    assert webhooks.is_of(line, body)


@pytest.mark.parametrize("content_type", [
    None, "", "text/plain", "multipart/form-data; boundary=x", "application/jsonp",
    "application/json-seq", "text/json", "application/x-www-form-urlencode", "application",
    "x application/json",
])
def test_other_types_are_refused(site, content_type):
    refused(send(site, SMALL, content_type=content_type), 415, "unsupported_media_type")

    assert webhooks.lines(site) == []


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(site, method):
    answer = site.ask("webhook", method=method, body=None if method == "HEAD" else SMALL,
                      headers={"Content-Type": FORM})

    assert answer.status == 405
    assert answer.header("Allow") == "GET, POST"
    assert webhooks.lines(site) == []


def body_of(length):
    return SMALL + b"&x=" + b"x" * (length - len(SMALL) - 3)


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
@pytest.mark.parametrize("limit", [1024, None], ids=["a small limit", "the default limit"])
def test_the_limit_of_a_body(site, limit, chunked):
    site.configure(webhook_accounts="any", webhook_max_body=limit)
    limit = limit or MAX_BODY

    accepted(send(site, body_of(limit), chunked=chunked))
    refused(send(site, body_of(limit + 1), chunked=chunked), 413, "too_large")

    [line] = webhooks.lines(site)
    assert webhooks.is_of(line, body_of(limit))


@pytest.mark.parametrize("length", ["0", "5", "32", "34", "1000", "-1", "x", "33x", " 33", "+33",
                                    "0x21", "99999999999999999999"])
def test_a_wrong_content_length(bare, length):
    assert len(SMALL) == 33
    answer = send(bare, SMALL, Content_Length=length)

    too_large = len(length) > 10
    refused(answer, 413 if too_large else 400, "too_large" if too_large else "invalid_request")
    assert webhooks.lines(bare) == []


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_that_is_cut_off_is_not_stored(on_servers, chunked):
    """The sender hangs up in the middle; what was received looks like a complete form."""
    if chunked and on_servers.server.name == "apache":
        pytest.skip("Apache does not tell a program that a chunked body is incomplete")
    framing = (b"Transfer-Encoding: chunked\r\n\r\n1000\r\n" if chunked
               else b"Content-Length: 1000\r\n\r\n")
    with socket.create_connection(("127.0.0.1", on_servers.server.port), 30) as connection:
        connection.sendall(b"POST /api/amo-crm/webhook HTTP/1.1\r\nHost: localhost\r\n"
                           b"Content-Type: " + FORM.encode() + b"\r\n" + framing + SMALL)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            first = connection.makefile("rb").readline()
            assert first == b"" or b" 400 " in first, first

    accepted(send(on_servers, SMALL + b"&the=next"))
    [line] = webhooks.lines(on_servers)
    assert webhooks.is_of(line, SMALL + b"&the=next")


# The key.

WRONG_KEYS = {
    "none": None,
    "empty": "key=",
    "no value": "key",
    "wrong": "key=" + "x" * len(KEY),
    "cut short": f"key={KEY[:-1]}",
    "longer": f"key={KEY}x",
    "in other letters": f"key={KEY.upper()}",
    "under another name": f"Key={KEY}",
    "longer than any": "key=" + "x" * 4000,
}


@pytest.mark.parametrize("query", WRONG_KEYS.values(), ids=WRONG_KEYS.keys())
def test_without_the_right_key_nothing_is_stored(site, query):
    site.configure(webhook_accounts="any", webhook_secret=KEY)

    refused(send(site, SMALL, query), 403, "forbidden")

    assert webhooks.lines(site) == []


@pytest.mark.parametrize("query", [f"key={KEY}&key={KEY}", f"key={KEY}&key=x", f"key[]={KEY}",
                                   f"key={KEY}&x=%zz"],
                         ids=["twice", "twice, the right one first", "an array", "a bad escape"])
def test_a_query_with_the_key_must_be_well_formed(bare, query):
    bare.configure(webhook_accounts="any", webhook_secret=KEY)

    refused(send(bare, SMALL, query), 400, "invalid_request")

    assert webhooks.lines(bare) == []


@pytest.mark.parametrize("query", [f"key={KEY}", f"a=b&key={KEY}", "key=%61" + KEY[1:]],
                         ids=["alone", "with others", "escaped"])
def test_with_the_right_key_it_is_stored(site, query):
    site.configure(webhook_accounts="any", webhook_secret=KEY)

    accepted(send(site, SMALL, query))

    assert len(webhooks.lines(site)) == 1


def test_without_a_configured_key_none_is_required(site):
    accepted(send(site, SMALL, "key=whatever"))


def test_the_key_is_not_logged(on_servers):
    on_servers.configure(webhook_accounts="any", webhook_secret=KEY)

    accepted(send(on_servers, SMALL, f"key={KEY}"))
    refused(send(on_servers, b"", f"key={KEY}"), 400, "invalid_request")
    refused(send(on_servers, SMALL, f"key={KEY}x"), 403, "forbidden")

    on_servers.logged("webhook", "forbidden")
    for file in on_servers.logs.rglob("*.log"):
        assert KEY.encode() not in file.read_bytes(), file


# The accounts whose webhooks are accepted.

def test_only_webhooks_of_connected_accounts_are_accepted(site, amocrm):
    connect(site, amocrm)
    ours, other = amocrm.who()[0], amocrm.who(32720107)[0]

    accepted(send(site, hooks.webhook_body(ours)))
    accepted(send(site, json.dumps({"account": {"id": ours.id}}).encode(), content_type=JSON))
    refused(send(site, hooks.webhook_body(other)), 403, "forbidden")
    refused(send(site, b"leads[add][0][id]=1"), 403, "forbidden")
    refused(send(site, b"account[id]=x"), 403, "forbidden")
    refused(send(site, b"account[id][]=%d" % ours.id), 403, "forbidden")

    assert [line["account_id"] for line in webhooks.lines(site)] == [ours.id, ours.id]
    site.logged("webhook", "forbidden", str(other.id), "not connected")
    site.logged("webhook", "forbidden", "names no account")


def test_no_webhook_is_accepted_without_a_connection(site, amocrm):
    site.configure()

    refused(send(site, hooks.webhook_body(amocrm.who()[0])), 403, "forbidden")

    assert webhooks.lines(site) == []


@pytest.mark.parametrize("body, content_type", [
    (b"account[id]=%d&connection[revoked][0][user_id]=1", FORM),
    (b"account[id]=%d&%%63onnection[revoked][0][user_id]=1", FORM),
    (b'{"account":{"id":%d},"connection":{"revoked":[{}]}}', JSON),
    (b'{"account":{"id":%d},"\\u0063onnection":{"revoked":[{}]}}', JSON),
], ids=["a form", "an escaped form", "JSON", "escaped JSON"])
def test_a_webhook_cannot_contain_our_own_events(site, amocrm, body, content_type):
    """Events of that name are our own, and back ends rely on them."""
    connect(site, amocrm)

    refused(send(site, body % amocrm.who()[0].id, content_type=content_type), 400,
            "invalid_request")

    assert webhooks.lines(site) == []


@pytest.mark.parametrize("name", ["\\u0061ccount", "account"])
def test_a_repeated_account_is_refused(site, amocrm, name):
    connect(site, amocrm)
    ours, other = amocrm.who()[0].id, 7
    body = f'{{"account":{{"id":{ours}}},"{name}":{{"id":{other}}}}}'

    refused(send(site, body.encode(), content_type=JSON), 403, "forbidden")


# GET: the disconnect hook.

def test_the_disconnect_hook(site, amocrm):
    connect(site, amocrm)
    account = amocrm.who()[0]
    accepted(send(site, hooks.webhook_body(account)))

    answer = site.get("webhook", hooks.disconnect_query(amocrm.integration, account))

    expect.hardened(answer)
    assert answer.status == 200 and answer.json["success"] is True
    assert [one["state"] for one in site.connections()] == ["revoked"]
    refused(send(site, hooks.webhook_body(account)), 403, "forbidden")
    assert len(webhooks.lines(site)) == 1


def test_the_disconnect_hook_needs_no_key(site, amocrm):
    connect(site, amocrm)
    site.configure(webhook_secret=KEY)

    answer = site.get("webhook", hooks.disconnect_query(amocrm.integration, amocrm.who()[0]))

    assert answer.status == 200


@pytest.mark.parametrize("spoil", [
    lambda query: None, lambda query: "",
    lambda query: query.replace("signature=", "signature=0"),
    lambda query: query.partition("&signature=")[0],
    lambda query: query.replace("account_id=3", "account_id=4"),
], ids=["no query", "an empty query", "a wrong signature", "no signature", "another account"])
def test_any_other_get_changes_nothing(site, amocrm, spoil):
    connect(site, amocrm)

    answer = site.get("webhook",
                      spoil(hooks.disconnect_query(amocrm.integration, amocrm.who()[0])))

    refused(answer, 403, "invalid_signature")
    assert [one["state"] for one in site.connections()] == ["active"]


# Failures to store an event.

def test_a_store_without_permission_is_reported(site):
    accepted(send(site, SMALL + b"&n=1"))
    events = site.store / "events"
    rights = events.stat()
    if process.is_root():       # otherwise we are the owner, and the mode is enough
        os.chown(events, 0, 0)
    os.chmod(events, 0)

    refused(send(site, SMALL + b"&n=2"), 503, "server_error")

    os.chmod(events, rights.st_mode & 0o7777)
    if process.is_root():
        os.chown(events, rights.st_uid, rights.st_gid)
    accepted(send(site, SMALL + b"&n=3"))
    assert [line["payload"]["n"] for line in webhooks.lines(site)] == ["1", "3"]


def test_a_missing_store_is_reported(site):
    site.store.rename(site.folder / "elsewhere")
    try:
        refused(send(site, SMALL), 503, "server_error")
    finally:
        (site.folder / "elsewhere").rename(site.store)

    accepted(send(site, SMALL))


@contextlib.contextmanager
def small_disk(site, size):
    """Mounts a disk of this many bytes at the store."""
    user = process.web_user()
    if user is None:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700,uid={user.pw_uid},"
         f"gid={user.pw_gid}", "tmpfs", site.store], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", site.store], check=True)


def fill(path):
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def test_a_full_disk_is_reported_and_loses_no_event(site):
    large = SMALL + b"&n=large&x=" + b"x" * 100000
    with small_disk(site, 256 * 1024):
        stored = []
        for n in range(3):
            accepted(send(site, SMALL + b"&n=%d" % n))
            stored.append(str(n))
        ballast = site.store / "ballast"
        fill(ballast)
        # little space: writing a large event fails half way, and must be undone
        os.truncate(ballast, ballast.stat().st_size - 40960)
        refused(send(site, large), 503, "server_error")
        accepted(send(site, SMALL + b"&n=small"))
        stored.append("small")
        fill(site.store / "more")
        n = 0
        while (answer := send(site, SMALL + b"&n=last%d" % n)).status == 200:
            stored.append(f"last{n}")    # the rest of the last block
            n += 1
        refused(answer, 503, "server_error")
        assert [line["payload"]["n"] for line in webhooks.lines(site)] == stored

        ballast.unlink()
        accepted(send(site, large))
        stored.append("large")
        assert [line["payload"]["n"] for line in webhooks.lines(site)] == stored


# Concurrent webhooks.

def test_two_hundred_concurrent_webhooks_are_all_stored_intact(site):
    bodies = [urlencode({"leads[update][0][id]": str(n), "account[id]": "5",
                         "leads[update][0][text]": chr(0x430 + n % 32) * (n * 37 % 3000)}).encode()
              for n in range(200)]

    with ThreadPoolExecutor(200) as senders:
        answers = list(senders.map(lambda body: send(site, body), bodies))

    for answer in answers:
        accepted(answer)
    lines = webhooks.lines(site)
    assert len(lines) == len({line["id"] for line in lines}) == 200
    for line in lines:
        [lead] = line["payload"]["leads"]["update"]
        assert lead["text"] == chr(0x430 + int(lead["id"]) % 32) * (int(lead["id"]) * 37 % 3000)


# Whose an event is, and which events are the same.

def pipeline_call(number):
    return b"leads[status][0][id]=1&leads[status][0][status_id]=%d&account[id]=5" % number


def test_three_calls_of_the_digital_pipeline_are_three_events(site):
    for number in range(3):
        accepted(send(site, pipeline_call(142), X_Amocrm_Requestid=f"request-{number}"))
    assert len({line["id"] for line in webhooks.lines(site)}) == 3


def test_calls_without_an_id_or_a_time_differ(bare):
    for _ in range(3):
        accepted(send(bare, pipeline_call(142)))
    assert len({line["id"] for line in webhooks.lines(bare)}) == 3


CHANGE = b"leads[update][0][id]=1&leads[update][0][last_modified]=1700000000&account[id]=5"


def test_a_repeat_is_the_same_event(bare):
    for number in range(3):
        accepted(send(bare, CHANGE, X_Amocrm_Requestid=f"request-{number}"))
    assert {line["id"] for line in webhooks.lines(bare)} == {digest(CHANGE)}


CALL = pipeline_call(142)
TIME_OF_ACCOUNT = CALL + b"&account[created_at]=1700000000"
# Two webhooks, each a body and a request id, and whether they are the same event.
TWO = {
    "a change, repeated": ((CHANGE, "a"), (CHANGE, "b"), True),
    "a change a second later": ((CHANGE, "a"), (CHANGE.replace(b"00&", b"01&"), "a"), False),
    "a change of another lead": ((CHANGE, "a"), (CHANGE.replace(b"=1&", b"=2&"), "a"), False),
    "a call, repeated": ((CALL, "a"), (CALL, "a"), True),
    "another call": ((CALL, "a"), (CALL, "b"), False),
    "another status": ((CALL, "a"), (pipeline_call(143), "a"), False),
    "only the account has a time": ((TIME_OF_ACCOUNT, "a"), (TIME_OF_ACCOUNT, "b"), False),
}


@pytest.mark.parametrize("first, second, same", TWO.values(), ids=TWO.keys())
def test_which_two_webhooks_are_one_event(bare, first, second, same):
    for body, request_id in (first, second):
        accepted(send(bare, body, X_Amocrm_Requestid=request_id))

    assert len({line["id"] for line in webhooks.lines(bare)}) == (1 if same else 2)


NAMED = {
    "in account[id]": "leads[add][0][id]=1&account[id]={id}",
    "beside the entities": "leads[add][0][id]=1&account_id={id}",
    "by its subdomain": "leads[add][0][id]=1&account[subdomain]={subdomain}",
    "by a subdomain beside the entities": "leads[add][0][id]=1&subdomain={subdomain}",
    "in all items": "leads[add][0][account_id]={id}&leads[add][1][account_id]={id}",
    "in a widget's list": "add[0][text]=x&add[0][account_id]={id}",
}


@pytest.mark.parametrize("body", NAMED.values(), ids=NAMED.keys())
@pytest.mark.parametrize("shared", [False, True], ids=["per_user", "shared"])
def test_the_account_may_stand_elsewhere(bare, amocrm, body, shared):
    if shared:
        bare.configure()
        expect.connected(bare.get("callback", params := amocrm.approve()), params["code"])
    else:
        connect(bare, amocrm)
    account = amocrm.who()[0]

    accepted(send(bare, body.format(id=account.id, subdomain=account.subdomain).encode()))

    [line] = webhooks.lines(bare)
    assert line["account_id"] == account.id and line["events"]


@pytest.mark.parametrize("body", [
    "subdomain=elsewhere&leads[add][0][id]=1", "subdomain=reforyou.amocrm.ru&a[b]=1",
    "subdomain=reforyo&a[b]=1", "account_id=7&a[b]=1", "a[b][0][account_id]=7",
    "a[b][0][id]=1"])
def test_an_account_that_is_not_connected_stays_refused(bare, amocrm, body):
    connect(bare, amocrm)
    refused(send(bare, body.encode()), 403, "forbidden")


@pytest.mark.parametrize("body", ["account[id]=5&account_id=6&a[b]=1",
                                  "account[id]=5&leads[add][0][account_id]=6"])
def test_a_body_that_names_two_accounts(bare, body):
    refused(send(bare, body.encode()), 400, "invalid_request")
    assert webhooks.lines(bare) == []


def test_a_body_whose_items_and_subdomain_name_two_accounts(bare, amocrm):
    account = amocrm.who()[0]
    connect(bare, amocrm)
    bare.configure(app_connections="per_user", amocrm_account=None, webhook_accounts="any")
    body = f"account[subdomain]={account.subdomain}&leads[add][0][account_id]="

    refused(send(bare, f"{body}6".encode()), 400, "invalid_request")
    accepted(send(bare, f"{body}{account.id}".encode()))
    accepted(send(bare, b"account[subdomain]=unknown&leads[add][0][account_id]=6"))

    assert [line["account_id"] for line in webhooks.lines(bare)] == [account.id, 6]


# Two bodies that differ little: one is accepted as ours, the other gets this status.
ITEM, NEXT = "leads[add][0][account_id]=", "leads[add][1][account_id]="
SIDES = {
    "another account": ("account[id]={ours}&a[b]=1", "account[id]=7&a[b]=1", 403),
    "a digit more": ("account[id]={ours}&a[b]=1", "account[id]={ours}0&a[b]=1", 403),
    "an id with a blank": ("account[id]={ours}&a[b]=1", "account[id]={ours}+&a[b]=1", 403),
    "an account that is a list": ("account[id]={ours}&a[b]=1", "account[0][id]={ours}&a[b]=1", 403),
    "a subdomain cut short": ("subdomain={subdomain}&a[b]=1", "subdomain={cut}&a[b]=1", 403),
    "a whole host": ("subdomain={capitals}&a[b]=1", "subdomain={subdomain}.amocrm.ru&a[b]=1", 403),
    "an item without an account": (
        ITEM + "{ours}&" + NEXT + "{ours}", ITEM + "{ours}&leads[add][1][id]=1", 403),
    "items of two accounts": (ITEM + "{ours}&" + NEXT + "{ours}",
                              ITEM + "{ours}&" + NEXT + "{other}", 403),
    "a plain text in a widget's list": (
        "add[0][account_id]={ours}&add[1][account_id]={ours}",
        "add[0][account_id]={ours}&add[1]=a", 403),
    "account[id] and account_id": ("account[id]={ours}&account_id={ours}&a[b]=1",
                                   "account[id]={ours}&account_id={other}&a[b]=1", 400),
    "account[id] and the item": ("account[id]={ours}&" + ITEM + "{ours}",
                                 "account[id]={ours}&" + ITEM + "{other}", 400),
    "account[id] and both items": (     # items of two accounts name none
        "account[id]={ours}&" + ITEM + "{other}&" + NEXT + "{ours}",
        "account[id]={ours}&" + ITEM + "{other}&" + NEXT + "{other}", 400),
    "account_id and a widget's list": (
        "account_id={ours}&add[0][account_id]={ours}",
        "account_id={ours}&add[0][account_id]={other}", 400),
    "account[id] and account[subdomain]": (
        "account[id]={ours}&account[subdomain]={subdomain}&a[b]=1",
        "account[id]={ours}&account[subdomain]=second&a[b]=1", 400),
    "account_id and a subdomain": (     # of nobody: the account has been renamed
        "account_id={ours}&subdomain=renamed&a[b]=1", "account_id={other}&subdomain={subdomain}&a[b]=1", 400),
    "an id that is not connected, and a subdomain": (
        "account[id]={ours}&subdomain={capitals}&a[b]=1", "account[id]=7&subdomain=second&a[b]=1", 403),
    "the item and account[subdomain]": ("account[subdomain]={subdomain}&" + ITEM + "{ours}",
                                        "account[subdomain]=second&" + ITEM + "{ours}", 400),
    "the item and a subdomain": (       # a subdomain of nobody names no account
        "subdomain=unknown&" + ITEM + "{ours}", "subdomain=second&" + ITEM + "{ours}", 400),
}


def connect_two(site, amocrm):
    """Connects two accounts, and accepts webhooks of both; returns the accounts."""
    connect(site, amocrm)
    connect(site, amocrm, "second.amocrm.ru")
    return amocrm.who()[0], amocrm.who("second.amocrm.ru")[0]


@pytest.mark.parametrize("good, bad, status", SIDES.values(), ids=SIDES.keys())
def test_both_sides_of_each_refusal(bare, amocrm, good, bad, status):
    ours, other = connect_two(bare, amocrm)
    words = {"ours": ours.id, "other": other.id, "subdomain": ours.subdomain,
             "cut": ours.subdomain[:-1], "capitals": ours.subdomain.upper()}

    refused(send(bare, bad.format(**words).encode()), status,
            "forbidden" if status == 403 else "invalid_request")
    assert webhooks.lines(bare) == []

    accepted(send(bare, good.format(**words).encode()))
    assert [line["account_id"] for line in webhooks.lines(bare)] == [ours.id]


def salesbot(site, amocrm, secret=None, algorithm="HS512", beside=None, **claims):
    """`beside`: members of the body beside the token, or instead of others."""
    claims = {"account_id": amocrm.who()[0].id, "exp": int(time.time()) + 600, **claims}
    digest_of = {"HS512": hashlib.sha512, "HS256": hashlib.sha256}[algorithm]
    key = secret or amocrm.integration.client_secret
    token = app.token({"alg": algorithm, "typ": "JWT"}, claims,
                      lambda signed: hmac.new(key.encode(), signed, digest_of).digest())
    return json.dumps({"token": token, "data": {"message": "hi"},
                       "return_url": "https://reforyou.amocrm.ru/api/v4/salesbot/1",
                       **(beside or {})}).encode()


# The members beside the token, by which a Salesbot's request names an account too.
BESIDE = {
    "account": lambda account: {"account": {"id": account.id}},
    "account_id": lambda account: {"account_id": str(account.id)},
    "account[subdomain]": lambda account: {"account": {"subdomain": account.subdomain}},
    "subdomain": lambda account: {"subdomain": account.subdomain},
    "data": lambda account: {"data": {"account_id": account.id, "message": "hi"}},
}


@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE.keys())
def test_a_salesbot_whose_body_names_another_account_than_its_token(bare, amocrm, beside):
    ours, other = connect_two(bare, amocrm)

    refused(send(bare, salesbot(bare, amocrm, beside=beside(other)), content_type=JSON), 400,
            "invalid_request")
    assert webhooks.lines(bare) == []

    accepted(send(bare, salesbot(bare, amocrm, beside=beside(ours)), content_type=JSON))
    # a token that is not amoCRM's names no account
    accepted(send(bare, salesbot(bare, amocrm, secret="x" * 64, beside=beside(other)),
                  content_type=JSON))
    assert [line["account_id"] for line in webhooks.lines(bare)] == [ours.id, other.id]


def test_a_salesbot(bare, amocrm):
    connect(bare, amocrm)
    accepted(send(bare, salesbot(bare, amocrm), content_type=JSON))

    [line] = webhooks.lines(bare)
    assert (line["account_id"], line["events"]) == (amocrm.who()[0].id, ["salesbot"])
    [item] = webhooks.lines(bare, "--items")
    assert (item["entity"], item["action"], item["item"]) == ("salesbot", None, {"message": "hi"})

    for forged in (salesbot(bare, amocrm, secret="x" * 64), salesbot(bare, amocrm, account_id=7),
                   salesbot(bare, amocrm, algorithm="HS256")):
        refused(send(bare, forged, content_type=JSON), 403, "forbidden")


def test_a_line_that_grows_too_long(bare):
    bare.configure(webhook_accounts="any", webhook_max_body=10000)
    refused(send(bare, b"a[b]=" + b"\x01" * 9000), 413, "too_large")
    accepted(send(bare, b"a[b]=" + b"\x01" * 3200))


def test_a_full_journal(bare):
    bare.configure(webhook_accounts="any", webhook_max_journal="1 MiB")
    for _ in range(2):
        accepted(send(bare, b"a[b]=" + b"x" * 500_000))
    refused(send(bare, b"a[b]=" + b"x" * 500_000), 503, "server_error")
    assert len(webhooks.lines(bare)) == 2
    bare.configure(webhook_accounts="any")
    accepted(send(bare, b"a[b]=" + b"x" * 500_000))


def test_as_many_pairs_as_a_body_holds(bare):
    accepted(send(bare, b"&".join(b"a[%d]=1" % n for n in range(90_000))))
