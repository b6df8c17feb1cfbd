"""POST exchange-code: valid and invalid bodies."""

import json
from urllib.parse import unquote_to_bytes

import pytest

import app
from app import FORM, JSON, User
from connections import ANY_ACCOUNT
from test_hostile import REFERERS

in_both_kinds = pytest.mark.parametrize("kind", [JSON, FORM], ids=["JSON", "form"])


# Valid bodies.

def test_only_the_code_is_required(bare, amocrm):
    """The pinned account replaces a missing referer; null counts as absent."""
    olena = User(bare)

    for absent in ({}, {"state": None, "referer": None}):
        app.connected(olena.exchange(code=amocrm.approve()["code"], **absent))
    app.connected(olena.exchange(code=amocrm.approve()["code"], kind=FORM))

    assert {request.host for request in amocrm.exchanges()} == {"reforyou.amocrm.ru"}


def test_unknown_members_are_ignored(bare, amocrm):
    for kind in (JSON, FORM):
        app.connected(User(bare).exchange(amocrm.approve(), kind=kind, utm="x", codes="y"))
    params = {"more": {"code": ["x"]}, "list": [1, None, True], **amocrm.approve()}
    app.connected(User(bare).send(json.dumps(params).encode()))


@pytest.mark.parametrize("kind", [
    "application/json; charset=utf-8", "Application/JSON", "application/json ;x=y",
    "application/x-www-form-urlencoded; charset=UTF-8", "APPLICATION/X-WWW-FORM-URLENCODED",
])
def test_content_types_with_parameters_and_in_any_case(bare, amocrm, kind):
    code = amocrm.approve()["code"]
    body = f'{{"code":"{code}"}}' if "json" in kind.lower() else f"code={code}"

    app.connected(User(bare).send(body.encode(), kind))


@in_both_kinds
def test_a_body_in_chunks(site, amocrm, kind):
    params = amocrm.approve()
    body = json.dumps(params) if kind == JSON else f"code={params['code']}"

    app.connected(User(site).send(body.encode(), kind, chunked=True))


def test_escapes_are_decoded(bare, amocrm):
    """JSON and forms have several encodings of the same code, and of a code that is none."""
    code = amocrm.approve(code="def50200-._~+/=Z")["code"]
    for body, kind in (
            (json.dumps({"code": code}).encode(), JSON),
            (b'{"c\\u006fde":"def50200-._~+\\/=\\u005a"}', JSON),
            (b"%63ode=def50200-.%5F%7e%2B/%3d%5a", FORM)):
        app.connected(User(bare).send(body, kind))
    for body, kind in (
            ('{"code":"def50200-._~+/=Z їжак"}'.encode(), JSON),
            (b'{"code":"def50200-._~+/=Z\\u0457"}', JSON),
            (b"code=def50200-._~+/%3DZ", FORM), (b"code=def50200-._~%2B/%3DZ%d1%97", FORM)):
        app.refused(User(bare).send(body, kind), 400, "invalid_request")

    assert len(amocrm.exchanges()) == 1


# No code.

NO_CODE = {
    "an empty object": ("{}", JSON),
    "only a state": ('{"state":"s"}', JSON),
    "null": ('{"code":null}', JSON),
    "an empty code": ('{"code":""}', JSON),
    "no body": ("", JSON),
    "an object with blanks around": (" \r\n\t{ }\n", JSON),
    "code inside": ('{"data":{"code":"c"}}', JSON),
    "another case": ('{"Code":"c"}', JSON),
    "no form": ("", FORM),
    "a form with only a state": ("state=s", FORM),
    "a form with an empty code": ("code=&state=s", FORM),
    "a form with a bare word": ("code", FORM),
    "JSON sent as a form": ('{"code":"c"}', FORM),
}


@pytest.mark.parametrize("body, kind", NO_CODE.values(), ids=NO_CODE.keys())
def test_no_code(site, amocrm, body, kind):
    app.refused(User(site).send(body.encode(), kind), 400, "missing_code")

    assert amocrm.connections() == []


def test_a_code_in_the_query_is_ignored(site, amocrm):
    app.refused(User(site).send(b"{}", query=amocrm.approve()), 400, "missing_code")

    assert amocrm.connections() == []


# Neither JSON nor a form.

@pytest.mark.parametrize("kind", [
    "text/plain", "multipart/form-data; boundary=x", "application/xml", "application/jsonx",
    "application/json-patch+json", "application/ld+json", "text/json", "application", "json", "/",
    "application/x-www-form-urlencoded2", "application/json,application/json",
    "x application/json",
])
def test_neither_json_nor_a_form(site, amocrm, kind):
    app.refused(User(site).send(b'{"code":"c"}', kind), 415, "unsupported_media_type")

    assert amocrm.connections() == []


def test_no_content_type(site, amocrm):
    answer = site.post("exchange-code", headers=User(site).headers, body=b'{"code":"c"}')

    app.refused(answer, 415, "unsupported_media_type")
    assert amocrm.connections() == []


