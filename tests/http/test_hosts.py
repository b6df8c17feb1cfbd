"""Two hosts over one database: what one does, the other sees, and neither does it twice."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import app
import expect
import loads
import webhooks
from app import MODES, PER_USER, User
from connections import ANY_ACCOUNT, ID, SOON, connect, notices, tokens_that_last, works
from hosts import attempt
from sandbox import hooks, process
from sandbox.postgresql_proxy import PostgresqlProxy
from sandbox.receiver import Receiver


@pytest.fixture
def receiver():
    with Receiver() as running:
        yield running


def at_once(*calls):
    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result(process.PATIENCE) for done in [pool.submit(call) for call in calls]]


# What they share.

@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
def test_what_is_connected_at_one_is_known_at_the_other(two, amocrm, mode):
    for site in two:
        site.configure(**mode)
    here, there = (User(site) for site in two)

    here.connects(amocrm)

    assert there.is_connected()
    app.done(there.disconnect())
    assert not here.is_connected()


def test_the_callback_comes_to_one_and_the_app_to_the_other(two, amocrm):
    for site in two:
        site.configure(**PER_USER)
    here, there = (User(site) for site in two)
    params = here.consents(amocrm)

    app.connected(there.exchange(params), *app.whose(amocrm))

    assert here.is_connected() and len(amocrm.exchanges()) == 1


def test_callback_and_app_at_once_make_one_exchange(two, amocrm):
    for site in two:
        site.configure(**PER_USER)
    here, there = (User(site) for site in two)
    state = here.state()
    for _ in range(5):
        amocrm.forget()
        params = amocrm.approve(state=state)

        page, answer = at_once(lambda: two[0].get("callback", params),
                               lambda: there.exchange(params))

        expect.connected(page, params["code"], params["state"])
        app.connected(answer, *app.whose(amocrm))
        assert len(amocrm.exchanges()) == 1


def test_two_hosts_refresh_a_connection_once(two, amocrm):
    connect(two[0], amocrm, life=SOON)
    for _ in range(5):
        amocrm.forget()
        with tokens_that_last(amocrm, SOON + 3600):
            printed = at_once(*(lambda site=site: site.ctl("token", ID).stdout for site in two))
        assert len(amocrm.exchanges("refresh_token")) == 1
        assert printed[0] == printed[1]
        assert works(amocrm, printed[0].removesuffix("\n")) == 1
        with tokens_that_last(amocrm, SOON):
            two[0].ctl("refresh", ID)


def test_tokens_that_the_other_host_has_refreshed_are_used(two, amocrm):
    connect(two[0], amocrm)
    for site in [*two, *two]:
        site.ctl("refresh", ID)

    assert len(amocrm.exchanges("refresh_token")) == 4
    assert works(amocrm, two[0].ctl("token", ID).stdout.removesuffix("\n")) == 1


def nothing_stored(amocrm, database, request):
    """What the request returns if nothing can be stored from the time on when amoCRM is asked."""
    asked, answering = threading.Event(), threading.Event()
    amocrm.misbehave("held", path="/oauth2/access_token", came=asked, until=answering)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(request)
        try:
            assert asked.wait(process.PATIENCE)
            database.psql("REVOKE INSERT, UPDATE ON record FROM amo_crm")
            answering.set()
            return done.result(process.PATIENCE)
        finally:
            answering.set()
            done.exception(process.PATIENCE)
            database.psql("GRANT INSERT, UPDATE ON record TO amo_crm")


def test_tokens_that_wait_on_one_host_are_not_given_up_by_the_other(two, amocrm, own_database):
    first, second = two
    first.configure(**ANY_ACCOUNT, amocrm_timeout=30)
    connect(first, amocrm, life=SOON)
    nothing_stored(amocrm, own_database, lambda: first.ctl("refresh", check=False))

    refused = second.ctl("refresh", check=False)

    assert refused.returncode == 1
    [connection] = second.connections()
    assert connection["state"] == "active"
    first.ctl("refresh", "--due", "1")      # stores what waits
    assert works(amocrm, second.ctl("token", ID).stdout.removesuffix("\n")) == 1


def check_waiting_code(two, amocrm, params):
    """Of the code, the tokens wait on the first host."""
    first, second = two
    there = User(second)

    for _ in range(2):
        app.refused(there.exchange(params), 503, "temporarily_unavailable")

    first.ctl("accounts")       # stores what waits
    app.connected(there.exchange(params), *app.whose(amocrm))
    assert works(amocrm, second.ctl("token", ID).stdout.removesuffix("\n")) == 1


def test_a_code_whose_tokens_wait_on_one_host_is_not_given_up_by_the_other(
        two, amocrm, own_database):
    for site in two:
        site.configure(**PER_USER, amocrm_timeout=30)
    params = amocrm.approve(state=User(two[0]).state())
    answer = nothing_stored(amocrm, own_database, lambda: two[0].get("callback", params))
    expect.failed(answer, "server_error", params["state"])

    check_waiting_code(two, amocrm, params)


def test_a_webhook_is_an_event_at_both(two):
    for site in two:
        site.configure(webhook_accounts="any")
    for number, site in enumerate(two * 3):
        webhooks.accepted(loads.answered(site, loads.lead(number, 5)))

    for site in two:
        stored = [line["payload"]["leads"]["add"][0]["id"] for line in webhooks.lines(site)]
        assert stored == list("012345")
    assert not (two[0].store / "events").exists()


def test_events_are_printed_in_order_when_their_numbers_get_longer(two, own_database):
    for site in two:
        site.configure(webhook_accounts="any")
    own_database.psql("SELECT setval('event_seq', 99998)")
    for number, site in enumerate(two * 2):
        webhooks.accepted(loads.answered(site, loads.lead(number, 5)))

    stored = [line["payload"]["leads"]["add"][0]["id"] for line in webhooks.lines(two[0])]
    assert stored == list("0123")


def test_a_deliverer_on_each_host(hosts, receiver):
    load = loads.Load(hosts, receiver, seed=1, refreshers=0)
    load.start()
    for host in hosts.hosts:
        host.deliver()
    load.await_progress(60)
    load.end()

    loads.check(hosts, load, receiver)
    taken = [(one.account, loads.number_of(one)) for one in receiver.taken()
             if loads.is_lead(one)]
    assert len(taken) == len(set(taken)), "an event was delivered twice"


# What happens to the database.

@pytest.fixture
def proxy(cluster, two, own_database):
    """Between the first host and the database."""
    with PostgresqlProxy(cluster) as started:
        two[0].configure(**ANY_ACCOUNT, webhook_accounts="any",
                         store_database=started.conninfo(dbname=own_database.name))
        yield started
        started.resume()


def test_an_event_whose_acknowledgement_was_lost_is_stored(proxy, two):
    webhooks.accepted(loads.answered(two[0], loads.lead(0, 5)))
    proxy.lose_reply("INSERT INTO event")

    webhooks.accepted(loads.answered(two[0], loads.lead(1, 5)))

    assert proxy.lost.is_set()
    stored = [line["payload"]["leads"]["add"][0]["id"] for line in webhooks.lines(two[1])]
    assert stored in (list("01"), list("011"))


TRIAL = ["ROLLBACK"]    # before amoCRM is asked, what will be stored is written and rolled back
LOST = {"the lease": ["INSERT INTO lease"], "the end of the lease": ["UPDATE lease"]}


@pytest.mark.parametrize("lost", [*LOST.values(), ["COMMIT", [*TRIAL, "UPDATE record"]]],
                         ids=[*LOST, "the tokens"])
def test_a_refresh_whose_acknowledgement_was_lost_is_stored(proxy, two, amocrm, lost):
    connect(two[1], amocrm, life=SOON)
    amocrm.forget()
    proxy.lose_reply(*lost)

    printed = two[0].ctl("token", ID).stdout

    assert proxy.lost.is_set()
    assert len(amocrm.exchanges("refresh_token")) == 1
    assert printed == two[1].ctl("token", ID).stdout
    assert works(amocrm, printed.removesuffix("\n")) == 1


@pytest.mark.parametrize("lost", [*LOST.values(), ["COMMIT", ["INSERT INTO event"]]],
                         ids=[*LOST, "the connection"])
def test_a_callback_whose_acknowledgement_was_lost_is_stored(proxy, two, amocrm, lost):
    proxy.lose_reply(*lost)
    params = amocrm.approve()

    expect.connected(two[0].get("callback", params), params["code"])

    assert proxy.lost.is_set()
    assert len(amocrm.exchanges()) == 1 and len(two[1].connections()) == 1
    assert notices(two[1]) == [(ID, "connected")]


def report_disconnection(site, amocrm):
    app.disconnected(site.get(
        "disconnect", hooks.disconnect_query(amocrm.integration, amocrm.who()[0])))


def refresh_badly(kind):
    def refresh(site, amocrm):
        amocrm.misbehave(kind)
        site.ctl("refresh", ID, check=False)
    return refresh


ENDS = {
    "disconnected": (lambda site, _: site.ctl("disconnect", ID), "disconnected"),
    "amoCRM reports it": (report_disconnection, "revoked"),
    "amoCRM refuses the token": (refresh_badly("token_revoked"), "revoked"),
    "amoCRM fails": (refresh_badly("server_error"), "refresh_failed"),
}


@pytest.mark.parametrize("end, action", ENDS.values(), ids=ENDS.keys())
def test_an_event_of_a_connection_whose_acknowledgement_was_lost_is_stored_once(
        proxy, two, amocrm, end, action):
    connect(two[1], amocrm)
    if action == "refresh_failed":      # in no section
        proxy.lose_reply("INSERT INTO event")
    else:
        proxy.lose_reply("COMMIT", ["INSERT INTO event"])

    end(two[0], amocrm)

    assert proxy.lost.is_set()
    assert notices(two[1]) == [(ID, "connected"), (ID, action)]


def test_a_code_whose_tokens_a_killed_program_has_left_is_not_given_up(
        proxy, hosts, two, amocrm):
    two[1].configure(**ANY_ACCOUNT)
    params = amocrm.approve()
    proxy.hang_reply("INSERT INTO record", after=TRIAL)
    with ThreadPoolExecutor() as pool:
        killed = pool.submit(attempt, lambda: two[0].get("callback", params))
        assert proxy.lost.wait(process.PATIENCE)
        hosts.hosts[0].kill_programs()
        proxy.resume()
        assert killed.result(process.PATIENCE) is None

    check_waiting_code(two, amocrm, params)


def test_a_database_that_hangs_is_unavailable_and_then_works_again(proxy, two, amocrm):
    connect(two[0], amocrm)
    proxy.hang()

    webhooks.refused(webhooks.send(two[0], loads.lead(0, 5)), 503, "temporarily_unavailable")
    expect.failed(two[0].get("callback", amocrm.approve()), "temporarily_unavailable")
    assert two[0].ctl("token", ID, check=False).returncode != 0
    assert amocrm.exchanges() == []

    proxy.resume()
    webhooks.accepted(loads.answered(two[0], loads.lead(0, 5)))
    assert two[0].ctl("token", ID).stdout


def test_a_host_that_is_not_accepted_harms_no_other(two, cluster, amocrm, tmp_path):
    wrong = two[0].folder / "password"
    wrong.write_text("wrong\n")
    process.give(wrong, 0o640)
    two[0].configure(webhook_accounts="any", store_password_file=wrong)
    two[1].configure(webhook_accounts="any")

    assert loads.answered(two[0], loads.lead(0, 5)).status == 500
    two[0].logged("password")

    webhooks.accepted(loads.answered(two[1], loads.lead(0, 5)))
    assert len(webhooks.lines(two[1])) == 1


def test_a_certificate_of_another_authority(two, amocrm):
    two[0].configure(webhook_accounts="any", store_database=two[0].database.cluster.conninfo(
        two[0].database.name, sslrootcert=amocrm.ca_file))

    assert loads.answered(two[0], loads.lead(0, 5)).status == 500
    two[0].logged("certificate")


def test_a_newer_schema_is_not_written_to(two, own_database):
    for site in two:
        site.configure(webhook_accounts="any")
    own_database.psql("UPDATE meta SET value = '2' WHERE name = 'schema'")
    try:
        assert loads.answered(two[0], loads.lead(0, 5)).status == 500
        two[0].logged("schema 2")
    finally:
        own_database.psql("UPDATE meta SET value = '1' WHERE name = 'schema'")
    webhooks.accepted(loads.answered(two[0], loads.lead(0, 5)))


# A primary that dies.

def test_nothing_acknowledged_is_lost_with_the_primary(hosts, cluster, receiver):
    def strike():
        cluster.kill()
        cluster.promote()
    assert loads.survives(hosts, receiver, 2, strike)


def test_what_no_standby_has_is_not_acknowledged(hosts, cluster, receiver):
    load = loads.Load(hosts, receiver, seed=3, refreshers=0)
    load.start()
    for host in hosts.hosts:
        host.deliver()
    load.await_progress(10)
    standbys = cluster.standbys
    for node in standbys:
        cluster.kill(node)
    accepted = load.accepted
    site = hosts.sites[0]
    refused = webhooks.send(site, loads.lead(0, 99))
    assert refused.status == 503
    # what was under way when the second standby died may have been acknowledged by it
    assert load.accepted <= accepted + len(load.sent)
    for node in standbys:
        cluster.start(node)
    load.await_progress(10)
    load.end()

    loads.check(hosts, load, receiver)
