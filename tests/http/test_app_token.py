"""Authentication by the app's token: the headers that may carry it, and the tokens that are
refused.

Tested with all three programs that the app calls.  A request that is refused changes nothing.
"""

import json
import os
import signal
import time

import pytest

import app
import responder
from app import User, bearer
from sandbox import process, tokens

of_every_program = pytest.mark.parametrize("program", app.PROGRAMS)


def ask(site, program, headers, query=None, body=b"{}", **changed):
    """Sends a request without a code: exchange-code refuses it only after authentication."""
    method = app.PROGRAMS[program]
    headers = {"Content-Type": app.JSON, **headers} if method == "POST" else headers
    body = body if method == "POST" else None
    if not changed:
        return site.ask(program, query, method=method, headers=headers, body=body)
    return site.server.ask(site.url(program).removeprefix(site.server.url), query, method, headers,
                           body, **changed)


def authenticated(program, answer):
    if program == "exchange-code":
        app.refused(answer, 400, "missing_code")
    else:
        app.done(answer)


# Headers that may carry the token.

GOOD_PLACES = {
    "Authorization": lambda token: {"Authorization": f"Bearer {token}"},
    "in small letters": lambda token: {"authorization": f"bearer {token}"},
    "in capitals, and more blanks": lambda token: {"Authorization": f"BEARER   {token}"},
    "X-Auth-Token": lambda token: {"X-Auth-Token": token},
    "X-Auth-Token with the scheme": lambda token: {"X-Auth-Token": f"Bearer {token}"},
    "X-Auth-Token beside a gate's password": lambda token: {
        "Authorization": "Basic b2xlbmE6c2VjcmV0", "X-Auth-Token": token},
    "X-Auth-Token beside an empty Authorization": lambda token: {
        "Authorization": "", "X-Auth-Token": token},
    "Authorization, whatever X-Auth-Token is": lambda token: {
        "Authorization": f"Bearer {token}", "X-Auth-Token": "x"},
}


@of_every_program
@pytest.mark.parametrize("place", GOOD_PLACES.values(), ids=GOOD_PLACES.keys())
def test_the_token_is_found(site, program, place):
    authenticated(program, ask(site, program, place(site.app_token())))


@of_every_program
def test_apache_renames_the_header_after_a_rewrite(bare, program):
    token = f"Bearer {bare.app_token()}"

    authenticated(program, ask(bare, program, {}, REDIRECT_HTTP_AUTHORIZATION=token))
    authenticated(program, ask(bare, program, {"Authorization": "Basic b2xlbmE6c2VjcmV0"},
                               REDIRECT_HTTP_AUTHORIZATION=token))
    app.refused(ask(bare, program, {"Authorization": "Bearer x"},
                    REDIRECT_HTTP_AUTHORIZATION=token), 401, "invalid_token")


NO_PLACES = {
    "nowhere": lambda token: {},
    "an empty header": lambda token: {"Authorization": "", "X-Auth-Token": ""},
    "a scheme alone": lambda token: {"Authorization": "Bearer"},
    "a scheme and blanks": lambda token: {"Authorization": "Bearer   "},
    "no scheme": lambda token: {"Authorization": token},
    "another scheme": lambda token: {"Authorization": f"Token {token}"},
    "a password": lambda token: {"Authorization": "Basic b2xlbmE6c2VjcmV0"},
    "a cookie": lambda token: {"Cookie": f"token={token}; access_token={token}"},
    "other headers": lambda token: {"X-Authorization": f"Bearer {token}", "Token": token,
                                    "Proxy-Authorization": f"Bearer {token}"},
}


@of_every_program
@pytest.mark.parametrize("place", NO_PLACES.values(), ids=NO_PLACES.keys())
def test_the_token_is_missing(site, program, place):
    app.refused(ask(site, program, place(site.app_token())), 401, "missing_token")


@of_every_program
def test_a_token_in_the_query_or_the_body_is_ignored(site, program):
    token = site.app_token()
    names = ("access_token", "token", "jwt", "authorization", "Authorization", "X-Auth-Token",
             "HTTP_AUTHORIZATION", "bearer_token")
    for name in names:
        for value in (token, f"Bearer {token}"):
            app.refused(ask(site, program, {}, {name: value}), 401, "missing_token")
    body = json.dumps({name: token for name in names}).encode()
    app.refused(ask(site, program, {}, body=body), 401, "missing_token")


