#!/usr/bin/env python3
"""A back end that takes what `amocrmctl deliver` posts, and believes it only with a good signature.

    WEBHOOK_SECRET='whsec_...' PORT=3000 python3 verify_webhook.py

WEBHOOK_SECRET is the value of [deliver] secret; two of them, separated by a space, while one is
being replaced.  Each good event is written to standard output, one line each.
Nothing but Python's standard library is needed.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_S = 300       # how far the sender's clock may be from ours
BODY_MAX = 32 << 20     # bytes; amocrmctl sends no longer event
PATIENCE_S = 30         # for a request to arrive


def read_secrets(text):
    secrets = text.split()
    if not secrets or not all(secret.startswith("whsec_") for secret in secrets):
        raise ValueError("WEBHOOK_SECRET must be whsec_..., or two of them")
    return [base64.b64decode(secret.removeprefix("whsec_"), validate=True) for secret in secrets]


def refusal(keys, headers, body, now):
    """Why the request is not to be believed; "" when it is.

    `body` is the bytes as they came: parsing and writing JSON again would change them.
    """
    event_id = headers.get("webhook-id")
    timestamp = headers.get("webhook-timestamp")
    signatures = headers.get("webhook-signature")
    if not event_id or not timestamp or not signatures:
        return "a webhook- header is missing"
    if not re.fullmatch("[0-9]{1,12}", timestamp) or abs(now - int(timestamp)) > TOLERANCE_S:
        return "the timestamp is not of now"
    good = False
    signed = f"{event_id}.{timestamp}.".encode() + body
    for key in keys:
        mac = hmac.new(key, signed, hashlib.sha256).digest()
        expected = b"v1," + base64.b64encode(mac)
        for signature in signatures.split(" "):
            # in a time that tells nothing of where they differ
            good = hmac.compare_digest(signature.encode(), expected) or good
    return "" if good else "no signature is right"


def take(event):
    """Work on the event here, or better: store it, and work on it after the answer.

    The same event may come again, so remember its id and take it once.
    """
    print(json.dumps(event, ensure_ascii=False), flush=True)


class Receiver(BaseHTTPRequestHandler):
    keys = []
    timeout = PATIENCE_S

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > BODY_MAX:
            return self.answer(413 if length.isdecimal() else 411, "the body has no good length")
        body = self.rfile.read(int(length))
        why = refusal(self.keys, self.headers, body, time.time())
        if why:
            return self.answer(401, why)
        try:
            take(json.loads(body))
        except Exception as error:      # it will be sent again
            self.log_error("%r", error)
            return self.answer(500, "not taken")
        return self.answer(200, "taken")

    def answer(self, status, text):
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    Receiver.keys = read_secrets(os.environ.get("WEBHOOK_SECRET", ""))
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 3000))), Receiver)
    print(f"listening on http://127.0.0.1:{server.server_port}/", file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
