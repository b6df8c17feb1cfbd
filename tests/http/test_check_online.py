"""`amocrmctl check --online`: our URLs behind a web server with TLS, and amoCRM's responses.

Most faults are planted in a reverse proxy, which terminates TLS and forwards to a real Apache every
request that it is not told to respond to itself.  Faults of Apache's own configuration are tested
with an Apache.
"""

import json
import socket

import pytest

import findings
from connections import HOST
from findings import PUBLIC, REDIRECT_URI, check, configure, faults, good, only
from sandbox import process, tokens
from sandbox.faults import HINTS
from sandbox.listen import Listener, Reply, Tls
from sandbox.oauth import Refused
from sandbox.pki import Authority, openssl
from sandbox.record import Record
from sandbox.servers import APACHE_MODULES, Apache
from sandbox.web import ask

APEX = PUBLIC.partition(".")[2]
PUBLIC_PARTS = {"address", "callback", "exchange-code", "status", "disconnect", "webhook",
                "authorization", "wrong-address"}
ASKED = PUBLIC_PARTS | {"amocrm"}
HTML = "text/html"


class Prompt(Listener):
    """Without Nagle's algorithm, which would delay the body of a response."""

    def get_request(self):
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address


class Front:
    """A reverse proxy with TLS for our public names, and with the faults of a web server."""

    def __init__(self, folder, apache):
        self._apache = apache
        self._authority = Authority(folder / "public-ca")
        self._certificates = {
            "good": self._authority.issue("good", [PUBLIC, APEX]),
            "another's": self._authority.issue("another", ["www.example.org"]),
            "expired": self._authority.issue("expired", [PUBLIC, APEX], days=-1),
        }
        self._listener = Prompt(0, Record(), self._answer, Tls(
            self._certificates.__getitem__, lambda name: True, lambda: self.certificate))
        self._listener.start()
        self.forget()

    def forget(self):
        self.certificate = "good"
        self.replies = {APEX: lambda exchange: Reply(404, b"<h1>The web site</h1>", HTML)}

    def stop(self):
        self._listener.stop()

    @property
    def port(self):
        return self._listener.port

    @property
    def ca(self):
        return self._authority.certificate.read_text()

    def certificate_files(self):
        return self._certificates["good"]

    def _answer(self, exchange):
        """The reply planted for the path or for the host, else that of Apache."""
        path, host = exchange.asked.path, exchange.asked.host
        reply = self.replies.get(path if host == PUBLIC else None) or self.replies.get(host)
        return reply(exchange) if reply else self.pass_on(exchange)

    def pass_on(self, exchange, target=None, without=()):
        headers = {name: value for name, value in exchange.asked.headers
                   if name.lower() not in ("connection", "content-length", *without)}
        answer = ask(self._apache.port, exchange.command, (target or exchange.asked.target).encode(),
                     {**headers, "Connection": "close"}, exchange.asked.body or None)
        return Reply(answer.status, answer.body, answer.header("Content-Type"))


@pytest.fixture(scope="module")
def the_front(amocrm_and_folder, runners):
    folder = amocrm_and_folder[1] / "public"
    folder.mkdir()
    front = Front(folder, runners("apache"))
    yield front
    front.stop()


@pytest.fixture
def front(the_front):
    the_front.forget()
    return the_front


def reachable(site, amocrm, front, port=None, **changes):
    """Redirects the public names to the reverse proxy, all others to the mock amoCRM server."""
    bundle = site.folder / "both-cas.pem"
    bundle.write_text(front.ca + amocrm.ca_file.read_text())
    process.give(bundle, 0o644)
    ways = [f"{name}:443:127.0.0.1:{port or front.port}" for name in (PUBLIC, APEX)]
    configure(site, **{"amocrm_connect_to": " ".join([*ways, amocrm.connect_to]),
                       "amocrm_ca_file": bundle, **changes})


@pytest.fixture
def subscriptions(amocrm):
    """The webhooks that the mock server reports for an account; a test changes the list."""
    webhooks = []

    def answer(exchange, account, **_shape):
        scheme, _, token = (exchange.asked.header("Authorization") or "").partition(" ")
        amocrm.oauth.bearer(account, token)
        if not webhooks:
            return Reply(204)
        return Reply(200, json.dumps({"_embedded": {"webhooks": webhooks}}).encode(),
                     "application/hal+json")
    path = "/api/v4/webhooks"
    before = amocrm._routes.get(path)
    amocrm._routes[path] = {**(before or {}), "GET": answer}
    yield webhooks
    if before is None:
        del amocrm._routes[path]
    else:
        amocrm._routes[path] = before


