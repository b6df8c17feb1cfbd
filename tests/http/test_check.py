"""`amocrmctl check` and `urls`: a single fault in an otherwise valid set-up is the only one
reported."""

import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

import connections
import findings
from connections import ID, forget_list, made_up, take_in
from findings import REDIRECT_URI, check, configure, good, only
from responder import only_root_sees
from sandbox import hooks, process
from sandbox.pki import openssl
from sandbox.site import ROOT

ACCOUNT = 31920194
DAY = 86400
PARTS = {"configuration", "keys", "redirect_uri", "client_id", "client_secret", "authorize_url",
         "deep_link", "jwt", "webhook_key", "deliver", "certificates", "network", "amo-crm-https", "amo-crm-crypto",
         "store", "disk", "locks",
         "records", "connections", "events", "clock"}
ROOT_ONLY = pytest.mark.skipif(not process.is_root(), reason="only root can change owners")


@pytest.fixture
def connected(bare, amocrm):
    """One account is connected, and nothing is wrong; the key ring is restored afterwards."""
    keys = bare.keys.read_text()
    configure(bare)
    bare.get("callback", amocrm.approve())
    yield bare
    bare.write_keys(keys)
    bare.folder.chmod(0o750)


@pytest.mark.parametrize("as_web_user", [True, False], ids=["the web server's user", "root"])
def test_nothing_is_wrong(connected, as_web_user):
    before = {path: path.stat().st_uid for path in connected.store.rglob("*")}

    assert good(connected, as_web_user=as_web_user) == PARTS

    for path in connected.store.rglob("*"):
        assert path.stat().st_uid == before.get(path, connected.store.stat().st_uid)


def test_nothing_is_wrong_before_the_first_connection(bare):
    configure(bare)

    assert good(bare) == PARTS


def test_usage(bare):
    configure(bare)

    assert bare.ctl("check", "--offline", check=False).returncode == 2
    assert bare.ctl("check", "--online", "more", check=False).returncode == 2
    assert "usage: amocrmctl [-c FILE] check [--online]" in bare.ctl("check", "--help").stdout
    assert "usage: amocrmctl [-c FILE] urls\n\nurls: " in bare.ctl("urls", "--help").stdout


def plant(site, level, part, *words, **rights):
    only(check(site, **rights), level, part, *words)


# Wrong values of the configuration: the changes; the level and part of the finding; words of it.

