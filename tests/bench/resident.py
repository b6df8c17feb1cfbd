"""Resident programs: ours as FastCGI, and the same routes in Express on Node and in PHP-FPM.

Each is measured directly and behind the same lighttpd.  Only the CPU time of the servers counts,
not that of the client.
"""

import json
import os
import re
import shutil
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import fastcgi
import measure
from measure import Skipped, median
from report import Table, number
from sandbox import process
from sandbox.web import ask
from setting import BASE, output, tool

HERE = Path(__file__).resolve().parent
AT_ONCE = 16        # connections
PROCESSES = 4       # of each of our programs; the default of lighttpd and mod_fcgid
PACKAGES = ("express", "jsonwebtoken")
NPM_PATIENCE = 90   # seconds
ROUTES = {"callback, no code": "callback", "status": "status", "webhook, 2 KB stored": "webhook"}
OURS, EMPTY = "ours, FastCGI", "an empty FastCGI program"
LINK = re.compile(rb"foryoure:[^\"<>]*")


@dataclass
class Party:
    """One implementation of the routes."""
    name: str
    kind: str                   # the protocol: fastcgi or http
    where: dict                 # program -> socket or port
    request: dict               # program -> bytes of a request
    pids: object                # function of a program: the processes that serve it
    parts: list = field(default_factory=list)   # (label, pid), for the memory table


# Ours.

def started(program, path, count, environment):
    """Starts this many processes of a FastCGI program with one socket."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(1024)
        return [subprocess.Popen([program], stdin=listening, env=environment,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for _ in range(count)]


def records_of(setting):
    requests = setting.requests()
    return {program: fastcgi.request(requests[name].environment(setting.bare), requests[name].body)
            for name, program in ROUTES.items()}


@contextmanager
def ours(setting):
    environment = {"AMO_CRM_CONFIG": str(setting.site.config)}
    sockets = {program: setting.folder / f"{program}.sock" for program in ROUTES.values()}
    running = {}
    try:
        for program, path in sockets.items():
            running[program] = started(setting.site.programs / program, path, PROCESSES,
                                       environment)
        yield Party(
            OURS, "fastcgi", sockets, records_of(setting),
            lambda program: [one.pid for one in running[program]],
            [(f"our {program}, each of {PROCESSES}", running[program][0].pid)
             for program in ROUTES.values()])
    finally:
        end([one for group in running.values() for one in group])


@contextmanager
def empty(setting):
    """The lower bound: a program that only accepts and responds."""
    path = setting.folder / "empty.sock"
    running = started(tool("fcgi_empty"), path, PROCESSES, {})
    try:
        yield Party(EMPTY, "fastcgi", dict.fromkeys(ROUTES.values(), path), records_of(setting),
                    lambda _program: [one.pid for one in running],
                    [(f"empty FastCGI program, each of {PROCESSES}", running[0].pid)])
    finally:
        end(running)


def end(processes):
    """Sends SIGTERM, so that a process can end its own child processes."""
    for one in processes:
        one.terminate()
        try:
            one.wait(5)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()


# Express.

def http_requests(setting, port):
    requests = setting.requests()
    return {program: fastcgi.http(port, requests[name].method, BASE + program,
                                  requests[name].headers, requests[name].body)
            for name, program in ROUTES.items()}


def facts_of(setting):
    """The configuration of Express and PHP: a template of our own page, the secret, a
    connection."""
    answer = setting.check(setting.requests()["callback, no code"])
    template = setting.file("template.html", LINK.sub(b"{{link}}", answer.body))
    headers = {name: value for name, value in answer.headers
               if name in ("Content-Security-Policy", "Referrer-Policy", "X-Frame-Options",
                           "X-Robots-Tag", "Vary")}
    account, _ = setting.amocrm.who()
    return {"template": str(template), "headers": headers, "secret": setting.site.jwt_secret,
            "deep_link": "foryoure://amo-crm/callback",
            "connection": {"host": account.host, "account_id": account.id}}


def install_packages(folder):
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Skipped("node and npm are not installed (Debian: nodejs, npm)")
    try:
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefix", folder,
             "--cache", folder / "cache", *PACKAGES], capture_output=True, text=True,
            timeout=NPM_PATIENCE)
    except subprocess.TimeoutExpired as late:
        raise Skipped("npm did not finish; is its registry reachable?") from late
    if done.returncode:
        why = re.search(r"^npm (?:error|ERR!) (.+)$", done.stderr, re.MULTILINE)
        raise Skipped(f"npm fails ({why[1] if why else 'silently'}); is its registry reachable?")


def version(folder, package):
    return json.loads((folder / "node_modules" / package / "package.json").read_text())["version"]


@contextmanager
def express(setting):
    folder = setting.folder / "express"
    folder.mkdir()
    install_packages(folder)
    shutil.copy(HERE / "express" / "server.js", folder)
    (folder / "facts.json").write_text(
        json.dumps({**facts_of(setting), "journal": str(folder / "events.ndjson")}))
    node = subprocess.Popen(["node", "server.js", "facts.json"], cwd=folder, text=True,
                            stdout=subprocess.PIPE,
                            env={"PATH": os.environ["PATH"], "NODE_ENV": "production"})
    try:
        port = int(node.stdout.readline() or 0)
        if not port:
            raise Skipped("the Express server does not start")
        party = Party(f"Express {version(folder, 'express')}", "http",
                      dict.fromkeys(ROUTES.values(), port), http_requests(setting, port),
                      lambda _program: [node.pid], [(f"Node {output(['node', '--version'])[1:-1]} "
                                                     "with Express", node.pid)])
        yield party
    finally:
        end([node])


# PHP-FPM.

def php_binary():
    found = sorted(Path("/usr/sbin").glob("php-fpm*"))
    if not found:
        raise Skipped("PHP-FPM is not installed (Debian: php-fpm, php-cli)")
    return found[-1]


@contextmanager
def php(setting):
    binary = php_binary()
    folder = setting.folder / "php"
    shutil.copytree(HERE / "php", folder)
    facts = {**facts_of(setting), "journal": str(folder / "events.ndjson"),
             "database": str(folder / "database")}
    (folder / "facts.json").write_text(json.dumps({**facts, "dba": None}))
    handler = None
    if shutil.which("php"):
        handler = output(["php", folder / "dba.php", folder / "facts.json"]) or None
    (folder / "facts.json").write_text(json.dumps({**facts, "dba": handler}))
    listening = folder / "php.sock"
    rights = "user = root\ngroup = root\n" if process.is_root() else ""
    (folder / "fpm.conf").write_text(f"""[global]
