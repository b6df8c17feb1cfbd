"""The requests that amoCRM itself sends: the install call, the disconnect hook and webhooks."""

import http.client
import time
import uuid
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from . import tokens

SENDER_AGENT = "amoService-oAuth-Code-Sender/1.0"
WEBHOOK_AGENT = "amoCRM-Webhooks/3.0"
INSTALL_PATIENCE = 3    # seconds; the response is ignored and the call is never repeated
WEBHOOK_PATIENCE = 2    # seconds
MINUTE = 60
REPEATS = (5 * MINUTE, 15 * MINUTE)
REPEATS_SERVER_ERROR = (*REPEATS, 15 * MINUTE, 60 * MINUTE)
BAD_ANSWERS_MAX = 100
BAD_ANSWERS_WINDOW = 120 * MINUTE


@dataclass
class Sent:
    """One request that amoCRM sent.  status is None if no response came in time."""
    url: str
    status: int = None
    body: bytes = b""
    took: float = 0.0

    @property
    def accepted(self):
        return self.status is not None and 100 <= self.status <= 299


def send(method, url, *, headers, body=None, patience):
    """Sends one request to one of our URLs; redirects are not followed."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=patience)
    sent, began = Sent(url), time.monotonic()
    try:
        connection.request(method, f"{parts.path or '/'}?{parts.query}".rstrip("?"), body, headers)
        answer = connection.getresponse()
        sent.body = answer.read()
        sent.status = answer.status
    except (OSError, http.client.HTTPException):
        pass
    finally:
        sent.took = time.monotonic() - began
        connection.close()
    return sent


def install_call(consent, account, user, kind="from_widget"):
    """The integration was installed inside amoCRM: no browser, no state, no retry."""
    params = {**consent.grant(account, user), kind: "1"}
    return send("GET", consent.redirect_url(params), headers={"User-Agent": SENDER_AGENT},
                patience=INSTALL_PATIENCE)


def disconnect_query(integration, account):
    return urlencode({
        "client_uuid": integration.client_id,
        "account_id": account.id,
        "signature": tokens.disconnect_signature(integration.client_secret, integration.client_id,
                                                 account.id)})


def disconnect_hook(url, integration, account):
    query = disconnect_query(integration, account)
    return send("GET", f"{url}{'&' if '?' in url else '?'}{query}",
                headers={"User-Agent": SENDER_AGENT}, patience=INSTALL_PATIENCE)


class WebhookSender:
    """Delivers to one URL by amoCRM's rules; every wait is divided by `speed`."""

    def __init__(self, url, speed=1.0):
        self.url, self.speed = url, speed
        self.disabled = False
        self._bad = []

    def deliver(self, body, content_type="application/x-www-form-urlencoded"):
        """Retries until the webhook is accepted or no retry is left; returns every attempt."""
        request_id = str(uuid.uuid4())
        tries = []
        while not self.disabled:
            tries.append(self.post(body, content_type, request_id))
            wait = self._wait_after(tries)
            if wait is None:
                break
            time.sleep(wait / self.speed)
        return tries

    def post(self, body, content_type="application/x-www-form-urlencoded", request_id=None):
        headers = {"User-Agent": WEBHOOK_AGENT, "Content-Type": content_type,
                   "X-Amocrm-Requestid": request_id or str(uuid.uuid4())}
        sent = send("POST", self.url, headers=headers, body=body, patience=WEBHOOK_PATIENCE)
        self._count(sent)
        return sent

    def _wait_after(self, tries):
        last = tries[-1]
        if last.accepted:
            return None
        repeats = (REPEATS_SERVER_ERROR if last.status is None or last.status >= 499
                   else REPEATS)
        return repeats[len(tries) - 1] if len(tries) <= len(repeats) else None

    def _count(self, sent):
        """amoCRM disables the hook at a bad response that is the 101st within two hours."""
        if sent.accepted:
            return
        now = time.monotonic() * self.speed
        self._bad = [when for when in self._bad if now - when < BAD_ANSWERS_WINDOW] + [now]
        self.disabled = len(self._bad) > BAD_ANSWERS_MAX


def webhook_body(account, **fields):
    """A status change of one lead, as amoCRM encodes it; `fields` replace or add members."""
    members = {
        "leads[status][0][id]": "1001",
        "leads[status][0][status_id]": "142",
        "leads[status][0][pipeline_id]": "7",
        "leads[status][0][old_status_id]": "141",
        "account[id]": str(account.id),
        "account[_links][self]": f"https://{account.host}",
        "account[subdomain]": account.subdomain,
    }
    return urlencode({**members, **fields}).encode()