VALUES = {
    "the old address": (
        {"amocrm_redirect_uri": REDIRECT_URI.replace("/api/", "/api/v1/integrations/")},
        "WRONG", "redirect_uri", "no program", "https://<host>/api/amo-crm/callback"),
    "a slash at the end": (
        {"amocrm_redirect_uri": REDIRECT_URI + "/"}, "WRONG", "redirect_uri", "slash"),
    "a query": (
        {"amocrm_redirect_uri": REDIRECT_URI + "?a=1"}, "WRONG", "redirect_uri", "query"),
    "upper case": (
        {"amocrm_redirect_uri": REDIRECT_URI.replace("callback", "Callback")},
        "WRONG", "redirect_uri", "lower case"),
    "another path": (
        {"amocrm_redirect_uri": REDIRECT_URI.replace("callback", "webhook")},
        "WRONG", "redirect_uri", "must end in /api/amo-crm/callback"),
    "plain http": (
        {"amocrm_redirect_uri": "http://localhost:8080/api/amo-crm/callback"},
        "WRONG", "redirect_uri", "https://"),
    "a host that only this machine can reach": (
        {"amocrm_redirect_uri": "https://localhost/api/amo-crm/callback"},
        "WRONG", "redirect_uri", "phone"),
    "a user name in the address": (
        {"amocrm_redirect_uri": REDIRECT_URI.replace("admin.", "me@admin.")},
        "WRONG", "redirect_uri", "user name"),
    "the site's main address": (
        {"amocrm_redirect_uri": REDIRECT_URI.replace("admin.", "")},
        "warn", "redirect_uri", "main address", "--online"),
    "www": (
        {"amocrm_redirect_uri": REDIRECT_URI.replace("admin.", "www.")},
        "warn", "redirect_uri", "main address"),
    "the example's client_id": (
        {"amocrm_client_id": "00000000-0000-0000-0000-000000000000"},
        "WRONG", "client_id", "in the example", "Keys"),
    "an account id for client_id": ({"amocrm_client_id": "31920194"}, "WRONG", "client_id", "36"),
    "client_id in upper case": (
        {"amocrm_client_id": "01D01160-D7A0-4087-B4AF-6A1BB83FCD1D"},
        "WRONG", "client_id", "lower case"),
    "client_id cut short": (
        {"amocrm_client_id": "01d01160-d7a0-4087-b4af-6a1bb83fcd1"}, "WRONG", "client_id", "36"),
    "the example's client_secret": (
        {"amocrm_client_secret": "replace-me"}, "WRONG", "client_secret", "in the example", "Keys"),
    "client_secret cut short": (
        {"amocrm_client_secret": "AbCdEfGh"}, "WRONG", "client_secret", "8 characters"),
    "client_secret with a semicolon at its end": (
        {"amocrm_client_secret": "0123456789abcdef" * 4 + ";"},
        "WRONG", "client_secret", "character 65", "letter"),
    "client_secret with a space in it": (
        {"amocrm_client_secret": "0123456789abcdef" * 2 + " " + "0123456789abcdef" * 2},
        "WRONG", "client_secret", "character 33"),
    "client_secret with a full stop, as a token has": (
        {"amocrm_client_secret": "eyJhbGciOiJSUzI1NiJ9." + "eyJhdWQiOiJ4In0" * 4},
        "WRONG", "client_secret", "character 21"),
    "client_secret without its last character": (
        {"amocrm_client_secret": "0123456789abcdef" * 3 + "0123456789abcde"},
        "warn", "client_secret", "63 characters", "have 64"),
    "client_id for client_secret": (
        {"amocrm_client_id": "01d01160-d7a0-4087-b4af-6a1bb83fcd1d",
         "amocrm_client_secret": "01d01160-d7a0-4087-b4af-6a1bb83fcd1d"},
        "WRONG", "client_secret", "same as client_id"),
    "Kommo's page, amoCRM's account": (
        {"amocrm_authorize_url": "https://www.kommo.com/oauth"},
        "WRONG", "authorize_url", "other platform", "reforyou.amocrm.ru"),
    "amoCRM's page, Kommo's account": (
        {"amocrm_account": "overseas.kommo.com"}, "WRONG", "authorize_url", "other platform"),
    "an unknown page": (
        {"amocrm_authorize_url": "https://www.amocrm.ru/oauth2/access_token"},
        "WRONG", "authorize_url", "https://www.amocrm.ru/oauth for amoCRM"),
    "a platform that is not allowed": (
        {"amocrm_account": None, "app_connections": "per_user",
         "amocrm_account_domains": "kommo.com"},
        "WRONG", "authorize_url", "account_domains"),
    "a foreign domain": (
        {"amocrm_account_domains": "amocrm.ru evil.com"},
        "WRONG", "account_domains", "evil.com", "client_secret would be sent"),
    "a whole top-level domain": (
        {"amocrm_account_domains": "amocrm.ru com"}, "WRONG", "account_domains", "com: not"),
    "a deep link on the callback's own host": (
        {"app_deep_link": "https://admin.foryou-realestate.com/app"},
        "WRONG", "deep_link", "own host", "use another host"),
    "a button with a deep link on the callback's own host": (
        {"app_deep_link": "https://admin.foryou-realestate.com", "app_redirect": "button"},
        "WRONG", "deep_link", "own host"),
    "a redirect to the callback itself": (
        {"app_deep_link": REDIRECT_URI, "app_redirect": "302"}, "WRONG", "deep_link", "own host"),
    "a deep link by plain http": (
        {"app_deep_link": "http://app.foryou-realestate.com/"},
        "WRONG", "deep_link", "plain http", "https://"),
    "the example's jwt secret": (
        {"jwt_secret": "replace-me-with-at-least-32-bytes-of-secret"},
        "WRONG", "jwt", "in the example", "openssl rand"),
    "a jwt secret of one letter": ({"jwt_secret": "a" * 40}, "WRONG", "jwt", "guessed"),
    "a jwt secret too short for HS512": (
        {"jwt_secret": "0123456789abcdef0123456789ABCDEF", "jwt_algorithm": "HS512"},
        "warn", "jwt", "32 bytes", "64"),
    "the audience of our states": (
        {"jwt_audience": "amo-crm:state"}, "WRONG", "jwt", "aud"),
    "no key for the webhook": ({"webhook_secret": None}, "WRONG", "webhook_key", "not set", "openssl"),
    "the example's webhook key": (
        {"webhook_secret": "replace-me-16-or-more"}, "WRONG", "webhook_key", "in the example"),
    "a webhook key of one digit": ({"webhook_secret": "1" * 16}, "WRONG", "webhook_key", "guessed"),
    "a receiver and no secret": (
        {"deliver_url": "https://receiver.foryou-realestate.com/"},
        "WRONG", "deliver", "not both set", "whsec_"),
    "an invalid secret": (
        {"deliver_url": "https://receiver.foryou-realestate.com/", "deliver_secret": "hello"},
        "WRONG", "deliver", "whsec_"),
    "the example's receiver": (
        {"deliver_url": "https://receiver.foryou-realestate.com/",
         "deliver_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
        "WRONG", "deliver", "in the example"),
    "a receiver without TLS": (
        {"deliver_url": "http://receiver.foryou-realestate.com/",
         "deliver_secret": "whsec_" + "QUJDREVGR0hJSktM" * 2},
        "WRONG", "deliver", "plain http", "begin it with https://", "allow_private = yes"),
    "a receiver's secrets with a comma between them": (
        {"deliver_url": "https://receiver.foryou-realestate.com/",
         "deliver_secret": ",".join(["whsec_" + "QUJDREVGR0hJSktM" * 2] * 2)},
        "WRONG", "deliver", "separated by a space"),
    "a receiver in a private network": (
        {"deliver_url": "https://10.0.0.5/amo-crm",
         "deliver_secret": "whsec_" + "QUJDREVGR0hJSktM" * 2},
        "WRONG", "deliver", "private address", "allow_private = yes"),
    "a receiver on this machine": (
        {"deliver_url": "https://localhost:5678/amo-crm",
         "deliver_secret": "whsec_" + "QUJDREVGR0hJSktM" * 2},
        "WRONG", "deliver", "private address", "allow_private = yes"),
    "the webhook's key for the app's secret": (
        {"webhook_secret": "0123456789abcdef0123456789ABCDEF",
         "jwt_secret": "0123456789abcdef0123456789ABCDEF"},
        "WRONG", "webhook_key", "seen in the account's settings"),
    "the webhook's key for client_secret": (
        {"webhook_secret": "0123456789abcdef" * 4, "amocrm_client_secret": "0123456789abcdef" * 4},
        "WRONG", "webhook_key", "seen in the account's settings"),
    "a receiver with a user name": (
        {"deliver_url": "https://me:word@receiver.foryou-realestate.com/",
         "deliver_secret": "whsec_" + "QUJDREVGR0hJSktM" * 2},
        "WRONG", "deliver", "remove the user name"),
    "a receiver that is ourselves": (
        {"deliver_url": REDIRECT_URI.replace("callback", "webhook"),
         "deliver_secret": "whsec_" + "QUJDREVGR0hJSktM" * 2},
        "WRONG", "deliver", "loop forever"),
    "a missing file of certificates": (
        {"amocrm_ca_file": "/nothing/there.pem"},
        "WRONG", "certificates", "/nothing/there.pem", "No such file"),
    "a file without certificates": (
        {"amocrm_ca_file": "/etc/passwd"}, "WRONG", "certificates", "contains no certificate"),
    "a malformed connect_to": (
        {"amocrm_connect_to": "reforyou.amocrm.ru=127.0.0.1"},
        "WRONG", "network", "connect_to", "HOST1:PORT1:HOST2:PORT2"),
    "a connect_to without a port number": (
        {"amocrm_connect_to": "reforyou.amocrm.ru:https:127.0.0.1:8443"},
        "WRONG", "network", "connect_to"),
    "a timeout longer than the web server's": (
        {"amocrm_timeout": "15"}, "warn", "network", "timeout = 15", "32 seconds"),
    "a proxy of an unknown type": (
        {"amocrm_proxy": "ftp://proxy:21"}, "WRONG", "network", "proxy", "socks5h"),
    "a quoted jwt secret": (
        {"jwt_secret": '"0123456789abcdef0123456789ABCDEF"'},
        "WRONG", "jwt", "[jwt] secret is in quotes", "remove the quotes"),
    "a webhook key in single quotes": (
        {"webhook_secret": "'0123456789abcdef'"}, "WRONG", "webhook_key", "quotes"),
    "client_secret in typographic quotes": (
        {"amocrm_client_secret": "\u201c" + "0123456789abcdef" * 4 + "\u201d"},
        "WRONG", "client_secret", "quotes"),
    "a quoted secret of deliveries": (
        {"deliver_url": "https://receiver.foryou-realestate.com/",
         "deliver_secret": '"whsec_' + "QUJDREVGR0hJSktM" * 2 + '"'}, "WRONG", "deliver", "quotes"),
    "a quoted path": (
        {"store_path": '"/var/lib/amo-crm"'}, "WRONG", "configuration", "[store] path", "quotes"),
    "a quoted name": ({"app_name": '"ForYou"'}, "WRONG", "configuration", "[app] name", "quotes"),
    "a quoted deep link": (
        {"app_deep_link": '"foryoure://amo-crm/callback"'},
        "WRONG", "configuration", "[app] deep_link", "remove the quotes"),
    "a quoted address": (
        {"amocrm_redirect_uri": f'"{REDIRECT_URI}"'},
        "WRONG", "configuration", "redirect_uri", "remove the quotes"),
    "a quoted number": ({"amocrm_timeout": '"5"'}, "WRONG", "configuration", "timeout", "quotes"),
    "a quoted choice": ({"app_redirect": '"page"'}, "WRONG", "configuration", "redirect", "quotes"),
    "a second key on the line of a secret": (
        {"jwt_secret": "0123456789abcdef0123456789ABCDEF algorithm = HS256"},
        "WRONG", "jwt", "second key", "a line of its own"),
    "a second key on the line of client_id": (
        {"amocrm_client_id": "01d01160-d7a0-4087-b4af-6a1bb83fcd1d client_secret=x"},
        "WRONG", "configuration", "[amocrm] client_id", "second key"),
    "a second key on the line of an address": (
        {"amocrm_redirect_uri": f"{REDIRECT_URI} account = reforyou.amocrm.ru"},
        "WRONG", "configuration", "redirect_uri", "second key"),
    "a comment behind the jwt secret": (
        {"jwt_secret": "0123456789abcdef0123456789ABCDEF # of the app"},
        "WRONG", "jwt", "'#'", "a line of its own"),
    "a comment behind the webhook's key": (
        {"webhook_secret": "0123456789abcdef #ours"}, "WRONG", "webhook_key", "'#'"),
    "a comment behind a number": (
        {"amocrm_timeout": "5 # seconds"}, "WRONG", "configuration", "'#'", "line of its own"),
    "a comment behind a path": (
        {"store_path": "/var/lib/amo-crm # here"}, "WRONG", "configuration", "[store] path", "'#'"),
    "a no-break space behind client_secret": (
        {"amocrm_client_secret": "0123456789abcdef" * 4 + "\u00a0"},
        "WRONG", "client_secret", "invisible", "type"),
    "a zero-width space behind the jwt secret": (
        {"jwt_secret": "0123456789abcdef0123456789ABCDEF\u200b"}, "WRONG", "jwt", "invisible"),
    "a no-break space behind the webhook's key": (
        {"webhook_secret": "0123456789abcdef\u00a0"}, "WRONG", "webhook_key", "invisible"),
    "a zero-width space behind an address": (
        {"amocrm_redirect_uri": REDIRECT_URI + "\u200b"},
        "WRONG", "configuration", "redirect_uri", "invisible"),
    "a no-break space before client_id": (
        {"amocrm_client_id": "\u00a001d01160-d7a0-4087-b4af-6a1bb83fcd1d"},
        "WRONG", "configuration", "client_id", "invisible"),
    "quotes and a semicolon": (
        {"jwt_secret": '"0123456789abcdef0123456789ABCDEF";'}, "WRONG", "jwt", "quotes"),
    "a secret and a public key": (
        {"jwt_public_key": "/x.pem"}, "WRONG", "configuration", "delete one of the two"),
    "a public key without its algorithm": (
        {"jwt_secret": None, "jwt_public_key": "/x.pem"},
        "WRONG", "configuration", "algorithm = RS256, ES256 or EdDSA"),
    "a capital in the deep link's scheme": (
        {"app_deep_link": "ForYouRe://amo-crm/callback"},
        "WRONG", "configuration", "deep_link", "scheme in lower case", "in the app"),
    "a package of one word": (
        {"app_android_package": "foryou"}, "WRONG", "configuration", "android_package"),
    "a missing file of certificates for deliveries": (
        {"deliver_url": "https://receiver.foryou-realestate.com/",
         "deliver_secret": "whsec_" + "QUJDREVGR0hJSktM" * 2,
         "deliver_ca_file": "/nothing/there.pem"},
        "WRONG", "certificates", "[deliver] /nothing/there.pem"),
    "a proxy of an unknown type for deliveries": (
        {"deliver_proxy": "ftp://me:word@proxy:21"}, "WRONG", "network", "[deliver] proxy"),
    "a host in a private network": (
        {"amocrm_redirect_uri": "https://192.168.1.5/api/amo-crm/callback"},
        "WRONG", "redirect_uri", "phone", "own name"),
    "an address with its scheme in capitals": (
        {"amocrm_redirect_uri": REDIRECT_URI.replace("https", "HTTPS")},
        "WRONG", "configuration", "redirect_uri", "scheme in lower case"),
    "an account with https://": (
        {"amocrm_account": "https://reforyou.amocrm.ru"},
        "WRONG", "configuration", "account", "the host alone"),
    "the subdomain of an account": (
        {"amocrm_account": "reforyou"}, "WRONG", "configuration", "the full host name"),
    "a relative path": (
        {"store_keys": "keys"}, "WRONG", "configuration", "[store] keys", "begins with '/'"),
    "a key in capitals": (
        {"app_DEEP_LINK": "foryoure://x"},
        "WRONG", "configuration", "perhaps it should be deep_link", "key = value"),
    "an empty value": (
        {"app_name": ""}, "WRONG", "configuration", "[app] name", "is empty", "delete the line"),
    "an unknown key": ({"app_colour": "blue"}, "WRONG", "configuration", "colour"),
}


@pytest.mark.parametrize("case", VALUES)
def test_a_wrong_value(bare, case):
    changes, level, part, *words = VALUES[case]
    configure(bare, **changes)

    plant(bare, level, part, *words)


def test_a_receiver_on_this_machine_that_is_allowed(bare):
    configure(bare, deliver_url="https://localhost:5678/amo-crm", deliver_allow_private="yes",
              deliver_secret="whsec_" + "QUJDREVGR0hJSktM" * 2)

    assert good(bare) == PARTS | {"delivery"}


def test_a_key_in_place_of_its_file(bare):
    """It is not shown; findings.check looks."""
    [line] = bare.keys.read_text().splitlines()
    configure(bare, store_keys=line)

    plant(bare, "WRONG", "configuration", "[store] keys", "begins with '/'")


def test_an_unknown_section(bare):
    configure(bare)
    bare.write_config(bare.config.read_text().replace("[amocrm]", "[AmoCRM]"))

    plant(bare, "WRONG", "configuration", "[AmoCRM]",
          *sorted({f"[{section}]" for section in bare.settings()}))


def test_client_id_and_client_secret_exchanged(bare):
    """The secret is not shown for it; findings.check looks."""
    integration = bare.amocrm.integration
    configure(bare, amocrm_client_id=integration.client_secret,
              amocrm_client_secret=integration.client_id)

    plant(bare, "WRONG", "client_id", "exchange the two")


def test_client_secret_for_both(bare):
    configure(bare, amocrm_client_id=bare.amocrm.integration.client_secret)

    wrong = findings.faults(check(bare))
    assert [(one.level, one.part) for one in wrong] == [
        ("WRONG", "client_id"), ("WRONG", "client_secret")]
    assert "36 hex digits" in wrong[0].text


def test_other_valid_values(bare):
    configure(bare, amocrm_timeout="14", amocrm_connect_to=" [::1]:443:[::1]:8443  ::127.0.0.1:1 a:1:b:2 ",
              amocrm_proxy="socks5h://proxy:1080", amocrm_account="overseas.kommo.com",
              amocrm_authorize_url="https://www.kommo.com/oauth", amocrm_ca_file=None,
              jwt_issuer="me", jwt_audience="you", jwt_user_claim="uid",
              jwt_secret="0123456789abcdef0123456789ABCDEF" * 2, jwt_algorithm="HS512",
              deliver_url="https://receiver.foryou-realestate.com/",
              deliver_secret="whsec_" + "QUJDREVGR0hJSktM" * 2)

    assert good(bare) == PARTS | {"delivery"}


def keys_of_the_example():
    """Every key that the example has commented out, and its value there."""
    section, keys = None, []
    for line in (ROOT / "amo-crm.conf.example").read_text().splitlines():
        if begins := re.fullmatch(r"\[(\w+)\]", line):
            section = begins[1]
        elif given := re.fullmatch(r"#(\w+) = (.*)", line):
            keys.append((f"{section}_{given[1]}", given[2]))
    return keys


def test_every_key_can_be_checked(bare):
    """Whatever the type of its value."""
    keys = keys_of_the_example()
    assert len(keys) > 20
    for key, value in keys:
        configure(bare, **{key: value})
        done = bare.ctl("check", check=False)
        assert done.returncode in (0, 1), f"{key} = {value}: {done.returncode} {done.stderr}"


DEEP_LINKS = {
    "a reversed domain and one slash": {"app_deep_link": "com.example.app:/path"},
    "and a package": {"app_deep_link": "com.example.app:/path",
                      "app_android_package": "com.example.app"},
    "no slash, and a redirect": {"app_deep_link": "foryoure:callback", "app_redirect": "302",
                                 "app_android_package": "com.example.app"},
    "an App Link on another host": {"app_deep_link": "https://app.foryou-realestate.com/amo"},
    "an App Link on a host that begins like ours": {
        "app_deep_link": "https://admin.foryou-realestate.com.example/"},
    "a redirect to an App Link on our host": {
        "app_deep_link": "https://admin.foryou-realestate.com/app", "app_redirect": "302"},
}


@pytest.mark.parametrize("changes", DEEP_LINKS.values(), ids=DEEP_LINKS.keys())
def test_a_deep_link_that_works(bare, changes):
    configure(bare, **changes)

    assert good(bare) == PARTS


def test_a_proxys_password_is_not_shown(bare):
    configure(bare, amocrm_proxy="ftp://me:password@proxy:21")

    [wrong] = findings.faults(check(bare))
    assert "password" not in wrong.text.replace("may hold a password", "")


def test_a_trial_set_up_gets_warnings_only(bare, amocrm):
    """The configuration of `make run`."""
    bare.configure(amocrm_redirect_uri="http://localhost:8080/api/amo-crm/callback",
                   webhook_secret=findings.WEBHOOK_KEY)

    wrong = findings.faults(check(bare))

    assert [(one.level, one.part) for one in wrong] == [
        ("warn", "redirect_uri"), ("warn", "authorize_url")]


# The app's public key.

no_pkey = object()      # the advice has another command than `openssl pkey`


@pytest.fixture(scope="module")
def public_keys(amocrm_and_folder):
    folder = amocrm_and_folder[1] / "jwt-keys"
    folder.mkdir()
    made = {}
    for name, options in {"rsa": ("RSA", "rsa_keygen_bits:2048"),
                          "short": ("RSA", "rsa_keygen_bits:1024"),
                          "ec": ("EC", "ec_paramgen_curve:P-256"), "ed": ("ED25519", None)}.items():
        private, made[name] = folder / f"{name}.key", folder / f"{name}.pem"
        openssl("genpkey", "-algorithm", options[0], "-out", private,
                *(("-pkeyopt", options[1]) if options[1] else ()))
        openssl("pkey", "-in", private, "-pubout", "-out", made[name])
        made[f"{name} private"] = private
    made["p384 private"] = folder / "p384.key"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out",
            made["p384 private"])
    for name, arguments in {
            "p384": ("pkey", "-in", made["p384 private"], "-pubout"),
            "rsa old private": ("rsa", "-in", made["rsa private"], "-traditional"),
            "rsa pkcs1": ("rsa", "-in", made["rsa private"], "-RSAPublicKey_out"),
            "rsa der": ("pkey", "-in", made["rsa private"], "-pubout", "-outform", "DER"),
            "certificate": ("req", "-x509", "-key", made["rsa private"], "-subj", "/CN=app")}.items():
        made[name] = folder / f"{name.replace(' ', '-')}.pem"
        openssl(*arguments, "-out", made[name])
    for name, text in {
            "ssh": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZ me@app\n",
            "jwk": '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}',
            "ed both": made["ed private"].read_text() + made["ed"].read_text(),
            "ed twice": made["ed"].read_text() * 2, "empty": ""}.items():
        made[name] = folder / f"{name.replace(' ', '-')}.pem"
        made[name].write_text(text)
    for path in [folder, *made.values()]:
        process.give(path, 0o750 if path == folder else 0o640)
    yield made
    shutil.rmtree(folder)


