"""No body, query, state or token costs over three times what one of amoCRM's does, whatever its bytes.

Instructions are counted, which are the same on a busy machine.  The events of amoCRM that the others
are compared with cost twice as much as one long text of their size.
"""

import base64
import os
import re
import shutil
import subprocess
from urllib.parse import unquote_to_bytes

import pytest

from sandbox import process
from sandbox.servers import BASE
from webhooks import FORM, JSON

SIZE = 64 << 10
TIMES = 3
VALGRIND = shutil.which("valgrind")

# valgrind counts an instruction that repeats itself once for each byte: without these.
NO_REPEATS = ":".join(f"glibc.cpu.x86_rep_{name}_threshold={1 << 30}" for name in ("movsb", "stosb"))

pytestmark = pytest.mark.skipif(VALGRIND is None, reason="valgrind is not installed")

LEAD = ("[id]=2506743{n}&{at}[name]=%D0%A1%D0%B4%D0%B5%D0%BB%D0%BA%D0%B0+{n}&{at}[status_id]=142"
        "&{at}[price]=1500&{at}[responsible_user_id]=504141&{at}[last_modified]=1700000000"
        "&{at}[modified_user_id]=504141&{at}[created_user_id]=504141&{at}[date_create]=1690000000"
        "&{at}[pipeline_id]=7&{at}[account_id]=5&{at}[custom_fields][0][id]=427183"
        "&{at}[custom_fields][0][name]=Budget&{at}[custom_fields][0][values][0][value]=100000")


def lead(n):
    at = f"leads[update][{n}]"
    return at + LEAD.format(n=n, at=at)


def letters(n):
    """Short names, all different."""
    text = ""
    while True:
        n, digit = divmod(n, 26)
        text = chr(ord("a") + digit) + text
        if n == 0:
            return text


def many(part, separator="&", before="", after="", limit=SIZE):
    """As many parts as fit."""
    parts, size = [], len(before) + len(after)
    while (size := size + len(one := part(len(parts))) + len(separator)) <= limit:
        parts.append(one)
    return before + separator.join(parts) + after


def text(of):
    """One long value."""
    return "note=" + of * ((SIZE - len("note=")) // len(of))


FORMS = {
    "plain text": text("a"),
    "control characters": text("\x01"),
    "quotes": text('"'),
    "backslashes": text("\\"),
    "escaped letters": text("%41"),
    "escaped control characters": text("%01"),
    "spaces": text("+"),
    "no UTF-8": text("\udcff"),
    "Cyrillic": text("ж"),
    "control characters and letters in turn": text("\x01a"),
    "no names": text("a") + "&" * 1000,
    "names alone": many(letters),
    "pairs": many(lambda n: f"{letters(n)}=1"),
    "the same name": many(lambda _: "a=1"),
    "appended": many(lambda _: "a[]=1"),
    "appended names alone": many(lambda _: "a[]"),
    "appended and found": many(lambda n: f"a[]&a[{n}]"),
    "appended levels": many(lambda _: "a" + "[]" * 15 + "=1"),
    "levels": many(lambda n: f"{letters(n)}" + "[b]" * 15 + "=1"),
    "one deep level": many(lambda n: "a" + "[b]" * 14 + f"[{letters(n)}]=1"),
    "a level and a value in turn": many(lambda _: "a[b]=1&a=1"),
    "indexes": many(lambda n: f"leads[add][{n}]=1"),
    "indexes in descending order": many(lambda n: f"leads[add][{9999 - n}]=1"),
    "items": many(lambda n: f"leads[add][{n}][id]=1"),
    "items with an account": many(lambda n: f"leads[add][{n}][account_id]=5"),
    "actions": many(lambda n: f"leads[{letters(n)}][0][id]=1"),
    "entities": many(lambda n: f"{letters(n)}[add][0][id]=1"),
    "members of the account": many(lambda n: f"account[{letters(n)}]=1"),
    "brackets that are not closed": many(lambda n: f"a[{letters(n)}=1"),
    "brackets alone": many(lambda n: f"[{letters(n)}"),
    "empty brackets alone": many(lambda _: "[]"),
    "half a time": many(lambda n: f"{letters(n)}=last_modifie"),
}

BODIES = {
    "text": '{"note":"' + "a" * (SIZE - 11) + '"}',
    "escaped control characters": many(lambda _: "\\u0001", "", '{"note":"', '"}'),
    "escaped letters": many(lambda _: "\\u0451", "", '{"note":"', '"}'),
    "escaped quotes": many(lambda _: '\\"', "", '{"note":"', '"}'),
    "digits": many(lambda _: "1", ",", '{"a":[', "]}"),
    "numbers": many(lambda _: "-12.5e7", ",", '{"a":[', "]}"),
    "words": many(lambda _: "null", ",", '{"a":[', "]}"),
    "empty strings": many(lambda _: '""', ",", '{"a":[', "]}"),
    "empty objects": many(lambda _: "{}", ",", '{"a":[', "]}"),
    "nested lists": many(lambda _: "[[]]", ",", '{"a":[', "]}"),
    "deep lists": many(lambda _: "[" * 20 + "]" * 20, ",", '{"a":[', "]}"),
    "members": many(lambda n: f'"{letters(n)}":1', ",", "{", "}"),
    "entities": many(lambda n: f'"{letters(n)}":{{"a":[]}}', ",", "{", "}"),
    "actions": many(lambda n: f'"{letters(n)}":[]', ",", '{"a":{', "}}"),
    "the same action": many(lambda n: '"a":[]', ",", '{"a":{', "}}"),
    "99 actions again and again": many(lambda n: f'"{letters(26 + n % 99)}":[]', ",", '{"a":{', "}}"),
    "99 entities again and again": many(lambda n: f'"{letters(26 + n % 99)}":[]', ",", "{", "}"),
    "items with an account": many(lambda _: '{"account_id":5}', ",", '{"a":{"b":[', "]}}"),
    "members of the account": many(lambda n: f'"{letters(n)}":1', ",", '{"account":{', "}}"),
    "times without a value": many(lambda n: '"msec":0', ",", "{", "}"),
    "spaces": '{"a":1' + " " * (SIZE - 7) + "}",
}


def run(site, program, query=None, method="GET", headers=None, body=b""):
    """The response, and the instructions that it took."""
    variables = site.server.environment(f"{BASE}{program}", query, method, headers or {}, body)
    done = subprocess.run(
        [*process.as_web_user_command(), VALGRIND, "--tool=callgrind",
         "--callgrind-out-file=/dev/null", site.programs / program],
        env={**variables, "GLIBC_TUNABLES": NO_REPEATS, "PATH": os.environ["PATH"]},
        input=body, capture_output=True, timeout=process.PATIENCE)
    counted = re.search(rb"Collected : (\d+)", done.stderr)
    assert counted, done.stderr
    return done.stdout, int(counted[1])


def instructions(site, body, media_type):
    output, count = run(site, "webhook", None, "POST", {"Content-Type": media_type},
                        body.encode("utf-8", "surrogateescape"))
    assert b'{"success":true}' in output, output
    return count


@pytest.fixture(scope="module")
def usual():
    """The cost of events of amoCRM; measured once."""
    return []


@pytest.fixture
def limit(bare, usual):
    bare.configure(webhook_accounts="any")
    if not usual:
        usual.append(instructions(bare, many(lead, before="account[id]=5&"), FORM))
    return TIMES * usual[0]


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS.keys())
def test_a_form(bare, limit, body):
    assert instructions(bare, body, FORM) <= limit


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_json_body(bare, limit, body):
    assert instructions(bare, body, JSON) <= limit