@of_every_program
def test_two_header_values_joined_by_the_server_are_refused(site, program):
    """A proxy or server may join a repeated header like this (RFC 9110 section 5.3)."""
    token = site.app_token()
    for joined in (f"Bearer {token}, Bearer {token}", f"Bearer {token},Bearer {token}",
                   f"Bearer {token}, Basic b2xlbmE6c2VjcmV0", f"Bearer {token} {token}"):
        app.refused(ask(site, program, {"Authorization": joined}), 401, "invalid_token")
        app.refused(ask(site, program, {"X-Auth-Token": joined}), 401, "invalid_token")


@of_every_program
def test_a_repeated_header_is_refused(on_servers, program):
    """The server may join the two or refuse the request, but must not choose one."""
    answer = ask(on_servers, program, {"Authorization": f"Bearer {on_servers.app_token()}",
                                       "authorization": f"Bearer {on_servers.app_token('ivan')}"})

    assert answer.status in (400, 401)


# Tokens that are refused.

def hour(hours):
    return int(time.time()) + hours * 3600


def claims(**changed):
    return lambda site: site.app_token(**changed)


def signed(header=None, secret=None, raw=None):
    """A token with another header, another key, or raw bytes as claims."""
    def make(site):
        key = (secret or site.jwt_secret).encode()
        head = {"typ": "JWT", "alg": "HS256", **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        if raw is None:
            return app.token(head, app.claims_of("olena"), app.hs256(key))
        text = ".".join(map(tokens.base64url, (json.dumps(head).encode(), raw)))
        return f"{text}.{tokens.base64url(app.hs256(key)(text.encode()))}"
    return make


def edited(change):
    return lambda site: change(*site.app_token().split("."))


BAD_TOKENS = {
    "a word": (lambda site: "x", "not have three parts"),
    "two parts": (edited(lambda h, c, s: f"{h}.{c}"), "not have three parts"),
    "four parts": (edited(lambda h, c, s: f"{h}.{c}.{s}.{s}"), "not have three parts"),
    "no signature": (edited(lambda h, c, s: f"{h}.{c}."), "does not verify"),
    "half a signature": (edited(lambda h, c, s: f"{h}.{c}.{s[:20]}"), ""),
    "padding": (edited(lambda h, c, s: f"{h}.{c}.{s}="), "base64url"),
    "other claims": (edited(lambda h, c, s: ".".join((h, tokens.base64url(json.dumps(
        app.claims_of("ivan")).encode()), s))), "not verify"),
    "another key": (signed(secret="another secret of at least 32 bytes"), "does not verify"),
    "a key that is empty": (signed(secret="\0"), "does not verify"),
    "no algorithm": (signed({"alg": "none"}), "alg"),
    "no algorithm and no signature": (lambda site: app.token(
        {"alg": "none"}, app.claims_of("olena"), lambda signed: b""), "alg"),
    "a missing algorithm": (signed({"alg": None}), "alg"),
    "another algorithm": (lambda site: tokens.app_token(
        site.jwt_secret, "olena", algorithm="HS512"), "alg"),
    "an algorithm in small letters": (signed({"alg": "hs256"}), "alg"),
    "another type": (signed({"typ": "secevent+jwt"}), "typ"),
    "a key of its own": (signed({"jwk": {"kty": "oct", "k": "AAAA"}}), "jwk"),
    "a key's address": (signed({"jku": "https://evil.com/"}), "jku"),
    "a critical extension": (signed({"crit": ["exp"]}), "crit"),
    "expired": (claims(exp=hour(-1)), "expired"),
    "no exp": (claims(exp=None), "exp is missing"),
    "an exp of words": (claims(exp="tomorrow"), "exp"),
    "an exp in milliseconds": (claims(exp=hour(1) * 1000), "exp"),
    "not yet valid": (claims(nbf=hour(1)), "nbf"),
    "issued tomorrow": (claims(iat=hour(24)), "iat"),
    "no user": (claims(sub=None), "sub"),
    "an empty user": (claims(sub=""), "sub"),
    "a user that is a list": (claims(sub=["olena"]), "sub"),
    "a user below zero": (claims(sub=-1), "sub"),
    "a user with a line end": (claims(sub="a\nb"), "sub"),
    "a user with a NUL": (signed(raw=b'{"sub":"a\\u0000b","exp":4102444800}'), "claims"),
    "a user that is too long": (claims(sub="a" * 151), "sub"),
    "two users": (signed(raw=b'{"sub":"a","sub":"b","exp":4102444800}'), "unique names"),
    "claims that are no object": (signed(raw=b'["olena"]'), "claims"),
    "over its limit": (claims(padding="x" * 7000), "over"),
}


@pytest.mark.parametrize("make, why", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
def test_a_bad_token_is_refused_and_only_the_log_has_the_reason(bare, make, why):
    token = make(bare)
    for program in app.PROGRAMS:
        bare.mark_logs()
        answer = ask(bare, program, bearer(token))
        app.refused(answer, 401, "invalid_token")
        line = bare.logged(f"amo-crm {program}:", "invalid_token", why)
        assert len(token) < 20 or token[-20:] not in line


@of_every_program
def test_real_servers_forward_the_refusal(on_servers, program):
    for label, (make, _) in BAD_TOKENS.items():
        token = make(on_servers)
        if len(token) < 8000:   # the servers' limit of a header
            with app.row(label):
                app.refused(ask(on_servers, program, bearer(token)), 401, "invalid_token")


def test_a_refused_request_changes_nothing(site, amocrm):
    olena = User(site)
    params = olena.connects(amocrm)
    before = site.connections()
    fresh = amocrm.approve()
    asked = len(amocrm.connections())

    for token in (site.app_token(exp=hour(-1)), site.app_token()[:-4] + "AAAA", None):
        headers = bearer(token) if token else {}
        for code in (params, fresh):
            ask(site, "exchange-code", headers, body=json.dumps(code).encode())
        for method in ("POST", "DELETE"):
            answer = site.ask("disconnect", method=method, headers=headers,
                              body=b"" if method == "POST" else None)
            assert answer.status == 401

    assert len(amocrm.connections()) == asked
    assert site.connections() == before


# Configuration of the token.

def test_the_clocks_may_differ_by_the_leeway(bare):
    for leeway, seconds, status in ((60, 30, 200), (60, 120, 401), (0, 5, 401), (300, 120, 200)):
        bare.configure(jwt_leeway=leeway)
        for claim in ({"exp": int(time.time()) - seconds}, {"nbf": int(time.time()) + seconds},
                      {"iat": int(time.time()) + seconds}):
            answer = bare.get("status", headers=bearer(bare.app_token(**claim)))
            assert answer.status == status, (leeway, claim)


CLAIMS = {
    "the issuer": ({"jwt_issuer": "https://api.example"}, {"iss": "https://api.example"}, 200),
    "no issuer": ({"jwt_issuer": "https://api.example"}, {}, 401),
    "another issuer": ({"jwt_issuer": "https://api.example"}, {"iss": "https://api.examples"}, 401),
    "the audience": ({"jwt_audience": "amo-crm"}, {"aud": "amo-crm"}, 200),
    "one audience of several": ({"jwt_audience": "amo-crm"}, {"aud": ["x", "amo-crm"]}, 200),
    "no audience": ({"jwt_audience": "amo-crm"}, {}, 401),
    "another audience": ({"jwt_audience": "amo-crm"}, {"aud": ["amo-crm2", "amo"]}, 401),
    "an audience without one configured": ({}, {"aud": "another", "iss": "another"}, 200),
    "another claim for the user": ({"jwt_user_claim": "uid"}, {"uid": 7, "sub": None}, 200),
    "another claim for the user, missing": ({"jwt_user_claim": "uid"}, {}, 401),
}


@pytest.mark.parametrize("settings, said, status", CLAIMS.values(), ids=CLAIMS.keys())
def test_claims_are_checked_if_configured(bare, settings, said, status):
    bare.configure(**settings)

    assert bare.get("status", headers=bearer(bare.app_token(**said))).status == status


def test_a_number_names_the_same_user_as_its_digits(bare, amocrm):
    bare.configure(**app.PER_USER)
    User(bare, "17").connects(amocrm)

    assert User(bare, 17).is_connected()
    assert not User(bare, 170).is_connected()


# Other algorithms: only the configured one is accepted.

@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_other_hmac_algorithms(bare, algorithm):
    bare.configure(jwt_algorithm=algorithm)
    for other in ("HS256", "HS384", "HS512"):
        token = tokens.app_token(bare.jwt_secret, "olena", algorithm=other)
        for program in app.PROGRAMS:
            answer = ask(bare, program, bearer(token))
            if other == algorithm:
                authenticated(program, answer)
            else:
                app.refused(answer, 401, "invalid_token")


@pytest.fixture(scope="module")
def signers():
    folder = process.new_folder()
    yield {algorithm: app.Signer(folder, algorithm) for algorithm in app.Signer.PARAMETERS}
    process.remove_folder(folder)


def by_public_key(site, signer, **settings):
    process.give(signer.public, 0o640)
    site.configure(jwt_algorithm=signer.algorithm, jwt_public_key=signer.public, jwt_secret=None,
                   **settings)


@pytest.mark.parametrize("algorithm", app.Signer.PARAMETERS)
def test_public_keys(site, amocrm, signers, algorithm):
    """All requests of an app, each with a newly signed token."""
    signer = signers[algorithm]
    by_public_key(site, signer, **app.PER_USER)

    def headers():
        return bearer(signer.token("olena"))
    url = app.done(site.get("status", headers=headers()))["data"]["authorizeUrl"]
    params = amocrm.approve(state=app.state_of(url))
    app.connected(site.post("exchange-code", headers={**headers(), "Content-Type": app.JSON},
                            body=json.dumps(params).encode()))
    assert app.done(site.get("status", headers=headers()))["data"]["connected"] is True
    app.disconnected(site.post("disconnect", headers=headers(), body=b""))
    assert site.connections() == []


@pytest.mark.parametrize("algorithm", app.Signer.PARAMETERS)
def test_public_keys_refuse_other_signatures(bare, signers, algorithm):
    signer = signers[algorithm]
    by_public_key(bare, signer)
    good = signer.token("olena")
    pem = signer.public.read_bytes()
    claims = app.claims_of("olena")
    refused = {
        "another key of the kind": app.Signer(signer.public.parent, algorithm).token("olena"),
        "other algorithms": [signers[other].token("olena") for other in signers
                             if other != algorithm],
        "the public key as a secret": [
            app.token({"typ": "JWT", "alg": alg}, claims, app.hs256(secret))
            for alg in ("HS256", algorithm) for secret in (pem, pem.strip())],
        "no algorithm": app.token({"alg": "none"}, claims, lambda signed: b""),
        "a bit of the signature": good[:-10] + ("A" if good[-10] != "A" else "B") + good[-9:],
        "no signature": good.rpartition(".")[0] + ".",
        "a signature of zeros": app.token({"typ": "JWT", "alg": algorithm}, claims,
                                          lambda signed: bytes(64)),
        "expired": signer.token("olena", exp=hour(-1)),
    }

    for label, token in refused.items():
        for one in token if isinstance(token, list) else [token]:
            with app.row(label):
                app.refused(bare.get("status", headers=bearer(one)), 401, "invalid_token")
    assert bare.get("status", headers=bearer(good)).status == 200


def test_a_missing_public_key_or_one_of_another_type(bare, signers):
    for algorithm, key in (("RS256", "/nonexistent.pem"), ("RS256", signers["ES256"].public),
                           ("ES256", signers["EdDSA"].public), ("EdDSA", bare.keys)):
        bare.configure(jwt_algorithm=algorithm, jwt_public_key=key, jwt_secret=None)
        bare.mark_logs()
        token = signers[algorithm].token("olena")
        app.refused(bare.get("status", headers=bearer(token)), 500, "server_error")
        bare.logged("amo-crm status:", "server_error", str(key))


# The helper that verifies signatures by public keys.

@pytest.fixture
def starts(bare):
    """Counts how often the helper was started since the last call."""
    program, real = bare.libexec / "amo-crm-crypto", bare.libexec / "amo-crm-crypto.real"
    folder = bare.folder / "starts"
    folder.mkdir()
    process.give(folder, 0o700, owner=True)
    program.rename(real)
    program.write_text(f'#!/bin/sh\n: > "{folder}/$$"\nexec "{real}"\n')
    process.give(program, 0o755)

    def count():
        files = list(folder.iterdir())
        for file in files:
            file.unlink()
        return len(files)
    yield count
    real.replace(program)
    folder.rmdir()


FORGED = {
    "expired": {"exp": hour(-1)},
    "no exp": {"exp": None},
    "not yet valid": {"nbf": hour(1)},
    "issued tomorrow": {"iat": hour(24)},
    "another issuer": {"iss": "x"},
    "another audience": {"aud": "x"},
    "no user": {"sub": None},
    "an empty user": {"sub": ""},
}


@pytest.mark.parametrize("algorithm", app.Signer.PARAMETERS)
def test_no_helper_is_started_for_a_token_that_is_refused_anyway(bare, signers, starts, algorithm):
    by_public_key(bare, signers[algorithm], jwt_issuer="i", jwt_audience="a")
    short = app.token({"typ": "JWT", "alg": algorithm}, app.claims_of("olena", iss="i", aud="a"),
                      lambda signed: bytes(63 if algorithm != "RS256" else 0))
    for label, claims in FORGED.items():
        with app.row(label):
            claims = app.claims_of("olena", **{"iss": "i", "aud": "a", **claims})
            token = app.token({"typ": "JWT", "alg": algorithm}, claims,
                              lambda signed: bytes(64 if algorithm != "RS256" else 256))
            for program in app.PROGRAMS:
                app.refused(ask(bare, program, bearer(token)), 401, "invalid_token")
    app.refused(ask(bare, "status", bearer(short)), 401, "invalid_token")
    assert starts() == 0
    app.done(bare.get("status", headers=bearer(signers[algorithm].token(iss="i", aud="a"))))
    assert starts() == 1


def test_a_fastcgi_process_keeps_its_helper(fastcgi, signers, starts):
    by_public_key(fastcgi, signers["ES256"])
    for user in ("olena", "ivan") * 5:
        app.done(fastcgi.get("status", headers=bearer(signers["ES256"].token(user))))
    assert starts() == 1
    killed = [int(pid) for pid in responder.helpers(responder.only_process(fastcgi, "status"))]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    for user in ("olena", "ivan") * 5:
        app.done(fastcgi.get("status", headers=bearer(signers["ES256"].token(user))))
    assert (len(killed), starts()) == (1, 1)


# What is sent in place of "Bearer <token>"; words of the reason in the log.

NOT_BEARER = {
    "a bare token": ({"Authorization": "{}"}, "missing_token", "a token without a scheme"),
    "the scheme JWT": ({"Authorization": "JWT {}"}, "missing_token", "the scheme JWT"),
    "the scheme Token": ({"Authorization": "Token {}"}, "missing_token", "the scheme Token"),
    "a colon": ({"Authorization": "Bearer: {}"}, "missing_token", "no token behind"),
    "the scheme twice": ({"Authorization": "Bearer Bearer {}"}, "invalid_token", "a space"),
    "quotes": ({"Authorization": 'Bearer "{}"'}, "invalid_token", "a quote"),
    "JWT in X-Auth-Token": ({"X-Auth-Token": "JWT {}"}, "invalid_token", "a space"),
}


@pytest.mark.parametrize("headers, error, reason", NOT_BEARER.values(), ids=NOT_BEARER.keys())
def test_the_log_says_what_is_wrong_with_authorization(bare, headers, error, reason):
    token = bare.app_token()

    answer = bare.get("status", headers={
        name: value.format(token) for name, value in headers.items()})

    assert (answer.status, answer.json["error"]) == (401, error)
    line = bare.logged("amo-crm status:", error, reason)
    assert token not in line
    assert "Bearer" in line
