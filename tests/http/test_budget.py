"""How much a stranger can make us call amoCRM: [amocrm] budget, and codes that were refused."""

import subprocess
import time

import pytest

import app
import expect
from app import User, where_states_are_signed
from sandbox import process
from strangers import BURST, PATIENT, account_down, made_up, within

LATER, REFUSED = "temporarily_unavailable", "auth_failed"


def errors(answers):
    return [answer.link_query["error"] for answer in answers]


def test_strangers_cause_few_exchanges(bare, amocrm):
    """Those within the budget are refused by amoCRM, the others are answered without it."""
    bare.configure(amocrm_timeout=PATIENT)
    began = time.monotonic()
    answers = [bare.get("callback", made_up()) for _ in range(40)]

    asked = len(amocrm.exchanges())
    assert asked >= BURST
    within(asked, time.monotonic() - began)
    assert sorted(errors(answers)) == [REFUSED] * asked + [LATER] * (40 - asked)
    if asked < 40:
        bare.logged(LATER, "[amocrm] budget")


def test_strangers_do_not_keep_the_app_and_refreshes_waiting_in_vain(bare, amocrm):
    bare.configure(app_connections="per_user", app_state="any")
    user = User(bare)
    app.connected(user.exchange(user.consents(amocrm)))
    for _ in range(BURST + 5):
        bare.get("callback", made_up())

    app.connected(User(bare, "taras").exchange(User(bare, "taras").consents(amocrm)))
    app.connected(user.exchange(amocrm.approve()))
    assert bare.ctl("refresh", 31920194).returncode == 0


def test_install_calls_have_a_share_of_their_own(bare, amocrm):
    bare.configure(app_connections="per_user", app_state="signed")
    began = time.monotonic()
    for _ in range(BURST + 10):
        bare.get("callback", made_up(from_widget="1"))
    assert amocrm.exchanges()       # how many depends on the machine: each has three seconds
    within(len(amocrm.exchanges()), time.monotonic() - began)

    user = User(bare)
    app.connected(user.exchange(user.consents(amocrm)))


def test_app_users_without_a_state_have_a_share_of_their_own(bare, amocrm):
    bare.configure(app_connections="per_user", app_state="any", amocrm_timeout=PATIENT)
    user = User(bare)
    began = time.monotonic()
    answers = [user.exchange(made_up()) for _ in range(BURST + 10)]

    asked = len(amocrm.exchanges())
    assert asked >= BURST
    within(asked, time.monotonic() - began)
    late = [answer for answer in answers if answer.status == 503]
    assert len(late) == BURST + 10 - asked
    for answer in late:
        app.refused(answer, 503, LATER)
        assert answer.header("Retry-After")
    expect.connected(bare.get("callback", params := amocrm.approve()), params["code"])


def test_the_budget_is_configured(bare, amocrm):
    bare.configure(amocrm_budget="50 1", amocrm_timeout=PATIENT)
    began = time.monotonic()
    for _ in range(BURST + 10):
        bare.get("callback", made_up())

    assert len(amocrm.exchanges()) >= 5
    within(len(amocrm.exchanges()), time.monotonic() - began, burst=5, rate=1)


@pytest.mark.parametrize("make", ["mkdir {}", "head -c 100000 /dev/urandom > {}", "touch {}"],
                         ids=["a directory", "garbage", "empty"])
def test_a_damaged_budget_file_stops_nothing(bare, amocrm, make):
    subprocess.run(make.format(bare.store / "budget"), shell=True, check=True,
                   **process.as_web_user())
    user = User(bare)
    app.connected(user.exchange(user.consents(amocrm)))
    assert bare.ctl("refresh", 31920194).returncode == 0


# A code that amoCRM has refused.

def test_a_refused_code_is_not_sent_again(site, amocrm):
    params = made_up(state="s")
    for _ in range(3):
        expect.failed(site.get("callback", params), REFUSED, "s")
        app.refused(User(site).exchange(params), 400, REFUSED)

    assert len(amocrm.exchanges()) == 1


@pytest.mark.parametrize("kind", ["client_secret", "redirect_uri", "server_error", "forbidden"])
def test_a_fault_that_is_not_the_codes_is_not_remembered(bare, amocrm, kind):
    amocrm.misbehave(kind)
    params = amocrm.approve()
    assert bare.get("callback", params).link_query["error"] in (REFUSED, LATER)

    expect.connected(bare.get("callback", params), params["code"])


def test_another_host_may_accept_a_refused_code(bare, amocrm):
    bare.configure(app_connections="per_user", app_state="any", amocrm_account=None)
    params = amocrm.approve()
    amocrm.misbehave("code_undecryptable")
    expect.failed(bare.get("callback", {**params, "referer": "other.amocrm.ru"}), REFUSED)

    expect.connected(bare.get("callback", params), params["code"])


@pytest.mark.parametrize("code", ["a b", "a%b", "a\"b", "a<b", "a\nb", "ключ", "a\u0080", "a,b"])
def test_what_is_no_code_is_not_sent(bare, amocrm, code):
    params = {"code": code, "referer": "reforyou.amocrm.ru"}
    expect.failed(bare.get("callback", params), "invalid_request")
    app.refused(User(bare).exchange(params), 400, "invalid_request")

    assert amocrm.connections() == []


# A code whose account cannot be asked: amoCRM has used it up, and its record says whose it is.

def pending(site, amocrm, **query):
    account_down(amocrm)
    params = {**amocrm.approve(), **query}
    site.get("callback", params)
    assert len(amocrm.exchanges()) == 1
    return params


@where_states_are_signed
def test_nobody_else_claims_a_pending_code(site, amocrm, mode):
    site.configure(**mode)
    owner, thief = User(site, "owner"), User(site, "thief")
    params = pending(site, amocrm, state=owner.state())

    app.already_claimed(thief.exchange(params, state=thief.state()))
    app.already_claimed(thief.exchange(params))
    assert not thief.is_connected()

    app.connected(owner.exchange({"code": params["code"]}))
    assert not thief.is_connected() or mode["app_connections"] == "shared"
    assert len(amocrm.exchanges()) == 1


@where_states_are_signed
def test_nobody_claims_a_pending_install_call(site, amocrm, mode):
    site.configure(**mode)
    thief = User(site, "thief")
    params = pending(site, amocrm, from_widget="1")

    app.already_claimed(thief.exchange({"code": params["code"]}, state=thief.state()))
    assert not thief.is_connected()