@pytest.mark.parametrize("algorithm, key", [("RS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed")])
def test_a_valid_public_key(bare, public_keys, algorithm, key):
    configure(bare, jwt_secret=None, jwt_algorithm=algorithm, jwt_public_key=public_keys[key])

    assert good(bare) == PARTS


PUBLIC_KEYS = {
    "an EC key for RS256": ("RS256", "ec", "RS256 requires an RSA key", "algorithm = ES256"),
    "an Ed25519 key for ES256": ("ES256", "ed", "ES256 requires an EC key", "algorithm = EdDSA"),
    "an RSA key for ES256": (
        "ES256", "rsa", "this is an RSA key of 2048 bits", "algorithm = RS256"),
    "an EC key on another curve": ("ES256", "p384", "this is an EC key on secp384r1", "P-256"),
    "too short": ("RS256", "short", "2048 bits", "RSA key of 1024 bits"),
    "the private key": ("EdDSA", "ed private", "no PEM public key", "is a private key", "delete"),
    "the private key in the older format": ("RS256", "rsa old private", "is a private key"),
    "a certificate": ("RS256", "certificate", "is a certificate", "openssl x509 -in", "-pubkey"),
    "a key in PKCS #1": ("RS256", "rsa pkcs1", "PKCS #1", "-RSAPublicKey_in", no_pkey),
    "DER": ("RS256", "rsa der", "binary format DER", "-inform DER"),
    "a key of SSH": ("EdDSA", "ssh", "OpenSSH", "ssh-keygen -e -m PKCS8"),
    "a JWK": ("EdDSA", "jwk", "JSON", "PEM"),
    "both keys": ("EdDSA", "ed both", "a private key beside", "delete", no_pkey),
    "an empty file": ("EdDSA", "empty", "no PEM public key"),
}


