"""Several hosts over PostgreSQL, compared with the files of one host: events by the number of
writers, requests, and the gap of a failover.

A cluster of three nodes runs on this machine too, and each commit waits for the disks of two.  For
events Redis is measured as well, with three servers and the same durability as far as it has it.
"""

import itertools
import shutil
import socket
import subprocess
from contextlib import ExitStack, contextmanager

import exchange
import measure
from measure import Skipped, median
from report import Table, number
from resident import end
from sandbox import process
from sandbox.cluster import DATABASE, Cluster
from sandbox.servers import NotInstalled
from setting import output, tool, web_user
from storage import WRITERS, appended_by

FILES, POSTGRESQL, REDIS = "files", "PostgreSQL", "Redis"
FAILOVER_WRITERS = 8


@contextmanager
def as_web_user():
    """PostgreSQL does not run as root."""
    process.web_user, ours = web_user, process.web_user
    try:
        yield
    finally:
        process.web_user = ours


class Shared:
    """A database of the cluster, and a configuration of the site that uses it."""

    def __init__(self, setting, cluster, database=DATABASE):
        self._setting, self.cluster, self.database = setting, cluster, database
        self.config = setting.folder / f"{database}.conf"
        text = setting.site.config.read_text()
        store = f"path = {setting.site.store}\n"
        self.config.write_text(text.replace(
            store, f"{store}engine = postgresql\ndatabase = {self.conninfo()}\n"
                   f"password_file = {cluster.password_file}\n"))
        self.config.chmod(0o600)
        for name in ("append", "storage"):      # beside the helpers, which they start
            shutil.copy(tool(name), setting.site.tools)
        self.append = setting.site.tools / "append"
        output([setting.site.amocrmctl, "-c", self.config, "engine", "init"])

    def conninfo(self):
        return self.cluster.conninfo(self.database)

    def psql(self, sql):
        return self.cluster.psql(sql, database=self.database)

    def forget_calls(self):
        """Otherwise waiting for a turn would be measured."""
        self.psql("SET synchronous_commit = local; DELETE FROM call")

    def appending(self, writers, events):
        return [self.append, "postgresql", self.conninfo(), self.cluster.password_file,
                writers, events]


@contextmanager
def shared(setting):
    try:
        with as_web_user():
            cluster = Cluster()
    except NotInstalled as reason:
        raise Skipped(f"several hosts: {reason}") from reason
    with cluster:
        yield Shared(setting, cluster)


# Events.

def command(port, *words):
    """The reply of a Redis server, to a command whose reply is not long."""
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.sendall(" ".join(words).encode() + b"\r\n")
        return server.recv(65536).decode()


@contextmanager
def redis(setting):
    """Three servers that write each event to their disk; yields the primary's port."""
    binary = shutil.which("redis-server")
    if binary is None:
        raise Skipped("redis-server is not installed (Debian: redis-server)")
    ports = [process.free_port() for _ in range(3)]
    running = []
    try:
        for port in ports:
            folder = setting.folder / f"redis-{port}"
            folder.mkdir()
            of = [] if port == ports[0] else ["--replicaof", "127.0.0.1", str(ports[0])]
            running.append(subprocess.Popen(
                [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
                 "--appendonly", "yes", "--appendfsync", "always", *of],
                stdout=subprocess.DEVNULL))
            process.wait_until(lambda: process.port_taken(port), "Redis")
        process.wait_until(lambda: command(ports[0], "INFO", "replication").count("state=online")
                           == 2, "the replicas of Redis")
        yield ports[0]
    finally:
        end(running)