STATE_SIZE = 1900
STATES = ["%01", "%22", "%3C", "%25", "%FF", "%D0%B6", "+", "a+", "%3F%3F-"]


def callback(site, query):
    output, count = run(site, "callback", query)
    assert b'id="open"' in output, output
    return count


def state_of(text):
    """A query with a state of STATE_SIZE bytes, once it is decoded."""
    decoded = len(unquote_to_bytes(text))
    return "error=access_denied&state=" + text * (STATE_SIZE // decoded)


QUERY_SIZE = 15000
QUERIES = ["&", "=", "=&", "a&", "a=&", "e=1&", "error&", "s[]&", "%41&", "+&", "[", "%5B&"]


def query_of(part):
    return "referer=r&a=" + part * (QUERY_SIZE // len(part))


@pytest.mark.parametrize("part", QUERIES)
def test_a_query(bare, part):
    assert callback(bare, query_of(part)) <= TIMES * callback(bare, query_of("a"))


@pytest.mark.parametrize("text", STATES)
def test_a_state(bare, text):
    assert callback(bare, state_of(text)) <= TIMES * callback(bare, state_of("a"))


CLAIMS_SIZE = 5900    # in base64url about what a token may have
CLAIMS = {
    "members": lambda n: f'"{letters(n)}":1',
    "empty lists": lambda _: "[]",
    "empty objects": lambda _: "{}",
    "objects": lambda _: '{"a":1}',
    "numbers": lambda _: "1",
    "numbers with exponents": lambda _: "1e9",
    "empty strings": lambda _: '""',
    "strings": lambda _: '"x"',
    "words": lambda _: "null",
    "escapes": lambda _: '"\\u0451"',
}


def token(site, header, claims):
    encoded = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=")
               for part in (header, claims, "x" * 32)]
    output, count = run(site, "status", None, "GET", {"Authorization": "Bearer " + ".".join(encoded)})
    assert b"invalid_token" in output, output
    return count


def full_of(part):
    before, after = ("{", "}") if part(0).startswith('"a":') else ('{"aud":[', "]}")
    return many(part, ",", before, after, CLAIMS_SIZE)


HEADER = '{"alg":"HS256","typ":"JWT"}'
LONG_TEXT = '{"aud":"' + "a" * (CLAIMS_SIZE - 10) + '"}'


@pytest.mark.parametrize("part", CLAIMS.values(), ids=CLAIMS.keys())
def test_a_token(bare, part):
    assert token(bare, HEADER, full_of(part)) <= TIMES * token(bare, HEADER, LONG_TEXT)


@pytest.mark.parametrize("part", CLAIMS.values(), ids=CLAIMS.keys())
def test_a_tokens_header(bare, part):
    assert token(bare, full_of(part), "{}") <= TIMES * token(bare, LONG_TEXT, "{}")
