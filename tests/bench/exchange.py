"""A code exchange over TLS with the mock amoCRM server, compared with curl sending the same POST.

Both include the time of the mock server.  The difference to curl is our own work: reading and
checking, sealing the tokens, and the changes of the store, each on disk before the response.  A
second run with the store in memory shows the share of the disk.
"""

import json
import os
import shutil
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import fastcgi
import measure
from measure import Skipped, median
from report import Table, number
from resident import end, started
from setting import Request, tool

RAM = Path("/dev/shm")
COMMAND = "the curl command"
NEW, KEPT = "libcurl, a handshake per call", "libcurl, session resumed"


def url(setting):
    return f"https://{setting.amocrm.who()[0].host}/oauth2/access_token"


def new_request(setting):
    return Request("callback", query=setting.amocrm.approve(state="from-the-app"))


def new_body(setting):
    """The body that our programs send to exchange a code."""
    integration = setting.amocrm.integration
    return json.dumps({
        "client_id": integration.client_id, "client_secret": integration.client_secret,
        "grant_type": "authorization_code", "code": setting.amocrm.approve()["code"],
        "redirect_uri": integration.redirect_uri}).encode()


def curl_binary():
    found = shutil.which("curl")
    if found is None:
        raise Skipped("curl is not installed")
    return found


def spent(setting):
    """Asserts that the code was exchanged; otherwise an error would be measured."""
    granted = len(setting.amocrm.exchanges())
    setting.amocrm.forget()
    if granted != 1:
        raise RuntimeError(f"{granted} exchanges instead of one")


def by_curl(setting):
    body = setting.file("exchange.json", new_body(setting))
    run = measure.run(
        [curl_binary(), "-sS", "-f", "--cacert", setting.amocrm.ca_file, "--connect-to",
         setting.amocrm.connect_to, "-H", "Content-Type: application/json", "--data-binary",
         f"@{body}", url(setting)], {})
    if run.status:
        raise RuntimeError(f"curl exited with status {run.status}")
    spent(setting)
    return run


def fill_budget(store):
    """Forgets the calls so far; otherwise waiting for a turn would be measured."""
    if (store / "budget").exists():
        os.truncate(store / "budget", 0)


def by_cgi(setting, store):
    fill_budget(store)
    environment = new_request(setting).environment(setting.bare)
    environment["AMO_CRM_CONFIG"] = str(config_of(setting, store)).encode()
    run = measure.run([setting.site.programs / "callback"], environment)
    spent(setting)
    return run


def config_of(setting, store):
    """The site's configuration with another store."""
    path = setting.folder / f"{store.name}.conf"
    if not path.exists():
        path.write_text(setting.site.config.read_text().replace(
            f"path = {setting.site.store}", f"path = {store}"))
        path.chmod(0o600)
    return path


def cgi_section(setting, ram, results, quick):
    stores = {"callback, CGI": setting.site.store}
    if ram:
        stores["the same, store in memory"] = ram
    cases = {COMMAND: lambda: by_curl(setting),
             **{name: lambda store=store: by_cgi(setting, store)
                for name, store in stores.items()}}
    samples = measure.in_turn(cases, 5 if quick else 60)
    table = Table("The exchange: one process for each request",
                  "From fork to exit, including child processes. The programs run alternately. All "
                  "wall times include the reply of the mock amoCRM server.",
                  ["program", "wall, ms", "above curl, ms", "CPU, ms", "above curl, ms"])
    base = [median(getattr(run, what) for run in samples[COMMAND]) / 1e3
            for what in ("wall", "cpu")]
    for name, runs in samples.items():
        wall, cpu = (median(getattr(run, what) for run in runs) / 1e3 for what in ("wall", "cpu"))
        above = ["–", "–"] if name == COMMAND else [number(wall - base[0], 2),
                                                            number(cpu - base[1], 2)]
        table.add(name, number(wall, 2), above[0], number(cpu, 2), above[1])
        results[f"exchange {name}"] = wall - base[0]
    return table


# Resident.

