"""Faults of the database's servers which an administrator has to end: what programs answer and log,
and that they go on by themselves then."""

import pytest

import expect
import hosts as several
import loads
import webhooks
from app import User
from connections import ANY_ACCOUNT, ID, connect
from findings import check, configure, only
from sandbox import process
from sandbox.database import EmptiedDatabase
from sandbox.receiver import new_secret


@pytest.fixture(scope="module")
def own_database(one_cluster):
    return EmptiedDatabase(one_cluster, "faults")


@pytest.fixture(scope="module")
def installed(amocrm_and_folder, one_cluster, own_database):
    both = several.Hosts(amocrm_and_folder[0], one_cluster, own_database)
    yield both
    both.remove()


@pytest.fixture
def hosts(installed, cluster):
    with installed:
        yield installed


@pytest.fixture
def two(hosts):
    return hosts.sites


def no_new_session(cluster):
    """Whether a program cannot connect any more."""
    try:
        cluster.psql_as_program("SELECT 1")
    except RuntimeError as reason:
        return "certificate verify failed" in str(reason)
    return False


# An expired certificate of the servers.

@pytest.fixture
def expired(cluster, hosts, amocrm):
    hosts.configure(**ANY_ACCOUNT, webhook_accounts="any", deliver_url="https://localhost/",
                    deliver_secret=new_secret())
    connect(hosts.sites[0], amocrm)
    cluster.new_certificate(days=-1)
    process.wait_until(lambda: no_new_session(cluster), "the expired certificate")
    for host in hosts.hosts:
        host.kill_programs()    # which had sessions
    yield
    cluster.new_certificate()
    process.wait_until(lambda: not no_new_session(cluster), "the new certificate")


def test_no_program_trusts_an_expired_certificate(two, amocrm, expired):
    here = two[0]
    user, params = User(here), amocrm.approve()

    assert loads.answered(here, loads.lead(0, 5)).status == 500
    expect.failed(here.get("callback", params), "server_error")
    assert user.status().status == user.exchange(params).status == 500
    assert user.disconnect().status == 500
    for arguments in (("token", ID), ("refresh",), ("deliver",), ("events",), ("accounts",),
                      ("engine", "state")):
        done = here.ctl(*arguments, check=False)
        assert done.returncode == 1 and "certificate has expired" in done.stderr, done.stderr

    for program in ("webhook", "callback", "status", "exchange-code", "disconnect"):
        here.logged(f"amo-crm {program}:", "certificate has expired")
    assert amocrm.exchanges() == []


def test_check_tells_what_to_do_about_an_expired_certificate(two, expired):
    configure(two[0])

    wrong = [one for one in check(two[0]) if one.part == "engine"]

    only(wrong, "WRONG", "engine", "certificate has expired", "new certificate", "reload")


def test_a_new_certificate_is_used_at_once(two, cluster, amocrm, expired):
    here = two[0]
    assert loads.answered(here, loads.lead(0, 5)).status == 500
    params = amocrm.approve()
    expect.failed(here.get("callback", params), "server_error")

    cluster.new_certificate()
    process.wait_until(lambda: not no_new_session(cluster), "the new certificate")

    webhooks.accepted(loads.answered(here, loads.lead(0, 5)))
    expect.connected(here.get("callback", params), params["code"])
    assert len(webhooks.lines(two[1])) == 1
