"""Signals to a whole process group, as sent by Ctrl-C or when a server is stopped.

The helpers are in the group too.  They complete the request in progress, and then they exit.
"""

import contextlib
import os
import signal
import threading
from pathlib import Path

import pytest

import expect
from cipher import HeldCipher
from connections import ID, SOON, connect, pair, stored, works
from sandbox import process
from test_refresh import fleet, refreshes

SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]


def members(program):
    """The names of all processes in the program's session: the program itself and its helpers."""
    found = []
    for folder in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):      # the process has exited meanwhile
            begin, _, rest = Path(f"/proc/{folder}/stat").read_text().rpartition(")")
            state, _, _, session = rest.split()[:4]
            if int(session) == program.pid and state != "Z":
                found.append(begin.partition("(")[2])
    return found


def all_ended(program):
    process.wait_until(lambda: not members(program), "the end of all processes")


@pytest.mark.parametrize("name", SIGNALS)
def test_a_refresh(bare, amocrm, name):
    connect(bare, amocrm, life=SOON)
    before = pair(bare)
    release = threading.Event()
    amocrm.misbehave("held", until=release)
    asking = bare.start_ctl("token", ID, start_new_session=True)
    try:
        process.wait_until(lambda: refreshes(amocrm), "the refresh")
        os.killpg(asking.pid, getattr(signal, name))
    finally:
        release.set()
        _, complaint = asking.communicate(timeout=process.PATIENCE)

    assert asking.returncode in (0, -getattr(signal, name)), complaint
    assert pair(bare) != before, f"{name} has lost the new pair"
    assert works(amocrm, bare.ctl("token", ID).stdout.removesuffix("\n")) == 1
    assert len(refreshes(amocrm)) == 1
    all_ended(asking)


@pytest.mark.parametrize("name", SIGNALS)
def test_a_refresh_that_is_sealing_the_new_pair(bare, amocrm, name):
    """The crypto helper was started to decrypt the old pair, before signals were blocked."""
    connect(bare, amocrm, life=SOON)
    before = pair(bare)
    with HeldCipher(bare) as cipher:
        asking = bare.start_ctl("token", ID, start_new_session=True)
        cipher.wait()
        os.killpg(asking.pid, getattr(signal, name))
        cipher.let_go()
        _, complaint = asking.communicate(timeout=process.PATIENCE)
        all_ended(asking)

    assert asking.returncode in (0, -getattr(signal, name)), complaint
    assert pair(bare) != before, f"{name} has lost the new pair"
    assert works(amocrm, bare.ctl("token", ID).stdout.removesuffix("\n")) == 1
    assert len(refreshes(amocrm)) == 1


@pytest.mark.parametrize("name", SIGNALS)
def test_refreshes_in_a_row(bare, amocrm, name):
    """The refresh in progress is completed, and no other one begins."""
    fleet(bare, amocrm, 3)
    release = threading.Event()
    amocrm.misbehave("held", until=release)
    asking = bare.start_ctl("refresh", "--due", 3600, start_new_session=True)
    try:
        process.wait_until(lambda: refreshes(amocrm), "the refresh")
        os.killpg(asking.pid, getattr(signal, name))
    finally:
        release.set()
        asking.communicate(timeout=process.PATIENCE)

    assert asking.returncode == -getattr(signal, name)
    assert len(refreshes(amocrm)) == 1
    for (_, user), tokens in stored(bare).items():
        assert works(amocrm, tokens["access_token"]) == user
    assert bare.ctl("refresh", "--due", 3600).stdout == "refreshed 2, failed 0\n"
    all_ended(asking)


@pytest.mark.parametrize("name", SIGNALS)
def test_a_callback(bare, amocrm, name):
    params = amocrm.approve()
    release = threading.Event()
    amocrm.misbehave("held", until=release)
    path = bare.url("callback").removeprefix("http://localhost")
    program = bare.server.start(path, params, start_new_session=True)
    try:
        process.wait_until(amocrm.exchanges, "the exchange")
        os.killpg(program.pid, getattr(signal, name))
    finally:
        release.set()
        program.communicate(timeout=process.PATIENCE)

    expect.connected(bare.get("callback", params), params["code"])
    assert len(amocrm.exchanges()) == 1, f"{name} has lost the tokens"
    assert works(amocrm, bare.ctl("token", ID).stdout.removesuffix("\n")) == 1
    all_ended(program)


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_helper_ends_with_its_request_if_the_program_is_killed(bare, amocrm, fault):
    bare.configure(amocrm_timeout=2)
    connect(bare, amocrm, life=SOON)
    amocrm.misbehave(fault)
    asking = bare.start_ctl("token", ID, start_new_session=True)
    process.wait_until(lambda: refreshes(amocrm), "the refresh")

    asking.kill()
    asking.wait()       # not communicate(): the helper has the error stream open too

    assert "amo-crm-https" in members(asking), "there is no helper that could outlive the program"
    all_ended(asking)
    asking.communicate()
