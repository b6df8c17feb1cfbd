#!/usr/bin/env python3
"""A back end that receives the events sent by `amocrmctl deliver`, and accepts them only with a
valid signature.

    WEBHOOK_SECRET='whsec_...' PORT=3000 python3 verify_webhook.py

WEBHOOK_SECRET is the value of [deliver] secret: one secret, or two separated by a space while one
is being replaced.  Each accepted event is written to standard output, one per line.
The program needs only Python's standard library.
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

TOLERANCE_S = 300       # by how much the sender's clock may differ from ours
BODY_MAX = 32 << 20     # bytes; amocrmctl sends no larger event
TIMEOUT_S = 30          # for receiving a request


def read_secrets(text):
    secrets = text.split()
    if not secrets or not all(secret.startswith("whsec_") for secret in secrets):
        raise ValueError("WEBHOOK_SECRET must be whsec_..., or two of them")
    return [base64.b64decode(secret.removeprefix("whsec_"), validate=True) for secret in secrets]


def refusal(keys, headers, body, now):
    """Returns the reason to refuse the request, or "" if its signature is valid.

    `body` is the bytes as received: parsing and serializing the JSON again would change them.
    """
    event_id = headers.get("webhook-id")
    timestamp = headers.get("webhook-timestamp")
    signatures = headers.get("webhook-signature")
    if not event_id or not timestamp or not signatures:
        return "a webhook-* header is missing"
    if not re.fullmatch("[0-9]{1,12}", timestamp) or abs(now - int(timestamp)) > TOLERANCE_S:
        return "the timestamp differs too much from the current time"
    good = False
    signed = f"{event_id}.{timestamp}.".encode() + body
    for key in keys:
        mac = hmac.new(key, signed, hashlib.sha256).digest()
        expected = b"v1," + base64.b64encode(mac)
        for signature in signatures.split(" "):
            # compares in constant time
            good = hmac.compare_digest(signature.encode(), expected) or good
    return "" if good else "no signature matches"


def handle(event):
    """Process the event here or, better, store it and process it after the reply.

    The same event may be sent again, so remember its id and process it once.
    """
    print(json.dumps(event, ensure_ascii=False), flush=True)


class Receiver(BaseHTTPRequestHandler):
    keys = []
    timeout = TIMEOUT_S

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > BODY_MAX:
            return self.reply(413 if length.isdecimal() else 411, "the body length is invalid")
        body = self.rfile.read(int(length))
        reason = refusal(self.keys, self.headers, body, time.time())
        if reason:
            return self.reply(401, reason)
        try:
            handle(json.loads(body))
        except Exception as error:      # it will be sent again
            self.log_error("%r", error)
            return self.reply(500, "not accepted")
        return self.reply(200, "accepted")

    def reply(self, status, text):
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
