"""A load on several hosts over one database, which remembers what was acknowledged."""

import itertools
import random
import threading
import time
from collections import defaultdict

import claims
import webhooks
from app import User
from connections import ANY_ACCOUNT, stored, works
from hosts import attempt
from sandbox import process

LIFE = 200          # seconds; `token` refreshes an access token that expires this soon
# Events that wait for a delivery; if there are more, an account's next one comes later, in seconds.
BEHIND_MAX, BEHIND_PAUSE = 20, 0.5


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


class Load:
    """Threads that use all hosts at once, and remember what was acknowledged.

    Webhooks: the events of an account come one after the other, each until it is accepted, at any
    host.  Connections: an amoCRM user authorizes at a host, and the code is presented there or at
    another one until that is answered.  Claims: the app presents such a code, too.  Refreshes:
    `amocrmctl token` at any host, each for a connection that is due.
    """

    def __init__(self, hosts, receiver, seed, accounts=4, refreshers=2, life=LIFE):
        self._hosts, self._receiver = hosts, receiver
        self._accounts = range(5, 5 + accounts)
        self.chance = random.Random(seed)
        self._seeds = [self.chance.random() for _ in range(accounts + refreshers + 2)]
        self._refreshers, self._life = refreshers, life
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self.sent = dict.fromkeys(self._accounts, 0)    # events accepted, by account
        self.connected = set()      # amoCRM users whose authorization was acknowledged
        self.claimed = {}           # by amoCRM user, the app user whose claim was acknowledged
        self.in_flight = set()      # users whose program was killed before it had answered
        self.excused = set()        # of these, those whose connection is lost
        self.refreshed = 0
        self.kills = 0              # of programs: one before and one after each
        self._refreshing = {}       # processes of amocrmctl, and their amoCRM users
        self._threads = []
        self.failed = []

    @property
    def amocrm(self):
        return self._hosts.amocrm

    @property
    def account(self):
        return self.amocrm.who()[0].id

    @property
    def sites(self):
        return self._hosts.sites

    def start(self):
        amocrm = self.amocrm
        self._hosts.configure(
            **ANY_ACCOUNT, amocrm_budget="50 50", webhook_accounts="any",
            deliver_url=self._receiver.url, deliver_secret=self._receiver.secret,
            deliver_allow_private="yes", amocrm_connect_to=" ".join(
                f"{account.host}:443:{amocrm.connect_to.removeprefix('::')}"
                for account in amocrm.accounts))
        amocrm.oauth.access_life = self._life
        work = [(self._send, account) for account in self._accounts]
        work += [(self._refresh, number) for number in range(self._refreshers)]
        work += [(self._connect, 0), (self._claim, 0)]
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
        answer = attempt(lambda: webhooks.send(chance.choice(self.sites), body))
        if answer is None:
            return False
        if answer.status not in (200, 503):
            raise AssertionError(f"a webhook is answered by {answer.status}: {answer.text}")
        return answer.status == 200

    def _connect(self, _, chance):
        amocrm = self.amocrm
        for user in itertools.count(100):
            if self._ending.is_set():
                return
            amocrm.add_user(user)
            params, lost = amocrm.approve(user=user), []
            kills = self.kills
            error = process.wait_until(lambda: self.present(params, lost, chance), "an answer")
            if error == "none":
                self.connected.add(user)
            elif kills == self.kills:
                # amoCRM refuses a code only if the program that exchanged it was killed
                raise AssertionError(f"user {user} was refused: {error}")

    def present(self, params, lost, chance):
        """The error that the callback answers, or "none"; None: to be repeated.

        `lost` gets a member for each request whose program was killed.  From then on amoCRM's
        refusal of the code is not final, since its tokens may wait on a host: users start again.
        """
        answer = attempt(lambda: chance.choice(self.sites).get("callback", params))
        if answer is None:
            lost.append(params)
            return None
        error = answer.link_query.get("error", "none")
        return None if error == "temporarily_unavailable" and not lost else error

    def _claim(self, _, chance):
        for user in itertools.count(claims.USERS):
            if self._ending.is_set():
                return
            claims.Claim(self, user, chance).make()

    def kill_programs(self, host):
        """Also those of amocrmctl that run there."""
        with self._lock:
            self.kills += 1
            for ran, (site, user) in list(self._refreshing.items()):
                if site is host.site:
                    self.in_flight.add(user)
                    ran.kill()
        host.kill_programs()
        self.kills += 1

    def _refresh(self, _, chance):
        while not self._ending.is_set():
            users = sorted(self.connected - self.in_flight)
            if not users:
                time.sleep(0.01)
                continue
            site, user = chance.choice(self.sites), chance.choice(users)
            with self._lock:
                ran = site.start_ctl("token", f"{self.account}/{user}", text=True)
                self._refreshing[ran] = site, user
            out, _ = ran.communicate(timeout=process.PATIENCE)
            with self._lock:
                del self._refreshing[ran]
            self.refreshed += ran.returncode == 0 and out.endswith("\n")


def check(hosts, load, receiver):
    """Asserts that nothing that was acknowledged is lost; call it after Load.end()."""
    check_connections(hosts, load)
    await_deliveries(hosts, load, receiver)
    check_events(hosts, load, receiver)


def survives(hosts, receiver, seed, strike):
    """Whether nothing acknowledged is lost by what strikes in the middle of a load."""
    load = Load(hosts, receiver, seed)
    load.start()
    for host in hosts.hosts:
        host.deliver()
    load.await_progress(20)
    strike()
    load.await_progress(20)
    load.end()

    check(hosts, load, receiver)
    return load.connected and not load.in_flight


def await_deliveries(hosts, load, receiver):
    """Returns when everything that waits has been delivered."""
    def arrived():
        for host in hosts.hosts:
            host.await_deliverer()
        taken = receiver.taken()
        return len(taken) >= load.accepted <= len(
            {(one.account, number_of(one)) for one in taken if is_lead(one)})
    process.wait_until(arrived, "the deliveries")
    for host in hosts.hosts:
        host.kill_deliverer()


def is_lead(delivery):
    return delivery.event["events"] == ["leads.add"]


def number_of(delivery):
    return int(delivery.event["payload"]["leads"]["add"][0]["id"])


def check_events(hosts, load, receiver):
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


def check_connections(hosts, load):
    """Also that they can be refreshed, and that app users are told of theirs at each host."""
    for site in hosts.sites:
        site.ctl("refresh", "--due", "1", check=False)  # stores what waits in the host's escrow
    site = load.chance.choice(hosts.sites)
    before = stored(site)
    site.ctl("refresh", check=False)    # fails for those that are excused
    after = stored(site)
    for user in sorted(load.connected):
        assert (load.account, user) in before, f"user {user}: the authorization is lost"
        if after[load.account, user] != before[load.account, user]:
            token = after[load.account, user]["access_token"]
            assert works(hosts.amocrm, token) == user
        else:
            assert user in load.in_flight, f"user {user}: a token is lost"
            load.excused.add(user)
    check_claims(hosts, load)


def check_claims(hosts, load):
    owners = {one["amocrm_user_id"]: one["app_user"] for one in hosts.sites[0].connections()}
    for user, name in load.claimed.items():
        assert owners[user] == name, f"the claim of {name} is lost"
        if user not in load.excused:
            assert all(User(site, name).is_connected() for site in hosts.sites)
