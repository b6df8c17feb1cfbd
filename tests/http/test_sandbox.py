"""The mock amoCRM server itself: where it was more lenient than amoCRM, tests would prove
little."""

import json
import socket
import ssl
import subprocess
from urllib.parse import parse_qsl, urlsplit

import pytest

from sandbox import faults, hooks
from sandbox.oauth import ACCESS_LIFE, CODE_LIFE, REFRESH_LIFE
from sandbox.process import wait_until
from sandbox.tokens import disconnect_signature, unbase64url

HOST = "reforyou.amocrm.ru"


@pytest.fixture(autouse=True)
def fresh(amocrm):
    amocrm.reset()
    amocrm.integration.redirect_uri = "http://localhost/api/amo-crm/callback"


def curl(amocrm, url, *options):
    """Status and body; status 0 if there was no response."""
    way = ([] if url.startswith(amocrm.plain_url)
           else ["--cacert", amocrm.ca_file, "--connect-to", amocrm.connect_to])
    done = subprocess.run(["curl", "-s", "--max-time", "5", *way, "-w", "\n%{http_code}", *options,
                           url], capture_output=True, text=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def token(amocrm, host=HOST, raw=None, content_type="application/json", **changed):
    """Sends a valid token request with these changes; None omits a parameter."""
    integration = amocrm.integration
    body = {"client_id": integration.client_id, "client_secret": integration.client_secret,
            "grant_type": "authorization_code", "redirect_uri": integration.redirect_uri, **changed}
    body = {name: value for name, value in body.items() if value is not None}
    status, answer = curl(amocrm, f"https://{host}/oauth2/access_token",
                          "-H", f"Content-Type: {content_type}", "-d", raw or json.dumps(body))
    return status, json.loads(answer)


def refresh(amocrm, refresh_token):
    return token(amocrm, grant_type="refresh_token", refresh_token=refresh_token)


def test_a_code_is_exchanged_once(amocrm):
    code = amocrm.approve(user=2)["code"]
    assert code.startswith("def50200") and 900 < len(code) < 1100

    status, pair = token(amocrm, code=code)

    assert status == 200
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", ACCESS_LIFE)
    assert pair["refresh_token"].startswith("def50200")
    claims = json.loads(unbase64url(pair["access_token"].split(".")[1]))
    assert claims["sub"] == "2" and claims["account_id"] == 31920194
    assert claims["aud"] == amocrm.integration.client_id
    assert claims["base_domain"] == "amocrm.ru"
    assert token(amocrm, code=code) == refusal("Authorization code has been revoked")


def refusal(hint, status=400):
    return status, {
        "hint": hint, "title": "Authorization failed", "status": status,
        "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson",
        "detail": "The request was refused"}


def test_a_code_expires_after_twenty_minutes(amocrm):
    codes = [amocrm.approve()["code"] for _ in range(2)]
    amocrm.oauth.clock.advance(CODE_LIFE - 5)
    assert token(amocrm, code=codes[0])[0] == 200
    amocrm.oauth.clock.advance(10)
    assert token(amocrm, code=codes[1]) == refusal("Authorization code has expired")


@pytest.mark.parametrize("changed, hint, status", [
    ({"client_id": "x"}, "Check the `client_id` parameter", 400),
    ({"client_id": None}, "Check the `client_id` parameter", 400),
    ({"client_secret": "x"}, "Check the `client_secret` parameter", 401),
    ({"redirect_uri": "http://localhost/api/amo-crm/callback/"},
     "Redirect URI is not associated with client", 400),
    ({"grant_type": "password"}, "Check the `grant_type` parameter", 400),
    ({"code": "def50200ff"}, "Cannot decrypt the authorization code", 400),
    ({"code": 1}, "Check the `code` parameter", 400),
    ({"host": "second.amocrm.ru"}, "Send request to account", 400),
    ({"host": "nosuch.amocrm.ru"}, "Invalid account", 400),
])
def test_an_invalid_request_is_refused_and_does_not_use_up_the_code(amocrm, changed, hint, status):
    code = amocrm.approve()["code"]

    assert token(amocrm, **{"code": code, **changed}) == refusal(hint, status)

    assert token(amocrm, code=code)[0] == 200


@pytest.mark.parametrize("raw, content_type", [
    ("client_id=1&code=2", "application/x-www-form-urlencoded"),
    ("{}", "text/plain"), ("not json", "application/json"), ("[]", "application/json"),
    ('{"code":"1","code":"2"}', "application/json"),
])
def test_only_a_json_object_is_accepted(amocrm, raw, content_type):
    assert token(amocrm, raw=raw, content_type=content_type)[0] == 400


def test_an_unexpected_parameter_is_refused(amocrm):
    assert token(amocrm, code=amocrm.approve()["code"], scope="all")[0] == 400


def test_a_refresh_token_works_once(amocrm):
    _, first = token(amocrm, code=amocrm.approve()["code"])

    status, second = refresh(amocrm, first["refresh_token"])

    assert status == 200
    assert refresh(amocrm, first["refresh_token"]) == refusal("Token has been revoked", 401)
    assert refresh(amocrm, second["refresh_token"])[0] == 200


def test_kommos_refresh_token_works_until_the_new_pair_is_used(amocrm):
    amocrm.oauth.kommo_grace = True
    _, first = token(amocrm, code=amocrm.approve()["code"])
    assert refresh(amocrm, first["refresh_token"])[0] == 200
    _, pair = refresh(amocrm, first["refresh_token"])

    assert account(amocrm, pair["access_token"])[0] == 200

    assert refresh(amocrm, first["refresh_token"])[0] == 401


def test_tokens_expire(amocrm):
    _, pair = token(amocrm, code=amocrm.approve()["code"])
    amocrm.oauth.clock.advance(ACCESS_LIFE + 1)
    assert account(amocrm, pair["access_token"])[0] == 401
    amocrm.oauth.clock.advance(REFRESH_LIFE)
    assert refresh(amocrm, pair["refresh_token"])[0] == 401


def account(amocrm, access_token, host=HOST):
    return curl(amocrm, f"https://{host}/api/v4/account",
                "-H", f"Authorization: Bearer {access_token}")


def test_the_account_requires_its_own_token(amocrm):
    _, pair = token(amocrm, code=amocrm.approve(user=2)["code"])

    status, body = account(amocrm, pair["access_token"])

    assert status == 200
    members = json.loads(body)
    assert (members["id"], members["subdomain"], members["current_user_id"]) == (
        31920194, "reforyou", 2)
    assert account(amocrm, "x")[0] == 401
    assert account(amocrm, pair["access_token"], "second.amocrm.ru")[0] == 401
    amocrm.oauth.uninstall(amocrm.who()[0])
    assert account(amocrm, pair["access_token"])[0] == 401
    assert refresh(amocrm, pair["refresh_token"])[0] == 401


def test_requests_that_a_real_server_refuses(amocrm):
    assert curl(amocrm, f"https://{HOST}/nothing")[0] == 404
    assert curl(amocrm, f"https://{HOST}/oauth2/access_token")[0] == 405
    assert curl(amocrm, f"https://{HOST}/", "-H", "Host: second.amocrm.ru")[0] == 421
    assert curl(amocrm, f"http://{HOST}/")[0] == 400, "plain HTTP on the TLS port"
    assert curl(amocrm, "https://www.example.org/")[0] == 0, "a server name that is not amoCRM's"
    unverified = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError):
        port = int(amocrm.connect_to.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as raw:
            unverified.wrap_socket(raw, server_hostname=HOST)


def test_every_connection_is_recorded_even_a_silent_one(amocrm):
    port = int(amocrm.connect_to.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)):
        wait_until(amocrm.connections, "the connection in the record")


