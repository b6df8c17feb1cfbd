"""The mobile app: its users, the tokens that it sends, and the responses that it may get."""

import contextlib
import hashlib
import hmac
import json
import re
import secrets
import subprocess
import time
from urllib.parse import parse_qs, urlsplit

import pytest

import expect
from sandbox import tokens
from sandbox.web import encode

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
# The three programs that the app calls, with the method of the request.
PROGRAMS = {"exchange-code": "POST", "status": "GET", "disconnect": "POST"}

MODES = {
    f"{connections}, {state} state": {"app_connections": connections, "app_state": state}
    for connections in ("shared", "per_user") for state in ("any", "signed")
}
in_every_mode = pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
in_both_set_ups = pytest.mark.parametrize("mode", [
    MODES["shared, any state"], MODES["per_user, signed state"]], ids=["shared", "per_user"])
where_states_are_signed = pytest.mark.parametrize(
    "mode", [mode for mode in MODES.values() if mode["app_state"] == "signed"],
    ids=[name for name, mode in MODES.items() if mode["app_state"] == "signed"])
PER_USER = MODES["per_user, signed state"]


class User:
    """A user who is logged in to the app."""

    def __init__(self, site, name="olena"):
        self.site, self.name = site, name

    @property
    def token(self):
        return self.site.app_token(self.name)

    @property
    def headers(self):
        return bearer(self.token)

    def exchange(self, params=None, *, kind=JSON, **changed):
        """Presents a code: the parameters of a callback, with these changes."""
        params = {**(params or {}), **changed}
        body = json.dumps(params).encode() if kind == JSON else encode(params)
        return self.send(body, kind)

    def send(self, body, kind=JSON, **options):
        """Sends this body to exchange-code."""
        return self.site.post("exchange-code", body=body, **options,
                              headers={**self.headers, "Content-Type": kind})

    def status(self, **options):
        return self.site.ask("status", headers=self.headers, **options)

    def disconnect(self, method="POST", **options):
        options.setdefault("body", b"" if method == "POST" else None)
        return self.site.ask("disconnect", method=method, headers=self.headers, **options)

    def is_connected(self):
        return done(self.status())["data"]["connected"]

    def authorize_url(self):
        return done(self.status())["data"]["authorizeUrl"]

    def state(self):
        """The state that the app gets as part of the authorize URL."""
        return state_of(self.authorize_url())

    def consents(self, amocrm, state=None, **who):
        """Allows access at amoCRM with the user's own state; returns the parameters of the
        callback, which has been called."""
        params = amocrm.approve(state=state or self.state(), **who)
        expect.connected(self.site.get("callback", params), params["code"], params["state"])
        return params

    def connects(self, amocrm, state=None, **who):
        """Connects completely: consent, callback and exchange."""
        params = self.consents(amocrm, state, **who)
        connected(self.exchange(params), *whose(amocrm, **who))
        return params


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def whose(amocrm, account=None, user=None):
    return amocrm.who(account, user)[0].host, str(amocrm.who(account, user)[0].id)


def state_of(authorize_url):
    [state] = parse_qs(urlsplit(authorize_url).query, strict_parsing=True)["state"]
    return state


@contextlib.contextmanager
def row(label):
    """Adds the label of a table's row to an assertion that fails inside the block."""
    try:
        yield
    except AssertionError as failed:
        raise AssertionError(f"{label}: {failed}") from failed


# The responses that the app gets.

def done(answer):
    expect.hardened(answer)
    assert answer.status == 200, answer.text
    assert answer.header("Content-Type") == JSON
    assert answer.json["success"] is True
    return answer.json


def connected(answer, host="reforyou.amocrm.ru", account_id="31920194"):
    assert done(answer) == {
        "success": True, "message": "AMO CRM successfully connected",
        "data": {"connected": True, "hasTokens": True, "domain": host, "accountId": account_id}}


def disconnected(answer):
    assert done(answer) == {"success": True, "message": "AMO CRM disconnected"}