error_log = {folder}/error.log
daemonize = no
[bench]
{rights}listen = {listening}
listen.backlog = 1024
pm = static
pm.max_children = {PROCESSES}
env[BENCH_FACTS] = {folder}/facts.json
""")
    master = subprocess.Popen([binary, "-F", "-R", "-y", folder / "fpm.conf"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait_until(
            lambda: listening.exists() and len(measure.children(master.pid)) == PROCESSES,
            "PHP-FPM")
        requests = setting.requests()
        records = {}
        for name, program in ROUTES.items():
            environment = {**requests[name].environment(setting.bare),
                           "SCRIPT_FILENAME": str(folder / f"{program}.php")}
            records[program] = fastcgi.request(environment, requests[name].body)
        workers = measure.children(master.pid)
        yield Party(f"PHP-FPM {binary.name.removeprefix('php-fpm')}", "fastcgi",
                    dict.fromkeys(ROUTES.values(), listening), records,
                    lambda _program: [master.pid, *workers],
                    [(f"PHP-FPM, each of {PROCESSES} workers", workers[0])])
    finally:
        end([master])


# Behind a web server.

LIGHTTPD = """
server.modules = ( "mod_fastcgi", "mod_proxy", "mod_setenv" )
server.port = {port}
server.bind = "127.0.0.1"
server.document-root = "{folder}"
server.errorlog = "{folder}/lighttpd.log"
server.max-keep-alive-requests = 1000000
{routes}
"""


def lighttpd_routes(party):
    where = next(iter(party.where.values()))
    if party.kind == "http":
        return f'proxy.server = ( "{BASE}" => (( "host" => "127.0.0.1", "port" => {where} )) )'
    if party.name.startswith("PHP"):
        return f'fastcgi.server = ( ".php" => (( "socket" => "{where}" )) )'
    lines = ",\n".join(
        f'\t"{BASE}{program}" => (( "socket" => "{path}", "check-local" => "disable" ))'
        for program, path in party.where.items())
    return f"fastcgi.server = (\n{lines}\n)"


@contextmanager
def behind_lighttpd(setting, party):
    """The same implementation behind lighttpd, whose CPU time is included."""
    binary = shutil.which("lighttpd", path="/usr/sbin:/usr/bin")
    if binary is None:
        raise Skipped("lighttpd is not installed")
    folder = setting.folder / f"lighttpd-{party.name.split()[0].strip(',')}"
    folder.mkdir()
    port = process.free_port()
    is_php = party.name.startswith("PHP")
    root = setting.folder / "php" if is_php else folder
    (folder / "lighttpd.conf").write_text(LIGHTTPD.format(
        port=port, folder=root, routes=lighttpd_routes(party)))
    server = subprocess.Popen([binary, "-D", "-f", folder / "lighttpd.conf"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait_until(lambda: process.port_taken(port), "lighttpd")
        requests = http_requests(setting, port)
        if is_php:
            requests = {program: text.replace(f"{BASE}{program} ".encode(),
                                              f"/{program}.php ".encode())
                        for program, text in requests.items()}
        yield Party(f"lighttpd, {party.name}", "http", dict.fromkeys(ROUTES.values(), port),
                    requests, lambda program: [server.pid, *party.pids(program)],
                    [("lighttpd in front of it", server.pid)])
    finally:
        end([server])


# Measuring.

@dataclass
class Sample:
    per_second: float
    cpu: float          # microseconds for one request
    median_us: float
    late_us: float      # the 99th percentile


def asked(party, program, count, at_once=AT_ONCE):
    pids = party.pids(program)
    before = measure.cpu_used(pids)
    done = subprocess.run(
        [tool("load"), party.kind, str(party.where[program]), str(count), str(at_once)],
        input=party.request[program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise RuntimeError(f"{party.name}, {program}: {done.stderr.decode().strip()}")
    good, seconds, median_us, late_us = map(float, done.stdout.split())
    if good != count:
        raise RuntimeError(f"{party.name}: {count - good:.0f} of {count} answers of {program} "
                           "are errors")
    return Sample(count / seconds, (measure.cpu_used(pids) - before) / count, median_us, late_us)


def calibrated(party, program, seconds):
    """Warms up compilers and caches; returns how many requests take about this long."""
    asked(party, program, 50)
    sample = asked(party, program, 200 if seconds < 0.2 else 2000)
    return max(100, int(sample.per_second * seconds))


def measured(parties, rounds, seconds):
    """Samples by program and party; for each program the parties take turns."""
    samples = {}
    for name, program in ROUTES.items():
        counts = {party.name: calibrated(party, program, seconds) for party in parties}
        samples[name] = measure.in_turn(
            {party.name: lambda party=party: asked(party, program, counts[party.name])
             for party in parties}, rounds)
    return samples


def table_of(name, samples, base, results):
    table = Table(f"Resident: {name}",
                  f"{AT_ONCE} concurrent requests; medians of {len(samples[base])} rounds. CPU "
                  "time is that of all server processes, without the client.",
                  ["served by", "CPU per request, µs", "requests per CPU second",
                   "× Express", "requests/s", "median, ms", "99 %, ms"])
    express_name = next((party for party in samples if party.startswith("Express")), None)
    for party, taken in samples.items():
        cpu = median(sample.cpu for sample in taken)
        results[f"resident {name} | {party}"] = 1e6 / cpu
        ratio = ("–" if express_name is None else
                 f"{median(one.cpu for one in samples[express_name]) / cpu:.2f}")
        table.add(party, number(cpu, 1), number(1e6 / cpu), ratio,
                  number(median(sample.per_second for sample in taken)),
                  number(median(sample.median_us for sample in taken) / 1e3, 2),
                  number(median(sample.late_us for sample in taken) / 1e3, 2))
    return table


def memory_table(parties, results):
    table = Table("Resident: memory", "Measured after the load above. RSS counts shared pages in "
                  "full, PSS counts the process's share of them.",
                  ["process", "RSS, KiB", "PSS, KiB"])
    for party in parties:
        for what, pid in party.parts:
            rss, pss = measure.memory(pid)
            table.add(what, number(rss), number(pss))
            results[f"memory {what.split(',')[0]}"] = rss
    return table


def sections(setting, results, quick, stack):
    parties, notes = [], []
    for start in (empty, ours, express, php):
        try:
            party = stack.enter_context(start(setting))
            parties.append(party)
            if start is not empty:
                parties.append(stack.enter_context(behind_lighttpd(setting, party)))
        except Skipped as reason:
            notes.append(f"Skipped: {start.__name__}: {reason}.")
    samples = measured(parties, 3 if quick else 7, 0.06 if quick else 0.4)
    tables = [table_of(name, of_route, parties[0].name, results)
              for name, of_route in samples.items()]
    for note in notes:
        tables[0].add_note(note)
    return [*tables, memory_table(parties, results)]
