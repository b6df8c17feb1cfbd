"""GET callback against attackers: hosts that try to get the client secret, and injected markup."""

import re

import pytest

import expect
from connections import ANY_ACCOUNT
from sandbox.web import Malformed

# Raw text of the query, because the encoding of the host matters.
REFERERS = {
    "empty": "referer=",
    "a foreign host": "referer=evil.com",
    "a domain without a subdomain": "referer=amocrm.ru",
    "an empty subdomain": "referer=.amocrm.ru",
    "two dots": "referer=a..amocrm.ru",
    "the domain as the end of a word": "referer=evilamocrm.ru",
    "the domain as a subdomain": "referer=a.amocrm.ru.evil.com",
    "a user name": "referer=a.amocrm.ru@evil.com",
    "a user name and password": "referer=a.amocrm.ru:x@evil.com",
    "a fragment": "referer=evil.com%23.amocrm.ru",
    "a query": "referer=evil.com%3F.amocrm.ru",
    "a path": "referer=evil.com/.amocrm.ru",
    "an escaped path": "referer=evil.com%2F.amocrm.ru",
    "a backslash": "referer=evil.com%5C.amocrm.ru",
    "a NUL at the end": "referer=evil.com%00.amocrm.ru",
    "a NUL behind a good host": "referer=reforyou.amocrm.ru%00.evil.com",
    "a port": "referer=reforyou.amocrm.ru:443",
    "another port": "referer=reforyou.amocrm.ru:8443",
    "a dot at the end": "referer=reforyou.amocrm.ru.",
    "a scheme": "referer=https://reforyou.amocrm.ru",
    "a whole address": "referer=https://reforyou.amocrm.ru/",
    "a path behind a good host": "referer=reforyou.amocrm.ru/",
    "a scheme of another kind": "referer=gopher://reforyou.amocrm.ru",
    "two slashes": "referer=//reforyou.amocrm.ru",
    "a blank before": "referer=+reforyou.amocrm.ru",
    "a blank behind": "referer=reforyou.amocrm.ru+",
    "a blank inside": "referer=evil.com+.amocrm.ru",
    "a tab": "referer=reforyou.amocrm.ru%09",
    "a line end behind": "referer=reforyou.amocrm.ru%0D%0AX-Injected:1",
    "a line end before": "referer=%0Areforyou.amocrm.ru",
    "cyrillic letters that look latin": "referer=r%D0%B5foryou.amocrm.ru",
    "a cyrillic domain": "referer=reforyou.%D0%B0mocrm.ru",
    "a full stop of another script": "referer=evil.com%E3%80%82amocrm.ru",
    "soft hyphen": "referer=reforyou.amo%C2%ADcrm.ru",
    "invalid UTF-8": "referer=reforyou%FF.amocrm.ru",
    "an address": "referer=127.0.0.1",
    "an address as one number": "referer=2130706433",
    "an address in hexadecimal": "referer=0x7f000001",
    "an address with brackets": "referer=[::1]",
    "an address with brackets and a domain": "referer=[::1].amocrm.ru",
    "localhost": "referer=localhost",
    "twice, the good one first": "referer=reforyou.amocrm.ru&referer=evil.com",
    "twice, the good one last": "referer=evil.com&referer=reforyou.amocrm.ru",
    "twice, once escaped": "referer=reforyou.amocrm.ru&%72eferer=evil.com",
    "an array": "referer[]=evil.com",
    "an array of a good one": "referer[]=reforyou.amocrm.ru",
    "escaped twice": "referer=reforyou%252eamocrm.ru",
    "a list": "referer=reforyou.amocrm.ru,evil.com",
    "a wildcard": "referer=*.amocrm.ru",
    "an underscore": "referer=re_foryou.amocrm.ru",
    "a hyphen first": "referer=-reforyou.amocrm.ru",
    "a hyphen last": "referer=reforyou-.amocrm.ru",
    "a label that is too long": "referer=" + "a" * 64 + ".amocrm.ru",
    "a name that is too long": "referer=" + "a." * 130 + "amocrm.ru",
    "markup": "referer=%3Cscript%3E.amocrm.ru",
    "quotes": "referer=%22%27.amocrm.ru",
    "an option of curl": "referer=-K/etc/passwd",
    "1 KB": "referer=" + "a" * 1010 + ".amocrm.ru",
}


@pytest.mark.parametrize("referer", REFERERS.values(), ids=REFERERS.keys())
def test_no_packet_to_a_foreign_host(site, amocrm, referer):
    site.configure(**ANY_ACCOUNT)
    assert_no_packet(site, amocrm, referer)


