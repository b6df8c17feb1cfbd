"""What an answer of the callback has to be, in the words of the tests that use it."""

import base64
import hashlib
import re
from urllib.parse import quote, unquote_to_bytes

from sandbox.web import encode

DEEP_LINK = "foryoure://amo-crm/callback"
# RFC 3986: what is not unreserved is percent-encoded, so nothing can end or continue the link.
LINK = re.compile(re.escape(DEEP_LINK) + r"\?(?:[A-Za-z_]+=(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*&?)+")
ON_EVERY_ANSWER = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
ON_EVERY_PAGE = {"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
                 "X-Robots-Tag": "noindex"}
CLOSED = ("default-src", "base-uri", "form-action", "frame-ancestors")


def hardened(answer):
    """The headers that keep an answer out of caches, frames and other people's hands."""
    for name, value in ON_EVERY_ANSWER.items():
        assert answer.header(name) == value, f"{name} is {answer.header(name)!r}"
    if answer.media_type == "text/html" and answer.body:
        for name, value in ON_EVERY_PAGE.items():
            assert answer.header(name) == value, f"{name} is {answer.header(name)!r}"
        policy_is_closed(answer)
    return answer


def policy_is_closed(answer):
    """Nothing may run or load but this page's own script and style, named by their SHA-256."""
    policy = dict(part.strip().partition(" ")[::2]
                  for part in answer.header("Content-Security-Policy").split(";"))
    for name in CLOSED:
        assert policy.pop(name) == "'none'", f"the policy leaves {name} open"
    page = answer.page
    assert policy == {"script-src": _hashes(page.scripts), "style-src": _hashes(page.styles)}


def _hashes(texts):
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
                    for text in texts)


def link_of(answer):
    """The deep link; it must be one, whatever came in the query."""
    link = answer.link
    assert link is not None, f"no deep link in an answer {answer.status} {answer.media_type}"
    assert LINK.fullmatch(link), f"not a clean deep link: {link!r}"
    return link


def connected(answer, code, state="", status=200):
    hardened(answer)
    assert answer.status == status
    link = link_of(answer)
    assert link == f"{DEEP_LINK}?code={_encoded(code)}&state={_encoded(state)}", link


def failed(answer, error, state=None, status=200):
    hardened(answer)
    assert answer.status == status
    link_of(answer)
    told = answer.link_query
    assert told["error"] == error, f"the app is told {told}"
    assert re.fullmatch(r"[A-Za-z][ -~]+\.", told["error_description"])
    assert told.get("state") == state
    assert set(told) <= {"error", "error_description", "state"}


def _encoded(text):
    return quote(text, safe="")


def told_to_amocrm(answer, text):
    """The answer to amoCRM's own server: plain text, and nothing an app could open."""
    hardened(answer)
    assert answer.status == 200
    assert answer.media_type == "text/plain"
    assert answer.header("Location") is None and DEEP_LINK not in answer.text
    assert text in answer.text


def refused_by_lighttpd(site, query, answer):
    """lighttpd answers 400 by itself, and starts no program, to an address that holds control
    characters or no UTF-8."""
    return site.server.name == "lighttpd" and answer.status == 400 and not _fit(encode(query))


def _fit(query):
    meant = unquote_to_bytes(query)
    try:
        meant.decode()
    except UnicodeDecodeError:
        return False
    return not any(byte < 32 or byte == 127 for byte in meant)
