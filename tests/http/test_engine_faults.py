"""Faults of the database's servers which an administrator has to end: what programs answer and log,
and that they go on by themselves then."""

import contextlib
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import expect
import hosts as several
import loads
import webhooks
from app import User
from connections import ANY_ACCOUNT, ID, SOON, connect, occupied, works
from findings import check, configure, only
from sandbox import process
from sandbox import small_disk as disks
from sandbox.cluster import Cluster
from sandbox.database import EmptiedDatabase
from sandbox.receiver import Receiver, new_secret


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


# A full disk of the primary.

FULL = "No space left on device", "disk is full"


@pytest.fixture(scope="module")
def small_disk(one_cluster, own_database):
    """With the files of the database."""
    if not disks.may_mount():
        pytest.skip("mount namespaces are not permitted here (unshare)")
    one_cluster.heal()
    disk = disks.SmallDisk(one_cluster, disks.of_database(one_cluster, own_database.name), 48)
    yield disk
    disk.remove()


@pytest.fixture
def disk(small_disk, hosts, amocrm, receiver):
    """Programs have used the database before it is full; each test fills it."""
    hosts.configure(**ANY_ACCOUNT, webhook_accounts="any", deliver_url=receiver.url,
                    deliver_secret=receiver.secret, deliver_allow_private="yes")
    yield small_disk
    small_disk.free()


@pytest.fixture
def receiver():
    with Receiver() as running:
        yield running


def fill(disk, database, *tables):
    """There is no room in the pages of these tables, either."""
    for table in tables:
        database.psql(f"VACUUM FULL {table}")
    disk.fill()


def send_until_refused(site):
    """The answer, and how many events were accepted before."""
    for number in range(1000):
        answer = webhooks.send(site, loads.lead(number, 5))
        if answer.status != 200:
            return answer, number
    raise AssertionError("the disk is full, and a thousand events were accepted")

def test_a_webhook_is_refused_on_a_full_disk_and_no_event_is_lost(two, own_database, disk):
    webhooks.accepted(loads.answered(two[0], loads.lead(0, 6)))
    fill(disk, own_database, "event")

    answer, accepted = send_until_refused(two[0])

    webhooks.refused(answer, 503, "server_error")
    two[0].logged("amo-crm webhook:", *FULL)
    disk.free()
    webhooks.accepted(loads.answered(two[0], loads.lead(accepted, 5)))
    stored = [line["payload"]["leads"]["add"][0]["id"] for line in webhooks.lines(two[1])]
    assert stored == ["0", *map(str, range(accepted + 1))]


def test_no_token_is_used_up_on_a_full_disk(two, own_database, amocrm, disk):
    amocrm.misbehave("big_tokens")
    connect(two[0], amocrm, life=SOON)
    fill(disk, own_database, "record")

    for arguments in (("token", ID), ("refresh",), ("refresh", "--due", "3600")):
        done = two[0].ctl(*arguments, check=False)
        assert done.returncode == 1 and all(word in done.stderr for word in FULL), done.stderr
    params = amocrm.approve()
    expect.failed(two[0].get("callback", params), "server_error")

    two[0].logged("amo-crm callback:", *FULL)
    assert amocrm.exchanges() == []
    disk.free()
    assert works(amocrm, two[1].ctl("token", ID).stdout.removesuffix("\n")) == 1
    expect.connected(two[1].get("callback", params), params["code"])


def test_tokens_that_come_when_the_disk_is_full_are_kept(two, own_database, amocrm, disk):
    two[0].configure(**ANY_ACCOUNT, amocrm_timeout=30)
    connect(two[0], amocrm)
    asked, answering = threading.Event(), threading.Event()
    amocrm.misbehave("held", path="/oauth2/access_token", came=asked, until=answering, length=8192)
    params = amocrm.approve()

    with ThreadPoolExecutor(1) as pool:
        try:
            page = pool.submit(two[0].get, "callback", params)
            assert asked.wait(process.PATIENCE)
            fill(disk, own_database, "record")
        finally:
            answering.set()

    expect.failed(page.result(), "server_error")
    two[0].logged("amo-crm callback:", "the new tokens wait in the escrow", "No space left")
    assert len(occupied(two[0])) == 1
    disk.free()
    two[0].ctl("accounts")      # stores them
    assert occupied(two[0]) == []
    token = two[1].ctl("token", ID).stdout.removesuffix("\n")
    assert len(token) >= 8192 and works(amocrm, token) == 1
    assert len(amocrm.exchanges()) == 1


def test_events_are_not_delivered_again_and_again_on_a_full_disk(two, own_database, disk, receiver):
    for number in range(12):
        webhooks.accepted(loads.answered(two[0], loads.lead(number % 3, 5 + number // 3)))
    fill(disk, own_database, "pending", "delivery")

    for site in two * 2:
        site.ctl("deliver", check=False)

    taken = [(one.account, loads.number_of(one)) for one in receiver.deliveries()]
    assert all(taken.count(one) <= 2 for one in taken), taken
    disk.free()
    two[0].ctl("deliver")
    assert {(one.account, loads.number_of(one)) for one in receiver.taken()} == {
        (account, number) for account in range(5, 9) for number in range(3)}


def test_check_tells_what_to_do_about_a_full_disk(two, disk):
    configure(two[0])
    check(two[0])
    disk.fill()

    wrong = [one for one in check(two[0]) if one.part in ("engine-disk", "latency")]

    only(wrong, "WRONG", "engine-disk", *FULL, "make room", "keep_days")


def test_nothing_acknowledged_is_lost_without_room_for_wal(amocrm, receiver):
    """PostgreSQL ends all sessions, and cannot start; what Patroni does then, the test does."""
    if not disks.may_mount():
        pytest.skip("mount namespaces are not permitted here (unshare)")
    with Cluster(fsync=False) as cluster:
        both = several.Hosts(amocrm, cluster, EmptiedDatabase(cluster, "wal"))
        try:
            lose_nothing(cluster, both, receiver)
        finally:
            both.remove()


def lose_nothing(cluster, both, receiver):
    disk = disks.SmallDisk(cluster, "pg_wal", 32)

    def strike():
        disk.fill()
        process.wait_until(lambda: panics(cluster), "the end of the room for WAL")
        cluster.kill()
        cluster.promote()
    with both:
        assert loads.survives(both, receiver, 4, strike)


def panics(cluster):
    """Whether it has, for want of room; else its next WAL needs another file."""
    with contextlib.suppress(RuntimeError):
        cluster.psql("SELECT pg_switch_wal()", database="postgres")
    return re.search("PANIC: .*No space left on device", cluster.primary.log.read_text())
