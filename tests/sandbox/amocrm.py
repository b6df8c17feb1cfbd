"""The mock amoCRM server: consent page, token endpoint and accounts, as strict as the real one.

In a test:      with Amocrm(folder, integration) as amocrm: amocrm.approve() …
As a command:   python3 -m sandbox.amocrm --help   (from the folder tests)

Our programs reach it under amoCRM's real host names: `connect_to` redirects every host to its TLS
port, and `ca_file` names the CA that signed its certificate.  A request to a host that must never
be contacted is therefore recorded here as well.
"""

import argparse
import json
import secrets
import signal
import sys
import tempfile
import threading
import uuid
from pathlib import Path

from . import faults, hooks, pki
from .consent import ConsentPage
from .control import PREFIX, Control
from .limits import RateLimit
from .listen import Listener, Reply, Tls
from .oauth import Account, AuthorizationServer, Integration, Refused, User
from .record import Record
from .subscriptions import Subscriptions

DOMAINS = ("amocrm.ru", "amocrm.com", "kommo.com")
# Hosts that are not amoCRM's, but that an attacker could direct our programs to.  They are served
# with a valid certificate, so that a program cannot pass a test only because TLS failed.
STRAYS = ("amocrm.ru", "evilamocrm.ru", "evil.com", "*.evil.com", "a.amocrm.ru.evil.com")


def usual_accounts():
    return [
        Account(31920194, "reforyou.amocrm.ru", name="Re for you", users=[
            User(1, "Olena", admin=True), User(2, "Ivan")]),
        Account(32720107, "second.amocrm.ru", name="The second", users=[
            User(11, "Maria", admin=True), User(12, "Petro")]),
        Account(30000003, "overseas.kommo.com", name="Overseas", users=[
            User(21, "Ann", admin=True), User(22, "Bob")]),
    ]


def usual_integration(redirect_uri):
    return Integration(str(uuid.uuid4()), secrets.token_urlsafe(48), redirect_uri)


