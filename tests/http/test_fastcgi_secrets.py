"""After a request, no secret of it remains in the memory of a FastCGI process and its helpers.

Their whole memory is read from outside and searched for the secrets of the request, as they were
received and as they were forwarded.  The secrets of the configuration and of the key ring stay in
memory, because every request needs them: the client_secret, the app's JWT secret, the webhook's
key, the encryption keys.  They are not searched for.
"""

import json
import os
import secrets
import struct
import time
from pathlib import Path
from urllib.parse import parse_qs

import pytest

import app
import expect
from app import FORM, JSON, PER_USER, Signer, User
from responder import PATIENCE, helpers, only_process
from sandbox import hooks, process

PAGE = os.sysconf("SC_PAGESIZE")
PIECE = 16      # characters; so many do not match by chance
PIECES_MAX = 400    # that are searched for; of a large body, evenly distributed ones


def pieces(secret):
    """Parts of the secret.  Any 31 consecutive characters of the secret contain one of them."""
    return [secret[at:at + PIECE] for at in range(0, max(1, len(secret) - PIECE + 1), PIECE)]


def readable_memory(pid):
    """The name and the content of every readable mapping."""
    with (open(f"/proc/{pid}/mem", "rb", buffering=0) as memory,
          open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap):
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            addresses, rights, *_, name = (line + " ").split(" ", 5)
            start, end = (int(one, 16) for one in addresses.split("-"))
            if rights.startswith("r") and name.strip() not in ("[vvar]", "[vsyscall]"):
                for at, size in used(pagemap, start, end):
                    memory.seek(at)
                    yield f"{name.strip() or 'anonymous'} ({rights})", memory.read(size)


def used(pagemap, start, end):
    """The ranges of pages that exist; a large reservation has few.  Linux,
    Documentation/admin-guide/ mm/pagemap.rst: 8 bytes for each page, with bit 63 set if it is in
    memory, and bit 62 if it is in the swap."""
    pagemap.seek(start // PAGE * 8)
    entries = pagemap.read((end - start) // PAGE * 8)
    ranges = []
    for number, (page,) in enumerate(struct.iter_unpack("=Q", entries)):
        at = start + number * PAGE
        if page >> 62 == 0:
            continue
        if ranges and sum(ranges[-1]) == at:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + PAGE)
        else:
            ranges.append((at, PAGE))
    return ranges


def is_allowed(pid):
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0):
            return True
    except PermissionError:
        return False


def processes(site, program):
    one = only_process(site, program)
    return {str(one.pid): program, **helpers(one)}


