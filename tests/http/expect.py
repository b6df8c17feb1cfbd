"""Assertions about responses of the callback."""

import base64
import hashlib
import re
from urllib.parse import quote, unquote_to_bytes

from sandbox.web import encode

DEEP_LINK = "foryoure://amo-crm/callback"
# All characters except RFC 3986's unreserved ones are percent-encoded, so that no value can end or
# extend the link.
LINK = re.compile(re.escape(DEEP_LINK) + r"\?(?:[A-Za-z_]+=(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*&?)+")
ON_EVERY_ANSWER = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
ON_EVERY_PAGE = {"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
                 "X-Robots-Tag": "noindex"}
CLOSED = ("default-src", "base-uri", "form-action", "frame-ancestors")


def hardened(answer):
    """Checks the headers that keep a response out of caches, frames and referrers."""
    for name, value in ON_EVERY_ANSWER.items():
        assert answer.header(name) == value, f"{name} is {answer.header(name)!r}"
    if answer.media_type == "text/html" and answer.body:
        for name, value in ON_EVERY_PAGE.items():
            assert answer.header(name) == value, f"{name} is {answer.header(name)!r}"
        policy_is_closed(answer)
    return answer


def policy_is_closed(answer):
    """The policy allows only the page's own script and style, named by their SHA-256."""
    policy = dict(part.strip().partition(" ")[::2]
                  for part in answer.header("Content-Security-Policy").split(";"))
    for name in CLOSED:
        assert policy.pop(name) == "'none'", f"the policy allows {name}"
    page = answer.page
    assert policy == {"script-src": _hashes(page.scripts), "style-src": _hashes(page.styles)}


def _hashes(texts):
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
                    for text in texts)


def link_of(answer):
    """The deep link, which has to be well-formed whatever the query was."""
    link = answer.link
    assert link is not None, f"no deep link in a response {answer.status} {answer.media_type}"
    assert LINK.fullmatch(link), f"not a well-formed deep link: {link!r}"
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
    params = answer.link_query
    assert params["error"] == error, f"the app gets {params}"
    assert re.fullmatch(r"[A-Za-z][ -~]+\.", params["error_description"])
    assert params.get("state") == state
    assert set(params) <= {"error", "error_description", "state"}


def _encoded(text):
    return quote(text, safe="")


def plain_text(answer, text):
    """The response to amoCRM's own server: plain text without a deep link."""
    hardened(answer)
    assert answer.status == 200
    assert answer.media_type == "text/plain"
    assert answer.header("Location") is None and DEEP_LINK not in answer.text
    assert text in answer.text


def refused_by_lighttpd(site, query, answer):
    """lighttpd itself responds with 400, without starting a program, if the decoded query contains
    control characters or is not UTF-8."""
    return site.server.name == "lighttpd" and answer.status == 400 and not _fit(encode(query))


def _fit(query):
    meant = unquote_to_bytes(query)
    try:
        meant.decode()
    except UnicodeDecodeError:
        return False
    return not any(byte < 32 or byte == 127 for byte in meant)