def refused(answer, status, error):
    expect.hardened(answer)
    assert (answer.status, answer.header("Content-Type")) == (status, JSON), answer.text
    members = answer.json
    assert members.pop("success") is False
    assert members.pop("error") == error, f"the app gets {answer.json['error']}"
    assert re.fullmatch(r"[A-Za-z][ -~]+\.", members.pop("message"))
    assert members == {}
    assert answer.header("WWW-Authenticate") == ("Bearer" if status == 401 else None)
    if status == 503:
        assert int(answer.header("Retry-After")) > 0


def already_claimed(answer):
    refused(answer, 409, "already_claimed")


# What is stored of a connection.

def sealed(site):
    """The sealed tokens of each record, as they are stored."""
    saved = [json.loads(line) for line in site.ctl("export").stdout.splitlines()]
    return {line["key"]: line["value"].rpartition("\n")[2].encode() for line in saved
            if line["key"].startswith("connection:")}


def pieces(text, length=64):
    return [text[at:at + length] for at in range(0, len(text) - length, length)]


def store_bytes(site):
    return b"".join(file.read_bytes() for file in site.store.rglob("*") if file.is_file())


# The app's tokens with algorithms other than HMAC, signed by the openssl command.

def token(header, claims, sign):
    """A JWT; sign(bytes) returns the bytes of the signature."""
    signed = ".".join(tokens.base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{tokens.base64url(sign(signed.encode()))}"


def claims_of(user, **claims):
    claims = {"sub": user, "exp": int(time.time()) + 3600, **claims}
    return {name: value for name, value in claims.items() if value is not None}


class Signer:
    """A key pair, and the tokens signed with it."""

    PARAMETERS = {
        "RS256": ("RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
        "ES256": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
        "EdDSA": ("ED25519",),
    }

    def __init__(self, folder, algorithm):
        self.algorithm = algorithm
        name = f"{algorithm}-{secrets.token_hex(4)}"
        self.public, self._private = folder / f"{name}.pem", folder / f"{name}.key"
        self._signed = folder / f"{name}.txt"
        openssl("genpkey", "-algorithm", *self.PARAMETERS[algorithm], "-out", self._private)
        openssl("pkey", "-in", self._private, "-pubout", "-out", self.public)
        self.public.chmod(0o644)    # whatever the umask

    def token(self, user="olena", **claims):
        return token({"typ": "JWT", "alg": self.algorithm}, claims_of(user, **claims), self._sign)

    def _sign(self, signed):
        if self.algorithm == "EdDSA":
            self._signed.write_bytes(signed)    # openssl reads it twice, so it cannot be a pipe
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", self._private,
                           "-in", self._signed)
        signature = openssl("dgst", "-sha256", "-sign", self._private, given=signed)
        return _flat(signature) if self.algorithm == "ES256" else signature


def _flat(der):
    """Converts an ECDSA signature from DER, a SEQUENCE of two INTEGERs, to the concatenated form of
    RFC 7518 section 3.4."""
    r_end = 4 + der[3]
    r, s = der[4:r_end], der[r_end + 2:]
    return b"".join(number.lstrip(b"\0").rjust(32, b"\0") for number in (r, s))


def openssl(*arguments, given=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=given, check=True,
                          capture_output=True).stdout


# States, signed as our programs sign them.

def key_ring(site):
    """Pairs of kid and key, in the order of the file."""
    lines = [line.split(" ") for line in site.keys.read_text().splitlines()]
    return [(kid, bytes.fromhex(digits)) for kid, digits in lines]


def derived(key):
    return hmac.new(key, b"amo-crm state", hashlib.sha256).digest()


def hs256(secret):
    return lambda signed: hmac.new(secret, signed, hashlib.sha256).digest()


def forged_state(site, user="olena", *, kid=None, secret=None, header=None, **claims):
    """A state signed with our own key, valid unless the arguments change something."""
    first_kid, first_key = key_ring(site)[0]
    header = {"typ": "amo-crm-state+jwt", "alg": "HS256", "kid": kid or first_kid, **(header or {})}
    header = {name: value for name, value in header.items() if value is not None}
    claims = claims_of(user, **{"aud": "amo-crm:state", "exp": int(time.time()) + 1800,
                                "jti": secrets.token_urlsafe(16), **claims})
    return token(header, claims, hs256(derived(first_key) if secret is None else secret))
