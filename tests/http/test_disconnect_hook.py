"""GET disconnect and GET webhook: amoCRM reports that an account has disconnected.

The signed data contains no time, so a URL stays valid for ever and can be replayed.  Connections
are therefore revoked, not erased, and a new authorization makes them active again.
"""

import json

import pytest

import app
import expect
from app import PER_USER, User, in_both_set_ups
from sandbox import hooks
from sandbox.tokens import disconnect_signature

ACCOUNT = 31920194
SECOND = 32720107
# The example in amoCRM's documentation.
VECTOR_ID = "01d01160-d7a0-4087-b4af-6a1bb83fcd1d"
VECTOR = "66704de1ff8c90176a27178c1a62a0c85646f6f59021f45363d893e83e607d74"


@pytest.fixture(params=["disconnect", "webhook"])
def hook(request, one_site):
    """Either of the two URLs that may be entered in amoCRM's settings."""
    if not one_site.has(request.param):
        pytest.skip(f"there is no {request.param}")
    return request.param


def signed(amocrm, account_id=ACCOUNT, **changed):
    """A valid query with these changes; None omits a parameter."""
    integration = amocrm.integration
    params = {"client_uuid": integration.client_id, "account_id": str(account_id)}
    params["signature"] = disconnect_signature(integration.client_secret, *params.values())
    params.update(changed)
    return {name: value for name, value in params.items() if value is not None}


def states(site):
    return {(one["account_id"], one["amocrm_user_id"]): one["state"] for one in site.connections()}


# Valid calls.

@in_both_set_ups
def test_a_valid_signature_revokes(site, amocrm, hook, mode):
    site.configure(**mode)
    olena = User(site)
    olena.connects(amocrm)
    before = app.sealed(site)

    app.disconnected(site.get(hook, signed(amocrm)))

    assert states(site) == {(ACCOUNT, 1): "revoked"}
    data = app.done(olena.status())["data"]
    assert (data["connected"], data["hasTokens"]) == (False, True)
    assert app.sealed(site) == before
    assert site.ctl("token", ACCOUNT, check=False).returncode == 1
    site.assert_no_secret_in_store_or_logs()


@in_both_set_ups
def test_it_is_idempotent_and_a_new_authorization_reactivates(bare, amocrm, hook, mode):
    bare.configure(**mode)
    olena = User(bare)
    olena.connects(amocrm)
    for _ in range(2):
        for _ in range(3):
            app.disconnected(bare.get(hook, signed(amocrm)))
            assert states(bare) == {(ACCOUNT, 1): "revoked"}
        olena.connects(amocrm)
        assert states(bare) == {(ACCOUNT, 1): "active"}
        assert olena.is_connected()
        assert bare.ctl("token", ACCOUNT).stdout


def test_amocrms_own_call(on_servers, amocrm, hook):
    """Sent by the mock server, with amoCRM's user agent and timeout."""
    olena = User(on_servers)
    olena.connects(amocrm)

    sent = hooks.disconnect_hook(on_servers.url(hook), amocrm.integration, amocrm.who()[0])

    assert sent.status == 200 and json.loads(sent.body)["success"] is True
    assert not olena.is_connected()


def test_every_connection_of_that_account_and_no_other(bare, amocrm, hook):
    bare.configure(**PER_USER, amocrm_account=None)
    people = {name: User(bare, name) for name in ("olena", "ivan", "maria", "ann")}
    people["olena"].connects(amocrm, user=1)
    people["ivan"].connects(amocrm, user=2)
    people["maria"].connects(amocrm, account="second.amocrm.ru")
    people["ann"].connects(amocrm, account="overseas.kommo.com")

    app.disconnected(bare.get(hook, signed(amocrm)))

    assert states(bare) == {(ACCOUNT, 1): "revoked", (ACCOUNT, 2): "revoked",
                            (SECOND, 11): "active", (30000003, 21): "active"}
    assert [user.is_connected() for user in people.values()] == [False, False, True, True]
    # a new authorization reactivates only the user's own connection
    people["ivan"].connects(amocrm, user=2)
    assert [user.is_connected() for user in people.values()] == [False, True, True, True]


def test_an_account_that_is_not_connected(bare, amocrm, hook):
    User(bare).connects(amocrm)

    for account_id in (SECOND, 1, 9223372036854775807):
        app.disconnected(bare.get(hook, signed(amocrm, account_id)))

    assert states(bare) == {(ACCOUNT, 1): "active"}


def test_a_reserved_connection_is_revoked(bare, amocrm, hook):
    bare.configure(**PER_USER)
    olena = User(bare)
    params = olena.consents(amocrm)

    app.disconnected(bare.get(hook, signed(amocrm)))

    app.refused(olena.exchange(params), 400, "auth_failed")
    assert not olena.is_connected()


