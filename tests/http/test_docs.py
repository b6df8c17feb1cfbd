"""The documentation matches the programs.

The `console` blocks of README.md and docs/*.md are run here, command by command, and the output is
compared with the output in the document; only what differs from run to run (codes, times, ports) is
not compared.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import importlib.machinery
import importlib.util
import re
import shutil
import subprocess
import time

import pytest

from sandbox import process
from sandbox.site import BUILD, ROOT

DOCS = ROOT / "docs"
TEXTS = ["README.md", "docs/app-developers.md", "docs/webhooks.md"]
ALL_TEXTS = [*TEXTS, "docs/several-hosts.md"]      # that one has no commands to run on one machine
MANUALS = ["amocrmctl.1", "amo-crm.conf.5"]


# Commands and their output.

def console_blocks(text):
    """The `console` blocks: lists of (command, lines of output)."""
    return [sessions(block.split("\n"))
            for block in re.findall(r"^```console\n(.*?)\n```$", text, re.M | re.S)]


def sessions(lines):
    """Splits a block.  A command begins with "$ " and has as many lines as the shell needs."""
    shown = []
    lines = list(lines)
    while lines:
        line = lines.pop(0)
        if not line.startswith("$ "):
            shown[-1][1].append(line)
            continue
        command = line[2:]
        while subprocess.run(["bash", "-n", "-c", command], capture_output=True).returncode:
            assert lines, f"the command never ends: {command}"
            command += "\n" + lines.pop(0)
        shown.append((command, []))
    return shown


def for_this_run(command, names):
    """The command with the ports and the folder of this run."""
    assigned = re.match(r"(\w+)=", command)
    if assigned and assigned[1] in names:
        return f"{assigned[1]}={names[assigned[1]]}"
    return command.replace("build/bin/amocrmctl", str(names["amocrmctl"]))


def run_session(commands, names):
    """The output of each command; all are run in one shell."""
    script = "".join(f"{for_this_run(command, names)}\nprintf '\\036'\n" for command in commands)
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=process.PATIENCE,
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
    printed = done.stdout.split("\x1e")
    assert len(printed) == len(commands) + 1, done.stdout
    return [text.replace(names["api"].partition("/api")[0], "http://localhost:8080")
            .replace(names["amo"], "http://localhost:8081").rstrip("\n") for text in printed[:-1]]


def abbreviated(text):
    """Abbreviates codes and tokens as the documents do."""
    text = re.sub(r"def50200[0-9a-f]{20,}", "def50200…", text)
    return re.sub(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "eyJ…", text)


def comparable(text):
    """Replaces what differs from run to run."""
    text = "\n".join(line.rstrip() for line in abbreviated(text).split("\n"))
    for pattern, name in [
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
            (r"\b[0-9a-f]{64}\b", "<sha256>"),
            (r"\bcode=[0-9a-f]{8}\b", "code=<8 digits>"),
            (r'"took": [0-9.]+', '"took": <seconds>'),
            (r'"at":"\d+\.\d{9}"', '"at":"<time>"'),
            (r'[^\s"]*/amo-crm-\w{8}\b', "<folder>")]:
        text = re.sub(pattern, name, text)
    return text.rstrip("\n")


@pytest.fixture
def behind_apache(one_site, runners):
    one_site.reset(runners("apache"))
    return one_site


@pytest.mark.parametrize("document", TEXTS)
def test_console_blocks_show_the_real_output(document, behind_apache, amocrm):
    blocks = console_blocks((ROOT / document).read_text())
    shown = [pair for block in blocks for pair in block]
    names = {"conf": behind_apache.config, "api": behind_apache.url("").rstrip("/"),
             "amo": amocrm.plain_url, "amocrmctl": behind_apache.amocrmctl}

    outputs = run_session([command for command, _ in shown], names)

    assert shown, f"{document} shows no command"
    for (command, printed), text in zip(shown, outputs):
        assert comparable(text) == comparable("\n".join(printed)), f"$ {command}"


# amocrmctl's help, manual and completion.

def amocrmctl_help(*arguments):
    done = subprocess.run([BUILD / "bin" / "amocrmctl", *arguments, "--help"],
                          capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def options_of(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - {"--help"}


@pytest.fixture(scope="module")
def commands():
    """Each command and the options of its usage line."""
    listed = amocrmctl_help().partition("\ncommands:\n")[2]
    names = re.findall(r"^  ([a-z]+)", listed, re.M)
    assert len(names) > 10
    options = {}
    for name in names:
        text = amocrmctl_help(name)
        options[name] = options_of(text.split("\n")[0])
        assert options_of(text) <= options[name], f"{name}: options that its usage line lacks"
    return options


def manual_commands():
    """The commands of amocrmctl.1: the options of the heading, and those explained below it."""
    text = (DOCS / "amocrmctl.1").read_text()
    section = text.partition("\n.Sh COMMANDS\n")[2].partition("\n.Sh ")[0]
    found = {}
    for entry in re.split(r"^\.It Ic ", section, flags=re.M)[1:]:
        heading, _, rest = entry.partition("\n")
        explained = "\n".join(re.findall(r"^\.It (Fl .*)", rest, re.M))
        found[heading.split()[0]] = (manual_options(heading), manual_options(explained))
    return found


def manual_options(text):
    return {f"-{option}" for option in re.findall(r"\bFl (-[a-z-]+)", text)}


def test_the_manual_has_every_command_and_option(commands):
    manual = manual_commands()

    assert set(manual) == set(commands)
    for name, options in commands.items():
        assert manual[name] == (options, options), f"{name}: in the heading, and explained"


def test_the_manual_has_the_global_options(commands):
    usage = amocrmctl_help().partition("\ncommands:\n")[0]
    manual = (DOCS / "amocrmctl.1").read_text().partition("\n.Sh COMMANDS\n")[0]

    options = set(re.findall(r"^  (-[a-z]), (--[a-z]+)", usage, re.M))
    assert options == {("-c", "--config"), ("-h", "--help")}
    for short, long in options:
        assert re.search(rf"^\.It Fl {short[1]} .*Fl {long[1:]}\b", manual, re.M), long


def completed(*words, path=None):
    """The completions of the last word."""
    script = f"""
        . {DOCS}/amocrmctl.bash
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _amocrmctl amocrmctl "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", "amocrmctl", *words], capture_output=True,
                          text=True, env={"PATH": f"{path or ''}:/usr/bin:/bin"})
    assert not done.stderr, done.stderr
    return set(done.stdout.split())