# Malformed.

MALFORMED_JSON = {
    "not closed": b'{"code":"c"',
    "closed twice": b'{"code":"c"}}',
    "something behind": b'{"code":"c"} x',
    "two objects": b'{"code":"c"}{"code":"c"}',
    "a NUL behind": b'{"code":"c"}\0',
    "a NUL inside": b'{"code":"a\0b"}',
    "an escaped NUL": b'{"code":"a\\u0000b"}',
    "an escaped NUL in a name": b'{"code\\u0000x":"c"}',
    "code twice": b'{"code":"a","code":"b"}',
    "code twice, once escaped": b'{"code":"a","\\u0063ode":"b"}',
    "code twice, once null": b'{"code":"c","code":null}',
    "state twice": b'{"code":"c","state":"s","state":"s"}',
    "an unknown name twice": b'{"code":"c","x":1,"x":1}',
    "a name inside twice": b'{"code":"c","x":{"y":1,"y":1}}',
    "a number for code": b'{"code":1}',
    "true for code": b'{"code":true}',
    "a list for code": b'{"code":["c"]}',
    "an object for code": b'{"code":{"c":1}}',
    "a number for state": b'{"code":"c","state":5}',
    "a list for referer": b'{"code":"c","referer":["reforyou.amocrm.ru"]}',
    "a list": b'["c"]',
    "a string": b'"c"',
    "null": b"null",
    "a number": b"17",
    "single quotes": b"{'code':'c'}",
    "no quotes": b'{code:"c"}',
    "a comma too many": b'{"code":"c",}',
    "a comment": b'{"code":"c"/**/}',
    "not a number": b'{"code":"c","x":NaN}',
    "a line end in a string": b'{"code":"a\nb"}',
    "an unknown escape": b'{"code":"\\x63"}',
    "not UTF-8": b'{"code":"\xff"}',
    "overlong UTF-8": b'{"code":"\xc0\xaf"}',
    "UTF-16": '{"code":"c"}'.encode("utf-16"),
    "a byte order mark": '{"code":"c"}'.encode("utf-8-sig"),
    "a form": b"code=c",
    "too deep": b'{"code":"c","x":' + b"[" * 40 + b"]" * 40 + b"}",
    "very deep": b"[" * 30000,
    "only blanks": b" " * 100,
    "code over its limit": b'{"code":"' + b"c" * 4097 + b'"}',
    "code over its limit in bytes, not characters": b'{"code":"' + b"\xd1\x97" * 2049 + b'"}',
    "state over its limit": b'{"code":"c","state":"' + b"s" * 2049 + b'"}',
    "referer over its limit": b'{"code":"c","referer":"' + b"r" * 1025 + b'"}',
}
MALFORMED_FORMS = {
    "code twice": b"code=a&code=b",
    "code twice, once escaped": b"code=a&%63ode=b",
    "state twice": b"code=c&state=s&state=s",
    "referer twice": b"code=c&referer=reforyou.amocrm.ru&referer=reforyou.amocrm.ru",
    "code with brackets": b"code[]=c",
    "code with and without brackets": b"code=c&code[0]=c",
    "state with brackets": b"code=c&state[x]=s",
    "brackets that are escaped": b"code%5B%5D=c",
    "escape cut short": b"code=%4",
    "escape of no hex digit": b"code=%zz",
    "sign inside an escape": b"code=%+9",
    "bad escape of an unknown name": b"code=c&%zz=1",
    "an escaped NUL": b"code=a%00b",
    "a NUL": b"code=a\0b",
    "a NUL behind": b"code=c\0",
    "code over its limit": b"code=" + b"c" * 4097,
    "state over its limit": b"code=c&state=" + b"s" * 2049,
    "referer over its limit": b"code=c&referer=" + b"r" * 1025,
}
MALFORMED = {**{f"JSON, {label}": (body, JSON) for label, body in MALFORMED_JSON.items()},
             **{f"form, {label}": (body, FORM) for label, body in MALFORMED_FORMS.items()}}


