"""An account's webhook subscriptions: GET, POST and DELETE /api/v4/webhooks."""

import json
import threading
import time
from urllib.parse import urlsplit

from .listen import Reply

ACTIONS = {
    "lead": "add update delete restore status responsible note",
    "contact": "add update delete restore responsible note",
    "company": "add update delete restore responsible note",
    "customer": "add update delete responsible note",
    "task": "add update delete responsible",
    "talk": "add update",
    "message": "add",
}
EVENTS = frozenset(f"{action}_{entity}" for entity, actions in ACTIONS.items()
                   for action in actions.split())


class Subscriptions:
    def __init__(self):
        self._lock = threading.Lock()
        self.forget()

    def forget(self):
        with self._lock:
            self._hooks = {}    # account id -> destination -> hook
            self._last_id = 0

    def of(self, account):
        with self._lock:
            return [dict(hook) for hook in self._hooks.get(account.id, {}).values()]

    def disable(self, account, destination):
        """amoCRM disables a hook after too many failed deliveries."""
        with self._lock:
            self._hooks[account.id][destination]["disabled"] = True

    # What the routes do.

    def listed(self, account):
        hooks = self.of(account)
        if not hooks:
            return Reply(204)
        return _hal(200, {"_total_items": len(hooks), "_embedded": {"webhooks": hooks}})

    def subscribe(self, account, user, body):
        members = _members(body)
        complaints = list(_complaints(members))
        if complaints:
            return _invalid(complaints)
        with self._lock:
            hooks = self._hooks.setdefault(account.id, {})
            known = hooks.get(members["destination"])
            if known is None:
                self._last_id += 1
                known = hooks[members["destination"]] = {
                    "id": self._last_id, "destination": members["destination"],
                    "created_at": int(time.time()), "created_by": user.id,
                    "account_id": account.id, "sort": members.get("sort", 1)}
                status = 201
            else:
                status = 200
            known.update(updated_at=int(time.time()), disabled=False,
                         settings=list(members["settings"]))
            return _hal(status, dict(known))

    def unsubscribe(self, account, body):
        destination = _members(body).get("destination")
        if not isinstance(destination, str):
            return _invalid([("destination", "This field is missing.")])
        with self._lock:
            self._hooks.get(account.id, {}).pop(destination, None)
        return Reply(204)


def _members(body):
    try:
        members = json.loads(body)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


def _complaints(members):
    destination, settings = members.get("destination"), members.get("settings")
    parts = urlsplit(destination) if isinstance(destination, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        yield "destination", "This value is not a valid URL."
    if not isinstance(settings, list) or not settings:
        yield "settings", "This value should not be blank."
    elif not EVENTS.issuperset(settings):
        yield "settings", "One or more of the given values is invalid."


def _hal(status, members):
    return Reply(status, json.dumps(members).encode(), "application/hal+json")


def _invalid(complaints):
    errors = [{"code": "NotSupportedChoice", "path": path, "detail": detail}
              for path, detail in complaints]
    members = {"validation-errors": [{"request_id": "0", "errors": errors}], "title": "Bad Request",
               "type": "https://httpstatus.es/400", "status": 400,
               "detail": "Request validation failed"}
    return Reply(400, json.dumps(members).encode(), "application/problem+json")