@pytest.mark.parametrize("algorithm, key, words", [
    (algorithm, key, words) for algorithm, key, *words in PUBLIC_KEYS.values()],
    ids=PUBLIC_KEYS.keys())
def test_an_invalid_public_key(bare, public_keys, algorithm, key, words):
    configure(bare, jwt_secret=None, jwt_algorithm=algorithm, jwt_public_key=public_keys[key])

    usual = [] if no_pkey in words else ["openssl pkey"]
    plant(bare, "WRONG", "jwt", *(word for word in words if word != no_pkey), *usual)


def test_two_public_keys(bare, public_keys):
    configure(bare, jwt_secret=None, jwt_algorithm="EdDSA", jwt_public_key=public_keys["ed twice"])

    plant(bare, "warn", "jwt", "2 public keys", "only the first")


def test_a_missing_public_key(bare):
    configure(bare, jwt_secret=None, jwt_algorithm="EdDSA", jwt_public_key="/nothing/there.pem")

    plant(bare, "WRONG", "jwt", "/nothing/there.pem")


def test_a_budget_that_amocrm_does_not_allow(bare):
    configure(bare, amocrm_budget="8 2")

    plant(bare, "warn", "amocrm", "8 calls a second", "a client that", "7 or less")


def test_a_connection_of_another_account_than_the_pinned_one(bare):
    configure(bare, amocrm_account_id=ID)
    take_in(bare, [made_up(ID), made_up(ID + 1)])

    plant(bare, "warn", "connections", f"{ID + 1}:1", "account_id", "disconnect")