def test_the_example_of_amocrms_documentation(site, amocrm, hook):
    second = {"amocrm_account": "second.amocrm.ru"}
    site.configure(**second)
    olena = User(site)
    olena.connects(amocrm, account="second.amocrm.ru")
    site.configure(**second, amocrm_client_id=VECTOR_ID, amocrm_client_secret="secret")
    query = f"client_uuid={VECTOR_ID}&account_id={SECOND}&signature={VECTOR}"

    app.refused(site.get(hook, f"{query[:-1]}5"), 403, "invalid_signature")
    assert olena.is_connected()
    app.disconnected(site.get(hook, query))
    assert not olena.is_connected()


def test_the_order_and_other_parameters_do_not_matter(bare, amocrm, hook):
    User(bare).connects(amocrm)
    params = dict(reversed(signed(amocrm).items()))

    app.disconnected(bare.get(hook, {"utm": "x", **params, "more[]": "", "key": "not asked for"}))

    assert states(bare) == {(ACCOUNT, 1): "revoked"}


# Invalid calls.

def signature(amocrm, message, secret=None):
    client_uuid, _, account_id = message.partition("|")
    return disconnect_signature(secret or amocrm.integration.client_secret, client_uuid, account_id)


def without(params, name):
    return {known: value for known, value in params.items() if known != name}


def for_text(text):
    """An account id in another spelling, with a valid signature of that spelling."""
    return lambda amocrm: signed(amocrm, text)


WRONG = {
    "no parameters": lambda amocrm: {},
    "no client_uuid": lambda amocrm: signed(amocrm, client_uuid=None),
    "no account_id": lambda amocrm: without(signed(amocrm), "account_id"),
    "no signature": lambda amocrm: signed(amocrm, signature=None),
    "an empty client_uuid": lambda amocrm: signed(amocrm, client_uuid=""),
    "an empty account_id": for_text(""),
    "an empty signature": lambda amocrm: signed(amocrm, signature=""),
    "of another secret": lambda amocrm: signed(
        amocrm, signature=disconnect_signature("another", amocrm.integration.client_id, ACCOUNT)),
    "of an empty secret": lambda amocrm: signed(
        amocrm, signature=disconnect_signature("", amocrm.integration.client_id, ACCOUNT)),
    "upper case": lambda amocrm: signed(amocrm, signature=signed(amocrm)["signature"].upper()),
    "one digit changed": lambda amocrm: signed(
        amocrm, signature=changed_digit(signed(amocrm)["signature"])),
    "cut by a digit": lambda amocrm: signed(amocrm, signature=signed(amocrm)["signature"][:-1]),
    "half": lambda amocrm: signed(amocrm, signature=signed(amocrm)["signature"][:32]),
    "longer by a digit": lambda amocrm: signed(amocrm, signature=signed(amocrm)["signature"] + "0"),
    "with a blank behind": lambda amocrm: signed(
        amocrm, signature=signed(amocrm)["signature"] + " "),
    "zeros": lambda amocrm: signed(amocrm, signature="0" * 64),
    "of the account alone": lambda amocrm: signed(
        amocrm, signature=disconnect_signature(amocrm.integration.client_secret, "", ACCOUNT)),
    "of another account": lambda amocrm: signed(
        amocrm, signature=signed(amocrm, SECOND)["signature"]),
    "of another client_uuid": lambda amocrm: signed(
        amocrm, signature=signature(amocrm, f"{VECTOR_ID}|{ACCOUNT}")),
    "another client_uuid, validly signed": lambda amocrm: signed(
        amocrm, client_uuid=VECTOR_ID, signature=signature(amocrm, f"{VECTOR_ID}|{ACCOUNT}")),
    "our client_uuid in capitals, validly signed": lambda amocrm: signed(
        amocrm, client_uuid=amocrm.integration.client_id.upper(),
        signature=signature(amocrm, f"{amocrm.integration.client_id.upper()}|{ACCOUNT}")),
    "the bar moved": lambda amocrm: signed(
        amocrm, client_uuid=amocrm.integration.client_id + "|3", account_id="1920194",
        signature=signature(amocrm, f"{amocrm.integration.client_id}|3|1920194")),
    "the documented vector": lambda amocrm: {
        "client_uuid": VECTOR_ID, "account_id": str(SECOND), "signature": VECTOR},
    "account with a plus": for_text(f"+{ACCOUNT}"),
    "account with a minus": for_text(f"-{ACCOUNT}"),
    "account with a zero before": for_text(f"0{ACCOUNT}"),
    "account with a blank before": for_text(f" {ACCOUNT}"),
    "account with a blank behind": for_text(f"{ACCOUNT} "),
    "account with a line end": for_text(f"{ACCOUNT}\n"),
    "account with a fraction": for_text(f"{ACCOUNT}.0"),
    "account in hexadecimal": for_text(hex(ACCOUNT)),
    "account with an exponent": for_text("31920194e0"),
    "account in other digits": for_text("٣١٩٢٠١٩٤"),
    "account with letters behind": for_text(f"{ACCOUNT}abc"),
    "account 0": for_text("0"),
    "account of 20 digits": for_text("1" * 20),
    "account beyond 63 bits": for_text("9223372036854775808"),
    "account that is this one modulo 2^64": for_text(str(ACCOUNT + (1 << 64))),
    "two accounts": for_text(f"{ACCOUNT},{SECOND}"),
    "names in capitals": lambda amocrm: {
        name.upper(): value for name, value in signed(amocrm).items()},
}