def test_the_completion_has_every_command_and_option(commands):
    assert completed("") == set(commands) | {"-c", "--config", "-h", "--help"}
    assert completed("-c", "file", "ex") == {"export"}
    for name, options in commands.items():
        assert completed(name, "--") == options | {"--help"}, name


def test_the_completion_offers_connected_accounts(tmp_path):
    stub = tmp_path / "amocrmctl"
    stub.write_text("#!/bin/sh\n[ \"$*\" = '-c some.conf accounts --json' ] && "
                    "echo '[\n{\"account_id\":31,\"domain\":\"a.amocrm.ru\"}\n]'\n")
    stub.chmod(0o755)

    for name in ("token", "refresh", "disconnect", "subscribe", "unsubscribe"):
        assert completed("-c", "some.conf", name, "", path=tmp_path) == {"31", "a.amocrm.ru"}
    assert completed("-c", "some.conf", "subscribe", "31", "add_l", path=tmp_path) == {"add_lead"}
    assert completed("token", "", path=tmp_path) == set()


# The configuration.

def config_keys():
    """(section, key) -> (default_value or None, required), from the programs' own table."""
    source = (ROOT / "common/config/config_keys.c").read_text()
    table = source.partition("config_keys[] = {")[2].partition("\n};")[0]
    store = re.search(r'#define STORE_PATH "(.*?)"', source)[1]
    keys = {}
    for entry in re.split(r"(?=\bKEY\()", table)[1:]:
        section, key = re.match(r"KEY\((\w+), (\w+)\)", entry).groups()
        default_value = re.search(r'\.default_value = (?:"([^"]*)"|(STORE_PATH))', entry)
        keys[section, key] = (default_value and (store if default_value[2] else default_value[1]),
                              ".required = true" in entry)
    assert len(keys) > 30
    return keys


def example_keys():
    """(section, key) -> (value, given), from amo-crm.conf.example."""
    keys, section = {}, None
    for line in (ROOT / "amo-crm.conf.example").read_text().split("\n"):
        if line.startswith("["):
            section = line.strip("[]")
        given = re.match(r"(#?)([a-z_]+) = (.*)", line)
        if given:
            assert (section, given[2]) not in keys
            keys[section, given[2]] = (given[3], not given[1])
    return keys


def manual_keys():
    """(section, key) -> its text in amo-crm.conf.5."""
    keys = {}
    text = (DOCS / "amo-crm.conf.5").read_text()
    for part in re.split(r"^\.Ss \[", text, flags=re.M)[1:]:
        section, _, rest = part.partition("]")
        for entry in re.split(r"^\.It Ic ", rest.partition("\n.Sh ")[0], flags=re.M)[1:]:
            keys[section, entry.split("\n")[0]] = entry
    return keys


