"""What each program does in its main case, and how to tell afterwards that nothing is lost.

A case prepares a store once.  Each run begins with a copy of it, and with amoCRM's codes and tokens
as they were then.
"""

import json

import app
import connections
import deliveries
import webhooks
from connections import ID, SOON
from sandbox import hooks, tokens
from sandbox.servers import cgi_answer
from sandbox.site import BASE
from sandbox.web import Malformed, encode

CODE = "def50200" + "0123456789abcdef" * 60
SECRET = "the-secret-of-the-webhook"
OK_ERRORS = ("temporarily_unavailable", "server_error")     # what a fault of ours may be called
USUAL = {"webhook_secret": SECRET}


class Case:
    """One program in one situation."""

    name = None
    config = USUAL
    rotates = False     # amoCRM gives out tokens
    helpers = ()        # the helpers that are worth a fault of their own
    life = None         # of the first access token, in seconds

    def prepare(self, place):
        """Fills the store."""
        connections.connect(place.site, place.amocrm, life=self.life)

    def begin(self, place):
        """Before each run."""

    def command(self, place):
        """Arguments, environment and standard input of the program."""
        raise NotImplementedError

    def wrong(self, ran):
        """What is wrong with the output of a run that was not killed; None: nothing."""
        raise NotImplementedError

    def repeat(self, place):
        """Runs the programs without a fault; returns what does not work."""
        ran = place.run(self)
        return self.wrong(ran) or (None if self.acknowledged(ran) else f"again: {said(ran)}")

    def acknowledged(self, ran):
        """Whether the output says that it is done."""
        raise NotImplementedError

    def unkept(self, place, acknowledged):
        """After repeat: what is not as acknowledged."""
        return None


class Cgi(Case):
    method, query, headers, body = "GET", None, {}, None
    statuses = (200, 500, 503)

    def request(self, place):
        return {}

    def command(self, place, **changed):
        request = {"query": self.query, "headers": self.headers, "body": self.body,
                   **self.request(place), **changed}
        env = place.site.server.environment(
            BASE + self.program, encode(request["query"]), self.method, request["headers"],
            request["body"])
        return [place.site.programs / self.program], env, request["body"] or b""

    def wrong(self, ran):
        if ran.code:
            return f"exit status {ran.code}"
        try:
            answer = cgi_answer(ran.output, self.method)
        except Malformed as malformed:
            return str(malformed)
        return None if answer.status in self.statuses else f"status {answer.status}: {answer.text}"

    def acknowledged(self, ran):
        try:
            return cgi_answer(ran.output, self.method).status == 200
        except Malformed:
            return False


class Callback(Cgi):
    name = "callback, new code"
    program = "callback"
    rotates = True
    helpers = ("amo-crm-https", "amo-crm-crypto")

    def begin(self, place):
        self.params = place.amocrm.approve(code=CODE)

    def request(self, place):
        return {"query": self.params}

    def wrong(self, ran):
        malformed = super().wrong(ran)
        if malformed:
            return malformed
        error = cgi_answer(ran.output).link_query.get("error")
        return None if error in (None, *OK_ERRORS) else f"error={error}"

    def acknowledged(self, ran):
        try:
            return "code" in cgi_answer(ran.output).link_query
        except (Malformed, ValueError, TypeError):
            return False


class FirstCallback(Callback):
    name = "callback, empty store"
    helpers = ()

    def prepare(self, place):
        pass


class Exchange(Cgi):
    name = "exchange-code, new code"
    program = "exchange-code"
    method = "POST"
    rotates = True
    helpers = ("amo-crm-https", "amo-crm-crypto")

    def begin(self, place):
        self.params = place.amocrm.approve(code=CODE)

    def request(self, place):
        return {"headers": {**place.olena.headers, "Content-Type": app.JSON},
                "body": json.dumps(self.params).encode()}


class ExchangeKnown(Exchange):
    """The app claims the code that the callback has exchanged."""
    name = "exchange-code, known code"
    config = {**USUAL, **app.PER_USER}
    rotates = False
    helpers = ()

    def prepare(self, place):
        self.params = place.olena.consents(place.amocrm)

    def begin(self, place):
        pass

    def unkept(self, place, acknowledged):
        users = [one["app_user"] for one in place.site.connections()]
        return None if users == ["olena"] else f"claimed by {users}"


class Status(Cgi):
    name = "status"
    program = "status"

    def request(self, place):
        return {"headers": place.olena.headers}

    def unkept(self, place, acknowledged):
        return None if place.olena.is_connected() else "not connected"


class Disconnect(Cgi):
    name = "disconnect, POST"
    program = "disconnect"
    method, body = "POST", b""

    def request(self, place):
        return {"headers": place.olena.headers}

    def unkept(self, place, acknowledged):
        return "still connected" if place.site.connections() else None


