"""Several hosts over one database: installations of the programs, each in a folder of its own with
an escrow of its own, as on several machines; and a load on all of them."""

import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import defaultdict
from pathlib import Path

import responder
import webhooks
from connections import ANY_ACCOUNT, works
from sandbox import process
from sandbox.site import PROGRAMS, Site
from sandbox.web import Malformed

NAME_MAX = 15       # of a process
PROCESSES = 2       # of each program on each host
LIFE = 200          # seconds; `token` refreshes an access token that expires this soon
# Events that wait for a delivery; if there are more, an account's next one comes later, in seconds.
BEHIND_MAX, BEHIND_PAUSE = 20, 0.5
FAILS = (OSError, Malformed, AssertionError)    # of a request to a program that is killed


class Responders(responder.FastCgi):
    """FastCGI processes that may be killed, and are started again, while requests are sent.

    They end with the thread that starts them, so that is no thread of a load.
    """

    def __init__(self, site):
        super().__init__(site, PROCESSES)
        self._starting = threading.Lock()
        for program in PROGRAMS:
            self.spawn(program)

    def connect(self, program):
        with self._starting:
            return super().connect(program)

    def restart(self, program):
        """Kills its processes by kill -9; what they have been sent is lost."""
        with self._starting:
            self.end(program)
            self.spawn(program)

    def helpers(self, name):
        """The processes of a helper, of all programs."""
        return [pid for running in self.processes.values() for one in running
                for pid in process.children(one.pid) if name_of(pid) == name[:NAME_MAX]]