@pytest.mark.parametrize("pinned", [None, ID], ids=["by its host", "by its number too"])
def test_a_pinned_account_that_was_renamed(bare, pinned):
    """New authorizations, or those without a referer, would fail."""
    configure(bare, amocrm_account_id=pinned)
    take_in(bare, [made_up(ID), made_up(ID, 2, host="renamed.amocrm.ru"),
                   made_up(ID, 3, host="renamed.amocrm.ru")])

    found = check(bare)

    only(found, "warn", "connections", f"{ID}:2", "renamed.amocrm.ru", "such connections: 2",
         "set account", "account_id")
    assert [finding.part for finding in found].count("connections") == 1


def test_another_account_at_another_host_is_one_finding(bare):
    configure(bare, amocrm_account_id=ID)
    take_in(bare, [made_up(ID), made_up(ID + 1, host="other.amocrm.ru")])

    plant(bare, "warn", "connections", f"{ID + 1}:1", "another account")


def test_a_revoked_connection_of_a_former_host_is_one_finding(bare):
    configure(bare)
    take_in(bare, [made_up(ID), made_up(ID, 2, host="former.amocrm.ru", state="revoked")])

    plant(bare, "warn", "connections", f"{ID}:2", "disconnected in amoCRM")


@pytest.mark.parametrize("changes", [
    {"amocrm_account_id": ID},
    {"amocrm_account": None, "app_connections": "per_user"}], ids=["the pinned one", "any"])
def test_connections_of_accounts_that_are_accepted(bare, changes):
    configure(bare, **changes)
    take_in(bare, [made_up(ID), made_up(ID, 2)])
    if "amocrm_account" in changes:
        take_in(bare, [made_up(ID + 1, host="other.amocrm.ru")])

    assert "connections" in good(bare)


def test_a_budget_of_all_that_amocrm_allows(bare):
    configure(bare, amocrm_budget="7 7")

    good(bare)


def test_a_fifo_for_the_public_key(bare, public_keys):
    fifo = public_keys["ed"].with_name("fifo.pem")
    os.mkfifo(fifo)
    process.give(fifo, 0o640)
    configure(bare, jwt_secret=None, jwt_algorithm="EdDSA", jwt_public_key=fifo)

    plant(bare, "WRONG", "jwt", str(fifo), "is not a regular file")


def test_a_fifo_for_the_certificates(bare):
    fifo = bare.folder / "ca-fifo.pem"
    os.mkfifo(fifo)
    process.give(fifo, 0o640)
    configure(bare, amocrm_ca_file=fifo)
    try:
        plant(bare, "WRONG", "certificates", str(fifo), "is not a regular file")
    finally:
        fifo.unlink()


def test_a_public_key_that_others_can_replace(bare, public_keys):
    configure(bare, jwt_secret=None, jwt_algorithm="EdDSA", jwt_public_key=public_keys["ed"])
    public_keys["ed"].chmod(0o666)
    try:
        plant(bare, "WRONG", "jwt", "0666", "chmod")
    finally:
        public_keys["ed"].chmod(0o640)


# The files of the configuration and of the key ring.

def own_by(path, uid, mode):
    os.chown(path, uid, process.web_user().pw_gid if uid == 0 else uid)
    path.chmod(mode)