class DisconnectHook(Cgi):
    name = "disconnect, amoCRM's hook"
    program = "disconnect"

    def request(self, place):
        integration = place.amocrm.integration
        who = {"client_uuid": integration.client_id, "account_id": str(ID)}
        return {"query": {**who, "signature": tokens.disconnect_signature(
            integration.client_secret, *who.values())}}

    def unkept(self, place, acknowledged):
        states = [one["state"] for one in place.site.connections()]
        return None if states == ["revoked"] else f"states {states}"


class Webhook(Cgi):
    name = "webhook"
    program = "webhook"
    method = "POST"
    query = {"key": SECRET}
    number = 0

    def begin(self, place):
        self.number = 1

    def request(self, place):
        body = b"leads[add][0][id]=%d&leads[add][0][last_modified]=1795777501&account[id]=%d" % (
            self.number, ID)
        return {"headers": {"Content-Type": webhooks.FORM, "User-Agent": hooks.WEBHOOK_AGENT},
                "body": body}

    def repeat(self, place):
        self.number += 1
        return super().repeat(place)

    def unkept(self, place, acknowledged):
        lines = place.site.ctl("events", "--items").stdout.splitlines()
        ids = [json.loads(line)["item"].get("id") for line in lines]
        needed = ["1", "2"] if acknowledged else ["2"]
        return None if set(needed) <= set(ids) else f"events {ids}"


class Ctl(Case):
    arguments = ()
    given = b""

    def command(self, place):
        site = place.site
        return [site.amocrmctl, "-c", site.config, *map(str, self.arguments)], None, self.given

    def wrong(self, ran):
        if ran.code not in (0, 1):
            return f"exit status {ran.code}"
        return "exit status 1 without a word" if ran.code and not ran.complaint else None

    def acknowledged(self, ran):
        return ran.code == 0


class Token(Ctl):
    name = "token, refresh due"
    arguments = ("token", ID)
    rotates = True
    life = SOON
    helpers = ("amo-crm-https", "amo-crm-crypto")

    def begin(self, place):
        place.amocrm.oauth.access_life = SOON


class Refresh(Token):
    name = "refresh ACCOUNT"
    arguments = ("refresh", ID)
    helpers = ()


class RefreshDue(Token):
    name = "refresh --due"
    arguments = ("refresh", "--due", 3600)
    helpers = ("amo-crm-https", "amo-crm-crypto")


class Import(Ctl):
    name = "import"
    arguments = ("import",)
    helpers = ("amo-crm-crypto",)

    def prepare(self, place):
        super().prepare(place)
        self.given = place.site.ctl("export", "--plain").stdout.encode()
        place.site.new_store()

    def unkept(self, place, acknowledged):
        exported = place.site.ctl("export", "--plain").stdout.splitlines()
        given = {json.loads(line)["key"] for line in self.given.splitlines()}
        missing = given - {json.loads(line)["key"] for line in exported}
        return f"not imported: {missing}" if missing else None


class Rekey(Ctl):
    name = "rekey"
    arguments = ("rekey",)
    helpers = ("amo-crm-crypto",)
    new, old = (f"k{number} " + f"{number}" * 64 + "\n" for number in (2, 3))

    def prepare(self, place):
        place.site.write_keys(self.old)
        super().prepare(place)

    def begin(self, place):
        place.site.write_keys(self.new + self.old)

    def unkept(self, place, acknowledged):
        place.site.write_keys(self.new)
        if len(connections.stored(place.site)) != 1:
            return "nothing is stored"
        return None


class Deliver(Ctl):
    name = "deliver"
    arguments = ("deliver",)
    helpers = ("amo-crm-https",)
    accounts = (5, 6)

    def prepare(self, place):
        super().prepare(place)
        deliveries.configure(place.site, place.amocrm, place.receiver)
        deliveries.put(place.site, *(deliveries.event(n, self.accounts[n % 2], at=1795777501)
                                     for n in range(4)))

    def begin(self, place):
        place.receiver.clear()

    def repeat(self, place):
        if deliveries.cursor_file(place.site).exists():
            deliveries.travel(place.site)
        return super().repeat(place)

    def unkept(self, place, acknowledged):
        came = deliveries.numbers([one for one in place.receiver.taken() if one.account != ID])
        if set(came) != set(range(4)) or place.receiver.problems():
            return f"delivered {came}, {place.receiver.problems()}"
        return f"delivered {came}" if len(came) > 6 else None


def said(ran):
    return f"{ran.code} {ran.output[:300]!r} {ran.complaint[-400:]}"


CASES = (Callback, FirstCallback, Exchange, ExchangeKnown, Status, Disconnect, DisconnectHook,
         Webhook, Token, Refresh, RefreshDue, Import, Rekey, Deliver)