@contextmanager
def fetch(setting, *kept):
    """libcurl in a process of its own; yields a function that sends one POST with it."""
    process = subprocess.Popen(
        [tool("fetch"), url(setting), setting.amocrm.ca_file, setting.amocrm.connect_to, *kept],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def once():
        body = new_body(setting)
        used, began = measure.cpu_used([process.pid]), time.perf_counter_ns()
        process.stdin.write(body + b"\n")
        process.stdin.flush()
        status, _ = process.stdout.readline().split()
        wall = (time.perf_counter_ns() - began) / 1e3
        if status != b"200":
            raise RuntimeError(f"libcurl got status {status.decode()}")
        spent(setting)
        return measure.Run(wall, measure.cpu_used([process.pid]) - used, 0, 0)
    try:
        yield once
    finally:
        end([process])


@contextmanager
def callback(setting, store):
    """Our callback as FastCGI; yields a function that exchanges one code with it."""
    with served(setting, "callback", config_of(setting, store)) as ask:
        yield lambda: exchanged(setting, ask, lambda: fill_budget(store))


@contextmanager
def served(setting, program, config):
    """One of our programs as FastCGI; yields a function that measures one request to it."""
    path = setting.folder / f"{program}-{config.stem}.sock"
    [process] = started(setting.site.programs / program, path, 1, {"AMO_CRM_CONFIG": str(config)})

    def once(request, expected):
        records = fastcgi.request(request.environment(setting.bare), request.body)
        pids = [process.pid, *measure.children(process.pid)]
        used, began = measure.cpu_used(pids), time.perf_counter_ns()
        answer = fastcgi.ask(path, records)
        wall = (time.perf_counter_ns() - began) / 1e3
        if expected not in answer:
            raise RuntimeError(f"{program} responded {answer[:300]!r}")
        return measure.Run(wall, measure.cpu_used(pids) - used, 0, 0)
    try:
        yield once
    finally:
        end([process])


def exchanged(setting, ask, forget_calls):
    """Exchanges one code, by a callback that is asked so."""
    forget_calls()
    run = ask(new_request(setting), b"?code=")
    spent(setting)
    return run


def fastcgi_section(setting, ram, results, quick):
    with ExitStack() as stack:
        cases = {COMMAND: lambda: by_curl(setting),
                 NEW: stack.enter_context(fetch(setting)),
                 KEPT: stack.enter_context(fetch(setting, "kept")),
                 "callback, FastCGI": stack.enter_context(callback(setting, setting.site.store))}
        if ram:
            cases["the same, store in memory"] = stack.enter_context(callback(setting, ram))
        measure.in_turn(cases, 2)   # the first exchange starts the helpers
        samples = measure.in_turn(cases, 5 if quick else 60)
    table = Table("The exchange: resident processes",
                  "Requests to running processes, over a socket. libcurl runs in a process of its "
                  "own, with a new handshake for each call or resuming its TLS session as "
                  "amo-crm-https does. In all cases each call uses a new connection.",
                  ["program", "wall, ms", "above curl, ms", "above libcurl, ms", "CPU, ms",
                   "above libcurl, ms"])
    wall, cpu = ({name: median(getattr(run, what) for run in runs) / 1e3
                  for name, runs in samples.items()} for what in ("wall", "cpu"))
    for name in samples:
        ours = name not in (COMMAND, NEW, KEPT)
        above = [number(value, 2) if ours else "–" for value in (
            wall[name] - wall[COMMAND], wall[name] - wall[KEPT], cpu[name] - cpu[KEPT])]
        table.add(name, number(wall[name], 2), *above[:2], number(cpu[name], 2), above[2])
        results[f"exchange resident {name}"] = wall[name] - wall[COMMAND]
        results[f"exchange beside libcurl {name}"] = wall[name] - wall[KEPT]
    return table


def sections(setting, results, quick):
    with ExitStack() as stack:
        ram = None
        if RAM.is_dir() and measure.in_memory(RAM):
            ram = Path(stack.enter_context(TemporaryDirectory(prefix="amo-crm-", dir=RAM))) / "ram"
            shutil.copytree(setting.site.store, ram)
        tables = [cgi_section(setting, ram, results, quick),
                  fastcgi_section(setting, ram, results, quick)]
        if not ram:
            tables[0].add_note("There is no in-memory file system to compare with.")
        return tables