class Amocrm:
    def __init__(self, folder, integration, plain_port=0):
        self.accounts = usual_accounts()
        self.oauth = AuthorizationServer(integration)
        self.faults = faults.Faults()
        self.limit = RateLimit()
        self.subscriptions = Subscriptions()
        self.record = Record()
        self.consent = ConsentPage(self.oauth, lambda: self.accounts)
        self._folder = Path(folder)
        self._authority = pki.Authority(self._folder / "ca")
        self._certificates = {}
        self._certificates_lock = threading.Lock()
        self.demo = None    # the pages of `make run`
        self._routes = {
            "/oauth2/access_token": {"POST": self._token},
            "/api/v4/account": {"GET": self._account},
            "/api/v4/webhooks": {"GET": self._subscriptions, "POST": self._subscribe,
                                 "DELETE": self._unsubscribe},
        }
        self._routes_of_api_host = {
            "/oauth2/account/current/subdomain": {"GET": self._subdomain},
        }
        self._former_hosts = {}
        self._control = Control(self)
        self._tls = Listener(0, self.record, self._answer_tls,
                             Tls(self._certificate, self._knows, self.faults.for_connection))
        self._plain = Listener(plain_port, self.record, self._answer_plain)

    # Running.

    def start(self):
        self._certificate("good")
        self._tls.start()
        self._plain.start()
        return self

    def stop(self):
        self._tls.stop()
        self._plain.stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def plain_url(self):
        return f"http://localhost:{self._plain.port}"

    @property
    def authorize_url(self):
        return f"{self.plain_url}/oauth"

    @property
    def connect_to(self):
        """For curl's --connect-to: every host and port leads here."""
        return f"::127.0.0.1:{self._tls.port}"

    @property
    def ca_file(self):
        return self._authority.certificate

    def issue(self, label, names):
        """Paths of a certificate by the same CA for other host names, and of its key."""
        return self._authority.issue(label, names)

    @property
    def integration(self):
        return self.oauth.integration

    # What a test makes happen.

    def who(self, account=None, user=None):
        """An account by id or host, and one of its users by id; by default the first ones."""
        chosen = next(one for one in self.accounts if account in (None, one, one.id, one.host))
        return chosen, (chosen.users[0] if user is None else chosen.user(user))

    def add_user(self, user_id, name="One more", account=None):
        self.who(account)[0].users.append(User(user_id, name))

    def approve(self, account=None, user=None, state=None, code=None):
        """A user pressed Allow: the parameters of amoCRM's redirect to the callback."""
        return self.consent.grant(*self.who(account, user), state=state, code=code)

    def deny(self, state=None):
        return self.consent.denial(state)

    def install(self, kind="from_widget", account=None, user=None):
        return hooks.install_call(self.consent, *self.who(account, user), kind)

    def rename(self, subdomain, account=None, old="not_found", reported=None):
        """Gives an account another subdomain, as its owner can.

        `old`: what its former host answers from now on, one of OLD_HOSTS.  `reported`: the host
        that the API reports instead of the new one.
        """
        account, answer = self.who(account)[0], OLD_HOSTS[old]
        former, account.host = account.host, f"{subdomain}.{account.base_domain}"
        account.reported_host = reported
        self._former_hosts[former] = (answer, account)

    def misbehave(self, kind, times=1, path=None, **options):
        if kind in faults.CERTIFICATES:
            self._certificate(kind)     # issued now, and not while a program waits for it
        self.faults.add(kind, times, path, **options)

    def forget(self):
        """Clears the queued faults and the record; codes and tokens stay valid."""
        self.faults.clear()
        self.limit.lift()
        self.record.clear()

    def reset(self):
        """The initial state again, except for the certificates and the ports."""
        self.forget()
        self.accounts = usual_accounts()
        self._former_hosts = {}
        self.subscriptions.forget()
        self.oauth.forget()

    # What a test examines.

    def connections(self):
        """Every TCP connection to the TLS port, even if no request followed."""
        return self.record.connections()

    def exchanges(self, grant_type="authorization_code"):
        """Requests to the token endpoint of this kind."""
        return [request for request in self.record.requests("/oauth2/access_token")
                if request.json.get("grant_type") == grant_type]

    # Answering.

    def _knows(self, name):
        return name.endswith(DOMAINS) or pki.covers(STRAYS, name)

    def _certificate(self, kind):
        with self._certificates_lock:
            if kind not in self._certificates:
                self._certificates[kind] = self._issue(kind)
            return self._certificates[kind]

    def _issue(self, kind):
        names = [*pki.AMOCRM_NAMES, *STRAYS]
        if kind == "certificate_expired":
            return self._authority.issue(kind, names, days=-1)
        if kind == "certificate_of_another":
            return self._authority.issue(kind, ["www.example.org"])
        if kind == "certificate_unknown":
            return pki.Authority(self._folder / "unknown-ca", "Unknown CA").issue(kind, names)
        return self._authority.issue(kind, names)

    def _answer_tls(self, exchange):
        host = exchange.asked.host or ""
        if host != exchange.asked.connection.sni:
            return Reply(421, b"Misdirected Request\n", "text/plain")
        account = next((one for one in self.accounts if one.host == host), None)
        exchange.route = lambda _exchange, **shape: self._serve(exchange, account, **shape)
        refused = self.limit.verdict()
        if refused:
            return faults.KINDS[refused](exchange)
        spoiled = self.faults.for_request(exchange.asked.path)
        return spoiled(exchange) if spoiled else exchange.proceed()

    def _serve(self, exchange, account, **shape):
        if exchange.asked.host in self._former_hosts:
            answer, renamed = self._former_hosts[exchange.asked.host]
            return answer(exchange, renamed)
        if any(one.api_domain == exchange.asked.host for one in self.accounts):
            return self._serve_api_host(exchange)
        methods = self._routes.get(exchange.asked.path)
        if methods is None:
            return Reply(404, b'{"title":"Not Found","status":404}', "application/problem+json")
        if exchange.command not in methods:
            return Reply(405, headers={"Allow": ", ".join(methods)})
        try:
            if account is None:
                raise Refused("Invalid account")
            return methods[exchange.command](exchange, account, **shape)
        except Refused as refused:
            return faults.problem(refused)

    def _serve_api_host(self, exchange):
        """The host shared by all accounts, the api_domain of an access token."""
        methods = self._routes_of_api_host.get(exchange.asked.path, {})
        if exchange.command not in methods:
            return not_found(exchange)
        try:
            return methods[exchange.command](exchange)
        except Refused as refused:
            return faults.problem(refused)

    def _token(self, exchange, account, **shape):
        request = _token_request(exchange.asked)
        grant = {"authorization_code": self.oauth.exchange, "refresh_token": self.oauth.refresh}
        pair = grant[request["grant_type"]](account, request, **shape)
        now = self.oauth.clock.now()
        return _json({"token_type": "Bearer", "expires_in": pair.access_until - now,
                      "access_token": pair.access_token, "refresh_token": pair.refresh_token,
                      "server_time": now})

    def _subdomain(self, exchange):
        """The current host of the account that a refresh token belongs to."""
        account = self.oauth.account_of(exchange.asked.header("X-Refresh-Token"))
        host = account.reported_host or account.host
        subdomain, _, base_domain = host.partition(".")
        return _json({"id": account.id, "subdomain": subdomain, "domain": host,
                      "top_level_domain": base_domain.rpartition(".")[2]})

    def _bearer(self, exchange, account):
        """The grant of the access token that came with a request."""
        scheme, _, token = (exchange.asked.header("Authorization") or "").partition(" ")
        if scheme != "Bearer":
            raise Refused(None, 401, "Unauthorized", "Unauthorized")
        return self.oauth.bearer(account, token)

    def _subscriptions(self, exchange, account, **_shape):
        self._bearer(exchange, account)
        return self.subscriptions.listed(account)

    def _subscribe(self, exchange, account, **_shape):
        grant = self._bearer(exchange, account)
        return self.subscriptions.subscribe(account, grant.user, exchange.asked.body)

    def _unsubscribe(self, exchange, account, **_shape):
        self._bearer(exchange, account)
        return self.subscriptions.unsubscribe(account, exchange.asked.body)

    def _account(self, exchange, account, **_shape):
        grant = self._bearer(exchange, account)
        return Reply(200, json.dumps({
            "id": account.id, "name": account.name, "subdomain": account.subdomain,
            "current_user_id": grant.user.id, "country": "UA", "currency": "UAH",
            "_links": {"self": {"href": f"https://{account.host}/api/v4/account"}},
        }).encode(), "application/hal+json")

    def _answer_plain(self, exchange):
        path = exchange.asked.path
        if path.startswith(PREFIX):
            return self._control.answer(exchange)
        if path == "/oauth":
            return self.consent.answer(exchange)
        shown = self.demo.answer(exchange) if self.demo else None
        return shown or Reply(404, b"Not found\n", "text/plain")