def name_of(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()


class Host:
    def __init__(self, amocrm, folder):
        folder.mkdir()
        process.give(folder, 0o750)
        self.site = Site(amocrm, folder)
        self.server = None
        self._deliverer = None
        self._delivering = threading.Lock()

    def start(self, database):
        self.server = Responders(self.site)
        self.site.reset(self.server, database)

    def stop(self):
        self.kill_deliverer()
        if self.server:
            self.server.stop()
            self.server = None

    def kill_programs(self):
        for program in PROGRAMS:
            self.server.restart(program)

    def kill_helpers(self, name):
        for pid in self.server.helpers(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def deliver(self):
        """Starts `deliver --follow`."""
        with self._delivering, open(self.site.logs / "deliver.log", "ab") as log:
            self._deliverer = subprocess.Popen(
                [self.site.amocrmctl, "-c", self.site.config, "deliver", "--follow"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env={"PATH": "/usr/bin:/bin"}, **process.as_web_user())

    def kill_deliverer(self):
        with self._delivering:
            if self._deliverer:
                self._deliverer.kill()
                self._deliverer.wait()
                self._deliverer = None

    def await_deliverer(self):
        """That it runs again, if it has ended because the database was not available."""
        if self._deliverer is None or self._deliverer.poll() is not None:
            self.kill_deliverer()
            self.deliver()


class Hosts:
    """A context; each of `hosts` is a Host.  They have the same keys and secrets."""

    def __init__(self, amocrm, cluster, database, count=2):
        self.amocrm, self.cluster, self.database = amocrm, cluster, database
        self.folder = process.new_folder()
        self.hosts = [Host(amocrm, self.folder / f"host{n + 1}") for n in range(count)]
        first, *others = self.sites
        for site in others:
            site.jwt_secret = first.jwt_secret
            site.write_keys(first.keys.read_text())

    @property
    def sites(self):
        return [host.site for host in self.hosts]

    def __enter__(self):
        for host in self.hosts:
            host.start(self.database)
        return self

    def __exit__(self, *_):
        for host in self.hosts:
            host.stop()

    def configure(self, **changes):
        for site in self.sites:
            site.configure(**changes)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def lead(number, account):
    """The body of a webhook, which says when it happened: amoCRM's repetitions have its id."""
    return (b"leads[add][0][id]=%d&leads[add][0][date_create]=1700000000&account[id]=%d"
            % (number, account))


def answered(site, body):
    """The answer to a webhook, which is repeated while the database is not available, or this
    machine is too busy for the time that amoCRM leaves."""
    return process.wait_until(lambda: final(webhooks.send(site, body)), "an answer")


def final(answer):
    return answer if answer.status != 503 else None


def attempt(request):
    """The answer; None: the connection was lost, as by a kill."""
    with contextlib.suppress(*FAILS):
        return request()
    return None


class Load:
    """Threads that use all hosts at once, and remember what was acknowledged.

    Webhooks: the events of an account come one after the other, each until it is accepted, at any
    host.  Connections: an amoCRM user authorizes at a host, and the code is presented there or at
    another one until that is answered.  Refreshes: `amocrmctl token` at any host, each for a
    connection that is due.
    """

    def __init__(self, hosts, receiver, seed, accounts=4, refreshers=2, life=LIFE):
        self._hosts, self._receiver = hosts, receiver
        self._accounts = range(5, 5 + accounts)
        self.chance = random.Random(seed)
        self._seeds = [self.chance.random() for _ in range(accounts + refreshers + 1)]
        self._refreshers, self._life = refreshers, life
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self.sent = dict.fromkeys(self._accounts, 0)    # events accepted, by account
        self.connected = set()      # amoCRM users whose authorization was acknowledged
        self.in_flight = set()      # users whose program was killed before it had answered
        self.excused = set()        # of these, those whose connection is lost
        self.refreshed = 0
        self._kills = 0             # of programs: one before and one after each
        self._refreshing = {}       # processes of amocrmctl, and their amoCRM users
        self._threads = []
        self.failed = []

    def start(self):
        amocrm = self._hosts.amocrm
        self._hosts.configure(
            **ANY_ACCOUNT, amocrm_budget="50 50", webhook_accounts="any",
            deliver_url=self._receiver.url, deliver_secret=self._receiver.secret,
            deliver_allow_private="yes", amocrm_connect_to=" ".join(
                f"{account.host}:443:{amocrm.connect_to.removeprefix('::')}"
                for account in amocrm.accounts))
        amocrm.oauth.access_life = self._life
        work = [(self._send, account) for account in self._accounts]
        work += [(self._refresh, number) for number in range(self._refreshers)]
        work += [(self._connect, 0)]
        self._threads = [threading.Thread(target=self._run, args=(*one, random.Random(seed)))
                         for one, seed in zip(work, self._seeds)]
        for thread in self._threads:
            thread.start()

    def end(self):
        """Returns when all requests that were begun have been answered."""
        self._ending.set()
        for thread in self._threads:
            thread.join()
        assert not self.failed, self.failed

    def _run(self, work, number, chance):
        try:
            work(number, chance)
        except Exception as failed:     # reported by end()
            self.failed.append(repr(failed))

    @property
    def accepted(self):
        return sum(self.sent.values())

    def await_progress(self, events):
        """Returns when that many more events have been accepted."""
        until = self.accepted + events
        process.wait_until(lambda: self.accepted >= until or self.failed, "accepted events")

    def _send(self, account, chance):
        while not self._ending.is_set():
            body = lead(self.sent[account], account)
            process.wait_until(lambda body=body: self._accepted(body, chance), "an answer of 200")
            self.sent[account] += 1
            if self.accepted > len(self._receiver.deliveries()) + BEHIND_MAX:
                time.sleep(BEHIND_PAUSE)

    def _accepted(self, body, chance):
        answer = attempt(lambda: webhooks.send(chance.choice(self._hosts.sites), body))
        if answer is None:
            return False
        if answer.status not in (200, 503):
            raise AssertionError(f"a webhook is answered by {answer.status}: {answer.text}")
        return answer.status == 200

    def _connect(self, _, chance):
        amocrm = self._hosts.amocrm
        for user in itertools.count(100):
            if self._ending.is_set():
                return
            amocrm.add_user(user)
            params = amocrm.approve(user=user)
            kills = self._kills
            error = process.wait_until(lambda: self._present(params, chance), "an answer")
            if error == "none":
                self.connected.add(user)
            elif kills == self._kills:
                # amoCRM refuses a code only if the program that exchanged it was killed
                raise AssertionError(f"user {user} was refused: {error}")

    def _present(self, params, chance):
        """The error that the callback answers, or "none"; None: to be repeated."""
        answer = attempt(lambda: chance.choice(self._hosts.sites).get("callback", params))
        if answer is None:
            return None
        error = answer.link_query.get("error", "none")
        return None if error == "temporarily_unavailable" else error

    def kill_programs(self, host):
        """Also those of amocrmctl that run there."""
        with self._lock:
            self._kills += 1
            for ran, (site, user) in list(self._refreshing.items()):
                if site is host.site:
                    self.in_flight.add(user)
                    ran.kill()
        host.kill_programs()
        self._kills += 1

    def _refresh(self, _, chance):
        while not self._ending.is_set():
            users = sorted(self.connected - self.in_flight)
            if not users:
                time.sleep(0.01)
                continue
            site, user = chance.choice(self._hosts.sites), chance.choice(users)
            account = self._hosts.amocrm.who()[0].id
            with self._lock:
                ran = site.start_ctl("token", f"{account}/{user}", text=True)
                self._refreshing[ran] = site, user
            out, _ = ran.communicate(timeout=process.PATIENCE)
            with self._lock:
                del self._refreshing[ran]
            self.refreshed += ran.returncode == 0 and out.endswith("\n")


def settle(hosts, load, receiver):
    """Returns when everything that waits has been delivered."""
    for host in hosts.hosts:
        host.await_deliverer()

    def arrived():
        for host in hosts.hosts:
            host.await_deliverer()
        ids = {(one.account, number_of(one)) for one in receiver.taken() if is_lead(one)}
        return len(ids) >= load.accepted and not load.failed
    process.wait_until(arrived, "the deliveries")
    for host in hosts.hosts:
        host.kill_deliverer()


def is_lead(delivery):
    return delivery.event["events"] == ["leads.add"]


def number_of(delivery):
    return int(delivery.event["payload"]["leads"]["add"][0]["id"])


def check(hosts, load, receiver):
    """Asserts that nothing that was acknowledged is lost; call it after settle()."""
    stored = defaultdict(set)
    for line in webhooks.lines(hosts.sites[0]):
        stored[line["account_id"]].add(int(line["payload"]["leads"]["add"][0]["id"]))
    arrived = defaultdict(list)
    for delivery in receiver.taken():
        if is_lead(delivery):
            arrived[delivery.account].append(number_of(delivery))
    for account, count in load.sent.items():
        assert stored[account] >= set(range(count)), f"lost: {set(range(count)) - stored[account]}"
        first = list(dict.fromkeys(arrived[account]))
        assert first == sorted(first), f"out of order: account {account}: {first}"
        assert set(first) >= set(range(count))
    assert receiver.problems() == []
    check_connections(hosts, load)


def check_connections(hosts, load):
    account = hosts.amocrm.who()[0].id
    states = {one["amocrm_user_id"]: one["state"] for one in hosts.sites[0].connections()}
    missing = load.connected - states.keys()
    assert not missing, f"authorizations are lost: {missing}"
    for user in sorted(load.connected):
        printed = [site.ctl("token", f"{account}/{user}", check=False) for site in hosts.sites]
        working = [one for one in printed if one.returncode == 0]
        if user in load.in_flight and not working:
            load.excused.add(user)
            continue
        assert working, f"user {user}: {[one.stderr for one in printed]}"
        assert works(hosts.amocrm, working[-1].stdout.removesuffix("\n")) == user
