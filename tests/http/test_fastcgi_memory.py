"""A FastCGI process and its helpers leak neither memory nor open files over many requests."""

import json
import secrets
from pathlib import Path

import pytest

from app import FORM, JSON, User
from responder import (helpers, memory, only_process, only_root_sees, open_files,
                       still_the_same)
from sandbox import hooks, process

WARM_UP, ROUNDS = 5, 40     # each round sends each program SHARE requests
SHARE = 20
GROWTH = 1.1    # a few pages are not a leak

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="there is no smaps_rollup")


def some(length):
    return secrets.token_urlsafe(secrets.randbelow(length) + 1)


def ask_all(site, amocrm, number):
    """Valid and invalid requests, small and large, all of them different."""
    user = User(site, some(60))
    for _ in range(SHARE // 4):
        user.status()
        site.get("status", headers={"Authorization": f"Bearer {some(6000)}"})
        site.get("status", headers={"Cookie": some(3000)})
        site.ask("status", method=some(10))

        site.get("callback")
        site.get("callback", {"error": "access_denied", "state": some(300)})
        site.get("callback", {"code": some(900), "referer": f"{number}.example", "state": some(50)})
        site.get("callback", {"code": some(30_000)})

        user.exchange(code="", padding=some(20_000))
        user.send(some(80_000).encode(), FORM)
        user.send(json.dumps({"code": [some(300)]}).encode()[:-1], JSON)
        user.exchange(code=some(900), referer=f"{number}.example")

        user.disconnect()
        site.get("disconnect", {"account_id": "1", "client_uuid": some(90), "signature": some(64)})
        site.get("disconnect", {"account_id": some(90)})
        site.post("disconnect", body=some(9000).encode())

        event = f"account[id]=31920194&leads[add][0][name]={some(2000)}"
        site.post("webhook", body=event.encode(), headers={"Content-Type": FORM})
        event += "".join(f"&leads[add][{n}][name]={some(500)}" for n in range(200))
        site.post("webhook", body=event.encode(), headers={"Content-Type": FORM})
        site.post("webhook", body=some(5000).encode(), headers={"Content-Type": JSON})
        site.post("webhook", body=b"account[id]=7&x=1", headers={"Content-Type": FORM})
    user.exchange(code="def50200" + secrets.token_hex(500))     # amoCRM refuses it
    amocrm.misbehave("not_json")
    site.get("callback", amocrm.approve())
    if number % 8 == 0:
        site.get("callback", amocrm.approve())
        site.get("disconnect", hooks.disconnect_query(amocrm.integration, amocrm.who()[0]))


def state_of(site):
    """Memory and open files of every process and of its helpers."""
    state = {}
    for program in site.server.processes:
        one = only_process(site, program)
        state[program] = (memory(one.pid), open_files(one))
        for child, name in helpers(one).items():
            state[f"{name} of {program}"] = (memory(child), None)
    return state


@only_root_sees
def test_memory_and_open_files_do_not_grow(fastcgi, amocrm):
    for number in range(WARM_UP):
        ask_all(fastcgi, amocrm, number)
    before = state_of(fastcgi)
    assert len(before) > 5, "there are no helpers"
    for number in range(ROUNDS):
        ask_all(fastcgi, amocrm, number)
    still_the_same(fastcgi)

    def grown():
        after = state_of(fastcgi)
        assert after.keys() == before.keys()
        return {name: (before[name], after[name]) for name, (used, files) in after.items()
                if used > GROWTH * before[name][0] or (files or 0) > (before[name][1] or 0)}
    # the last connection may still be closing
    process.wait_until(lambda: not grown(), f"these to stop growing: {grown()}")