# The consent page.

def press(amocrm, form, query):
    done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{redirect_url}", "-d", form,
                           f"{amocrm.authorize_url}?{query}"], capture_output=True, text=True)
    return done.stdout


def test_allow_redirects_to_the_registered_address_only(amocrm):
    client = amocrm.integration.client_id
    url = press(amocrm, "answer=allow&user=2",
                f"client_id={client}&state=%FFa%20%2B%22&redirect_uri=http://evil.com/&mode=popup")

    assert url.startswith(amocrm.integration.redirect_uri + "?code=def50200")
    assert "state=%FFa%20%2B%22&" in url
    params = dict(parse_qsl(urlsplit(url).query, encoding="latin-1"))
    assert set(params) == {"code", "state", "referer", "platform", "client_id"}
    assert (params["referer"], params["platform"], params["client_id"]) == (HOST, "1", client)


def test_deny_redirects_without_a_code(amocrm):
    client = amocrm.integration.client_id

    url = press(amocrm, "answer=deny", f"client_id={client}&state=s")

    assert url == (f"{amocrm.integration.redirect_uri}?error=access_denied&client_id={client}"
                   "&state=s")


def test_an_unknown_integration_is_not_redirected(amocrm):
    assert press(amocrm, "answer=allow&user=1", "client_id=x&state=s") == ""
    assert press(amocrm, "answer=allow&user=99",
                 f"client_id={amocrm.integration.client_id}") == ""


