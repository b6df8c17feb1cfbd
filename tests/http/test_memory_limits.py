"""Little memory: a hosting provider's limits on address space and data (ulimit -v and -d).

amocrmctl works under those of cPanel's terminal.  A program that gets too little memory responds
properly nevertheless, says so in the log, and does not use a code up.
"""

import json
import os
import re
import resource
import select
import signal

import pytest

import deliveries
import expect
from app import JSON
from deliveries import receiver     # noqa: F401
from responder import still_the_same
from sandbox import process
from sandbox.servers import cgi_answer

CPANEL = "ulimit -d 200000 -v 400000"   # KiB


def under(limits):
    """A launcher: the arguments run under these limits."""
    return ["bash", "-c", f'{limits} && exec "$@"', "bash"]


# amocrmctl

ACCOUNT = 31920194
COMMANDS = {
    "check": [], "urls": [], "keygen": [], "accounts": ["--json"], "token": [ACCOUNT],
    "refresh": [ACCOUNT], "events": [], "deliver": [], "replay": ["--since", "1h"],
    "subscribe": [ACCOUNT], "unsubscribe": [ACCOUNT], "rekey": [], "export": [],
    "disconnect": [ACCOUNT],
}


@pytest.fixture
def connected(bare, amocrm, receiver):  # noqa: F811
    deliveries.configure(bare, amocrm, receiver)
    bare.get("callback", amocrm.approve())
    deliveries.put(bare, deliveries.event(1))
    return bare


def commands_of(site):
    """The names in the list of commands that amocrmctl prints."""
    listed = site.ctl("--help").stdout.partition("commands:\n")[2]
    return set(re.findall(r"^  ([a-z]+)", listed, re.M))


def test_every_command_works_under_the_limits_of_a_shared_host(connected):
    for command, arguments in COMMANDS.items():
        done = connected.ctl(command, *arguments, check=False, launcher=under(CPANEL))
        expected = connected.ctl(command, *arguments, check=False) if command == "check" else None
        assert done.returncode == (expected.returncode if expected else 0), (command, done.stderr)
    exported = connected.ctl("export").stdout
    assert connected.ctl("import", input=exported, launcher=under(CPANEL)).returncode == 0
    for command in commands_of(connected) - {*COMMANDS, "import"}:
        connected.ctl(command, "--help", launcher=under(CPANEL))


@pytest.mark.parametrize("limits", ["ulimit -v 100000", "ulimit -d 50000", CPANEL])
def test_large_events_need_memory_of_their_own_size_only(connected, receiver, limits):  # noqa: F811
    size = 4 << 20
    deliveries.put(connected, deliveries.event(2, text="x" * size))

    printed = connected.ctl("events", launcher=under(limits)).stdout.splitlines()
    delivered = connected.ctl("deliver", launcher=under(limits))

    assert len(json.loads(printed[-1])["payload"]["text"]) == size
    assert "given up 0" in delivered.stdout + delivered.stderr


def test_the_largest_event_under_the_limits_of_a_shared_host(connected, receiver):  # noqa: F811
    size = 31 << 20
    deliveries.put(connected, deliveries.event(2, text="x" * size))

    done = connected.ctl("events", launcher=under(CPANEL))

    assert len(done.stdout.splitlines()[-1]) > size
    assert connected.ctl("deliver", launcher=under(CPANEL)).returncode == 0


# CGI

KIB = 1024
# In KiB: from too little to start, over too little for a helper, to enough.
ADDRESS_SPACE = [1000, 1300, *range(1400, 3000, 100), 3500, 4000, 6000, 8000, 12000,
                 *range(16000, 26000, 1000), 32000, 64000, 128000]