@pytest.mark.parametrize("referer", REFERERS.values(), ids=REFERERS.keys())
def test_no_packet_to_a_foreign_host_with_a_pinned_account(bare, amocrm, referer):
    assert_no_packet(bare, amocrm, referer)


def assert_no_packet(site, amocrm, referer):
    params = amocrm.approve(state="s")
    query = f"code={params['code']}&state=s&client_id={params['client_id']}&{referer}"

    answer = site.get("callback", query)

    assert amocrm.connections() == [], "the client secret may have been sent there"
    if not expect.refused_by_lighttpd(site, query, answer):
        expect.failed(answer, "invalid_request", "s")


@pytest.mark.parametrize("pinned", [False, True], ids=["any account", "one account"])
def test_a_good_host_is_contacted_and_recorded(site, amocrm, pinned):
    site.configure(**({} if pinned else ANY_ACCOUNT))
    params = {**amocrm.approve(state="s"), "referer": "REforYOU.amocrm.RU"}

    expect.connected(site.get("callback", params), params["code"], "s")

    assert [connection.sni for connection in amocrm.connections()] == ["reforyou.amocrm.ru"]
    assert [request.host for request in amocrm.exchanges()] == ["reforyou.amocrm.ru"]
    assert [one["domain"] for one in site.connections()] == ["reforyou.amocrm.ru"]


def test_a_request_to_an_allowed_foreign_host_is_recorded(site, amocrm):
    """With evil.com allowed a request is sent, so its absence above proves something."""
    site.configure(**ANY_ACCOUNT, amocrm_account_domains="evil.com")
    params = {**amocrm.approve(), "referer": "a.evil.com"}

    site.get("callback", params)

    assert [connection.sni for connection in amocrm.connections()] == ["a.evil.com"]


# Values that try to be more than text.

VALUES = {
    "a tag": "<script>alert(1)</script>",
    "an end of the attribute": '"><img src=x onerror=alert(1)>',
    "an end of an attribute in single quotes": "'><svg onload=alert(1)>",
    "an end of the script": "</script><script>alert(1)</script>",
    "a comment": "<!--",
    "an entity": "&lt;script&gt;&quot;&#34;&#x3c;",
    "another scheme": "javascript:alert(1)",
    "line ends": "a\r\nLocation: https://evil.com\r\n\r\n<b>",
    "a line end alone": "a\nSet-Cookie: a=b",
    "the end of an intent": ";end",
    "an intent": "#Intent;scheme=https;package=evil;end",
    "a fragment": "#access_token=1",
    "more parameters": "x&code=evil&error=x",
    "escaped twice": "%253Cscript%253E%250D%250A",
    "escaped once more": "%3Cscript%3E",
    "a template's slot": "{{link}}${link}%s%n{0}",
    "a line of Unicode's": "a\u2028b\u2029c\u0085d",
    "right to left": "\u202egnp.exe",
    "a byte order mark": "\ufeffa",
    "an unpaired surrogate": "\udced\udca0\udc80",
    "invalid UTF-8": "\udcff\udcfe",
    "overlong UTF-8": "\udcc0\udcaf\udcc0\udcae",
    "UTF-8 cut short": "a\udce2\udc82",
    "control characters": "\x01\x08\x1b[31m\x7f",
    "only blanks": "   ",
    "2 KB of quotes": '"' * 2048,
}
# Lone surrogates represent bytes that are not UTF-8.


def as_query(pairs):
    """The query, with all bytes except ASCII letters and digits percent-encoded."""
    def escaped(text):
        return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02x}"
                       for byte in text.encode("utf-8", "surrogateescape"))
    return "&".join(f"{name}={escaped(value)}" for name, value in pairs.items())


def ask(site, pairs, **options):
    """The response, or None if lighttpd itself has refused the query."""
    query = as_query(pairs)
    answer = site.get("callback", query, **options)
    return None if expect.refused_by_lighttpd(site, query, answer) else expect.hardened(answer)


SERVERS_OWN = ("Content-Length", "Transfer-Encoding", "Date")


@pytest.fixture(scope="module")
def harmless():
    """The page of a case without hostile values, requested once per server."""
    known = {}

    def page(site, case, query):
        if (site.server.name, case) not in known:
            known[site.server.name, case] = site.get("callback", query)
        return known[site.server.name, case]
    return page


