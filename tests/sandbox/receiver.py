"""A back end that receives our deliveries, as strict as a back end should be.

It verifies the Standard Webhooks signature with code of its own, refuses what does not verify,
records every request, and fails on demand:

    receiver.misbehave("status", 2, status=500)         the next two
    receiver.misbehave("status", None, every=3)         every third, without end
    receiver.misbehave("redirect", account=5)           the next one of that account
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from dataclasses import dataclass, field

from .listen import Listener, Reply, Tls
from .record import Record

TOLERANCE = 300     # seconds that a timestamp may differ from now
BODY_MAX = 32 << 20     # more than the longest event
KINDS = {}


def new_secret(length=24):
    return "whsec_" + base64.b64encode(secrets.token_bytes(length)).decode()


def signature(secret, message_id, timestamp, body):
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    signed = b"%s.%s.%s" % (message_id.encode(), str(timestamp).encode(), body)
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


@dataclass
class Delivery:
    """One POST that arrived."""
    id: str
    timestamp: str
    signatures: list
    body: bytes
    headers: list
    account: int = None
    problem: str = None     # why it is refused, if no fault is planted for it
    status: int = None      # the status of the response; None: no response
    time: float = field(default_factory=time.time)

    @property
    def taken(self):
        return self.status is not None and 200 <= self.status <= 299

    @property
    def line(self):
        """As `amocrmctl events` prints it."""
        return self.body.decode()

    @property
    def event(self):
        return json.loads(self.body)

    def header(self, name):
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)


def kind(function):
    KINDS[function.__name__] = function
    return function


@kind
def status(_exchange, status=500, retry_after=None, body=b"no\n"):
    """Any status, and optionally Retry-After."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Reply(status, body, "text/plain", headers)


@kind
def redirect(_exchange, to="/elsewhere", status=307):
    """A redirect; a client that follows it is recorded too."""
    return Reply(status, headers={"Location": to})


@kind
def slow(exchange, seconds=1):
    """Accepts the event after a while."""
    exchange.pause(seconds)
    return Reply(204)


@kind
def held(exchange, until=None):
    """Accepts the event when the threading event `until` is set."""
    while not until.is_set() and exchange.pause(0.02):
        pass
    return Reply(204)


@kind
def long(_exchange, length=1 << 20):
    """Accepts the event with a response that is much longer than deliver reads."""
    return Reply(200, b"x" * length, "text/plain")


@kind
def reset(exchange):
    """A TCP reset instead of a response."""
    exchange.reset()


@dataclass
class Misbehaviour:
    kind: str
    times: int      # None: without end
    every: int
    account: int
    options: dict
    seen: int = 0

    def fits(self, delivery):
        if self.account not in (None, delivery.account):
            return False
        self.seen += 1
        return self.seen % self.every == 0


class Receiver:
    """Listens by plain http, or by https with a certificate and its key.  The secrets may be
    changed at any time."""

    def __init__(self, *own_secrets, certificate=None):
        self.secrets = list(own_secrets) or [new_secret()]
        self.record = Record()
        self._lock = threading.Lock()
        self._deliveries = []
        self._misbehaviours = []
        tls = certificate and Tls(lambda _kind: certificate, lambda _name: True, lambda: None)
        self._listener = Listener(0, self.record, self._answer, tls)
        self._listener.body_max = BODY_MAX

    def __enter__(self):
        self._listener.start()
        return self

    def __exit__(self, *_):
        self._listener.stop()

    @property
    def port(self):
        return self._listener.port

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/events"

    @property
    def secret(self):
        """The value of the configuration key."""
        return " ".join(self.secrets)

    def misbehave(self, kind, times=1, *, every=1, account=None, **options):
        if kind not in KINDS:
            raise ValueError(f"no such misbehaviour: {kind}; there are {', '.join(KINDS)}")
        with self._lock:
            self._misbehaviours.append(Misbehaviour(kind, times, every, account, options))

    def behave(self):
        with self._lock:
            self._misbehaviours.clear()

    def clear(self):
        """Clears the record and the planted faults."""
        self.behave()
        self.record.clear()
        with self._lock:
            self._deliveries.clear()

    # What a test examines.

    def connections(self):
        return self.record.connections("tls") + self.record.connections("plain")

    def deliveries(self):
        """Everything that was received, accepted or not."""
        with self._lock:
            return list(self._deliveries)

    def taken(self):
        return [delivery for delivery in self.deliveries() if delivery.taken]

    def problems(self):
        return [delivery.problem for delivery in self.deliveries() if delivery.problem]

    # Responding.

    def _answer(self, exchange):
        delivery = self._read(exchange.asked)
        with self._lock:
            self._deliveries.append(delivery)
            misbehaviour = self._next(delivery)
        if misbehaviour:
            reply = KINDS[misbehaviour.kind](exchange, **misbehaviour.options)
        elif delivery.problem:
            reply = Reply(401, delivery.problem.encode(), "text/plain")
        else:
            reply = Reply(200, b"accepted\n", "text/plain")
        delivery.status = reply and reply.status
        return reply

    def _next(self, delivery):
        for misbehaviour in self._misbehaviours:
            if misbehaviour.fits(delivery):
                if misbehaviour.times is not None:
                    misbehaviour.times -= 1
                    if not misbehaviour.times:
                        self._misbehaviours.remove(misbehaviour)
                return misbehaviour
        return None

    def _read(self, asked):
        delivery = Delivery(
            id=asked.header("webhook-id") or "", timestamp=asked.header("webhook-timestamp") or "",
            signatures=(asked.header("webhook-signature") or "").split(" "), body=asked.body,
            headers=asked.headers)
        delivery.problem = self._problem(asked, delivery)
        return delivery

    def _problem(self, asked, delivery):
        if (asked.method, asked.path) != ("POST", "/events"):
            return f"{asked.method} {asked.path} is not the address of events"
        if asked.header("Content-Type") != "application/json":
            return f"Content-Type: {asked.header('Content-Type')}"
        if not delivery.timestamp.isdecimal() or abs(int(delivery.timestamp)
                                                     - time.time()) > TOLERANCE:
            return f"webhook-timestamp: {delivery.timestamp}"
        if not delivery.id or "." in delivery.id:
            return f"webhook-id: {delivery.id}"
        if not self._verified(delivery):
            return f"webhook-signature: {delivery.signatures}"
        try:
            delivery.account = delivery.event["account_id"]
        except (ValueError, TypeError, KeyError) as wrong:
            return f"not an event: {wrong!r}"
        return None if delivery.event["id"] == delivery.id else "webhook-id is not the event's"

    def _verified(self, delivery):
        expected = [signature(secret, delivery.id, delivery.timestamp, delivery.body)
                    for secret in self.secrets]
        return any(hmac.compare_digest(one, other)
                   for one in expected for other in delivery.signatures)