REQUESTS = {
    "status": lambda site, params: ("GET", None, {
        "Authorization": f"Bearer {site.app_token()}"}, None),
    "callback": lambda site, params: ("GET", params, {}, None),
    "exchange-code": lambda site, params: ("POST", None, {
        "Authorization": f"Bearer {site.app_token()}", "Content-Type": JSON},
        json.dumps({"code": params["code"], "referer": params["referer"]}).encode()),
    "webhook": lambda site, params: ("POST", None, {"Content-Type": JSON}, json.dumps(
        {"account": {"id": "5"}, "x": "y" * 500_000}).encode()),
    "disconnect": lambda site, params: ("POST", None, {
        "Authorization": f"Bearer {site.app_token()}"}, None),
}


def ask_with(site, program, request, address_space):
    """The answer of a program with that many KiB of address space; None: it could not start."""
    method, query, headers, body = request
    running = site.server.start(
        f"/api/amo-crm/{program}", query, method, headers, body,
        launcher=[*process.as_web_user_command(), "prlimit", f"--as={address_space * KIB}"])
    output, _ = running.communicate(body, timeout=30)
    if not output and running.returncode in (126, 127, -signal.SIGSEGV, -signal.SIGKILL):
        return None     # of prlimit, or of the kernel, which could not load the program
    assert running.returncode == 0, (running.returncode, output)
    return cgi_answer(output, method)


@pytest.mark.parametrize("program", REQUESTS)
def test_a_cgi_program_with_little_memory_responds_and_logs_it(bare, amocrm, program):
    """Any answer is complete; a failure is ours, and is logged; and no code is used up by it."""
    bare.configure(amocrm_budget="50 50", webhook_accounts="any")
    outcomes = []
    for space in ADDRESS_SPACE:
        amocrm.record.clear()
        bare.mark_logs()
        params = amocrm.approve(state="s")
        answer = ask_with(bare, program, REQUESTS[program](bare, params), space)
        if answer is None:
            outcomes.append("not started")
            continue
        expect.hardened(answer)
        failed = answer.status in (500, 503) or b"error=server_error" in answer.body
        outcomes.append("failed" if failed else "done")
        if failed:
            bare.logged(f"amo-crm {program}:", "server_error", "memory")
            assert amocrm.exchanges() == [], f"the code was used, with {space} KiB"
        else:
            assert answer.status == 200, (space, answer.body)

    # between the two the order depends on where the kernel places the program
    assert outcomes[0] == "not started" and outcomes[-1] == "done", outcomes
    assert "failed" in outcomes


# FastCGI

def starts(server, program):
    """Whether a process responds to a request, and does not exit before."""
    with server.connect(program) as connection:
        connection.sendall(server.request(f"/api/amo-crm/{program}", None, "GET", {}, None))
        ended = os.pidfd_open(server.processes[program][0].pid)
        try:
            return connection in select.select([connection, ended], [], [], 30)[0]
        finally:
            os.close(ended)


def test_a_fastcgi_process_that_gets_no_memory_responds_and_goes_on(fastcgi):
    """Between too little to start and enough, it refuses only what is too large for its memory."""
    fastcgi.configure(webhook_accounts="any")
    small, large = (json.dumps({"account": {"id": "5"}, "x": "y" * size}).encode()
                    for size in (10, 900_000))

    def send(body):
        answer = fastcgi.post("webhook", body=body, headers={"Content-Type": JSON})
        return expect.hardened(answer).status

    def limited(space):
        def prepare():
            process.die_with_parent()
            resource.setrlimit(resource.RLIMIT_AS, (space * KIB, space * KIB))
        return prepare
    seen = []
    for space in range(2000, 10000, 500):
        fastcgi.server.preexec = limited(space)
        fastcgi.mark_logs()
        if starts(fastcgi.server, "webhook"):
            seen.append((send(small), send(large), send(small)))
            still_the_same(fastcgi)
            if seen[-1][1] == 500:
                fastcgi.logged("amo-crm webhook:", "server_error", "memory")
        fastcgi.server.end("webhook")
        del fastcgi.server.processes["webhook"]

    assert {*seen} == {(200, 200, 200), (200, 500, 200)}, seen
    assert seen[0] == (200, 500, 200) and seen[-1] == (200, 200, 200), seen