FILES = {
    "no configuration": (
        lambda site: site.config.unlink(), "WRONG", "configuration", "amo-crm.conf.example"),
    "an open configuration": (
        lambda site: site.config.chmod(0o644), "WRONG", "configuration", "0644", "chmod"),
    "not an INI file": (
        lambda site: site.write_config("[amocrm]\nwhat is this\n"),
        "WRONG", "configuration", "amo-crm.conf:2:", "example"),
    "a folder that others may write": (
        lambda site: site.folder.chmod(0o757), "WRONG", "configuration", "chmod o-w"),
    "no key ring": (lambda site: site.keys.unlink(), "WRONG", "keys", "backup", "keygen"),
    "an open key ring": (lambda site: site.keys.chmod(0o660), "WRONG", "keys", "0660", "chmod"),
    "a key cut short": (
        lambda site: site.keys.write_text("k1 0123\n"), "WRONG", "keys", "keys:1:", "keygen"),
    "an empty key ring": (
        lambda site: site.keys.write_text(""), "WRONG", "keys", "contains no key"),
    "two keys in one line of the key ring": (
        lambda site: site.keys.write_text(f"k1 {'01' * 32} k2 {'02' * 32}\n"),
        "WRONG", "keys", "keys:1:", "each line"),
    "a key twice": (
        lambda site: site.write_config(site.config.read_text() + "[app]\nconnections = shared\n"),
        "WRONG", "configuration", "twice", "delete one of the two lines"),
    "an old key of zeros": (
        lambda site: site.write_keys(site.keys.read_text() + f"zero {'0' * 64}\n"),
        "WRONG", "keys", "zero", "guess", "rekey"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_wrong_file(connected, case):
    breaking, level, part, *words = FILES[case]
    breaking(connected)

    found = check(connected)
    if case == "a folder that others may write":    # the key ring is in this folder too
        found = [one for one in found if one.part != "keys"]

    only(found, level, part, *words)


FOREIGN_FILES = {
    "a configuration for root alone": (
        lambda site: own_by(site.config, 0, 0o600), "WRONG", "configuration",
        "Permission denied", "chown"),
    "a configuration of another user": (
        lambda site: own_by(site.config, 12345, 0o640) or os.chown(
            site.config, 12345, process.web_user().pw_gid),
        "WRONG", "configuration", "user 12345", "root"),
    "a configuration of another group": (
        lambda site: os.chown(site.config, process.web_user().pw_uid, 12345),
        "warn", "configuration", "group 12345", "chgrp"),
    "a key ring for root alone": (
        lambda site: own_by(site.keys, 0, 0o600), "WRONG", "keys", "Permission denied", "chown"),
    "a key ring of another user": (
        lambda site: os.chown(site.keys, 12345, process.web_user().pw_gid),
        "WRONG", "keys", "user 12345", "chown"),
    "a store owned by root": (
        lambda site: os.chown(site.store, 0, 0), "WRONG", "store", "belongs to root", "chown -R"),
    "a shard owned by root": (
        lambda site: [os.chown(shard, 0, 0) for shard in site.store.rglob("*.gdbm")],
        "WRONG", "store", ".gdbm", "www-data", "chown -R"),
    "a shard of another user": (
        lambda site: os.chown(shards(site)[0], 0, 0), "WRONG", "store", ".gdbm", "chown -R"),
    "a folder owned by root": (
        lambda site: own_by(site.store / "events", 0, 0o700),
        "WRONG", "store", "events: does not belong", "chown -R"),
}


@ROOT_ONLY
@pytest.mark.parametrize("as_web_user", [True, False], ids=["the web server's user", "root"])
@pytest.mark.parametrize("case", FOREIGN_FILES)
def test_a_file_of_another_owner(connected, case, as_web_user):
    breaking, level, part, *words = FOREIGN_FILES[case]
    breaking(connected)

    plant(connected, level, part, *words, as_web_user=as_web_user)


def test_a_key_ring_in_a_web_folder(bare):
    configure(bare)
    folder = bare.folder / "public_html"
    folder.mkdir()
    try:
        shutil.copy(bare.keys, folder / "keys")
        process.give(folder, 0o750)
        process.give(folder / "keys", 0o640)
        configure(bare, store_keys=folder / "keys")

        plant(bare, "warn", "keys", "public_html", "move it")
    finally:
        shutil.rmtree(folder)


# The helpers.

HELPERS = {
    "missing": lambda program: program.unlink(),
    "not executable": lambda program: program.chmod(0o644),
    "another program": lambda program: replace(program, "exit 0"),
    "of another version": lambda program: replace(program, "read line; echo '{\"hello\":1}'"),
}


def program_is_missing(program):
    return not program.exists() or not program.stat().st_mode & 0o100


def replace(program, script):
    program.unlink()    # it may be running
    program.write_text(f"#!/bin/sh\n{script}\n")
    process.give(program, 0o755)


@pytest.mark.parametrize("name", ["amo-crm-https", "amo-crm-crypto"])
@pytest.mark.parametrize("breaking", HELPERS.values(), ids=HELPERS.keys())
def test_a_broken_helper(connected, breaking, name):
    program = connected.libexec / name
    kept = shutil.copy(program, connected.folder / "kept-helper")
    breaking(program)
    try:
        plant(connected, "WRONG", name, name, "make install",
              *(["upload it again"] if program_is_missing(program) else []))
    finally:
        program.unlink(missing_ok=True)
        shutil.move(kept, program)
        process.give(program, 0o755)


# The store.

def shards(site):
    return [shard for shard in site.store.glob("connections/*.gdbm") if shard.stat().st_size]


def write(site, name, text, age=0):
    file = site.store / name
    file.write_text(text)
    process.give(file, 0o600, owner=True)
    os.utime(file, (time.time() - age,) * 2)


def in_place_of(path, make):
    """Puts something else in the place of a file or folder."""
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
    make(path)
    if not path.is_symlink():
        path.chmod(0o700 if path.is_dir() else 0o600)
        shutil.chown(path, path.parent.stat().st_uid, path.parent.stat().st_gid)


STORES = {
    "missing": (
        lambda site: shutil.rmtree(site.store), "WRONG", "store", "No such file", "install -d"),
    "a file": (
        lambda site: (shutil.rmtree(site.store), site.store.touch()),
        "WRONG", "store", "not a directory"),
    "open to others": (
        lambda site: site.store.chmod(0o755), "WRONG", "store", "0755", "chmod 0700"),
    "closed to its owner": (
        lambda site: site.store.chmod(0o500), "WRONG", "store", "0500", "chmod 0700"),
    "read-only": (
        lambda site: (site.store / "connections").chmod(0o500),
        "WRONG", "store", "/connections", "chmod -R u+rwX"),
    "a shard closed to its owner": (
        lambda site: shards(site)[0].chmod(0), "WRONG", "store", ".gdbm", "chmod -R u+rwX"),
    "a budget closed to its owner": (
        lambda site: (write(site, "budget", ""), (site.store / "budget").chmod(0o400)),
        "WRONG", "store", "/budget", "chmod -R u+rwX"),
    "locks closed to their owner": (
        lambda site: (site.store / "locks").chmod(0o400), "WRONG", "store", "/locks",
        "chmod -R u+rwX"),
    "an escrow closed to its owner": (
        lambda site: (site.store / "escrow").chmod(0o500), "WRONG", "store", "/escrow",
        "chmod -R u+rwX"),
    "a cursor closed to its owner": (
        lambda site: (write(site, "events/cursor", ""), (site.store / "events/cursor").chmod(0)),
        "WRONG", "store", "/events/cursor", "chmod -R u+rwX"),
    "a shard open to others": (
        lambda site: shards(site)[0].chmod(0o644), "WRONG", "store", ".gdbm", "chmod -R go="),
    "a copy left over": (
        lambda site: write(site, "connections/03f.gdbm.new", "half", 2 * 3600),
        "warn", "store", "03f.gdbm.new", "harmless"),
    "all shards corrupt": (
        lambda site: [shard.write_bytes(b"\xff" * 4096) for shard in shards(site)],
        "WRONG", "records", ".gdbm", "backup"),
    "a record that is missing from its list": (
        forget_list, "WRONG", "records", "31920194:1", "not on its account's list",
        "amocrmctl rekey"),
    "a shard that is missing": (
        lambda site: connections.shard(site, "connection:31920194:1").unlink(),
        "WRONG", "records", "31920194:1", "a file of it is missing", "amocrmctl repair"),
    "a folder for the locks": (
        lambda site: in_place_of(site.store / "locks", Path.mkdir), "WRONG", "store", "/locks",
        "a regular file", "move it away"),
    "a FIFO for the locks": (
        lambda site: in_place_of(site.store / "locks", os.mkfifo), "WRONG", "store", "/locks",
        "move it away"),
    "a folder for the reserve": (
        lambda site: in_place_of(site.store / "connections/0.room", Path.mkdir),
        "WRONG", "store", "/0.room", "move it away"),
    "a folder for a copy": (
        lambda site: in_place_of(site.store / "connections/000.0.new", Path.mkdir),
        "WRONG", "store", "/000.0.new", "move it away"),
    "a file for the shards": (
        lambda site: in_place_of(site.store / "connections", Path.touch),
        "WRONG", "store", "/connections", "a directory", "import a backup"),
    "a dangling link for the shards": (
        lambda site: in_place_of(site.store / "connections", lambda path: path.symlink_to("/nowhere")),
        "WRONG", "store", "/connections", "a directory"),
    "a file for the events": (
        lambda site: in_place_of(site.store / "events", Path.touch),
        "WRONG", "store", "/events", "a directory"),
    "a FIFO for a segment": (
        lambda site: in_place_of(site.store / "events/journal-00000001.ndjson", os.mkfifo),
        "WRONG", "store", "/events/", "a regular file"),
    "a FIFO for the cursor": (
        lambda site: in_place_of(site.store / "events/cursor", os.mkfifo),
        "WRONG", "store", "/events/cursor", "a regular file"),
    "a shard that repair has moved aside": (
        lambda site: write(site, "connections/03f.gdbm.damaged-1795780800", "half", 0),
        "warn", "store", "03f.gdbm.damaged-1795780800", "tokens", "delete"),
    "another key": (
        lambda site: site.write_keys(f"k2 {'0123456789abcdef' * 4}\n"),
        "WRONG", "records", "31920194:1", "k1", "1 of 1"),
    "another key with the same id": (
        lambda site: site.write_keys(f"k1 {'0123456789abcdef' * 4}\n"),
        "WRONG", "records", "cannot be decrypted", "key ring"),
    "a new key in front": (
        lambda site: site.write_keys(f"k2 {'0123456789abcdef' * 4}\n" + site.keys.read_text()),
        "warn", "records", "older key", "amocrmctl rekey"),
    "an incomplete event": (
        lambda site: append(site, '{"id":"cut sh'), "warn", "events", "1 lines are no events: cut short"),
    "an event from the future": (
        lambda site: append(site, event(time.time() + 400 * DAY)),
        "WRONG", "clock", "store contains data of", "timedatectl"),
    "a cursor that is a directory": (
        lambda site: in_place_of(site.store / "events/cursor", Path.mkdir),
        "WRONG", "store", "/cursor", "a regular file", "move it away"),
}


@pytest.mark.parametrize("case", STORES)
def test_a_broken_store(connected, case):
    breaking, level, part, *words = STORES[case]
    breaking(connected)
    try:
        plant(connected, level, part, *words)
    finally:
        if connected.store.is_file():
            connected.store.unlink()
        elif connected.store.exists():
            for folder in (connected.store, *connected.store.glob("*/")):
                folder.chmod(0o700)


def test_a_change_in_progress_is_not_a_leftover(connected):
    write(connected, "connections/03f.gdbm.new", "half", 60)
    (connected.store / "backup.tar").touch()    # owned by root, but not one of our files

    assert good(connected) == PARTS


def test_another_user_is_told_to_run_check_as_the_owner(connected):
    if not process.is_root():
        pytest.skip("only root can run it as somebody else")
    connected.config.chmod(0o640)
    done = subprocess.run(
        [connected.amocrmctl, "-c", connected.config, "check"], capture_output=True, text=True,
        cwd="/", user=12345, group=process.web_user().pw_gid, extra_groups=[])

    assert done.returncode == 1
    assert "run check as root or as that user" in done.stdout


# Connections that have expired or expire soon.

def age(site, seconds):
    """Moves the last refresh of the only connection into the past."""
    site.store.chmod(0o700)
    lines = []
    for line in site.ctl("export", "--plain").stdout.splitlines():
        record = json.loads(line)
        if "tokens" in record:
            state, clear = record["value"].rstrip("\n").split("\n")
            clear = json.loads(clear)
            clear["connected_at"] = clear["refreshed_at"] = int(time.time() - seconds)
            record["value"] = f"{state}\n{json.dumps(clear, separators=(',', ':'))}\n"
        lines.append(json.dumps(record) + "\n")
    shutil.rmtree(site.store / "connections")
    site.ctl("import", input="".join(lines))


def test_a_connection_whose_refresh_token_has_expired(connected):
    age(connected, 93 * DAY)

    plant(connected, "warn", "connections", "31920194:1", "has expired", "refresh --due")


def test_a_connection_whose_refresh_token_expires_soon(connected):
    age(connected, 90 * DAY)

    plant(connected, "warn", "connections", "within a week", "amocrmctl refresh")


def test_a_connection_that_does_not_expire_soon(connected):
    age(connected, 80 * DAY)

    assert good(connected) == PARTS


def test_a_connection_that_was_disconnected_in_amocrm(connected, amocrm):
    query = hooks.disconnect_query(amocrm.integration, amocrm.who()[0])
    assert connected.get("disconnect", query).status == 200

    plant(connected, "warn", "connections", "31920194:1", "disconnected in amoCRM")


# Events and their delivery.

def event(at):
    when = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))
    return json.dumps({"id": "0" * 64, "received_at": when, "account_id": ACCOUNT,
                       "subdomain": "reforyou", "events": ["leads.add"], "request_id": None,
                       "payload": {}}, separators=(",", ":")) + "\n"