@pytest.fixture
def public(bare, amocrm, front, subscriptions):
    reachable(bare, amocrm, front)
    return bare


def destination():
    return REDIRECT_URI.replace("callback", "webhook") + f"?key={findings.WEBHOOK_KEY}"


@pytest.fixture
def subscribed(public, amocrm, subscriptions):
    """One account is connected and subscribed to webhooks."""
    public.get("callback", amocrm.approve())
    subscriptions.append({"id": 1, "destination": destination(), "disabled": False,
                          "settings": ["add_lead"]})
    return public


def asked(site, *options, **rights):
    """The findings with --online."""
    return check(site, "--online", *options, **rights)


@pytest.mark.parametrize("as_web_user", [True, False], ids=["the web server's user", "root"])
def test_nothing_is_wrong(subscribed, as_web_user):
    looked_at = good(subscribed, "--online", as_web_user=as_web_user)

    assert looked_at >= ASKED | {"subscription"}


def test_nothing_is_wrong_before_the_first_connection(public):
    looked_at = good(public, "--online")

    assert looked_at >= ASKED
    assert "subscription" not in looked_at


def test_without_online_no_request_is_sent(subscribed, front, amocrm):
    amocrm.forget()

    assert not good(subscribed) & PUBLIC_PARTS
    assert amocrm.connections() == []


def test_online_changes_nothing(subscribed, amocrm):
    before = subscribed.connections()
    events = subscribed.ctl("events").stdout

    asked(subscribed)

    assert subscribed.connections() == before
    assert subscribed.ctl("events").stdout == events


@pytest.mark.parametrize("redirect", ["page", "button", "302"])
@pytest.mark.parametrize("connections", ["shared", "per_user"])
def test_other_valid_configurations(public, amocrm, front, redirect, connections):
    reachable(public, amocrm, front, app_redirect=redirect, app_connections=connections,
              jwt_issuer="me", jwt_audience="you", jwt_user_claim="uid", jwt_algorithm="HS512",
              jwt_secret="0123456789abcdef0123456789ABCDEF" * 2)

    assert good(public, "--online") >= ASKED


def test_no_account_is_pinned_or_connected(public, amocrm, front):
    reachable(public, amocrm, front, amocrm_account=None, app_connections="per_user")

    good(public, "--online")

    assert amocrm.exchanges() == []


def test_a_connected_account_is_contacted_if_none_is_pinned(
        public, amocrm, front, subscriptions):
    public.get("callback", amocrm.approve(account="second.amocrm.ru"))
    reachable(public, amocrm, front, amocrm_account=None, app_connections="per_user",
              app_state="any")
    public.get("callback", amocrm.approve(account="second.amocrm.ru"))
    subscriptions.append({"destination": destination(), "disabled": False})

    assert good(public, "--online") >= ASKED | {"subscription"}
    assert amocrm.exchanges()[-1].host == "second.amocrm.ru"


def test_a_trial_set_up(on_servers):
    """The set-up of `make run`: our URLs are requested without TLS, not from the mock server."""
    on_servers.configure(webhook_secret=findings.WEBHOOK_KEY)

    found = asked(on_servers)

    assert [(one.level, one.part) for one in faults(found)] == [
        ("warn", "redirect_uri"), ("warn", "authorize_url")]
    assert {one.part for one in found} >= ASKED


# Responses of a web server that does not run the program.

def reply(status, body, media_type=HTML):
    return lambda exchange: Reply(status, body, media_type)


NOT_FOUND = reply(404, b"<h1>Not Found</h1>")
ELF = reply(200, b"\x7fELF\2\1\1\0" + b"\0" * 1000, "application/octet-stream")
LARGE_ELF = reply(200, b"\x7fELF\2\1\1\0" + b"\1" * 1_500_000, "application/octet-stream")

