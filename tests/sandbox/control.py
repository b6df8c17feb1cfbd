"""Control of the mock amoCRM server over HTTP, for a person with curl: POST /_sandbox/<verb>, JSON.

Only the plain port, which listens on loopback, has it.  The tests call the same functions
in-process.
"""

import json
from urllib.parse import urlsplit

from . import faults, hooks
from .listen import Reply

PREFIX = "/_sandbox/"


class Control:
    def __init__(self, amocrm):
        self._amocrm = amocrm
        self._verbs = {
            "faults": self.faults, "fault": self.fault, "clock": self.clock,
            "requests": self.requests, "reset": self.reset, "install": self.install,
            "disconnect": self.disconnect, "uninstall": self.uninstall, "webhook": self.webhook,
            "rename": self.rename, "limit": self.limit, "subscriptions": self.subscriptions,
        }

    def answer(self, exchange):
        verb = urlsplit(exchange.path).path[len(PREFIX):]
        if verb not in self._verbs:
            return _json(404, {"verbs": {name: function.__doc__
                                         for name, function in self._verbs.items()}})
        if exchange.command != "POST":
            return Reply(405, headers={"Allow": "POST"})
        try:
            arguments = json.loads(exchange.asked.body or b"{}")
            return _json(200, self._verbs[verb](**arguments))
        except (ValueError, TypeError, LookupError, StopIteration) as wrong:
            return _json(400, {"error": str(wrong) or "no such account or user"})

    def faults(self):
        """The kinds of faults."""
        return {**{name: function.__doc__ for name, function in faults.KINDS.items()},
                **faults.AT_CONNECT}

    def fault(self, kind, times=1, path=None, **options):
        """kind, times, path: a fault in the next requests."""
        self._amocrm.misbehave(kind, times, path, **options)
        return {"queued": kind, "times": times}

    def clock(self, advance):
        """advance: seconds to move the clock by."""
        self._amocrm.oauth.clock.advance(int(advance))
        return {"now": self._amocrm.oauth.clock.now()}

    def requests(self):
        """Every request the TLS port received."""
        return [request.summary() for request in self._amocrm.record.requests()]

    def reset(self):
        """Clear the queued faults and the recorded requests."""
        self._amocrm.forget()
        return {}

    def install(self, account=None, user=None, kind="from_widget"):
        """account, user, kind: the request that amoCRM sends when the integration is installed."""
        account, user = self._amocrm.who(account, user)
        return _sent(hooks.install_call(self._amocrm.consent, account, user, kind))

    def disconnect(self, url, account=None):
        """url, account: revoke everything issued, and send amoCRM's signed disconnect hook."""
        account, _ = self._amocrm.who(account)
        self._amocrm.oauth.uninstall(account)
        return _sent(hooks.disconnect_hook(url, self._amocrm.oauth.integration, account))

    def uninstall(self, account=None):
        """account: revoke everything issued for it, without the disconnect hook."""
        account, _ = self._amocrm.who(account)
        self._amocrm.oauth.uninstall(account)
        return {"account": account.host}

    def rename(self, subdomain, account=None, old="not_found"):
        """subdomain, account, old: rename the account; old is the former host's response."""
        account, _ = self._amocrm.who(account)
        self._amocrm.rename(subdomain, account, old)
        return {"account": account.host}

    def limit(self, per_second=7):
        """per_second: 429 above this rate, then 403 for everything, until reset."""
        self._amocrm.limit.enforce(int(per_second))
        return {"per_second": int(per_second)}

    def subscriptions(self, account=None):
        """account: list its webhook subscriptions."""
        return self._amocrm.subscriptions.of(self._amocrm.who(account)[0])

    def webhook(self, url=None, account=None, speed=None, **fields):
        """url, account, speed: send a webhook once; with speed, retry it as amoCRM does, that many
        times faster.  In `make run` the default url is the back end's own."""
        account, _ = self._amocrm.who(account)
        if url is None and self._amocrm.demo:
            url = self._amocrm.demo.webhook_url()
        if url is None:
            raise ValueError("url is required")
        sender = hooks.WebhookSender(url, float(speed or 1))
        body = hooks.webhook_body(account, **fields)
        return [_sent(sent) for sent in (sender.deliver(body) if speed else [sender.post(body)])]


def _json(status, value):
    return Reply(status, json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n",
                 "application/json; charset=utf-8")


def _sent(sent):
    return {"url": sent.url, "status": sent.status, "took": round(sent.took, 3),
            "body": sent.body.decode("utf-8", "replace")}
