"""The ways in which amoCRM, or the network in front of it, can fail.

A fault is queued for the next `times` requests, optionally of one path only.  Each function below
is one kind of fault: it responds in place of the real route, or calls it by `exchange.proceed(…)`
first.
"""

import json
import threading
from dataclasses import dataclass, field

from .listen import Reply
from .oauth import Refused

KINDS = {}
CERTIFICATES = {
    "certificate_expired": "a certificate that has expired",
    "certificate_of_another": "a certificate for another host",
    "certificate_unknown": "a certificate of an unknown CA",
}
AT_CONNECT = {"reset_early": "a TCP reset before the TLS handshake", **CERTIFICATES}

BLOCKED_PAGE = b"""<!DOCTYPE html><html><head><title>403 Forbidden</title></head>
<body><h1>403 Forbidden</h1><p>Your IP address has been blocked.</p></body></html>
"""
BUSY_PAGE = b"<html><head><title>429 Too Many Requests</title></head><body>429</body></html>\n"

HINTS = {
    "code_expired": ("Authorization code has expired", 400),
    "code_revoked": ("Authorization code has been revoked", 400),
    "code_undecryptable": ("Cannot decrypt the authorization code", 400),
    "token_revoked": ("Token has been revoked", 401),
    "redirect_uri": ("Redirect URI is not associated with client", 400),
    "client_id": ("Check the `client_id` parameter", 400),
    "client_secret": ("Check the `client_secret` parameter", 401),
    "invalid_account": ("Invalid account", 400),
    "code_of_another_client": ("Authorization code was not issued to this client", 400),
    "code_malformed": ("Authorization code malformed", 400),
    "code_missing": ("Check the `code` parameter", 400),
    "token_of_another_client": ("Token is not linked to client", 401),
    "token_invalid": ("Invalid refresh token", 401),
    "redirect_uri_missing": ("Check the `redirect_uri` parameter", 400),
    "unknown_hint": ("The moon token account is in the wrong house", 400),
    "unknown_hint_of_keys": ("Could not resolve host of client_id", 400),
    "scope": ("Check the `crm` scope", 400),
    "send_to_account": ("Send request to account", 400),
}


def problem(refused):
    """amoCRM's error response; like amoCRM, it escapes non-ASCII characters."""
    members = {"hint": refused.hint, "title": refused.title,
               "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson",
               "status": refused.status, "detail": refused.detail}
    members = {name: value for name, value in members.items() if value is not None}
    return Reply(refused.status, json.dumps(members).encode(), "application/problem+json")


def fault(function):
    KINDS[function.__name__] = function
    return function


for _kind, (_hint, _status) in HINTS.items():
    KINDS[_kind] = lambda _exchange, hint=_hint, status=_status: problem(Refused(hint, status))
    KINDS[_kind].__doc__ = f"Refusal with the hint «{_hint}»."


@fault
def harmful_hint(_exchange):
    """Refusal with a hint that a terminal would obey: it sets the title and clears the screen."""
    return problem(Refused("\x1b]0;title\x07 \u009b2J", 400))


@fault
def invalid_client(_exchange):
    """Refusal without a hint, title in English: a wrong secret or an unpaid account."""
    return problem(Refused(None, 401, "Invalid client", "Client authentication failed"))


@fault
def invalid_client_russian(_exchange):
    """The same with the title in Russian."""
    return problem(Refused(None, 401, "Неверный клиент", "Ошибка авторизации клиента"))


@fault
def gone(_exchange):
    """404 in JSON: there is no such subscription."""
    return Reply(404, b'{"title":"Not Found","status":404}', "application/problem+json")


@fault
def forbidden(_exchange):
    """403 with an HTML page: the account or our address is blocked."""
    return Reply(403, BLOCKED_PAGE)


@fault
def not_admin(_exchange):
    """403 with JSON: the user is not an administrator of the account."""
    return problem(Refused(None, 403, "Forbidden", "Access denied"))


@fault
def invalid_event(_exchange, index=0):
    """400 that names one of the events by its index."""
    errors = [{"code": "NotSupportedChoice", "path": f"settings.{index}",
               "detail": "The value you selected is not a valid choice."}]
    members = {"validation-errors": [{"request_id": "0", "errors": errors}], "status": 400,
               "title": "Bad Request", "detail": "Request validation failed"}
    return Reply(400, json.dumps(members).encode(), "application/problem+json")


@fault
def unauthorized_page(_exchange):
    """401 with an HTML page, as from the former host of a renamed account."""
    return Reply(401, b"<html><body>401</body></html>")


@fault
def too_many(_exchange):
    """429 with an HTML page and Retry-After."""
    return Reply(429, BUSY_PAGE, headers={"Retry-After": "2"})


@fault
def too_many_json(_exchange):
    """429 with JSON."""
    members = {"title": "Too Many Requests", "type": "https://httpstatus.es/429", "status": 429,
               "detail": "Request limit exceeded"}
    return Reply(429, json.dumps(members).encode(), "application/problem+json",
                 {"Retry-After": "2"})


