"""amocrmctl subscribe and unsubscribe: whether amoCRM sends its webhooks to our URL."""

import pytest

import webhooks
from connections import HOST, ID, SOON, connect, exported, one
from sandbox import hooks
from sandbox.subscriptions import EVENTS

PATH = "/api/v4/webhooks"
USUAL = ["add_lead", "update_lead", "status_lead"]


def subscriptions(amocrm, account=None):
    """The events of each destination."""
    listed = amocrm.subscriptions.of(amocrm.who(account)[0])
    return {hook["destination"]: hook["settings"] for hook in listed}


def asked(amocrm):
    return [(request.method, request.host) for request in amocrm.record.requests(PATH)]


@pytest.fixture
def site(bare, amocrm):
    connect(bare, amocrm)
    return bare


def test_the_default_events(site, amocrm):
    done = site.ctl("subscribe", ID)

    assert subscriptions(amocrm) == {site.url("webhook"): USUAL}
    assert asked(amocrm) == [("POST", HOST)]
    assert (done.stdout, done.stderr) == (
        "", f"{HOST} now sends: add_lead update_lead status_lead\n")


def test_all_events(site, amocrm):
    site.ctl("subscribe", HOST, *sorted(EVENTS))

    assert subscriptions(amocrm) == {site.url("webhook"): sorted(EVENTS)}


def test_subscribing_again_replaces_the_events(site, amocrm):
    site.ctl("subscribe", ID)
    [before] = amocrm.subscriptions.of(amocrm.who()[0])

    site.ctl("subscribe", ID, "add_contact")

    [after] = amocrm.subscriptions.of(amocrm.who()[0])
    assert (after["id"], after["settings"]) == (before["id"], ["add_contact"])


def test_subscribing_again_enables_a_disabled_hook(site, amocrm):
    site.ctl("subscribe", ID)
    account, _ = amocrm.who()
    amocrm.subscriptions.disable(account, site.url("webhook"))

    site.ctl("subscribe", ID)

    assert amocrm.subscriptions.of(account)[0]["disabled"] is False


@pytest.mark.parametrize("secret, query", [
    ("0123456789abcdef", "key=0123456789abcdef"),
    ("a b&c=d#e%f+g?h/ї", "key=a%20b%26c%3Dd%23e%25f%2Bg%3Fh%2F%D1%97")])
def test_the_key_is_only_in_the_url(site, amocrm, secret, query):
    site.configure(webhook_secret=secret)

    done = site.ctl("subscribe", ID)

    [destination] = subscriptions(amocrm)
    assert destination == f"{site.url('webhook')}?{query}"
    assert secret not in done.stdout + done.stderr and query not in done.stdout + done.stderr


def test_webhooks_of_a_subscription_are_accepted(on_servers, amocrm):
    on_servers.configure(webhook_secret="a b&c=d#e%f+g?h/")
    connect(on_servers, amocrm)
    on_servers.ctl("subscribe", ID)
    [destination] = subscriptions(amocrm)

    sent = hooks.WebhookSender(destination).post(hooks.webhook_body(amocrm.who()[0]))

    assert sent.accepted
    assert [line["events"] for line in webhooks.lines(on_servers)] == [["leads.status"]]
    assert hooks.WebhookSender(destination.partition("?")[0]).post(b"a=1").status == 403


def test_a_token_that_expires_soon_is_refreshed_first(bare, amocrm):
    connect(bare, amocrm, life=SOON)

    bare.ctl("subscribe", ID)

    assert len(amocrm.exchanges("refresh_token")) == 1
    assert subscriptions(amocrm) == {bare.url("webhook"): USUAL}


def test_only_the_selected_account_is_subscribed(site, amocrm):
    site.configure(amocrm_account=None, app_connections="per_user", app_state="any")
    connect(site, amocrm, account=32720107)

    site.ctl("subscribe", 32720107)

    assert asked(amocrm) == [("POST", "second.amocrm.ru")]
    assert subscriptions(amocrm) == {}


# Unsubscribing.

def test_unsubscribe(site, amocrm):
    site.ctl("subscribe", ID)
    amocrm.forget()

    done = site.ctl("unsubscribe", ID)

    assert asked(amocrm) == [("DELETE", HOST)]
    assert subscriptions(amocrm) == {}
    assert (done.stdout, done.stderr) == ("", f"{HOST} sends no more webhooks to our URL.\n")


