"""`make run`: its commands work as pasted, and Ctrl-C leaves no process or file behind."""

import html
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import threading
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from sandbox import process
from sandbox.site import BUILD, ROOT, NotBuilt

COMMAND = re.compile(r"^ {10}(\S.*)$", re.MULTILINE)


@pytest.fixture(scope="module", params=["whoever runs the tests", "an ordinary user"])
def checkout(request):
    """The folder and the user.  Tests run by root try an ordinary user too, on a copy."""
    if request.param == "whoever runs the tests":
        yield ROOT, {}
        return
    if not process.is_root():
        pytest.skip("the tests are run by an ordinary user already")
    if not BUILD.exists():
        raise NotBuilt("run make first")
    folder = process.new_folder()
    nobody = pwd.getpwnam("nobody")
    try:
        for name in ("tests/sandbox", "htdocs"):
            shutil.copytree(ROOT / name, folder / name)
        for name in ("cgi-bin", "libexec", "bin"):
            shutil.copytree(BUILD / name, folder / "build" / name)
        for example in ROOT.glob("*.conf.example"):
            shutil.copy(example, folder)
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        yield folder, {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    finally:
        process.remove_folder(folder)


@contextmanager
def running(checkout, port, **variables):
    """Starts it; yields the process and its complete output."""
    folder, rights = checkout
    environment = {**os.environ, "PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    if folder != ROOT:
        environment.pop("BUILD", None)
    program = subprocess.Popen([folder / "tests/sandbox/run"], cwd=folder, env=environment,
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True, **rights)
    try:
        printed = ""
        while "Ctrl-C" not in printed:
            line = program.stdout.readline()
            assert line, f"it exited after printing: {printed}"
            printed += line
        yield program, printed
    finally:
        if program.poll() is None:
            program.terminate()     # so that it removes its folder
            try:
                program.wait(process.PATIENCE)
            finally:
                program.kill()
                program.wait()


def pasted(command, folder, **rights):
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True,
                          timeout=process.PATIENCE, **rights)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


NAME = re.compile(r"^ {6}(\w+=\S+)$", re.MULTILINE)


def test_every_command_works_as_it_is_pasted(checkout):
    with running(checkout, process.free_port()) as (program, printed):
        commands = COMMAND.findall(printed)
        shown = [pasted(command, checkout[0]) for command in commands]

        assert len(commands) >= 5
        allowed, accounts, denied = shown[:3]
        assert allowed.startswith("foryoure://amo-crm/callback?code=def50200")
        assert allowed.endswith("state=from-the-terminal\n")
        assert "reforyou.amocrm.ru" in accounts
        assert denied.startswith("foryoure://amo-crm/callback?error=access_denied")
        by_url = dict(zip(commands, shown))
        for command, output in by_url.items():
            assert output.strip(), f"no output of {command}"
            if command.endswith(("status", "disconnect")):
                assert '"success":true' in output
        # the fault is returned once
        [failing] = [n for n, command in enumerate(commands) if "server_error" in command]
        assert commands[failing + 1] == commands[0]
        assert "error=temporarily_unavailable" in shown[failing + 1]
        assert "?code=" in pasted(commands[0], checkout[0])
        log = Path(re.search(r"/\S+/error\.log", printed)[0])
        assert "temporarily_unavailable" in log.read_text()


@pytest.mark.parametrize("document", ["README.md", "docs/app-developers.md", "docs/webhooks.md"])
def test_the_shell_variables_are_those_of_the_documents(checkout, document):
    begun = re.search(r"^```console\n((?:\$ \w+=\S+\n)+)", (ROOT / document).read_text(), re.MULTILINE)
    with running(checkout, process.free_port()) as (_, printed):
        names = NAME.findall(printed)

        assert [name.partition("=")[0] for name in names] \
            == [line.removeprefix("$ ").partition("=")[0] for line in begun[1].splitlines()[:3]]
        output = pasted("\n".join([*names, 'sed -n "s/^client_id = //p" "$conf"',
                                   'curl -s "$api/callback" | grep -o missing_code | head -1',
                                   'curl -s "$amo/_sandbox/reset" -d ""']), checkout[0])
        assert re.fullmatch(r"[0-9a-f-]{36}\nmissing_code\n\{\}\n", output)


def test_a_refused_webhook_is_not_retried(checkout):
    """amoCRM would retry it for an hour and a half."""
    with running(checkout, process.free_port()) as (_, printed):
        base = re.search(r"^ +(http://localhost:\d+/)app ", printed, re.MULTILINE)[1]
        [command] = [command for command in COMMAND.findall(printed) if "/webhook" in command]

        [sent] = json.loads(pasted(command, checkout[0]))

        assert sent["status"] == 403
        shown = press(base, "", do="lead")
        assert "\n403 " in shown and "Connect first" in shown


def test_webhooks_use_the_currently_configured_key(checkout):
    with running(checkout, process.free_port()) as (_, printed):
        base = re.search(r"^ +(http://localhost:\d+/)app ", printed, re.MULTILINE)[1]
        commands = COMMAND.findall(printed)
        [command] = [command for command in commands if "/webhook" in command]
        conf = next(name for name in NAME.findall(printed) if name.startswith("conf="))
        pasted(commands[0], checkout[0])
        pasted(f"{conf}; sed -i 's/^\\[webhook\\]/[webhook]\\nsecret = 0123456789abcdef/' $conf",
               checkout[0])

        [sent] = json.loads(pasted(command, checkout[0]))

        assert (sent["status"], sent["url"].rpartition("?")[2]) == (200, "key=0123456789abcdef")
        assert button(base, "", do="lead") == 'POST webhook\n200 {"success":true}'


def press(base, page, **fields):
    """The page after one of its buttons was pressed."""
    with urllib.request.urlopen(base + page, urlencode(fields).encode(), timeout=process.PATIENCE) as answer:
        return html.unescape(answer.read().decode())


def button(base, page, **fields):
    """The response that the page shows."""
    return re.search(r"<pre>(.*?)</pre>", press(base, page, **fields), re.DOTALL)[1]


def test_all_actions_of_its_pages(checkout):
    with running(checkout, process.free_port()) as (_, printed):
        base = re.search(r"^ +(http://localhost:\d+/)app ", printed, re.MULTILINE)[1]
        [link] = pasted(COMMAND.findall(printed)[0], checkout[0]).split()

        assert '"connected":true' in button(base, "app", do="status")
        assert "successfully connected" in button(base, "app", do="exchange", link=link)
        assert button(base, "", do="lead") == 'POST webhook\n200 {"success":true}'
        assert "disconnected" in button(base, "", do="remove")
        assert '"connected":false,"hasTokens":true' in button(base, "app", do="status")
        assert '"success":true' in button(base, "app", do="disconnect")
        assert '"hasTokens":false' in button(base, "app", do="status")
        events = pasted(re.search(r"\S+amocrmctl -c \S+", printed)[0] + " events", checkout[0])
        assert '"leads.status"' in events and '"connection.revoked"' in events


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_immediately_and_cleans_up(checkout, ending):
    port = process.free_port()
    with running(checkout, port) as (program, printed):
        folder = Path(re.search(r"removes (/\S+)", printed)[1])
        page = re.search(r"http://localhost:\d+/\?\S+", printed)[0]
        consent = int(re.search(r"localhost%3A(\d+)%2Foauth", printed)[1])
        assert folder.is_dir()
        assert "<html" in pasted(f"curl -s '{page}'", "/")
        assert folder.stat().st_mode & 0o007 == 0

        program.send_signal(ending)
        rest, _ = program.communicate(timeout=process.PATIENCE)

        assert program.returncode == 0, rest
        assert "Traceback" not in rest
        assert not folder.exists()
        process.wait_until(lambda: not process.port_taken(port), "the port to be free again")
        assert not process.port_taken(consent)
        assert not left_of(folder)


def left_of(folder):
    """Processes whose command line names the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in entry.read_bytes():
                found.append(entry.parent.name)
        except OSError:
            pass
    return found


def test_its_server_ends_if_it_is_killed(checkout):
    """Even kill -9, after which it cannot clean up."""
    with running(checkout, process.free_port()) as (program, printed):
        folder = Path(re.search(r"removes (/\S+)", printed)[1])
        assert left_of(folder)
        program.kill()
        try:
            process.wait_until(lambda: not left_of(folder), "the server's end")
        finally:
            shutil.rmtree(folder)


def descendants(pid):
    found = process.children(pid)
    return [*found, *(each for child in found for each in descendants(child))]


def await_line(program, words):
    overdue = threading.Timer(process.PATIENCE, program.terminate)
    overdue.start()
    try:
        printed = ""
        while words not in printed:
            line = program.stdout.readline()
            assert line, f"it ended, or was ended, after printing: {printed}"
            printed += line
    finally:
        overdue.cancel()


def accepting_hosts(command, folder):
    """Sends webhooks, which go to the hosts in turn, until two hosts have accepted one."""
    accepted = set()

    def both():
        [sent] = json.loads(pasted(command, folder))
        if sent["status"] == 200:
            accepted.add(sent["url"])
        return len(accepted) == 2
    process.wait_until(both, "both hosts to accept a webhook")
    return accepted


def test_two_hosts_over_a_database_go_on_without_its_primary(checkout):
    folder, rights = checkout
    with running(checkout, process.free_port(), ENGINE="postgresql") as (program, printed):
        temporary = Path(re.search(r"removes (/\S+)", printed)[1])
        commands = COMMAND.findall(printed)
        allow, accounts = commands[:2]
        on_each = [command for command in commands if command.endswith("/status")][-2:]
        [webhook] = [command for command in commands if "/webhook" in command]
        [state] = [command for command in commands if command.endswith(" engine state")]
        [kill] = [command for command in commands if command.startswith("kill ")]
        primary = int(re.search(r"\d+", kill)[0])

        assert "?code=" in pasted(allow, folder)
        first, second = (pasted(command, folder) for command in on_each)
        assert '"connected":true' in first and first == second
        assert len({command.rpartition(" ")[2] for command in on_each}) == 2
        lost = re.search(r"^primary +(\S+),", pasted(state, folder), re.MULTILINE)[1]
        assert lost in printed
        killed = [primary, *process.children(primary)]
        pasted(kill, folder, **rights)
        await_line(program, "has been promoted")

        assert not any(map(process.alive, killed))
        assert all('"connected":true' in pasted(command, folder) for command in on_each)
        assert len(accepting_hosts(webhook, folder)) == 2
        assert "?code=" in pasted(allow, folder)
        assert "reforyou.amocrm.ru" in pasted(accounts, folder)
        assert lost not in pasted(state, folder)
        await_line(program, "a standby again")
        started = descendants(program.pid)
        program.send_signal(signal.SIGINT)
        rest, _ = program.communicate(timeout=process.PATIENCE)

        assert program.returncode == 0, rest
        assert "Traceback" not in rest
        assert not temporary.exists()
        process.wait_until(lambda: not any(map(process.alive, started)), "the processes' end")
        assert not left_of(temporary)


def refused(port, **variables):
    return subprocess.run([ROOT / "tests/sandbox/run"], cwd=ROOT, capture_output=True, text=True,
                          timeout=process.PATIENCE,
                          env={**os.environ, "PORT": str(port), **variables})


def test_an_unknown_engine_is_reported():
    done = refused(process.free_port(), ENGINE="gdbm")

    assert done.returncode != 0
    assert done.stderr == "ENGINE=gdbm is neither files nor postgresql.\n"


def test_a_busy_port_is_reported():
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]

        done = refused(port)

    assert done.returncode != 0
    assert f"Port {port} is in use" in done.stderr and "make run PORT=" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1"])
def test_an_invalid_port_is_reported(port):
    done = refused(port)

    assert done.returncode != 0
    assert done.stderr.count("\n") == 1 and port in done.stderr


def replaced_port(checkout):
    """Whether another port than 8081 was used while 8081 was busy; None if it became free."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 8081))
            other.listen()
            held = True
        except OSError:
            held = False    # another process has the port, and may release it at any moment
        with running(checkout, process.free_port()) as (_, printed):
            if "localhost%3A8081%2F" not in printed:
                return True
            return False if held else None


def test_a_busy_consent_port_is_replaced(checkout):
    while (replaced := replaced_port(checkout)) is None:
        pass
    assert replaced

