"""amocrmctl token and refresh: tokens are refreshed, and only a refusal by amoCRM revokes them."""

import contextlib
import json
import resource
import signal
import threading

import pytest

import app
import connections
import expect
from cipher import HeldCipher
from connections import ANY_ACCOUNT, HOST, ID, SOON, connect, notices, one, pair, works
from sandbox import process
from sandbox.hooks import disconnect_query
from sandbox.limits import PER_SECOND, busiest_second
from sandbox.servers import cgi_answer

TOKEN_PATH = "/oauth2/access_token"
SUBDOMAIN_PATH = "/oauth2/account/current/subdomain"


def refreshes(amocrm):
    return amocrm.exchanges("refresh_token")


def token(site, **options):
    return site.ctl("token", ID, **options)


def refused(done, *words):
    assert (done.returncode, done.stdout) == (1, ""), done.stdout
    for word in words:
        assert word in done.stderr, done.stderr


# When tokens are refreshed.

def test_a_fresh_token_is_printed_without_contacting_amocrm(bare, amocrm):
    connect(bare, amocrm)

    done = token(bare)

    assert works(amocrm, done.stdout.removesuffix("\n")) == 1
    assert done.stdout == pair(bare)["access_token"] + "\n"
    assert done.stderr == ""
    assert amocrm.connections() == []


@pytest.mark.parametrize("life, asked", [(330, 0), (270, 1), (1, 1)])
def test_a_token_that_expires_within_five_minutes_is_refreshed_first(bare, amocrm, life, asked):
    connect(bare, amocrm, life=life)
    before = pair(bare)

    printed = token(bare).stdout.removesuffix("\n")

    assert len(refreshes(amocrm)) == asked
    assert (printed != before["access_token"]) == bool(asked)
    assert works(amocrm, printed) == 1
    assert printed == pair(bare)["access_token"], "another token is stored than was printed"
    assert (pair(bare)["refresh_token"] != before["refresh_token"]) == bool(asked)