def append(site, text):
    with (site.store / "events/0000000001.ndjson").open("a") as journal:
        journal.write(text + ("" if text.endswith("\n") else "\n"))


@pytest.fixture
def delivering(connected):
    configure(connected, deliver_url="https://receiver.foryou-realestate.com/",
              deliver_secret="whsec_" + "QUJDREVGR0hJSktM" * 2)
    return connected


def write_cursor(site, **members):
    end = (site.store / "events/0000000001.ndjson").stat().st_size
    write(site, "events/cursor",
          json.dumps({"segment": 1, "offset": end, "held_up": [], **members}))


def test_events_that_have_just_arrived(delivering):
    append(delivering, event(time.time() - 60))

    assert good(delivering) == PARTS | {"delivery"}


def test_events_that_are_not_delivered(delivering):
    write_cursor(delivering)
    append(delivering, event(time.time() - 2 * DAY))
    append(delivering, event(time.time()))

    plant(delivering, "WRONG", "delivery", "2 events wait", "deliver --follow")


def test_a_damaged_cursor(delivering):
    append(delivering, event(time.time()))
    write(delivering, "events/cursor", "{")
    plant(delivering, "WRONG", "delivery", "cursor.old are damaged", "from a backup")

    write_cursor(delivering)
    (delivering.store / "events/cursor").rename(delivering.store / "events/cursor.old")
    write(delivering, "events/cursor", "{")
    plant(delivering, "warn", "delivery", "cursor is damaged", "goes on from")


