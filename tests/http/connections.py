"""Shared by the tests of amocrmctl: connected accounts, and what is stored of them."""

import contextlib
import fcntl
import hashlib
import json
import os
import struct
import time

import expect
from sandbox import process

# Every account and amoCRM user may connect, and no app user has to claim the connection.
ANY_ACCOUNT = {"amocrm_account": None, "app_connections": "per_user", "app_state": "any"}
ID, HOST = 31920194, "reforyou.amocrm.ru"   # the first account of the mock amoCRM server
SOON = 200      # seconds; `token` first refreshes a token that expires this soon


@contextlib.contextmanager
def tokens_that_last(amocrm, seconds):
    usual, amocrm.oauth.access_life = amocrm.oauth.access_life, seconds
    try:
        yield
    finally:
        amocrm.oauth.access_life = usual


def connect(site, amocrm, *, life=None, **who):
    """Connects by the callback; `life` is the lifetime of the first access token in seconds."""
    with tokens_that_last(amocrm, life or amocrm.oauth.access_life):
        params = amocrm.approve(**who)
        expect.connected(site.get("callback", params), params["code"])
    amocrm.forget()


def exported(site, *options):
    """The lines of `amocrmctl export`."""
    return [json.loads(line) for line in site.ctl("export", *options).stdout.splitlines()]


def stored(site):
    """The stored token pairs in plain text, by account and amoCRM user."""
    pairs = {}
    for line in exported(site, "--plain"):
        kind, *ids = line["key"].split(":")
        if kind == "connection":
            pairs[tuple(map(int, ids))] = json.loads(line["tokens"])
    return pairs


def pair(site):
    """The only stored token pair."""
    [only] = stored(site).values()
    return only


def one(site):
    """The only connection, as `accounts` reports it."""
    [only] = site.connections()
    return only


def shard(site, key):
    """The file of the store that contains the record with this key."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:2], "big") % 512
    return site.store / "connections" / f"{number:03x}.gdbm"


def forget_list(site, account=ID):
    """Removes the list of the account's connections."""
    shard(site, f"account:{account}").unlink()


def works(amocrm, token, account=None):
    """The amoCRM user of an access token, which counts as used by this."""
    return amocrm.oauth.bearer(amocrm.who(account)[0], token).user.id


def age(site, seconds):
    """Moves the times of all stored connections into the past."""
    lines = exported(site, "--plain")
    for line in lines:
        if line["key"].startswith("connection:"):
            state, clear, rest = line["value"].split("\n")
            clear = json.loads(clear)
            for name in ("connected_at", "refreshed_at"):
                clear[name] -= seconds
            line["value"] = "\n".join((state, compact(clear), rest))
            site.ctl("disconnect", "/".join(line["key"].split(":")[1:]))
    take_in(site, lines)


def made_up(account, user=1, *, host=HOST, state="active", app_user=None, refreshed_at=None,
            lasts=86400, tokens=None):
    """A made-up connection, as a line for `amocrmctl import`."""
    now = int(time.time())
    clear = {"account_id": account, "amocrm_user_id": user, "host": host, "app_user": app_user,
             "connected_at": refreshed_at or now, "refreshed_at": refreshed_at or now,
             "expires_at": now + lasts}
    tokens = tokens or {"access_token": f"access-{account}-{user}-{refreshed_at}",
                        "refresh_token": f"refresh-{account}-{user}-{refreshed_at}",
                        "expires_at": now + lasts}
    return {"key": f"connection:{account}:{user}",
            "value": "\n".join((state, compact(clear), "")), "tokens": compact(tokens)}


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def take_in(site, lines, **options):
    """Imports these lines with `amocrmctl import`."""
    given = "".join((one if isinstance(one, str) else compact(one)) + "\n" for one in lines)
    return site.ctl("import", input=given, **options)


def held_lock(site, name):
    """Takes one of the store's locks (store_files_lock) until the returned file is closed."""
    file = (site.store / "locks").open("ab")
    process.give(site.store / "locks", 0o600, owner=True)
    offset = 512 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
    fcntl.fcntl(file, fcntl.F_OFD_SETLK,
                struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, offset, 1, 0))
    return file


def slots(site):
    """The files of the escrow."""
    folder = site.store / "escrow"
    return sorted(folder.iterdir()) if folder.exists() else []


def occupied(site):
    """Those of them in which tokens wait."""
    return [slot for slot in slots(site) if slot.read_bytes()[:8] == b"amoescr1"]


def notices(site):
    """The events about connections: account and action."""
    events = map(json.loads, site.ctl("events").stdout.splitlines())
    return [(event["account_id"], event["events"][0].removeprefix("connection."))
            for event in events if event["events"][0].startswith("connection.")]