def left_over(site, program, secret_values):
    """Where a piece of a secret is found: name of the secret, mapping, process."""
    wanted = [(piece.encode(), name) for name, secret in secret_values.items()
              for piece in pieces(secret)]
    wanted = wanted[::-(-len(wanted) // PIECES_MAX)]
    found = set()
    for pid, name in processes(site, program).items():
        for where, content in readable_memory(pid):
            found |= {f"{secret} in {where} of {name}" for piece, secret in wanted
                      if piece in content}
    return sorted(found)


def assert_forgotten(site, program, **secret_values):
    """The response is sent a moment before the memory is wiped."""
    for pid in processes(site, program):
        if not is_allowed(pid):
            pytest.skip(f"the memory of process {pid} may not be read here (ptrace_scope?)")
    try:
        process.wait_until(lambda: not left_over(site, program, secret_values), "", seconds=30)
    except TimeoutError:
        raise AssertionError("\n".join(left_over(site, program, secret_values))) from None


def signed_part(token):
    """A JWT without its header, which is the same in all tokens."""
    return token.partition(".")[2]


def marked(**more):
    """Headers with secrets that a web server forwards too."""
    cookie = f"session={secrets.token_urlsafe(48)}"
    return {"Cookie": cookie, "User-Agent": secrets.token_urlsafe(200), **more}


def all_of(headers):
    return {name: value.removeprefix("Bearer ") if name != "Authorization" else
            signed_part(value) for name, value in headers.items() if name != "Content-Type"}


def amocrm_secrets(amocrm):
    """Codes and tokens that amoCRM has issued."""
    return {f"code or token {number}": token.removeprefix("def50200").partition(".")[2] or
            token.removeprefix("def50200")
            for number, token in enumerate(amocrm.oauth.secrets())}


def some_user(site):
    return User(site, f"user-{secrets.token_hex(16)}")


# The search itself.

def test_a_secret_in_memory_is_found(fastcgi):
    """A secret of the configuration, which stays in memory."""
    fastcgi.get("status")
    if not is_allowed(only_process(fastcgi, "status").pid):
        pytest.skip("the memory of a process may not be read here")
    assert left_over(fastcgi, "status", {"secret": fastcgi.jwt_secret})


# Each kind of request.

@pytest.mark.parametrize("token", ["good", "expired", "forged", "very long"])
def test_status(fastcgi, token):
    user = some_user(fastcgi)
    claims = {"expired": {"exp": int(time.time()) - 3600},
              "very long": {"padding": secrets.token_urlsafe(3000)}}.get(token, {})
    bearer = user.site.app_token(user.name, **claims)
    if token == "forged":
        bearer = bearer[:-40] + secrets.token_urlsafe(30)
    headers = marked(Authorization=f"Bearer {bearer}")

    answer = fastcgi.get("status", headers=headers)

    assert answer.status == (200 if token in ("good", "very long") else 401)
    assert_forgotten(fastcgi, "status", **all_of(headers), user=user.name)


def test_status_with_a_new_state(fastcgi):
    fastcgi.configure(**PER_USER)
    user = some_user(fastcgi)
    state = user.state()
    assert_forgotten(fastcgi, "status", state=signed_part(state), user=user.name)


@pytest.mark.parametrize("algorithm", list(Signer.PARAMETERS))
def test_status_with_a_public_key(fastcgi, tmp_path_factory, algorithm):
    signer = Signer(fastcgi.folder, algorithm)
    signer.public.chmod(0o644)
    fastcgi.configure(jwt_algorithm=algorithm, jwt_secret=None, jwt_public_key=signer.public)
    name = f"user-{secrets.token_hex(16)}"
    headers = marked(Authorization=f"Bearer {signer.token(name)}")

    assert fastcgi.get("status", headers=headers).status == 200

    assert_forgotten(fastcgi, "status", **all_of(headers), user=name)


@pytest.mark.parametrize("kind", [JSON, FORM])
def test_an_exchange(fastcgi, amocrm, kind):
    fastcgi.configure(**PER_USER)
    user = some_user(fastcgi)
    params = amocrm.approve(state=user.state())
    for _ in range(2):      # exchanged, and then found in the store
        app.connected(user.exchange(params, kind=kind))
        assert_forgotten(fastcgi, "exchange-code", code=params["code"], user=user.name,
                         state=signed_part(params["state"]), token=signed_part(user.token),
                         **amocrm_secrets(amocrm))


def test_an_exchange_that_is_refused(fastcgi, amocrm):
    user = some_user(fastcgi)
    code = "def50200" + secrets.token_hex(500)
    app.refused(user.exchange(code=code, state=secrets.token_urlsafe(50)), 400, "auth_failed")
    assert_forgotten(fastcgi, "exchange-code", code=code, user=user.name)


@pytest.mark.parametrize("kind", ["server_error", "not_json", "hung_up", "lost_reply"])
def test_an_exchange_that_fails(fastcgi, amocrm, kind):
    user = some_user(fastcgi)
    params = amocrm.approve()
    amocrm.misbehave(kind, times=9)
    assert user.exchange(params).status == 503
    assert_forgotten(fastcgi, "exchange-code", code=params["code"], user=user.name,
                     **amocrm_secrets(amocrm))


def test_a_body_that_is_not_read_to_its_end(fastcgi):
    """The body is over its limit, and refused."""
    headers = marked(**some_user(fastcgi).headers, **{"Content-Type": FORM})
    parts = {f"part {number}": secrets.token_urlsafe(600) for number in range(60)}
    body = "&".join(f"p{number}={part}" for number, part in enumerate(parts.values())).encode()

    assert fastcgi.post("exchange-code", headers=headers, body=body).status == 413

    assert_forgotten(fastcgi, "exchange-code", **all_of(headers), **parts)


@pytest.mark.parametrize("redirect", ["page", "302"])
def test_a_callback(fastcgi, amocrm, redirect):
    fastcgi.configure(app_redirect=redirect)
    params = amocrm.approve(state=secrets.token_urlsafe(100))
    headers = marked()
    for _ in range(2):
        answer = fastcgi.get("callback", params, headers=headers)
        assert answer.status == (200 if redirect == "page" else 302)
        assert_forgotten(fastcgi, "callback", **all_of(headers), code=params["code"],
                         state=params["state"], **amocrm_secrets(amocrm))


def test_a_callback_that_is_refused(fastcgi, amocrm):
    code, state = "def50200" + secrets.token_hex(500), secrets.token_urlsafe(100)
    for query in ({"code": code, "state": state},
                  {"code": code, "state": state, "referer": f"{state.lower()}.example"},
                  {"error": "access_denied", "state": state, "code": code},
                  f"code={code}&code={code}&state={state}", f"code={code}%4&state={state}"):
        fastcgi.get("callback", query)
        assert_forgotten(fastcgi, "callback", code=code, state=state)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_disconnecting(fastcgi, amocrm, method):
    fastcgi.configure(**PER_USER)
    user = some_user(fastcgi)
    user.connects(amocrm)
    app.disconnected(user.disconnect(method))
    assert_forgotten(fastcgi, "disconnect", token=signed_part(user.token), user=user.name,
                     **amocrm_secrets(amocrm))


@pytest.mark.parametrize("program", ["disconnect", "webhook"])
def test_amocrm_disconnecting(fastcgi, amocrm, program):
    user = some_user(fastcgi)
    user.connects(amocrm)
    query = hooks.disconnect_query(amocrm.integration, amocrm.who()[0])
    app.disconnected(fastcgi.get(program, query))
    assert_forgotten(fastcgi, program, signature=parse_qs(query)["signature"][0], **amocrm_secrets(amocrm))


@pytest.mark.parametrize("kind", [FORM, JSON])
@pytest.mark.parametrize("size", [500, 200_000])
def test_a_webhook(fastcgi, amocrm, kind, size):
    fastcgi.configure(webhook_accounts="any")
    names = {f"name {number}": secrets.token_urlsafe(400) for number in range(size // 500)}
    fields = {"account[id]": "1", "account[subdomain]": "one"}
    fields |= {f"leads[status][{number}][name]": name
               for number, name in enumerate(names.values())}
    if kind == FORM:
        body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    else:
        body = json.dumps({"account": {"id": "1"}, "leads": {"status": [
            {"name": name} for name in names.values()]}}).encode()
    headers = marked(**{"Content-Type": kind})

    answer = fastcgi.post("webhook", headers=headers, body=body)

    assert answer.status == 200, answer.text
    assert_forgotten(fastcgi, "webhook", **all_of(headers), **names)


def test_a_webhook_that_is_refused(fastcgi):
    fastcgi.configure(webhook_secret="the-key-of-the-webhook")
    name, key = secrets.token_urlsafe(400), secrets.token_urlsafe(40)
    headers = marked(**{"Content-Type": FORM})
    body = f"account[id]=1&leads[status][0][name]={name}".encode()

    answer = fastcgi.post("webhook", {"key": key}, headers=headers, body=body)

    expect.hardened(answer)
    assert answer.status == 403
    assert_forgotten(fastcgi, "webhook", **all_of(headers), name=name, key=key)