def test_events_that_have_all_been_delivered(delivering):
    append(delivering, event(time.time() - 2 * DAY))
    write_cursor(delivering)

    assert good(delivering) == PARTS | {"delivery"}


def test_a_blocked_account(delivering):
    write_cursor(delivering, held_up=[
        {"account_id": ACCOUNT, "segment": 1, "offset": 0, "attempts": 4,
         "next_at": int(time.time()) + 600}])

    plant(delivering, "warn", "delivery", "31920194", "failed attempts: 4;")


def test_events_that_were_given_up(delivering):
    write(delivering, "events/dead.ndjson", event(time.time()) * 3)

    plant(delivering, "warn", "delivery", "3 events were given up", "replay")


# Locks.

@contextlib.contextmanager
def locked(site, name, byte):
    """Holds an open file description lock, as the programs use."""
    path = site.store / name
    with path.open("a+b") as file:
        process.give(path, 0o600, owner=True)
        fcntl.fcntl(file, fcntl.F_OFD_SETLK,
                    struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))
        yield


LOCKS = {
    "a writer's": ("locks", 17, "WRONG", "locks: locked for over 5 s"),
    "an account's": ("locks", 10 ** 15, "warn", "over 7 s, longer than a refresh takes"),
    "the journal's": ("events/lock", 0, "WRONG", "events/lock"),
}


@pytest.mark.parametrize("name, byte, level, word", LOCKS.values(), ids=LOCKS.keys())
def test_a_lock_that_is_held_too_long(connected, name, byte, level, word):
    configure(connected, amocrm_timeout=1)

    with locked(connected, name, byte):
        found = check(connected)
    # nothing can be written to that shard while the lock is held, so check's own test may fail too
    only([one for one in found if one.part != "store" or one.level == "ok"],
         level, "locks", word, "lsof")


@only_root_sees
def test_a_lock_that_is_released_in_time(connected):
    """Like a lock that is held during a request to amoCRM."""
    with locked(connected, "locks", 10 ** 15):
        asking = subprocess.Popen([connected.amocrmctl, "-c", connected.config, "check"],
                                  stdout=subprocess.PIPE, text=True, **process.as_web_user())
        process.wait_until(lambda: has_open(asking, connected.store / "locks"),
                           "check to open the lock file")
    printed = asking.communicate()[0]

    assert asking.returncode == 0, printed
    assert "no lock is held too long" in printed


def has_open(running, path):
    for link in Path(f"/proc/{running.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):    # closed meanwhile
            if os.readlink(link) == str(path):
                return True
    return False


# The disk, in a mount namespace, so that no mount can remain.

def on_small_disk(site, options):
    """Runs check with the store on a disk of its own."""
    user = process.web_user()
    space = ["unshare", "-m"] if user else ["unshare", "-mc", "--keep-caps"]
    owner = f",uid={user.pw_uid},gid={user.pw_gid}" if user else ""
    script = (f"mount -t tmpfs -o mode=0700{owner},{options} none "
              f"{shlex.quote(str(site.store))} && exec \"$@\"")
    return subprocess.run([*space, "sh", "-c", script, "sh", site.amocrmctl, "-c", site.config,
                           "check"], capture_output=True, text=True, cwd="/")


DISKS = {
    "full": ("size=64k", "WRONG", "0 MiB free"),
    "nearly full": ("size=32m", "warn", "MiB free"),
    "without inodes": ("size=1g,nr_inodes=4", "WRONG", "inodes"),
    "nearly without inodes": ("size=1g,nr_inodes=100", "warn", "inodes"),
}


@pytest.mark.parametrize("options, level, word", DISKS.values(), ids=DISKS.keys())
def test_a_disk_that_is_full_or_nearly_full(bare, options, level, word):
    configure(bare)
    done = on_small_disk(bare, options)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"mount namespaces are not permitted here: {done.stderr}")

    found = [findings.Finding(*findings.LINE.fullmatch(line).groups())
             for line in done.stdout.splitlines()]
    only(found, level, "disk", word, "free space")
    assert done.returncode == int(level == "WRONG")


def under_strace(site, *injections):
    """Runs check with system calls that fail; the findings and the exit status."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    user = process.web_user()
    done = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", *(["-u", user.pw_name] if user else []),
         *(f"--inject={each}" for each in injections), site.amocrmctl, "-c", site.config, "check"],
        capture_output=True, text=True, cwd="/")
    lines = [findings.LINE.fullmatch(line) for line in done.stdout.splitlines()]
    if not lines:
        pytest.skip(f"strace does not work here: {done.stderr}")
    return [findings.Finding(*line.groups()) for line in lines], done.returncode


FILE_SYSTEMS = {
    "CIFS": ("EINVAL", "warn", "cannot sync a directory", "local disk"),
    "virtiofs": ("EBADF", "warn", "cannot sync a directory", "local disk"),
    "a disk that fails": ("EIO", "WRONG", "Input/output error", "check the disk"),
}


@pytest.mark.parametrize("error, level, found, cure", FILE_SYSTEMS.values(), ids=FILE_SYSTEMS.keys())
def test_a_file_system_that_cannot_sync_a_directory(connected, error, level, found, cure):
    lines, status = under_strace(connected, f"fsync:error={error}:when=1")

    only(lines, level, "disk", found, cure)
    assert status == int(level == "WRONG")


# amocrmctl urls.

def urls(site):
    printed = site.ctl("urls").stdout
    lines = [line.split(maxsplit=3) for line in printed.splitlines()]
    return {verdict: {(field, url) for word, field, url, _ in lines if word == verdict}
            for verdict in ("enter", "never")}


def test_urls(bare):
    configure(bare)
    base = REDIRECT_URI.removesuffix("callback")

    shown = urls(bare)

    assert shown["enter"] == {
        ("redirect-uri", REDIRECT_URI), ("second-field", base + "disconnect"),
        ("second-field", base + "webhook"), ("webhooks", base + "webhook?key=<secret>")}
    for url in (REDIRECT_URI + "/", REDIRECT_URI.replace("admin.", ""),
                REDIRECT_URI.replace("https", "http"),
                REDIRECT_URI.replace("/api/", "/api/v1/integrations/")):
        assert ("redirect-uri", url) in shown["never"]


def test_urls_of_a_trial_set_up(bare):
    shown = urls(bare)

    assert ("redirect-uri", "http://localhost/api/amo-crm/callback") in shown["enter"]
    assert not shown["enter"] & shown["never"]


def test_urls_requires_a_valid_redirect_uri(bare):
    configure(bare, amocrm_redirect_uri=REDIRECT_URI + "/")

    done = bare.ctl("urls", check=False)

    assert done.returncode == 1
    assert done.stdout == "" and "does not end in /api/amo-crm/callback" in done.stderr