def test_accounts_shows_a_refresh(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    connections.age(bare, 1000)
    before = one(bare)

    token(bare)

    after = one(bare)
    assert after["refreshed_at"] > before["refreshed_at"]
    assert after["expires_at"] > before["expires_at"]
    assert {name for name in after if after[name] != before[name]} == {"refreshed_at", "expires_at"}


def test_ten_concurrent_commands_refresh_once(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    release = threading.Event()
    amocrm.misbehave("held", path=TOKEN_PATH, until=release)

    asking = [bare.start_ctl("token", ID) for _ in range(10)]
    try:
        process.wait_until(lambda: refreshes(amocrm), "the refresh")
    finally:
        release.set()
    answers = {one.communicate(timeout=process.PATIENCE) for one in asking}

    assert len(answers) == 1, "they did not all print the same"
    [(printed, complaint)] = answers
    assert complaint == b""
    assert works(amocrm, printed.decode().removesuffix("\n")) == 1
    assert len(refreshes(amocrm)) == 1
    assert all(one.returncode == 0 for one in asking)


@pytest.mark.parametrize("selector", [ID, HOST, f"{ID}/1", f"{HOST}/1"])
def test_selectors_of_an_account(bare, amocrm, selector):
    connect(bare, amocrm, life=SOON)

    assert works(amocrm, bare.ctl("token", selector).stdout.removesuffix("\n")) == 1
    assert bare.ctl("refresh", selector).stdout == "refreshed 1, failed 0\n"


@pytest.mark.parametrize("selector", ["5", f"{ID}/2", "x.amocrm.ru"])
def test_an_unknown_connection_is_reported(bare, amocrm, selector):
    connect(bare, amocrm, life=SOON)

    for command in ("token", "refresh"):
        refused(bare.ctl(command, selector, check=False), f"amocrmctl {command}: ")
    assert amocrm.connections() == []


def test_refresh_refreshes_a_fresh_token(bare, amocrm):
    connect(bare, amocrm)
    before = pair(bare)

    assert bare.ctl("refresh", ID).stdout == "refreshed 1, failed 0\n"
    assert bare.ctl("refresh").stdout == "refreshed 1, failed 0\n"

    assert len(refreshes(amocrm)) == 2
    assert pair(bare) != before


def test_only_due_tokens_are_refreshed(bare, amocrm):
    bare.configure(**ANY_ACCOUNT)
    for user, life in {1: 3600, 2: 7 * 3600}.items():
        connect(bare, amocrm, user=user, life=life)
    before = connections.stored(bare)

    assert bare.ctl("refresh", "--due", 0).stdout == "refreshed 0, failed 0\n"
    assert bare.ctl("refresh", "--due", 21600).stdout == "refreshed 1, failed 0\n"

    after = connections.stored(bare)
    assert after[ID, 1] != before[ID, 1]
    assert after[ID, 2] == before[ID, 2]


@pytest.mark.parametrize("arguments", [
    ["--due"], ["--due", "x"], ["--due", "-1"], ["--due", "1.5"], ["--due", "99999999999"],
    ["--all"], ["1", "2"], ["1", "2", "3"]])
def test_wrong_arguments_are_reported(bare, amocrm, arguments):
    connect(bare, amocrm, life=SOON)

    done = bare.ctl("refresh", *arguments, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert "usage:" in done.stderr
    assert amocrm.connections() == []


def test_no_token_is_printed_or_logged(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    refreshed = bare.ctl("refresh", ID)
    amocrm.misbehave("token_revoked")
    complained = bare.ctl("refresh", ID, check=False)

    bare.assert_no_secret_in_store_or_logs()
    for name, secret in bare.secrets():
        for text in (refreshed.stdout, refreshed.stderr, complained.stdout, complained.stderr):
            assert secret not in text.encode(), name


YEAR = 365 * 86400


def shift_refresh(site, ahead):
    """Moves the times of the stored pair by these seconds, as if the clock had been wrong."""
    lines = connections.exported(site, "--plain")
    for line in lines:
        if line["key"].startswith("connection:"):
            state, clear, rest = line["value"].split("\n")
            clear, pair = json.loads(clear), json.loads(line["tokens"])
            for times in (clear, pair):
                for name in ("refreshed_at", "expires_at"):
                    if name in times:
                        times[name] += ahead
            line["value"] = "\n".join((state, connections.compact(clear), rest))
            line["tokens"] = connections.compact(pair)
            site.ctl("disconnect", "/".join(line["key"].split(":")[1:]))
    connections.take_in(site, lines)


@pytest.mark.parametrize("command", [["token", ID], ["refresh", "--due", 3600]],
                         ids=["token", "refresh"])
@pytest.mark.parametrize("ahead, asked", [(0, 0), (-3600, 0), (2 * 3600, 1), (YEAR, 1)])
def test_a_token_refreshed_in_the_future_is_due(bare, amocrm, command, ahead, asked):
    """The clock was fast then, so it is unknown when such a token expires."""
    connect(bare, amocrm)
    shift_refresh(bare, ahead)

    bare.ctl(*command)

    assert len(refreshes(amocrm)) == asked
    assert token(bare).stdout == pair(bare)["access_token"] + "\n"
    assert len(refreshes(amocrm)) == asked, "it is refreshed again"


# Lost replies: amoCRM may have refreshed the pair, but we do not have it.

LOST = {
    "a reset instead of the reply": "lost_reply",
    "a closed connection instead of the reply": "hung_up",
    "half a reply": "cut",
    "no reply in time": "late",
}


def timeout_for(kind):
    """Short only for what waits for the end of it: on a busy machine everything takes long."""
    return {"late": 2, "hang": 1, "drip": 1}.get(kind, 30)


@pytest.mark.parametrize("kind", LOST.values(), ids=LOST.keys())
def test_a_lost_reply_is_retried_once(bare, amocrm, kind):
    connect(bare, amocrm, life=SOON)
    bare.configure(amocrm_timeout=timeout_for(kind))
    amocrm.oauth.kommo_grace = True
    amocrm.misbehave(kind)

    printed = token(bare).stdout.removesuffix("\n")

    first, second = refreshes(amocrm)
    assert first.body == second.body
    assert works(amocrm, printed) == 1
    assert pair(bare)["access_token"] == printed


@pytest.mark.parametrize("kind", LOST.values(), ids=LOST.keys())
def test_a_lost_reply_without_a_grace_period_revokes(bare, amocrm, kind):
    connect(bare, amocrm, life=SOON)
    bare.configure(amocrm_timeout=timeout_for(kind))
    amocrm.misbehave(kind)

    refused(token(bare, check=False), "revoked", "connect again")

    assert len(refreshes(amocrm)) == 2
    assert one(bare)["state"] == "revoked"
    assert notices(bare)[-1] == (ID, "revoked")


@pytest.mark.parametrize("kind", ["lost_reply", "cut"])
def test_two_lost_replies_leave_the_old_pair(bare, amocrm, kind):
    connect(bare, amocrm, life=SOON)
    amocrm.oauth.kommo_grace = True
    before = pair(bare)
    amocrm.misbehave(kind, 2)

    refused(token(bare, check=False), HOST)

    assert len(refreshes(amocrm)) == 2
    assert (one(bare)["state"], pair(bare)) == ("active", before)
    assert works(amocrm, token(bare).stdout.removesuffix("\n")) == 1


# Failures, and what happens to the tokens.

# The fault, how often it occurs, and words of the message.  A request without a reply is retried
# once, whether it was sent or not.
TEMPORARY = {
    "a page that says blocked": ("forbidden", 1, "403", "blocked"),
    "too many requests": ("too_many", 1, "429", "too many"),
    "too many requests, in JSON": ("too_many_json", 1, "429", "too many"),
    "an unpaid account": ("unpaid", 1, "402", "Payment Required", "has ended", "not paid"),
    "an error of amoCRM, in JSON": ("server_error_json", 1, "500", "Database is read-only"),
    "an error of amoCRM": ("server_error", 1, "500"),
    "an error of a gateway": ("bad_gateway", 1, "502"),
    "a page": ("not_json", 1, "without JSON"),
    "an empty body": ("empty", 1, HOST),
    "a list": ("other_json", 1, HOST),
    "an endless reply": ("endless", 1, "over"),
    "a redirect elsewhere": ("redirect", 1, "307"),
    "a reset": ("connection_reset", 2, HOST),
    "silence": ("hang", 2, HOST),
    "a reply byte by byte": ("drip", 2, HOST),
    "a reset before TLS": ("reset_early", 2, HOST),
    "an expired certificate": ("certificate_expired", 2, "certificate"),
    "a certificate of another host": ("certificate_of_another", 2, "certificate"),
    "a certificate of an unknown CA": ("certificate_unknown", 2, "certificate"),
}


@pytest.mark.parametrize("kind, times, words",
                         [(kind, times, words) for kind, times, *words in TEMPORARY.values()],
                         ids=TEMPORARY.keys())
def test_a_temporary_fault_changes_no_token(bare, amocrm, kind, times, words):
    connect(bare, amocrm, life=SOON)
    before = connections.exported(bare)
    bare.configure(amocrm_timeout=timeout_for(kind))
    amocrm.misbehave(kind, times)

    refused(token(bare, check=False), *words)

    assert connections.exported(bare) == before
    assert notices(bare)[-1] == (ID, "refresh_failed")
    amocrm.forget()
    bare.configure()
    assert works(amocrm, token(bare).stdout.removesuffix("\n")) == 1


USELESS = {
    "an empty object": "{}",
    "no refresh token": '{"token_type":"Bearer","expires_in":86400,"access_token":"a.b.c"}',
    "an empty refresh token": '{"expires_in":86400,"access_token":"a.b.c","refresh_token":""}',
    "no access token": '{"expires_in":86400,"refresh_token":"r"}',
    "a line end in a token":
        '{"expires_in":86400,"access_token":"a\\nb","refresh_token":"r"}',
    "no life": '{"access_token":"a.b.c","refresh_token":"r"}',
    "a life that is over": '{"expires_in":0,"access_token":"a.b.c","refresh_token":"r"}',
    "half an object": '{"expires_in":86400,"access_token":"a.b.c","refresh',
}


@pytest.mark.parametrize("body", USELESS.values(), ids=USELESS.keys())
def test_a_reply_without_a_pair_changes_no_token(bare, amocrm, body):
    connect(bare, amocrm, life=SOON)
    before = connections.exported(bare)
    amocrm.misbehave("other_json", body=body)

    refused(token(bare, check=False), "amocrmctl token: ")

    assert connections.exported(bare) == before


# The setting that the message names.
SET_UP = {
    "client_secret": "client_secret in the integration's Keys tab",
    "client_id": "client_id in the integration's Keys tab",
    "redirect_uri": "byte for byte",
    "invalid_account": "see account",
    "send_to_account": "see account",
    "invalid_client": "wrong client_secret",
    "invalid_client_russian": "wrong client_secret",
}


@pytest.mark.parametrize("kind", SET_UP)
def test_a_wrong_set_up_is_reported_and_changes_no_token(bare, amocrm, kind):
    connect(bare, amocrm, life=SOON)
    before = connections.exported(bare)
    amocrm.misbehave(kind)

    refused(token(bare, check=False), "refused with 40", SET_UP[kind])

    assert len(refreshes(amocrm)) == 1
    assert connections.exported(bare) == before
    assert works(amocrm, token(bare).stdout.removesuffix("\n")) == 1


def test_a_wrong_client_secret_can_be_corrected(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    bare.configure(amocrm_client_secret="quite another secret")
    refused(token(bare, check=False), "client_secret")
    assert one(bare)["state"] == "active"

    bare.configure()

    assert works(amocrm, token(bare).stdout.removesuffix("\n")) == 1


def test_a_token_that_amocrm_has_revoked(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    amocrm.oauth.uninstall(amocrm.who()[0])

    refused(token(bare, check=False), "revoked", "connect again")

    assert one(bare)["state"] == "revoked"
    assert notices(bare) == [(ID, "connected"), (ID, "revoked")]
    amocrm.forget()
    refused(token(bare, check=False), "revoked; connect again")
    assert bare.ctl("refresh").stdout == "refreshed 0, failed 0\n"
    assert amocrm.connections() == [], "a revoked token is used again"

    connect(bare, amocrm)

    assert one(bare)["state"] == "active"
    assert works(amocrm, token(bare).stdout.removesuffix("\n")) == 1


# Concurrent changes.

class Held:
    """During the block a refresh is in progress; amoCRM replies at its end."""

    def __init__(self, site, amocrm, *command, **fault):
        self.site, self.amocrm = site, amocrm
        self.command = command or ("refresh", ID)
        self.release = threading.Event()
        amocrm.misbehave("held", path=TOKEN_PATH, until=self.release, **fault)

    def __enter__(self):
        self.process = self.site.start_ctl(*self.command)
        process.wait_until(lambda: refreshes(self.amocrm), "the refresh")
        return self

    def __exit__(self, *_):
        self.release.set()
        self.printed, self.complaint = self.process.communicate(timeout=process.PATIENCE)
        self.status = self.process.returncode


def test_a_concurrent_disconnect_is_not_undone(bare, amocrm):
    connect(bare, amocrm)

    with Held(bare, amocrm):
        app.disconnected(app.User(bare).disconnect())

    assert bare.connections() == []
    assert notices(bare) == [(ID, "connected"), (ID, "disconnected")]


def test_a_concurrent_disconnect_by_amocrm_is_not_undone(bare, amocrm):
    connect(bare, amocrm)

    with Held(bare, amocrm):
        answer = bare.get("disconnect", disconnect_query(amocrm.integration, amocrm.who()[0]))

    assert answer.status == 200
    assert one(bare)["state"] == "revoked"


@pytest.mark.parametrize("command", ["refresh", "rekey"])
def test_a_disconnect_by_amocrm_just_before_the_write_is_not_undone(bare, amocrm, command):
    """The record has been read, and is about to be written.  amoCRM never repeats the hook."""
    connect(bare, amocrm)
    keys = bare.keys.read_text()
    bare.write_keys(bare.ctl("keygen").stdout + keys)
    try:
        with HeldCipher(bare) as cipher:
            changing = bare.start_ctl(command)
            cipher.wait()
            hook = bare.server.start(
                "/api/amo-crm/disconnect", disconnect_query(amocrm.integration, amocrm.who()[0]))
            with contextlib.suppress(TimeoutError):     # it may have to wait for the lock
                process.wait_until(lambda: hook.poll() is not None, "the hook", seconds=1)
            cipher.let_go()
            answer, _ = hook.communicate(timeout=process.PATIENCE)
            changing.communicate(timeout=process.PATIENCE)
        assert cgi_answer(answer).status == 200
        assert one(bare)["state"] == "revoked", "the hook got 200, and is lost"
    finally:
        bare.ctl("rekey")
        bare.write_keys(keys)


def test_a_concurrent_claim_is_kept(bare, amocrm):
    bare.configure(**ANY_ACCOUNT)
    params = amocrm.approve()
    expect.connected(bare.get("callback", params), params["code"])
    amocrm.forget()

    with Held(bare, amocrm) as held:
        app.connected(app.User(bare).exchange(params))

    assert held.status == 0
    assert one(bare)["app_user"] == "olena"
    assert works(amocrm, token(bare).stdout.removesuffix("\n")) == 1


@pytest.mark.parametrize("fault", [{}, {"then": "token_revoked"}], ids=["refreshed", "refused"])
def test_a_concurrent_authorization_is_kept(bare, amocrm, fault):
    connect(bare, amocrm)
    connections.age(bare, 1000)

    with Held(bare, amocrm, **fault):
        params = amocrm.approve()
        expect.connected(bare.get("callback", params), params["code"])
        newest = pair(bare)

    assert pair(bare) == newest
    assert one(bare)["state"] == "active"
    assert works(amocrm, token(bare).stdout.removesuffix("\n")) == 1


def test_a_concurrent_claim_is_not_revoked(bare, amocrm):
    """The claimed pair may have been refreshed too; the next refresh finds out."""
    bare.configure(**ANY_ACCOUNT)
    params = amocrm.approve()
    expect.connected(bare.get("callback", params), params["code"])
    amocrm.forget()

    with Held(bare, amocrm, then="token_revoked") as held:
        app.connected(app.User(bare).exchange(params))

    assert held.status == 1
    assert (one(bare)["app_user"], one(bare)["state"]) == ("olena", "active")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGPIPE", "SIGXFSZ"])
def test_a_signal_waits_until_the_new_pair_is_stored(bare, amocrm, name):
    connect(bare, amocrm)
    before = pair(bare)

    with Held(bare, amocrm) as held:
        held.process.send_signal(getattr(signal, name))

    assert held.status in (0, -getattr(signal, name))
    assert pair(bare) != before, f"{name} has lost the new pair"
    assert works(amocrm, token(bare).stdout.removesuffix("\n")) == 1


# Refreshed tokens could not be stored.

def test_nothing_is_refreshed_with_a_read_only_store(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    folder = bare.store / "connections"
    folder.chmod(0o500)
    try:
        refused(token(bare, check=False), str(folder))
    finally:
        folder.chmod(0o700)

    assert amocrm.connections() == []
    assert works(amocrm, token(bare).stdout.removesuffix("\n")) == 1


def test_nothing_is_refreshed_without_disk_space(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    for room in (bare.store / "connections").glob("*.room"):
        room.unlink()   # the reserve, which a change on a full disk uses up

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    asking = bare.start_ctl("token", ID, preexec_fn=no_room)
    printed, complaint = asking.communicate(timeout=process.PATIENCE)

    assert (asking.returncode, printed) == (1, b"")
    assert b"too large" in complaint
    assert amocrm.connections() == []


def test_a_missing_key_is_named(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    keys = bare.keys.read_text()
    bare.write_keys("k9 " + "0123456789abcdef" * 4 + "\n")
    try:
        refused(token(bare, check=False), "k1", "key ring")
    finally:
        bare.write_keys(keys)

    assert amocrm.connections() == []


@pytest.mark.parametrize("kind, advice", [("token_of_another_client", "another integration"),
                                          ("token_invalid", "does not know the token")])
def test_hints_that_end_a_connection(bare, amocrm, kind, advice):
    connect(bare, amocrm, life=SOON)
    amocrm.misbehave(kind)

    done = token(bare, check=False)

    refused(done, advice, "connect again")
    assert "client_secret" not in done.stderr and one(bare)["state"] == "revoked"


def test_an_unknown_hint_ends_nothing_and_no_cause_is_claimed(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    amocrm.misbehave("unknown_hint")

    done = token(bare, check=False)

    refused(done, "The moon token account is in the wrong house", "not known to us")
    assert "see account" not in done.stderr and one(bare)["state"] == "active"


# An account that was renamed.

RENAMED = ["not_found", "moved", "no_account", "unauthorized"]


def assert_followed(site, amocrm):
    printed = token(site).stdout.removesuffix("\n")
    assert works(amocrm, printed) == 1
    assert one(site)["domain"] == "renamed.amocrm.ru"
    asked = [(request.host, request.path) for request in amocrm.record.requests()]
    assert asked[-2:] == [("api-b.amocrm.ru", SUBDOMAIN_PATH), ("renamed.amocrm.ru", TOKEN_PATH)]

    amocrm.forget()
    site.ctl("refresh", ID)
    assert [request.host for request in amocrm.record.requests()] == ["renamed.amocrm.ru"]


@pytest.mark.parametrize("old", RENAMED)
@pytest.mark.parametrize("mode", [{}, ANY_ACCOUNT], ids=["shared", "per_user"])
def test_a_renamed_account_is_followed(bare, amocrm, mode, old):
    bare.configure(**mode)
    connect(bare, amocrm, life=SOON)
    amocrm.rename("renamed", old=old)

    assert_followed(bare, amocrm)


def test_a_renamed_account_without_its_old_host_is_followed(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    amocrm.rename("renamed")
    # a label this long is invalid, so no resolver is contacted
    bare.configure(amocrm_connect_to=f"{HOST}:443:{'x' * 64}.invalid:443 {amocrm.connect_to}")

    assert_followed(bare, amocrm)


HOSTILE = ["evil.com", "renamed.evil.com", "evilamocrm.ru", "renamed.amocrm.ru.evil.com",
           "renamed.amocrm.ru@evil.com", "evil.com#.amocrm.ru", "a.b.amocrm.ru", "amocrm.ru",
           "renamed.amocrm.ru:8443", "renamed.amocrm.ru/", "renamed", "127.0.0.1"]


@pytest.mark.parametrize("reported", HOSTILE)
def test_a_new_host_that_is_not_amocrms_is_not_followed(bare, amocrm, reported):
    connect(bare, amocrm, life=SOON)
    before = connections.exported(bare)
    amocrm.rename("renamed", reported=reported)

    refused(token(bare, check=False), HOST, "404")

    asked = {(request.host, request.path) for request in amocrm.record.requests()}
    assert asked == {(HOST, TOKEN_PATH), ("api-b.amocrm.ru", SUBDOMAIN_PATH)}
    assert len(amocrm.connections()) == 2
    assert connections.exported(bare) == before


@pytest.mark.parametrize("claimed", [
    "evil.com", "api-b.evil.com", "evilamocrm.ru", "api.b.amocrm.ru", "api-b.amocrm.ru@evil.com",
    None, 5])
def test_a_refresh_token_is_not_sent_to_a_foreign_host(bare, amocrm, claimed):
    amocrm.misbehave("claims", path=TOKEN_PATH, api_domain=claimed)
    connect(bare, amocrm, life=SOON)
    amocrm.rename("renamed")

    refused(token(bare, check=False), HOST, "404")

    assert [request.host for request in amocrm.record.requests()] == [HOST]
    assert len(amocrm.connections()) == 1
    assert one(bare)["state"] == "active"


@pytest.mark.parametrize("kind", ["forbidden", "server_error", "token_revoked", "not_json",
                                  "lost_reply", "other_json"])
def test_tokens_are_kept_if_the_new_host_cannot_be_found(bare, amocrm, kind):
    connect(bare, amocrm, life=SOON)
    before = connections.exported(bare)
    amocrm.rename("renamed")
    amocrm.misbehave(kind, path=SUBDOMAIN_PATH)

    refused(token(bare, check=False), HOST, "404")

    assert connections.exported(bare) == before
    amocrm.forget()
    assert_followed(bare, amocrm)


def test_a_lost_reply_of_the_new_host_is_retried_once(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    amocrm.oauth.kommo_grace = True
    amocrm.rename("renamed", old="moved")
    amocrm.misbehave("redirect", path=TOKEN_PATH)
    amocrm.misbehave("lost_reply", path=TOKEN_PATH)

    assert works(amocrm, token(bare).stdout.removesuffix("\n")) == 1

    assert [request.host for request in refreshes(amocrm)] == [
        HOST, "renamed.amocrm.ru", "renamed.amocrm.ru"]


# Many connections.

def fleet(site, amocrm, users, life=SOON):
    """Connects this many amoCRM users of one account."""
    site.configure(**ANY_ACCOUNT, amocrm_budget="7 7")
    for user in range(100, 100 + users):
        amocrm.add_user(user)
        connect(site, amocrm, user=user, life=life)


def test_refreshes_stay_within_amocrms_rate_limit(bare, amocrm):
    fleet(bare, amocrm, 15)
    amocrm.limit.enforce()

    done = bare.ctl("refresh", "--due", 3600)

    assert done.stdout == "refreshed 15, failed 0\n"
    assert busiest_second([request.time for request in refreshes(amocrm)]) <= PER_SECOND
    assert [(request.status, request.host) for request in refreshes(amocrm)] == [(200, HOST)] * 15


def test_retry_after_is_respected(bare, amocrm):
    fleet(bare, amocrm, 3)
    amocrm.misbehave("too_many")

    done = bare.ctl("refresh", "--due", 3600, check=False)

    assert (done.returncode, done.stdout) == (1, "refreshed 2, failed 1\n")
    first, second, third = (request.time for request in refreshes(amocrm))
    assert 1.9 < second - first < 5, "amoCRM asked for two seconds"
    assert third - second < 1
    assert bare.ctl("refresh", "--due", 3600).stdout == "refreshed 1, failed 0\n"


def test_a_failed_refresh_does_not_stop_the_others(bare, amocrm):
    fleet(bare, amocrm, 4)
    amocrm.misbehave("server_error")
    amocrm.misbehave("token_revoked")

    done = bare.ctl("refresh", check=False)

    assert (done.returncode, done.stdout) == (1, "refreshed 2, failed 2\n")
    assert len(done.stderr.splitlines()) == 2
    states = sorted(connection["state"] for connection in bare.connections())
    assert states == ["active"] * 3 + ["revoked"]
    assert sorted(action for _, action in notices(bare) if action != "connected") == [
        "refresh_failed", "revoked"]


def test_a_blocked_ip_address_stops_the_run(bare, amocrm):
    """Each further request would prolong the block.  The next run starts with another
    connection."""
    fleet(bare, amocrm, 8)
    amocrm.misbehave("forbidden", 3)

    done = bare.ctl("refresh", "--due", 3600, check=False)

    assert (done.returncode, done.stdout) == (1, "refreshed 0, failed 3, left 5\n")
    assert len(refreshes(amocrm)) == 3
    *each, why, left = done.stderr.splitlines()
    assert len(each) == 3 and all("403" in line for line in each)
    assert "403" in why and "block" in why and "5 are left" in left
    assert bare.ctl("refresh", "--due", 3600).stdout == "refreshed 8, failed 0\n"


def test_blocked_accounts_do_not_stop_the_others(bare, amocrm):
    fleet(bare, amocrm, 8)
    for kind in "forbidden forbidden server_error forbidden forbidden not_json forbidden".split():
        amocrm.misbehave(kind)

    done = bare.ctl("refresh", "--due", 3600, check=False)

    assert (done.returncode, done.stdout) == (1, "refreshed 1, failed 7\n")
    assert len(refreshes(amocrm)) == 8


def test_blocked_accounts_do_not_starve_the_others(bare, amocrm):
    """Otherwise three blocked accounts in a row would block the same other accounts for ever."""
    fleet(bare, amocrm, 6)
    first = set()
    for _ in range(40):
        amocrm.forget()
        amocrm.misbehave("forbidden", 3)
        bare.ctl("refresh", "--due", 3600, check=False)
        first.add(refreshes(amocrm)[0].json["refresh_token"])
        if len(first) > 1:
            return
    raise AssertionError("each run starts with the same connection")


def test_refresh_without_connections(bare, amocrm):
    assert bare.ctl("refresh").stdout == "refreshed 0, failed 0\n"
    assert bare.ctl("refresh", "--due", 21600).stdout == "refreshed 0, failed 0\n"