def readme_keys():
    """(section, key) -> (default, meaning), from README's table."""
    rows = re.findall(r"^\| (\w+) \| `(\w+)` \| (.*?) \| (.*) \|$",
                      (ROOT / "README.md").read_text(), re.M)
    return {(section, key): (default, meaning) for section, key, default, meaning in rows}


def test_the_example_has_every_key_and_default():
    example = example_keys()

    assert set(example) == set(config_keys())
    for key, (default_value, required) in config_keys().items():
        value, given = example[key]
        assert given or not required, f"{key} is required, and commented out in the example"
        if default_value is not None:
            assert (value, given) == (default_value, False), key


def test_the_manual_has_every_key_and_default():
    manual = manual_keys()

    assert set(manual) == set(config_keys())
    for key, (default_value, required) in config_keys().items():
        assert required == ("\nRequired.\n" in manual[key]), key
        if default_value is not None:
            assert f"The default is\n.Cm {default_value} .\n" in manual[key], key


def test_readme_has_every_key_and_default():
    readme = readme_keys()

    assert set(readme) == set(config_keys())
    for key, (default_value, required) in config_keys().items():
        default = readme[key][0]
        assert required == (default == "required"), key
        if default_value is not None:
            assert default == f"`{default_value}`", key


@pytest.mark.parametrize("manual", MANUALS)
@pytest.mark.parametrize("tool", [["mandoc", "-Tlint", "-Wwarning"],
                                  ["groff", "-mandoc", "-ww", "-Tutf8", "-z"]],
                         ids=["mandoc", "groff"])