def same_page(answer, harmless):
    """Asserts that two pages differ only in their links."""
    assert answer.headers_without(*SERVERS_OWN) == harmless.headers_without(*SERVERS_OWN)
    assert answer.page.skeleton == harmless.page.skeleton
    assert answer.page.said == harmless.page.said


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_hostile_state_is_escaped(site, amocrm, harmless, value):
    params = amocrm.approve(state=value)

    answer = ask(site, params)

    if answer:
        expect.link_of(answer)
        assert answer.link_query == {"code": params["code"], "state": value}
        same_page(answer, harmless(site, "connected", amocrm.approve(state="s")))


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_hostile_state_is_escaped_in_a_redirect(site, amocrm, value):
    site.configure(app_redirect="302")
    params = amocrm.approve(state=value)

    answer = ask(site, params)

    if answer:
        assert answer.status == 302
        expect.link_of(answer)
        assert answer.link_query == {"code": params["code"], "state": value}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_hostile_error_is_not_returned(site, harmless, value):
    answer = ask(site, {"error": value})

    if answer:
        expect.failed(answer, "auth_failed")
        same_page(answer, harmless(site, "error", {"error": "auth_failed"}))


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_hostile_code(site, amocrm, harmless, value):
    """amoCRM is not asked, even if it would accept the code."""
    answer = ask(site, {**amocrm.approve(code=value), "code": value})

    if answer:
        expect.failed(answer, "invalid_request")
        same_page(answer, harmless(site, "malformed", {"code": "not one"}))
    assert amocrm.connections() == []


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_hostile_headers_change_nothing(bare, harmless, value):
    answer = bare.get("callback", {"error": "access_denied"}, headers={
        "Accept-Language": value, "User-Agent": value, "Referer": value, "Host": value,
        "X-Forwarded-Host": value, "X-Forwarded-Proto": value, "Cookie": value})

    same_page(expect.hardened(answer), harmless(bare, "denied", {"error": "access_denied"}))


@pytest.mark.parametrize("language", [
    "en" * 4000, "," * 8000, "uk;q=" + "9" * 4000, "*;q=0", "uk;q", "uk;q=", "uk;q=-1", "uk;q=nan",
    "uk;q=1e9", ";;;,,,", "uk-" + "x" * 4000, "\udcff", "%", "uk\t;\tq=1",
])
def test_odd_languages_get_a_page(bare, language):
    answer = bare.get("callback", {"error": "access_denied"},
                      headers={"Accept-Language": language})

    expect.failed(answer, "access_denied")
    assert answer.header("Content-Language") in ("uk", "ru", "en")


LONG = [(name, size) for size in (8192, 100_000)
        for name in ("state", "code", "referer", "error", "client_id")] + [("unknown", 100_000)]


@pytest.mark.parametrize("name, size", LONG)
def test_long_values_are_refused_without_a_packet(bare, amocrm, name, size):
    params = {**amocrm.approve(), name: "x" * size}

    answer = bare.get("callback", params)

    expect.hardened(answer)
    assert answer.link_query["error"] == "invalid_request"
    assert amocrm.connections() == []


def test_raw_bytes_in_the_query(bare, amocrm):
    params = amocrm.approve()
    query = b"&".join(f"{name}={value}".encode() for name, value in params.items())

    answer = bare.get("callback", query + b"&state=\xff<\"'>\r\n\x01")

    expect.link_of(expect.hardened(answer))
    assert answer.link_query["state"] == "\udcff<\"'>\r\n\x01"


def test_untrusted_values_do_not_break_a_log_line(bare, amocrm):
    """Each request logs one line of printable ASCII."""
    for value in VALUES.values():
        bare.mark_logs()
        ask(bare, {"code": "c", "client_id": value, "referer": value, "state": value})
        [line] = [line for line in bare.log_bytes().split(b"\n") if line]
        assert re.match(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ amo-crm callback: ", line), line
        assert all(32 <= byte < 127 for byte in line), line


def test_malformed_cgi_output_is_detected():
    """The tests above rely on this check."""
    from sandbox.servers import cgi_answer
    for output in (b"", b"Status: 200 OK\r\n", b"Content-Type: a\r\nX: a\nY: b\r\n\r\n",
                   b"Content-Type: a\r\nbroken\r\n\r\n", b"Status: abc\r\nContent-Type: a\r\n\r\n",
                   b"Content-Type: a\r\nX: a\x00\r\n\r\n", b"\r\n\r\n",
                   b"Content-Type: a\r\nContent-Length: 9\r\n\r\nabc"):
        with pytest.raises(Malformed):
            cgi_answer(output)