def changed_digit(text):
    return ("0" if text[0] != "0" else "1") + text[1:]


def test_a_wrong_call_changes_nothing(site, amocrm, hook):
    olena = User(site)
    olena.connects(amocrm)
    for label, make in WRONG.items():
        with app.row(label):
            params = make(amocrm)
            answer = site.get(hook, params)
            if not expect.refused_by_lighttpd(site, params, answer):
                app.refused(answer, 403, "invalid_signature")
            assert olena.is_connected()
    assert states(site) == {(ACCOUNT, 1): "active"}
    site.logged(f"amo-crm {hook}:", "invalid_signature", "plain decimal")


MALFORMED = {
    "client_uuid twice": "{good}&client_uuid={uuid}",
    "account_id twice": "{good}&account_id=31920194",
    "account_id twice, another first": "account_id=1&{good}",
    "account_id twice, once escaped": "{good}&account%5Fid=31920194",
    "signature twice": "{good}&signature={signature}",
    "signature twice, a wrong one first": "signature=0&{good}",
    "account_id with brackets beside": "{good}&account_id[]=1",
    "signature with brackets": "client_uuid={uuid}&account_id=31920194&signature[]={signature}",
    "a bad escape": "{good}&x=%zz",
    "a NUL": "{good}%00",
    "a NUL in the account": "client_uuid={uuid}&account_id=31920194%00&signature={signature}",
}


def test_a_malformed_call_changes_nothing(site, amocrm, hook):
    olena = User(site)
    olena.connects(amocrm)
    params = signed(amocrm)
    good = "&".join(f"{name}={value}" for name, value in params.items())
    for label, query in MALFORMED.items():
        # lighttpd re-encodes a bad escape before it starts the program
        if site.server.name != "lighttpd" or "%zz" not in query:
            with app.row(label):
                answer = site.get(hook, query.format(good=good, uuid=params["client_uuid"],
                                                     signature=params["signature"]))
                assert answer.status in (400, 403)
                assert olena.is_connected()
    assert states(site) == {(ACCOUNT, 1): "active"}


def test_neither_a_token_nor_the_webhooks_key_replaces_the_signature(site, amocrm, hook):
    site.configure(webhook_secret="a key of sixteen")
    olena = User(site)
    olena.connects(amocrm)
    for query in ({}, {"account_id": str(ACCOUNT)}, {"key": "a key of sixteen"}):
        app.refused(site.get(hook, query, headers=olena.headers), 403, "invalid_signature")

    assert states(site) == {(ACCOUNT, 1): "active"}
    # the signature alone is enough, without the key
    app.disconnected(site.get(hook, signed(amocrm)))


def test_parameters_in_a_body_are_not_a_hook(site, amocrm):
    olena = User(site)
    olena.connects(amocrm)
    body = "&".join(f"{name}={value}" for name, value in signed(amocrm).items()).encode()

    answer = site.post("disconnect", body=body, headers={"Content-Type": app.FORM})

    app.refused(answer, 401, "missing_token")
    assert olena.is_connected()


def test_the_log_names_no_signature(site, amocrm, hook):
    good = signed(amocrm)
    site.get(hook, {**good, "signature": changed_digit(good["signature"])})
    site.get(hook, good)
    line = site.logged(f"amo-crm {hook}:", "invalid_signature")

    for part in (good["signature"][1:40], changed_digit(good["signature"])[:40]):
        assert part not in line and part.encode() not in site.log_bytes()


def test_head_is_not_the_hook(site, amocrm, hook):
    olena = User(site)
    olena.connects(amocrm)

    assert site.ask(hook, signed(amocrm), method="HEAD").status == 405

    assert olena.is_connected()


@in_both_set_ups
def test_claiming_the_old_code_does_not_reactivate(bare, amocrm, mode):
    """The old code is not a new authorization."""
    bare.configure(**mode)
    olena = User(bare)
    params = olena.connects(amocrm)
    bare.get("disconnect", signed(amocrm))

    app.refused(olena.exchange(params), 400, "auth_failed")

    assert not olena.is_connected()
    assert states(bare) == {(ACCOUNT, 1): "revoked"}