def test_a_manual_is_well_formed(manual, tool):
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")

    done = subprocess.run([*tool, DOCS / manual], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# Links, make targets, folders and units.

def anchor(heading):
    """The anchor that GitHub generates."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", ALL_TEXTS)
def test_links_have_a_target(document):
    text = (ROOT / document).read_text()
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]

    for link in links:
        path, _, place = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), link
        if place:
            headings = re.findall(r"^#+ (.*)", target.read_text(), re.M)
            assert place in map(anchor, headings), link


@pytest.mark.parametrize("document", ALL_TEXTS)
def test_make_targets_of_the_documents_exist(document):
    text = (ROOT / document).read_text()
    code = "\n".join(re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)
                     + re.findall(r"`([^`\n]+)`", text))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))

    named = set(re.findall(r"\bmake ([a-z][a-z-]*)(?![\w=])", code))
    assert named <= targets, f"the Makefile has no {named - targets}"


def test_readme_describes_every_folder_of_common():
    """From the top down, with the public headers that check-style allows others to include."""
    reading = (ROOT / "README.md").read_text().partition("\n## Reading the code\n")[2]
    rows = re.findall(r"^\| `(\w+)/` \| [^|]+ \| ([^|]+) \|$", reading, re.M)
    loader = importlib.machinery.SourceFileLoader("check_style", str(ROOT / "tests/unit/check-style"))
    style = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_style", loader))
    loader.exec_module(style)

    assert [(folder, headers.replace("`", "").replace(",", "").split()) for folder, headers in rows] \
        == [(folder, public.split()) for folder, (_, public) in reversed(style.FOLDERS.items())]


def listed_files(title):
    """The files that README.md lists under this heading."""
    section = (ROOT / "README.md").read_text().partition(f"\n### {title}\n")[2]
    items = re.findall(r"^- (.*?):", re.split(r"\n#{2,3} ", section)[0], re.M)
    return {file for item in items for file in re.findall(r"`([^`]+)`", item)}


def files_that_name(names, prefix=None):
    """The tracked files that contain all the names, except tests and docs/performance.*.

    With a prefix, a file may contain a C constant of that prefix and the name instead.
    """
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("this is not a git checkout")
    forms = [[name, prefix + name.upper().replace("-", "_")] if prefix else [name]
             for name in names]
    words = [re.compile(rf"(?<![\w-])(?:{'|'.join(form)})(?![\w-])") for form in forms]
    return {file for file in tracked.stdout.split()
            if not file.startswith(("tests/", "docs/performance"))
            and all(word.search((ROOT / file).read_text(errors="replace")) for word in words)}


def test_every_source_file_that_readme_names_exists():
    folders = "cgi-bin|common|libexec|tools|tests|htdocs|docs|dist"
    named = set(re.findall(rf"`((?:{folders})/[\w./-]+)`", (ROOT / "README.md").read_text()))
    assert len(named) > 20
    assert {file for file in named - {"cgi-bin/NAME.c"} if not (ROOT / file).exists()} == set()


def test_readme_lists_the_files_of_an_endpoint():
    endpoints = [source.stem for source in (ROOT / "cgi-bin").glob("*.c")]
    assert len(endpoints) >= 5
    assert listed_files("How to add an endpoint") == files_that_name(endpoints, prefix="ENDPOINT_")


def test_readme_lists_the_files_of_a_command():
    table = (ROOT / "tools/amocrmctl.c").read_text()
    commands = re.findall(r'^\t\{ "([a-z]+)", ', table, re.M)
    functions = re.findall(r"\b(ctl_\w+) \},$", table, re.M)
    assert len(commands) == len(functions) >= 15
    assert listed_files("How to add a command") == (
        {"tools/ctl.h"} | files_that_name(commands) - {"README.md"})
    assert "tools/ctl.h" in files_that_name(functions)


def test_readme_lists_the_files_of_a_configuration_key():
    keys = {key for _, key in config_keys()}
    assert listed_files("How to add a configuration key") == files_that_name(keys)


def test_the_units_are_well_formed(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    units = sorted((DOCS / "systemd").iterdir())
    assert len(units) == 5
    for unit in units:
        text = unit.read_text().replace("/usr/local/bin/amocrmctl", str(BUILD / "bin/amocrmctl"))
        text = text.replace("/usr/bin/multiwatch", "/bin/true")     # may not be installed
        # the manual is found only once it is installed
        text = re.sub(r"^Documentation=.*\n", "", text, flags=re.M)
        (tmp_path / unit.name).write_text(text)

    done = subprocess.run(["systemd-analyze", "verify", *(tmp_path / unit.name for unit in units)],
                          capture_output=True, text=True)

    # it may report faults of other units of this machine
    assert [line for line in done.stderr.split("\n") if "amo-crm" in line] == []


def test_the_units_use_existing_commands(commands):
    units = [unit for unit in (DOCS / "systemd").glob("*.service") if "fastcgi" not in unit.name]
    assert len(units) == 2
    for unit in units:
        name, *arguments = re.search(r"^ExecStart=/usr/local/bin/amocrmctl (.*)", unit.read_text(),
                                     re.M)[1].split()
        assert options_of(" ".join(arguments)) <= commands[name]


# The example receivers.

NEW = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD = "whsec_" + base64.b64encode(bytes(range(100, 124))).decode()
OTHER = "whsec_" + base64.b64encode(b"another key, of somebody else...").decode()
EVENT = json.dumps({"id": "ab" * 32, "account_id": 31920194, "payload": {"name": "Олена"}},
                   ensure_ascii=False).encode()
RECEIVERS = {
    "JavaScript": ["node", DOCS / "examples" / "verify-webhook.js"],
    "Python": ["/usr/bin/python3", DOCS / "examples" / "verify_webhook.py"],
}


class Receiver:
    """A running example receiver."""

    def __init__(self, command, secrets, folder):
        self._said = folder / "said"
        self._taken = folder / "taken"
        with self._said.open("wb") as said, self._taken.open("wb") as taken:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=taken, stderr=said,
                env={"PATH": os.environ["PATH"], "WEBHOOK_SECRET": secrets, "PORT": "0"})
        started = process.wait_until(
            lambda: re.search(r"http://127\.0\.0\.1:(\d+)/\n", self._said.read_text())
            or self._process.poll() is not None, "the receiver")
        assert started is not True, self._said.read_text()
        self.port = int(started[1])

    def post(self, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=process.PATIENCE)
        try:
            connection.request("POST", "/amo-crm", body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    @property
    def taken(self):
        return [json.loads(line) for line in self._taken.read_text().split("\n") if line]

    def stop(self):
        self._process.terminate()
        self._process.wait(process.PATIENCE)


@pytest.fixture(params=RECEIVERS)
def start_receiver(request, tmp_path):
    command = RECEIVERS[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    started = []

    def start(secrets):
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Receiver(command, secrets, folder))
        return started[-1]
    yield start
    for receiver in started:
        receiver.stop()


def signature(secret, event_id, timestamp, body):
    """The signature by the specification, without using our own code."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


def signed(*secrets, body=EVENT, event_id="ab" * 32, ago=0, timestamp=None):
    timestamp = timestamp or str(int(time.time()) - ago)
    return {"Content-Type": "application/json", "webhook-id": event_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(signature(secret, event_id, timestamp, body)
                                          for secret in secrets)}


# The receiver's secrets; the headers; the body; whether the delivery is accepted.
DELIVERIES = {
    "valid": (NEW, lambda: signed(NEW), EVENT, True),
    "valid, four minutes old": (NEW, lambda: signed(NEW, ago=240), EVENT, True),
    "valid, our clock is slow": (NEW, lambda: signed(NEW, ago=-240), EVENT, True),
    "both secrets here, the new one used": (f"{NEW} {OLD}", lambda: signed(NEW), EVENT, True),
    "both secrets here, the old one used": (f"{NEW} {OLD}", lambda: signed(OLD), EVENT, True),
    "both secrets used, only the new one here": (NEW, lambda: signed(NEW, OLD), EVENT, True),
    "both secrets used, only the old one here": (OLD, lambda: signed(NEW, OLD), EVENT, True),
    "a signature of another version first": (
        NEW, lambda: with_signature(signed(NEW), "v1a,AAAA {}"), EVENT, True),
    "another secret": (NEW, lambda: signed(OTHER), EVENT, False),
    "another secret, two here": (f"{NEW} {OLD}", lambda: signed(OTHER), EVENT, False),
    "six minutes old": (NEW, lambda: signed(NEW, ago=360), EVENT, False),
    "from the future": (NEW, lambda: signed(NEW, ago=-360), EVENT, False),
    "a changed body": (NEW, lambda: signed(NEW), EVENT.replace(b"31920194", b"31920195"), False),
    "the same JSON, written differently": (NEW, lambda: signed(NEW), EVENT + b" ", False),
    "no body": (NEW, lambda: signed(NEW), b"", False),
    "another id": (NEW, lambda: {**signed(NEW), "webhook-id": "cd" * 32}, EVENT, False),
    "another timestamp": (
        NEW, lambda: {**signed(NEW), "webhook-timestamp": str(int(time.time()) + 5)}, EVENT, False),
    "an invalid timestamp with a valid signature": (
        NEW, lambda: signed(NEW, timestamp="now"), EVENT, False),
    "no id": (NEW, lambda: without("webhook-id"), EVENT, False),
    "no timestamp": (NEW, lambda: without("webhook-timestamp"), EVENT, False),
    "no signature": (NEW, lambda: without("webhook-signature"), EVENT, False),
    "half a signature": (NEW, lambda: with_signature(signed(NEW), "{:.20}"), EVENT, False),
    "another version's name before it": (
        NEW, lambda: with_signature(signed(NEW), "v2{0[2]}{0}"), EVENT, False),
}


def with_signature(headers, form):
    return {**headers, "webhook-signature": form.format(headers["webhook-signature"])}


def without(name):
    return {known: value for known, value in signed(NEW).items() if known != name}


def test_a_receiver_accepts_only_valid_deliveries(start_receiver):
    receivers = {}
    for label, (secrets, headers, body, accepted) in DELIVERIES.items():
        if secrets not in receivers:
            receivers[secrets] = start_receiver(secrets)
        receiver = receivers[secrets]
        before = len(receiver.taken)

        status = receiver.post(body, headers())

        assert status == (200 if accepted else 401), label
        assert receiver.taken[before:] == ([json.loads(EVENT)] if accepted else []), label


@pytest.mark.parametrize("secrets", ["", "secret", f"{NEW} secret"])
def test_a_receiver_does_not_start_without_valid_secrets(start_receiver, secrets):
    with pytest.raises(AssertionError, match="WEBHOOK_SECRET must be"):
        start_receiver(secrets)


def test_a_receiver_gets_what_deliver_sends(behind_apache, amocrm, start_receiver):
    """From amoCRM's webhook to the example receiver, as docs/webhooks.md describes."""
    site, receiver = behind_apache, start_receiver(f"{OLD} {NEW}")
    site.get("callback", amocrm.approve())
    form = b"leads[status][0][id]=7&leads[status][0][name]=%D0%9E%D0%BB&account[id]=31920194"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert site.post("webhook", headers=headers, body=form).status == 200
    # connect_to would redirect the receiver's host to the mock amoCRM server too
    site.configure(deliver_url=f"http://127.0.0.1:{receiver.port}/amo-crm", deliver_secret=NEW,
                   deliver_allow_private="yes", amocrm_connect_to=None)

    done = site.ctl("deliver", "--once")

    assert done.stdout == "delivered 2, given up 0, accounts blocked 0\n"
    stored = [json.loads(line) for line in site.ctl("events").stdout.splitlines()]
    assert receiver.taken == stored
    assert [event["events"] for event in stored] == [["connection.connected"], ["leads.status"]]
