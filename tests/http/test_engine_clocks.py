"""Hosts whose clock differs from the database's by more than a lease or a claim of deliveries may
last: who holds which of them is decided by one clock, the database's."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import app
import hosts as several
import loads
import webhooks
from app import PER_USER, User
from connections import ANY_ACCOUNT, ID, SOON, connect, tokens_that_last, works
from findings import check, configure, only
from sandbox import process
from sandbox.cluster import Cluster
from sandbox.database import EmptiedDatabase
from sandbox.receiver import Receiver
from sandbox.servers import NotInstalled

AHEAD_S = (300, -300)   # a claim lasts 30 seconds, and the lease of a refresh here 212

numbers = itertools.count()


@pytest.fixture(scope="module", params=AHEAD_S, ids=["fast", "slow"])
def cluster(request):
    """Its clock is that much ahead of that of the hosts."""
    try:
        with Cluster(fsync=False, ahead_s=request.param) as started:
            yield started
    except NotInstalled as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def installed(amocrm_and_folder, cluster):
    both = several.Hosts(amocrm_and_folder[0], cluster,
                         EmptiedDatabase(cluster, f"clocks{next(numbers)}"))
    yield both
    both.remove()


@pytest.fixture
def hosts(installed):
    with installed:
        yield installed


def test_check_tells_the_difference(two, cluster):
    configure(two[0])

    wrong = [one for one in check(two[0]) if one.part == "engine-clock"]

    only(wrong, "WRONG", "engine-clock", "ahead of" if cluster.ahead_s > 0 else "behind",
         "timedatectl")


def test_a_lease_is_not_taken_before_it_ends(two, amocrm):
    """The second host asks while the first one waits for amoCRM."""
    for site in two:
        site.configure(**ANY_ACCOUNT, amocrm_timeout=30)
    connect(two[0], amocrm, life=SOON)
    asked, answering = threading.Event(), threading.Event()
    amocrm.misbehave("held", path="/oauth2/access_token", came=asked, until=answering)

    with ThreadPoolExecutor(2) as pool, tokens_that_last(amocrm, SOON + 3600):
        try:
            first = pool.submit(two[0].ctl, "token", ID)
            assert asked.wait(process.PATIENCE)
            second = pool.submit(two[1].ctl, "token", ID)
            await_refusal(two[1])
        finally:
            answering.set()

    assert len(amocrm.exchanges("refresh_token")) == 1
    assert first.result().stdout == second.result().stdout
    assert works(amocrm, first.result().stdout.removesuffix("\n")) == 1


def await_refusal(site):
    """Returns when a program of the host has asked for the lease again and again."""
    asked = set()

    def repeated():
        asked.add(site.database.psql(
            "SELECT max(query_start) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO lease%'"
            " AND datname = current_database()"))
        return len(asked) > 3
    process.wait_until(repeated, "the second host")


def test_an_event_is_delivered_by_one_host_only(hosts, two):
    """The second host looks for events while the first one delivers."""
    released = threading.Event()
    with Receiver() as receiver:
        hosts.configure(**ANY_ACCOUNT, webhook_accounts="any", deliver_url=receiver.url,
                        deliver_secret=receiver.secret, deliver_allow_private="yes")
        receiver.misbehave("held", until=released)
        for number in range(3):
            webhooks.accepted(loads.answered(two[0], loads.lead(number, 5)))
        first = two[0].start_ctl("deliver")
        try:
            process.wait_until(receiver.deliveries, "a delivery")
            two[1].ctl("deliver")
        finally:
            released.set()
            first.communicate(timeout=process.PATIENCE)

        assert [loads.number_of(one) for one in receiver.deliveries()] == [0, 1, 2]


def test_a_new_code_and_its_state_are_valid_at_each_host(hosts, two, amocrm):
    hosts.configure(**PER_USER)
    for name, here, there in (("olena", *two), ("ivan", *two[::-1])):
        state = User(here, name).state()
        params = User(there, name).consents(amocrm, state)
        app.connected(User(here, name).exchange(params), *app.whose(amocrm))
        app.connected(User(there, name).exchange(params), *app.whose(amocrm))
    assert len(amocrm.exchanges()) == 2