def writers_section(setting, shared, results, quick):
    events, rounds = (128, 1) if quick else (1920, 5)
    numbers = WRITERS[:2] if quick else WRITERS
    notes = []
    store = setting.folder / "journal-beside"

    def by_files(writers):
        shutil.rmtree(store, ignore_errors=True)
        store.mkdir(mode=0o700)
        return appended_by("files", store, "", writers, events // writers)

    def by_postgresql(writers):
        return map(float, output(shared.appending(writers, events // writers)).split())

    with ExitStack() as stack:
        engines = {FILES: by_files, POSTGRESQL: by_postgresql}
        try:
            port = stack.enter_context(redis(setting))
            engines[REDIS] = lambda writers: appended_by("redis", port, "", writers,
                                                         events // writers)
        except Skipped as reason:
            notes.append(f"Skipped: Redis: {reason}.")

        def rate(engine, writers):
            seconds, _ = engines[engine](writers)
            return events // writers * writers / seconds
        samples = {writers: measure.in_turn(
            {engine: lambda engine=engine: rate(engine, writers) for engine in engines}, rounds)
            for writers in numbers}
    table = Table("Several hosts: events against the number of writers",
                  f"{events} events of 2.6 KB in total, which the engines store in turn; medians of "
                  f"{rounds} rounds. An event is durable on the disk of one host in files, and on "
                  "those of two hosts in PostgreSQL (three nodes, ANY 1). In Redis it is on the "
                  "primary's disk (appendfsync always) and acknowledged by a replica (WAIT 1), "
                  "which says nothing of the replica's disk.",
                  ["writers", "files, events/s", "PostgreSQL, events/s", "× files",
                   "wait per event, ms", "Redis, events/s", "× files"])
    for writers, taken in samples.items():
        rates = {engine: median(taken[engine]) for engine in engines}
        results[f"hosts append {writers}"] = rates[POSTGRESQL] / rates[FILES]
        table.add(writers, number(rates[FILES]), number(rates[POSTGRESQL]),
                  f"{rates[POSTGRESQL] / rates[FILES]:.2f}",
                  number(writers / rates[POSTGRESQL] * 1e3, 2),
                  *([number(rates[REDIS]), f"{rates[REDIS] / rates[FILES]:.2f}"]
                    if REDIS in rates else ["–", "–"]))
    for note in notes:
        table.add_note(note)
    return table


# Requests.

def by_cgi(setting, request, config):
    environment = request.environment(setting.bare)
    environment["AMO_CRM_CONFIG"] = str(config).encode()
    return measure.run([setting.site.programs / request.program], environment)


def by_ctl(setting, config, *arguments):
    run = measure.run([setting.site.amocrmctl, "-c", config, *map(str, arguments)], {})
    if run.status:
        raise RuntimeError(f"amocrmctl {arguments[0]} exited with status {run.status}")
    return run


def cases_of(setting, stack, config, forget_calls):
    """What is measured with one configuration, by name."""
    requests = setting.requests()
    status, webhook = requests["status"], requests["webhook, 2 KB stored"]
    ask = {program: stack.enter_context(exchange.served(setting, program, config))
           for program in ("status", "webhook", "callback")}
    account, _ = setting.amocrm.who()
    # a body of its own, or it would be the repetition of an event
    numbers = itertools.count(10_000_000)

    def another_webhook():
        body = webhook.body[:-8] + str(next(numbers)).encode()
        return type(webhook)(webhook.program, webhook.method, headers=webhook.headers, body=body)
    return {
        "an authorization, FastCGI": lambda: exchange.exchanged(
            setting, ask["callback"], forget_calls),
        "status, FastCGI": lambda: ask["status"](status, b'"connected":true'),
        "webhook, FastCGI": lambda: ask["webhook"](another_webhook(), b"success"),
        "status, CGI": lambda: by_cgi(setting, status, config),
        "amocrmctl token": lambda: by_ctl(setting, config, "token", account.id),
    }


def requests_section(setting, shared, results, quick):
    rounds = 5 if quick else 60
    with ExitStack() as stack:
        ours = cases_of(setting, stack, setting.site.config,
                        lambda: exchange.fill_budget(setting.site.store))
        theirs = cases_of(setting, stack, shared.config, shared.forget_calls)
        samples = {}
        for name in ours:       # the authorization is the first, so that there is a connection
            cases = {FILES: ours[name], POSTGRESQL: theirs[name]}
            measure.in_turn(cases, 2)       # the first request connects
            samples[name] = measure.in_turn(cases, rounds)
    table = Table("Several hosts: requests",
                  f"One request at a time, with files and with PostgreSQL in turn; medians of "
                  f"{rounds} rounds. CPU time is that of the program and of its helpers, without "
                  "the database's. A FastCGI program keeps its helper, and that its session; the "
                  "others connect each time.",
                  ["request", "files: wall, ms", "PostgreSQL: wall, ms", "× files",
                   "files: CPU, ms", "PostgreSQL: CPU, ms", "× files"])
    for name, taken in samples.items():
        cells = []
        for what in ("wall", "cpu"):
            ours, theirs = (median(getattr(run, what) for run in taken[engine]) / 1e3
                            for engine in (FILES, POSTGRESQL))
            cells += [number(ours, 2), number(theirs, 2), f"{theirs / ours:.1f}"]
            results[f"hosts {what} {name}"] = theirs / ours
        table.add(name, *cells)
    return table


# A failover.

def failed_over(shared, events):
    """The longest wait for one event in milliseconds, and how many were stored twice."""
    cluster = shared.cluster

    def stored():
        return int(cluster.psql("SELECT count(*) FROM event", database=DATABASE))
    before = stored()
    writing = subprocess.Popen(list(map(str, shared.appending(FAILOVER_WRITERS, events))),
                               stdout=subprocess.PIPE, text=True)
    process.wait_until(lambda: stored() > before + events, "the writers")
    cluster.kill()
    with as_web_user():
        cluster.promote()
    printed, _ = writing.communicate()
    if writing.returncode:
        raise RuntimeError("a writer failed during the failover")
    after = stored() - before
    lost = FAILOVER_WRITERS * (events + 1) - after
    if lost > 0:
        raise RuntimeError(f"{lost} events are lost")
    with as_web_user():
        cluster.heal()
    return float(printed.split()[1]), -lost


def failover_section(_setting, shared, results, quick):
    rounds, events = (1, 100) if quick else (3, 500)
    table = Table("Several hosts: a failover",
                  f"{FAILOVER_WRITERS} writers append {FAILOVER_WRITERS * events} events while all "
                  "processes of the primary are killed with SIGKILL and the standby that received "
                  "most is promoted at once. The gap is the longest wait for one event; no event "
                  "is lost. Patroni promotes once the lease of the primary is over, so add its "
                  "ttl.",
                  ["round", "gap, s", "stored twice"])
    gaps = []
    for turn in range(rounds):
        gap, twice = failed_over(shared, events)
        gaps.append(gap)
        table.add(turn + 1, number(gap / 1e3, 2), twice)
    results["hosts failover gap"] = max(gaps)
    return table


def sections(setting, results, quick):
    with shared(setting) as beside:
        return [section(setting, beside, results, quick)
                for section in (writers_section, requests_section, failover_section)]
