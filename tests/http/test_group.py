"""Signals to a whole group of processes, as Ctrl-C sends them, and a server that is stopped.

The helpers are in the group too.  What they have in hand is brought to its end, and then they end.
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
    """The processes of the session that the program was started in, itself and helpers alike."""
    found = []
    for folder in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):      # it has ended meanwhile
            begin, _, rest = Path(f"/proc/{folder}/stat").read_text().rpartition(")")
            state, _, _, session = rest.split()[:4]
            if int(session) == program.pid and state != "Z":
                found.append(begin.partition("(")[2])
    return found


def all_ended(program):
    process.wait_until(lambda: not members(program), "the end of them all")


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
        _, complaint = asking.communicate(timeout=30)

    assert asking.returncode in (0, -getattr(signal, name)), complaint
    assert pair(bare) != before, f"{name} has lost the new pair"
    assert works(amocrm, bare.ctl("token", ID).stdout.removesuffix("\n")) == 1
    assert len(refreshes(amocrm)) == 1
    all_ended(asking)


@pytest.mark.parametrize("name", SIGNALS)
def test_a_refresh_that_is_sealing(bare, amocrm, name):
    """The cipher had to open the old pair before it, so it was started before signals were held."""
    connect(bare, amocrm, life=SOON)
    before = pair(bare)
    with HeldCipher(bare) as cipher:
        asking = bare.start_ctl("token", ID, start_new_session=True)
        cipher.wait()
        os.killpg(asking.pid, getattr(signal, name))
        cipher.let_go()
        _, complaint = asking.communicate(timeout=30)
        all_ended(asking)

    assert asking.returncode in (0, -getattr(signal, name)), complaint
    assert pair(bare) != before, f"{name} has lost the new pair"
    assert works(amocrm, bare.ctl("token", ID).stdout.removesuffix("\n")) == 1
    assert len(refreshes(amocrm)) == 1


@pytest.mark.parametrize("name", SIGNALS)
def test_refreshes_in_a_row(bare, amocrm, name):
    """What is in hand is brought to its end, and no other is begun."""
    fleet(bare, amocrm, 3)
    release = threading.Event()
    amocrm.misbehave("held", until=release)
    asking = bare.start_ctl("refresh", "--due", 3600, start_new_session=True)
    try:
        process.wait_until(lambda: refreshes(amocrm), "the refresh")
        os.killpg(asking.pid, getattr(signal, name))
    finally:
        release.set()
        asking.communicate(timeout=30)

    assert asking.returncode == -getattr(signal, name)
    assert len(refreshes(amocrm)) == 1
    for (_, user), tokens in stored(bare).items():
        assert works(amocrm, tokens["access_token"]) == user
    assert bare.ctl("refresh", "--due", 3600).stdout == "refreshed 2, failed 0\n"
    all_ended(asking)


@pytest.mark.parametrize("name", SIGNALS)
def test_a_callback(bare, amocrm, name):
    told = amocrm.approve()
    release = threading.Event()
    amocrm.misbehave("held", until=release)
    path = bare.url("callback").removeprefix("http://localhost")
    program = bare.server.start(path, told, start_new_session=True)
    try:
        process.wait_until(amocrm.exchanges, "the exchange")
        os.killpg(program.pid, getattr(signal, name))
    finally:
        release.set()
        program.communicate(timeout=30)

    expect.connected(bare.get("callback", told), told["code"])
    assert len(amocrm.exchanges()) == 1, f"{name} has lost the tokens"
    assert works(amocrm, bare.ctl("token", ID).stdout.removesuffix("\n")) == 1
    all_ended(program)


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_when_its_asker_is_killed_a_helper_ends_with_its_call(bare, amocrm, fault):
    bare.configure(amocrm_timeout=2)
    connect(bare, amocrm, life=SOON)
    amocrm.misbehave(fault)
    asking = bare.start_ctl("token", ID, start_new_session=True)
    process.wait_until(lambda: refreshes(amocrm), "the refresh")

    asking.kill()
    asking.wait()       # and not for the end of its error stream, which the helper has too

    assert "amo-crm-https" in members(asking), "there is none that could outlive it"
    all_ended(asking)
    asking.communicate()