@pytest.mark.parametrize("body, kind", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_bodies_never_reach_amocrm(bare, amocrm, body, kind):
    app.refused(User(bare).send(body, kind), 400, "invalid_request")

    assert amocrm.connections() == []


def test_malformed_bodies_behind_real_servers(on_servers, amocrm):
    for label, (body, kind) in MALFORMED.items():
        with app.row(label):
            app.refused(User(on_servers).send(body, kind), 400, "invalid_request")

    assert amocrm.connections() == []


# Limits.

@in_both_kinds
def test_a_code_at_its_limit(site, amocrm, kind):
    params = amocrm.approve(code="c" * 4096)

    app.connected(User(site).exchange(params, kind=kind))


@in_both_kinds
def test_a_code_at_its_limit_with_every_byte_escaped(bare, amocrm, kind):
    amocrm.approve(code="c" * 4096)
    body = (b'{"code":"' + b"\\u0063" * 4096 + b'"}' if kind == JSON
            else b"code=" + b"%63" * 4096)

    app.connected(User(bare).send(body, kind))


@in_both_kinds
def test_a_state_at_its_limit(bare, amocrm, kind):
    app.connected(User(bare).exchange(amocrm.approve(state="s" * 2048), kind=kind))


@in_both_kinds
def test_a_body_at_its_limit(site, amocrm, kind):
    code = amocrm.approve()["code"]
    body = f'{{"code":"{code}"}}' if kind == JSON else f"code={code}&x="
    body = body.ljust(32768, " " if kind == JSON else "x").encode()

    app.connected(User(site).send(body, kind))

    for chunked in (False, True):
        app.refused(User(site).send(body + b" ", kind, chunked=chunked), 413, "too_large")


@pytest.mark.parametrize("length, status, error", [
    ("11", 400, "invalid_request"), ("13", 400, "invalid_request"),
    ("-1", 400, "invalid_request"), ("+12", 400, "invalid_request"),
    ("0x0c", 400, "invalid_request"), ("12 ", 400, "invalid_request"),
    ("1.2e1", 400, "invalid_request"),
    ("32769", 413, "too_large"), ("9" * 30, 413, "too_large"),
])
def test_a_wrong_content_length(bare, amocrm, length, status, error):
    headers = {**User(bare).headers, "Content-Type": JSON, "Content-Length": length}

    app.refused(bare.post("exchange-code", headers=headers, body=b'{"code":"c"}'), status, error)

    assert amocrm.connections() == []


# Hosts that are not amoCRM's: no packet, and so no client secret, may be sent to them.

@in_both_kinds
@pytest.mark.parametrize("referer", REFERERS.values(), ids=REFERERS.keys())
def test_no_packet_to_a_foreign_host(bare, amocrm, referer, kind):
    bare.configure(**ANY_ACCOUNT)
    body = f"code={amocrm.approve()['code']}&{referer}".encode()

    answer = User(bare).send(body if kind == FORM else as_json(body), kind)

    assert amocrm.connections() == [], "the client secret may have been sent there"
    app.refused(answer, 400, "invalid_request")


def test_no_packet_to_a_foreign_host_with_a_pinned_account(bare, amocrm):
    code = amocrm.approve()["code"]
    for label, referer in {**REFERERS, "another account": "referer=second.amocrm.ru"}.items():
        with app.row(label):
            answer = User(bare).send(f"code={code}&{referer}".encode(), FORM)
            other = label == "another account"
            app.refused(answer, 400, "wrong_account" if other else "invalid_request")
            assert amocrm.connections() == []


def as_json(form):
    """The same names and values as JSON members, including bytes that are not UTF-8."""
    pairs = [pair.partition(b"=")[::2] for pair in form.split(b"&")]
    return b"{" + b",".join(
        b'"%s":"%s"' % (_member(name).removesuffix(b"[]"), _member(value))
        if not name.endswith(b"[]") else b'"%s":["%s"]' % (name[:-2], _member(value))
        for name, value in pairs) + b"}"


def _member(text):
    plain = unquote_to_bytes(text.replace(b"+", b" "))
    return b"".join(b"\\u%04x" % byte if byte < 32 or byte in b'"\\' else bytes([byte])
                    for byte in plain)


def test_no_packet_to_a_foreign_host_behind_real_servers(on_servers, amocrm):
    on_servers.configure(**ANY_ACCOUNT)
    for referer in ("evil.com", "a.amocrm.ru@evil.com", "127.0.0.1", "evil.com/.amocrm.ru", ""):
        params = amocrm.approve(state="s")
        for kind in (JSON, FORM):
            app.refused(User(on_servers).exchange(params, referer=referer, kind=kind),
                        400, "invalid_request")
    app.refused(User(on_servers).exchange(code=params["code"]), 400, "invalid_request")

    assert amocrm.connections() == []


def test_a_good_host_is_contacted_and_recorded(bare, amocrm):
    bare.configure(**ANY_ACCOUNT)

    app.connected(User(bare).exchange(amocrm.approve(), referer="REforYOU.amocrm.RU"))

    assert [connection.sni for connection in amocrm.connections()] == ["reforyou.amocrm.ru"]


# Requests that are refused before the body was read.

UNREAD = {
    "no token": ({}, 401, "missing_token"),
    "a wrong token": ({"Authorization": "Bearer x"}, 401, "invalid_token"),
    "a type that is not read": ({"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
    "a body too large": ({"Content-Type": JSON}, 413, "too_large"),
}


@pytest.mark.parametrize("headers, status, error", UNREAD.values(), ids=UNREAD.keys())
def test_the_response_is_complete_if_the_body_was_not_read(on_servers, headers, status, error):
    if status != 401:
        headers = {**User(on_servers).headers, **headers}
    for size in (1, 40_000, 400_000) * 4:
        if status != 413 or size > 32768:
            app.refused(on_servers.post("exchange-code", headers=headers, body=b"x" * size),
                        status, error)