def test_the_consent_page_escapes_its_values(amocrm):
    status, page = curl(amocrm, f"{amocrm.authorize_url}?client_id={amocrm.integration.client_id}"
                                "&state=%22%3E<script>")
    assert status == 200
    assert "<script" not in page
    assert page.count("Allow</button>") == page.count("Deny</button>") == 1


# Faults, hooks and control over HTTP.

def test_a_fault_occurs_as_often_as_requested(amocrm):
    code = amocrm.approve()["code"]
    amocrm.misbehave("code_expired", 2, path="/oauth2/access_token")
    assert curl(amocrm, f"https://{HOST}/nothing")[0] == 404
    assert [token(amocrm, code=code)[0] for _ in range(3)] == [400, 400, 200]


def test_a_lost_reply_was_carried_out(amocrm):
    code = amocrm.approve()["code"]
    amocrm.misbehave("lost_reply")
    curl(amocrm, f"https://{HOST}/oauth2/access_token", "-H", "Content-Type: application/json",
         "-d", json.dumps({
             "client_id": amocrm.integration.client_id, "grant_type": "authorization_code",
             "client_secret": amocrm.integration.client_secret, "code": code,
             "redirect_uri": amocrm.integration.redirect_uri}))
    assert token(amocrm, code=code) == refusal("Authorization code has been revoked")


def control(amocrm, verb, **members):
    status, body = curl(amocrm, f"{amocrm.plain_url}/_sandbox/{verb}", "-d", json.dumps(members))
    return status, json.loads(body)


def test_control_over_http(amocrm):
    assert control(amocrm, "fault", kind="forbidden") == (200, {"queued": "forbidden", "times": 1})
    assert curl(amocrm, f"https://{HOST}/")[0] == 403
    assert control(amocrm, "fault", kind="nonsense")[0] == 400
    assert control(amocrm, "nonsense")[0] == 404
    assert set(control(amocrm, "faults")[1]) == {*faults.KINDS, *faults.AT_CONNECT}
    assert [one["target"] for one in control(amocrm, "requests")[1]] == ["/"]
    before = amocrm.oauth.clock.now()
    assert control(amocrm, "clock", advance=3600)[1]["now"] >= before + 3600


def test_every_fault_has_a_description():
    assert all(kind.__doc__ for kind in faults.KINDS.values())


def test_the_signature_of_the_disconnect_hook():
    """The example in amoCRM's documentation."""
    assert disconnect_signature("secret", "01d01160-d7a0-4087-b4af-6a1bb83fcd1d", 32720107) \
        == "66704de1ff8c90176a27178c1a62a0c85646f6f59021f45363d893e83e607d74"


@pytest.mark.parametrize("status, tries", [(200, 1), (204, 1), (302, 3), (403, 3), (500, 5)])
def test_webhooks_are_retried_as_by_amocrm(monkeypatch, status, tries):
    monkeypatch.setattr(hooks, "send", lambda *_, **__: hooks.Sent("", status))
    sender = hooks.WebhookSender("http://localhost/", speed=1e9)

    assert len(sender.deliver(b"a=1")) == tries


def test_a_failing_receiver_is_disabled(monkeypatch):
    monkeypatch.setattr(hooks, "send", lambda *_, **__: hooks.Sent("", 404))
    sender = hooks.WebhookSender("http://localhost/", speed=1)
    for _ in range(100):
        sender.post(b"")
    assert not sender.disabled
    sender.post(b"")
    assert sender.disabled and sender.deliver(b"") == []
