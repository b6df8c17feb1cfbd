"""The files that a request opens, traced by the kernel: each necessary file once, and no other.

A program that is started for each request must not open shared libraries, the time zone, locales,
or folders that need not be read.  The files that it opens are deterministic, the time that it takes
is not.
"""

import hashlib
import re
import shutil
import subprocess

import pytest

import connections
import expect
from sandbox import hooks, process
from sandbox.site import BASE
from webhooks import FORM

OPENED = re.compile(r'^(?:\d+ +)?open(?:at)?\([^"]*"([^"]*)"', re.MULTILINE)
EVENTS = ("events/lock", "events/0000000001.ndjson")


def shard(site, key):
    return str(connections.shard(site, key).relative_to(site.store))


@pytest.fixture
def traced(bare, amocrm, tmp_path):
    """Runs a program under strace; returns the response and the opened paths, in order."""
    program = bare.programs / "webhook"
    if "INTERP" in subprocess.run(["readelf", "-lW", program], capture_output=True, text=True,
                                  check=True).stdout:
        pytest.skip("the programs are dynamically linked, so they open shared libraries")
    if not process.is_root():
        pytest.skip("only root can read the paths in the memory of the programs")
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    probe = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"strace does not work here: {probe.stderr}")
    params = amocrm.approve()
    expect.connected(bare.get("callback", params), params["code"])
    trace = tmp_path / "trace"

    def ask(program, query=None, method="GET", headers=None, body=None):
        answer = bare.server.ask(BASE + program, query, method, headers or {}, body,
                                 launcher=("strace", "-u", process.web_user().pw_name, "-f", "-o", trace,
                                           "-e", "trace=open,openat"))
        return answer, [path.removeprefix(f"{bare.store}/")
                        for path in OPENED.findall(trace.read_text())]
    return ask


def test_without_a_code(traced, bare):
    answer, opened = traced("callback")
    assert "error=missing_code" in answer.text
    assert opened == [str(bare.config)]


def test_the_same_code_again(traced, bare, amocrm):
    params = amocrm.approve()
    expect.connected(bare.get("callback", params), params["code"])

    answer, opened = traced("callback", params)

    expect.connected(answer, params["code"])
    code = hashlib.sha256(params["code"].encode()).hexdigest()
    assert opened == [str(bare.config), shard(bare, f"code:{code}")]


def test_status(traced, bare):
    answer, opened = traced("status", headers={"Authorization": f"Bearer {bare.app_token()}"})
    assert answer.json["data"]["connected"]
    assert opened == [str(bare.config), shard(bare, "app:"), shard(bare, "connection:31920194:1")]


def test_disconnect_without_a_token(traced, bare):
    answer, opened = traced("disconnect", method="POST", body=b"")
    assert answer.status == 401
    assert opened == [str(bare.config)]


def test_an_event(traced, bare, amocrm):
    """The journal's folder is read only for the first events of a segment; the second leaves a
    hint."""
    body = hooks.webhook_body(amocrm.who()[0])
    for _ in range(2):
        bare.post("webhook", body=body, headers={"Content-Type": FORM})

    answer, opened = traced("webhook", None, "POST", {"Content-Type": FORM}, body)

    assert answer.json == {"success": True}
    assert opened == [str(bare.config), shard(bare, "account:31920194"),
                      shard(bare, "connection:31920194:1"), *EVENTS]