ANSWERS = {
    "no program at the callback": ("callback", NOT_FOUND, "404", "apache.conf.example"),
    "another site at the callback": (
        "callback", reply(200, b"<h1>A hotel</h1>"), "200", "something else replies"),
    "a redirect at the callback": (
        "callback", lambda exchange: Reply(301, headers={"Location": "https://else.where/"}),
        "301", "is redirected"),
    "the callback's file": ("callback", ELF, "instead of running it", "a2enmod cgid"),
    "the callback's whole file": ("callback", LARGE_ELF, "200", "something else replies"),
    "a callback that does not start": (
        "callback", reply(500, b"<h1>Internal Server Error</h1>"), "500", "error log"),
    "no program at exchange-code": ("exchange-code", NOT_FOUND, "404", "405 method_not_allowed"),
    "forbidden at status": (
        "status", reply(403, b"<h1>Forbidden</h1>"), "403", "Require all granted"),
    "a web server that sends a token of its own": (
        "status", reply(401, b'{"success":false,"error":"invalid_token"}', "application/json"),
        "401 invalid_token", "changes requests"),
    "a proxy without a back end": ("status", reply(502, b""), "502", "error log"),
    "no program at disconnect": ("disconnect", NOT_FOUND, "404", "403 invalid_signature"),
    "a login page at webhook": (
        "webhook", reply(401, b"<h1>Log in</h1>"), "401", "something else replies"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_wrong_response_at_an_address(public, front, case):
    program, answer, *words = ANSWERS[case]
    front.replies[f"/api/amo-crm/{program}"] = answer

    only(asked(public), "WRONG", program, *words)


def test_another_program_at_the_callback(public, front):
    front.replies["/api/amo-crm/callback"] = lambda exchange: front.pass_on(
        exchange, "/api/amo-crm/status")

    only(asked(public), "WRONG", "callback", "401 missing_token", "another program")


def test_two_programs_swapped(public, front):
    front.replies["/api/amo-crm/webhook"] = lambda exchange: front.pass_on(
        exchange, "/api/amo-crm/status")

    only(asked(public), "WRONG", "webhook", "401 missing_token", "another program")


def test_programs_that_cannot_read_the_configuration(public, front, runners):
    """The web server's programs use another configuration than the one that is checked."""
    server_error = reply(500, b'{"success":false,"error":"server_error","message":"x"}',
                         "application/json")
    page = reply(500, b'<a href="foryoure://amo-crm/callback?error=server_error&amp;">', HTML)
    for program in ("exchange-code", "status", "disconnect", "webhook"):
        front.replies[f"/api/amo-crm/{program}"] = server_error
    front.replies["/api/amo-crm/callback"] = page

    wrong = faults(asked(public))

    assert [one.part for one in wrong] == [
        "callback", "exchange-code", "status", "disconnect", "webhook"]
    assert all("cannot use its configuration" in one.to_do for one in wrong), wrong


WRONG_ADDRESSES = {
    "the address without its first label": (APEX, "status", f"https://{APEX}/", "byte for byte"),
    "the old address": (
        "/api/v1/integrations/amo-crm/status", "status", "/api/v1/integrations/", "only at"),
    "a slash at the end": ("/api/amo-crm/status/", "status", "/status/", "AcceptPathInfo"),
}


@pytest.mark.parametrize("case", WRONG_ADDRESSES)
def test_a_wrong_address_that_answers(public, front, case):
    where, program, *words = WRONG_ADDRESSES[case]
    front.replies[where] = lambda exchange: front.pass_on(exchange, f"/api/amo-crm/{program}")

    only(asked(public), "warn", "wrong-address", *words)


def test_a_wrong_address_may_be_unreachable(public, amocrm, front):
    with process.dead_port() as dead:
        reachable(public, amocrm, front, amocrm_connect_to=(
            f"{APEX}:443:127.0.0.1:{dead} {PUBLIC}:443:127.0.0.1:{front.port} "
            + amocrm.connect_to))

        assert good(public, "--online") >= ASKED


# DNS, TCP and TLS.

def test_a_host_name_without_an_address(public, amocrm, front):
    reachable(public, amocrm, front, amocrm_connect_to=(
        f"{PUBLIC}:443:nobody.invalid:443 {amocrm.connect_to}"))

    only(asked(public), "WRONG", "address", PUBLIC, "DNS")


def test_the_accounts_host_without_an_address(public, amocrm, front):
    ways = " ".join(f"{name}:443:127.0.0.1:{front.port}" for name in (PUBLIC, APEX))
    reachable(public, amocrm, front,
              amocrm_connect_to=f"{HOST}:443:nobody.invalid:443 {ways} {amocrm.connect_to}")

    found = asked(public)

    only(found, "WRONG", "amocrm", HOST, "name servers")
    assert "renamed" not in faults(found)[0].text


def test_a_closed_port(public, amocrm, front):
    with process.dead_port() as dead:
        reachable(public, amocrm, front, port=dead)

        only(asked(public), "WRONG", "address", PUBLIC, "open port 443", "connect_to")


@pytest.mark.parametrize("certificate", ["another's", "expired"])
def test_a_wrong_certificate(public, front, certificate):
    front.certificate = certificate

    only(asked(public), "WRONG", "address", PUBLIC, "certificate for this name")


def test_a_certificate_of_an_unknown_ca(public, amocrm, front):
    reachable(public, amocrm, front, amocrm_ca_file=amocrm.ca_file)

    only(asked(public), "WRONG", "address", PUBLIC, "public authority")


def test_plain_http_where_tls_should_be(public, amocrm, front, runners):
    reachable(public, amocrm, front, port=runners("apache").port)

    only(asked(public), "WRONG", "address", PUBLIC, "TLS fails")


# The app's token.

def test_a_web_server_that_drops_the_token(public, front):
    front.replies["/api/amo-crm/status"] = lambda exchange: front.pass_on(
        exchange, without=["authorization"])

    only(asked(public), "WRONG", "authorization", "401 missing_token", "CGIPassAuth")


def test_programs_with_another_jwt_secret(public, front, amocrm):
    stranger = "Authorization", f"Bearer {tokens.app_token('another secret of 32 bytes or so')}"

    def with_another(exchange):
        if exchange.asked.header("Authorization"):
            exchange.asked.headers[:] = [stranger if name == "Authorization" else (name, value)
                                         for name, value in exchange.asked.headers]
        return front.pass_on(exchange)
    front.replies["/api/amo-crm/status"] = with_another

    only(asked(public), "WRONG", "authorization", "401 invalid_token", "reads this configuration")


@pytest.fixture
def by_public_key(public, amocrm, front, tmp_path_factory):
    folder = public.folder / "online-jwt"
    folder.mkdir(exist_ok=True)
    process.give(folder, 0o750)
    openssl("genpkey", "-algorithm", "ED25519", "-out", folder / "key")
    openssl("pkey", "-in", folder / "key", "-pubout", "-out", folder / "key.pem")
    process.give(folder / "key.pem", 0o640)
    reachable(public, amocrm, front, jwt_secret=None, jwt_algorithm="EdDSA",
              jwt_public_key=folder / "key.pem")
    return public


def test_a_public_key_instead_of_a_jwt_secret(by_public_key):
    assert good(by_public_key, "--online") >= ASKED


def test_a_web_server_that_drops_the_token_with_a_public_key(by_public_key, front):
    front.replies["/api/amo-crm/status"] = lambda exchange: front.pass_on(
        exchange, without=["authorization"])

    only(asked(by_public_key), "WRONG", "authorization", "CGIPassAuth")


# A real Apache with TLS, from the shipped example.

class TlsApache(Apache):
    """`without` is a line that is removed from the example."""

    def configuration(self):
        certificate, key = self._options["certificate"]
        return f"LoadModule ssl_module {APACHE_MODULES}/mod_ssl.so\n" + super().configuration(
        ).replace("\tDirectoryIndex", f"\tServerName {PUBLIC}\n\tSSLEngine on\n"
                  f"\tSSLCertificateFile {certificate}\n\tSSLCertificateKeyFile {key}\n"
                  "\tDirectoryIndex")

    def our_example(self):
        included = super().our_example()
        without = self._options.get("without")
        if without:
            text = included.read_text()
            assert without in text
            included.write_text(text.replace(without, ""))
        return included


def test_a_real_apache(subscribed, amocrm, front):
    server = TlsApache(subscribed, certificate=front.certificate_files())
    try:
        reachable(subscribed, amocrm, front, port=server.port, amocrm_connect_to=(
            f"{PUBLIC}:443:127.0.0.1:{server.port} {APEX}:443:127.0.0.1:{front.port} "
            + amocrm.connect_to))

        assert good(subscribed, "--online") >= ASKED | {"subscription"}
    finally:
        server.stop()


def test_a_real_apache_that_drops_the_token(subscribed, amocrm, front):
    server = TlsApache(subscribed, certificate=front.certificate_files(),
                       without="\tCGIPassAuth On\n")
    try:
        reachable(subscribed, amocrm, front, amocrm_connect_to=(
            f"{PUBLIC}:443:127.0.0.1:{server.port} {APEX}:443:127.0.0.1:{front.port} "
            + amocrm.connect_to))

        only(asked(subscribed), "WRONG", "authorization", "CGIPassAuth On")
    finally:
        server.stop()


# amoCRM.

AMOCRM = {
    "another client_id": (
        {"amocrm_client_id": "01d01160-d7a0-4087-b4af-6a1bb83fcd1d"}, "client_id", "Keys"),
    "another client_secret": (
        {"amocrm_client_secret": "A" * 32 + "b" * 32}, "client_secret", "Keys"),
}


@pytest.mark.parametrize("changes, part, word", AMOCRM.values(), ids=AMOCRM.keys())
def test_a_credential_that_amocrm_refuses(public, amocrm, front, changes, part, word):
    reachable(public, amocrm, front, **changes)

    only(asked(public), "WRONG", part, "reforyou.amocrm.ru refused", word, "the same here")


def test_another_redirect_uri(public, amocrm):
    amocrm.integration.redirect_uri = REDIRECT_URI.replace("admin.", "")

    only(asked(public), "WRONG", "redirect_uri", "byte for byte")


def test_an_account_at_another_host(public, amocrm):
    amocrm.misbehave("send_to_account")

    only(asked(public), "WRONG", "account", "another host", "set [amocrm] account to the host")


def test_a_scope_that_the_integration_does_not_have(public, amocrm):
    amocrm.misbehave("scope")

    only(asked(public), "WRONG", "amocrm", "`crm` scope", "which rights", "give the integration")


@pytest.mark.parametrize("kind", ["unknown_hint", "unknown_hint_of_keys"])
def test_an_unknown_hint_is_quoted_and_no_cause_is_claimed(public, amocrm, kind):
    """Words of the hint that look like a key of ours, or like a fault of DNS, are no cause."""
    amocrm.misbehave(kind)

    only(asked(public), "WRONG", "amocrm", HINTS[kind][0], "not known to us", "support")


def test_a_refusal_without_a_hint(public, amocrm):
    amocrm.misbehave("invalid_client_russian")

    only(asked(public), "WRONG", "client_secret", "Неверный клиент", "unpaid")


@pytest.mark.parametrize("kind, word", [
    ("forbidden", "403"), ("too_many", "429"), ("server_error", "500"), ("not_json", "200"),
    ("certificate_unknown", "certificate")])
def test_an_unexpected_response_of_amocrm(public, amocrm, kind, word):
    amocrm.misbehave(kind, times=2)

    only(asked(public), "WRONG", "amocrm", "reforyou.amocrm.ru", word)


def test_an_amocrm_that_hangs(public, amocrm, front):
    reachable(public, amocrm, front, amocrm_timeout=3)
    amocrm.misbehave("hang")

    only(asked(public), "WRONG", "amocrm", "reforyou.amocrm.ru", "later")


def test_an_unreachable_amocrm(public, amocrm, front):
    with process.dead_port() as dead:
        reachable(public, amocrm, front, amocrm_connect_to=(
            f"{PUBLIC}:443:127.0.0.1:{front.port} {APEX}:443:127.0.0.1:{front.port} "
            f"::127.0.0.1:{dead}"))

        only(asked(public), "WRONG", "amocrm", "firewall")


def test_amocrm_is_not_contacted_with_wrong_credentials(public, amocrm, front):
    """One cause, one finding: amoCRM would certainly refuse these credentials."""
    reachable(public, amocrm, front, amocrm_client_secret="replace-me")

    only(asked(public), "WRONG", "client_secret", "in the example")
    assert amocrm.connections() == []


# The webhook's subscription.

def test_a_webhook_that_amocrm_has_disabled(subscribed, subscriptions):
    subscriptions[0]["disabled"] = True

    only(asked(subscribed), "WRONG", "subscription", "disabled our webhook",
         "amocrmctl subscribe")


def test_a_missing_subscription(subscribed, subscriptions):
    subscriptions.clear()

    only(asked(subscribed), "warn", "subscription", "31920194", "amocrmctl subscribe")


def test_a_webhook_with_an_old_key(subscribed, subscriptions):
    subscriptions[0]["destination"] = destination()[:-1] + "x"

    only(asked(subscribed), "warn", "subscription", "amocrmctl subscribe")


def test_a_user_who_may_not_read_subscriptions(subscribed, amocrm):
    amocrm.misbehave("forbidden", path="/api/v4/webhooks")

    only(asked(subscribed), "WRONG", "subscription", "403", "administrator")


def test_tokens_that_amocrm_has_revoked(subscribed, amocrm):
    """Their first use fails; the connection is then marked as revoked."""
    amocrm.oauth.uninstall(amocrm.who()[0])

    [wrong] = faults(asked(subscribed))

    assert wrong.part == "subscription"


def test_a_revoked_account_is_not_contacted(subscribed, amocrm, subscriptions):
    subscribed.ctl("disconnect", 31920194)

    assert "subscription" not in good(subscribed, "--online")