# What the former host of a renamed account answers.

def not_found(_exchange, _account=None):
    return Reply(404, b"<!DOCTYPE html><title>404</title><h1>Not Found</h1>")


def moved(exchange, account):
    return Reply(301, headers={"Location": f"https://{account.host}{exchange.asked.target}"})


def no_account(_exchange, _account):
    return faults.problem(Refused("Invalid account"))


def unauthorized(exchange, _account):
    return faults.unauthorized_page(exchange)


OLD_HOSTS = {"not_found": not_found, "unauthorized": unauthorized, "moved": moved, "no_account": no_account}


def _token_request(asked):
    """The body of a token request: a JSON object of strings, complete and with nothing else."""
    if (asked.header("Content-Type") or "").partition(";")[0].strip() != "application/json":
        raise Refused(None, 400, "Unsupported Media Type", "Send JSON")
    try:
        members = json.loads(asked.body, object_pairs_hook=_unique)
    except ValueError as wrong:
        raise Refused(None, 400, "Bad Request", f"Malformed JSON: {wrong}") from wrong
    grant = {"authorization_code": "code", "refresh_token": "refresh_token"}
    carried = grant.get(members.get("grant_type")) if isinstance(members, dict) else None
    if carried is None:
        raise Refused("Check the `grant_type` parameter")
    for name in ("client_id", "client_secret", "grant_type", "redirect_uri", carried):
        if not isinstance(members.get(name), str) or not members[name]:
            raise Refused(f"Check the `{name}` parameter")
    if len(members) != 5:
        raise Refused(None, 400, "Bad Request", "An unexpected parameter")
    return members


def _unique(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a repeated name")
    return members


def _json(members):
    return Reply(200, json.dumps(members).encode(), "application/json")


def main():
    options = argparse.ArgumentParser(description="A mock amoCRM server on loopback.")
    options.add_argument("--redirect-uri", default="http://localhost:8080/api/amo-crm/callback")
    options.add_argument("--port", type=int, default=8081, help="of the consent page")
    chosen = options.parse_args()
    # SIGTERM ends it as Ctrl-C does, so the folder is removed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="amocrm-") as folder, \
            Amocrm(folder, usual_integration(chosen.redirect_uri), chosen.port) as amocrm:
        print(f"client_id     = {amocrm.integration.client_id}\n"
              f"client_secret = {amocrm.integration.client_secret}\n"
              f"redirect_uri  = {amocrm.integration.redirect_uri}\n"
              f"authorize_url = {amocrm.authorize_url}\n"
              f"ca_file       = {amocrm.ca_file}\n"
              f"connect_to    = {amocrm.connect_to}\n", flush=True)
        signal.pause()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