@fault
def unpaid(_exchange):
    """402 with JSON: the account's tariff has run out."""
    members = {"title": "Payment Required", "type": "https://httpstatus.es/402", "status": 402,
               "detail": "The subscription has ended"}
    return Reply(402, json.dumps(members).encode(), "application/problem+json")


@fault
def server_error_json(_exchange):
    """500 with JSON that says why."""
    members = {"title": "Internal Server Error", "status": 500, "detail": "Database is read-only"}
    return Reply(500, json.dumps(members).encode(), "application/problem+json")


@fault
def server_error(_exchange):
    """500 with an HTML page."""
    return Reply(500, b"<html><body><h1>500 Internal Server Error</h1></body></html>")


@fault
def bad_gateway(_exchange):
    """502, and an empty body."""
    return Reply(502)


@fault
def hang(exchange):
    """Accepts the request and never responds."""
    exchange.pause(600)


@fault
def drip(exchange):
    """A valid beginning of a response, then one byte every half second."""
    exchange.send_raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                      b"Content-Length: 2000\r\n\r\n{")
    while exchange.pause(0.5):
        exchange.send_raw(b" ")


@fault
def cut(exchange):
    """The first half of the right response, then the connection is closed."""
    body = exchange.proceed().body
    exchange.send_raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n%s" % (len(body), body[:len(body) // 2]))


@fault
def huge(exchange):
    """The right response, padded with spaces to 1 MiB."""
    reply = exchange.proceed()
    reply.body += b" " * ((1 << 20) - len(reply.body))
    return reply


@fault
def endless(exchange):
    """A chunked response that does not end."""
    exchange.send_raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n")
    while exchange.pause(0):
        exchange.send_raw(b"4000\r\n" + b" " * 0x4000 + b"\r\n")


@fault
def redirect(_exchange, to="https://elsewhere.amocrm.ru/oauth2/access_token", status=307):
    """A redirect to another host; following it would disclose the client secret."""
    return Reply(status, headers={"Location": to})


@fault
def not_json(_exchange):
    """200 with an HTML page instead of JSON."""
    return Reply(200, b"<!DOCTYPE html><title>amoCRM</title><p>Maintenance")


@fault
def empty(_exchange):
    """200 without a body."""
    return Reply(200, content_type="application/json")


@fault
def other_json(_exchange, body="[]"):
    """200 with JSON that is not the expected object."""
    return Reply(200, body.encode(), "application/json")


@fault
def big_tokens(exchange, length=8192):
    """Tokens of 8 KB each."""
    return exchange.proceed(length=length)


@fault
def opaque_token(exchange):
    """An access token that is not a JWT, so the account must be requested from the API."""
    return exchange.proceed(opaque=True)


@fault
def claims(exchange, **overridden):
    """An access token with other claims; null omits a claim."""
    return exchange.proceed(claims=overridden)


@fault
def lost_reply(exchange):
    """Carries out the request, then resets the connection: the reply is lost."""
    exchange.proceed()
    exchange.reset()


@fault
def hung_up(exchange):
    """Carries out the request, then closes the connection without a byte of a response."""
    exchange.proceed()
    exchange.close_connection = True


@fault
def late(exchange):
    """Carries out the request, and never responds."""
    exchange.proceed()
    exchange.pause(600)


@fault
def held(exchange, until=None, then=None, came=None, length=0):
    """Carries out the request, and responds when the event `until` is set; with `then`, it waits
    and responds with a fault of that kind instead.  It sets the event `came` before it waits.
    `length` is that of tokens."""
    if came:
        came.set()
    reply = exchange.proceed(**({"length": length} if length else {})) if then is None else None
    while not (until and until.is_set()) and exchange.pause(0.02):
        pass
    return reply if then is None else KINDS[then](exchange)


@fault
def connection_reset(exchange):
    """A TCP reset instead of a response; the request is not carried out."""
    exchange.reset()


@dataclass
class Queued:
    kind: str
    times: int = 1
    path: str = None
    options: dict = field(default_factory=dict)


class Faults:
    """The queue of faults.  A request consumes the first one that matches it."""

    def __init__(self):
        self._lock = threading.Lock()
        self._queue = []

    def add(self, kind, times=1, path=None, **options):
        if kind not in KINDS and kind not in AT_CONNECT:
            raise ValueError(f"no such fault: {kind}; there are {', '.join([*KINDS, *AT_CONNECT])}")
        with self._lock:
            self._queue.append(Queued(kind, times, path, options))

    def clear(self):
        with self._lock:
            self._queue.clear()

    def for_connection(self):
        queued = self._take(lambda queued: queued.kind in AT_CONNECT)
        return queued and queued.kind

    def for_request(self, path):
        queued = self._take(lambda queued: queued.kind in KINDS and queued.path in (None, path))
        return queued and (lambda exchange: KINDS[queued.kind](exchange, **queued.options))

    def _take(self, fits):
        with self._lock:
            queued = next((queued for queued in self._queue if fits(queued)), None)
            if queued:
                queued.times -= 1
                if not queued.times:
                    self._queue.remove(queued)
            return queued