def test_other_subscriptions_stay(site, amocrm):
    account, user = amocrm.who()
    amocrm.subscriptions.subscribe(account, user, b'{"destination":"https://other.example/",'
                                                  b'"settings":["add_task"]}')
    site.ctl("subscribe", ID)

    site.ctl("unsubscribe", ID)

    assert subscriptions(amocrm) == {"https://other.example/": ["add_task"]}


def test_a_subscription_that_is_gone_already(bare, amocrm):
    connect(bare, amocrm)
    amocrm.misbehave("gone", path="/api/v4/webhooks")
    done = bare.ctl("unsubscribe", ID, check=False)
    assert done.returncode == 0, done.stderr


def test_unsubscribe_without_a_subscription(site, amocrm):
    assert site.ctl("unsubscribe", ID).returncode == 0
    assert subscriptions(amocrm) == {}


# Failures.

@pytest.mark.parametrize("command", ["subscribe", "unsubscribe"])
def test_a_revoked_connection_is_reported(site, amocrm, command):
    amocrm.misbehave("token_revoked")
    site.ctl("refresh", ID, check=False)
    assert one(site)["state"] == "revoked"
    amocrm.forget()

    done = site.ctl(command, ID, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert "revoked; connect again" in done.stderr
    assert amocrm.connections() == []


@pytest.mark.parametrize("command", ["subscribe", "unsubscribe"])
def test_a_token_that_amocrm_no_longer_accepts(site, amocrm, command):
    """The message must not blame client_secret."""
    amocrm.oauth.uninstall(amocrm.who()[0])

    done = site.ctl(command, ID, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"{HOST} refused with 401" in done.stderr
    assert "client_secret" not in done.stderr and "connect again" in done.stderr
    assert one(site)["state"] == "active", "only a refused refresh revokes a connection"


def test_an_event_that_amocrm_does_not_know(site, amocrm):
    done = site.ctl("subscribe", ID, "add_lead", "add_nonsense", check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert "400" in done.stderr and "client_secret" not in done.stderr
    assert subscriptions(amocrm) == {}


def test_the_event_that_amocrm_complains_of_is_named(site, amocrm):
    amocrm.misbehave("invalid_event", index=1)

    done = site.ctl("subscribe", ID, "add_lead", "add_nonsense", check=False)

    assert done.returncode == 1
    assert "settings.1 add_nonsense: The value you selected is not a valid choice" in done.stderr


@pytest.mark.parametrize("command", ["subscribe", "unsubscribe"])
def test_a_user_who_is_not_an_administrator(site, amocrm, command):
    amocrm.misbehave("not_admin")

    done = site.ctl(command, ID, check=False)

    assert done.returncode == 1
    assert "not an administrator" in done.stderr and "blocked" not in done.stderr


@pytest.mark.parametrize("kind", ["forbidden", "too_many", "server_error", "not_json", "hang",
                                  "connection_reset", "certificate_unknown"])
@pytest.mark.parametrize("command", ["subscribe", "unsubscribe"])
def test_a_temporary_fault_changes_nothing(site, amocrm, command, kind):
    site.configure(amocrm_timeout=1 if kind == "hang" else 30)
    before = exported(site)
    amocrm.misbehave(kind, 2)

    done = site.ctl(command, ID, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert HOST in done.stderr
    assert exported(site) == before
    assert subscriptions(amocrm) == {}


def test_a_redirect_uri_that_is_not_a_callback(site, amocrm):
    site.configure(amocrm_redirect_uri="http://localhost/oauth/back")

    done = site.ctl("subscribe", ID, check=False)

    assert done.returncode == 1 and "redirect_uri" in done.stderr
    assert amocrm.connections() == []


@pytest.mark.parametrize("arguments", [["subscribe"], ["unsubscribe"], ["unsubscribe", "1", "2"]])
def test_wrong_arguments_are_reported(site, amocrm, arguments):
    done = site.ctl(*arguments, check=False)

    assert done.returncode == 2 and "usage:" in done.stderr
    assert amocrm.connections() == []


def test_an_account_that_is_not_connected(site, amocrm):
    for command in ("subscribe", "unsubscribe"):
        done = site.ctl(command, "5", check=False)
        assert done.returncode == 1 and "5 is not connected" in done.stderr
    assert amocrm.connections() == []
