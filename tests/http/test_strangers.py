"""What strangers can cause: whose a code is does not change while amoCRM cannot say whose the tokens
are, and made-up codes neither cost many calls to amoCRM nor keep others from making theirs."""

import contextlib
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import app
import expect
from app import MODES, User, in_every_mode, where_states_are_signed
from connections import ANY_ACCOUNT, ID, connect, pair
from sandbox import process
from sandbox.limits import busiest_second
from sandbox.process import wait_until
from strangers import BURST, PATIENT, RATE, account_down, made_up, made_up_code, within

ANY_STATE = {name: mode for name, mode in MODES.items() if mode["app_state"] == "any"}
where_states_are_any = pytest.mark.parametrize("mode", ANY_STATE.values(), ids=ANY_STATE.keys())


# Whose a code is, while its account cannot be asked.

def unavailable(answer, state=None):
    expect.failed(answer, "temporarily_unavailable", state)


def shown_to_the_callback(site, amocrm, owner, state):
    params = amocrm.approve(state=state)
    unavailable(site.get("callback", params), state)
    return params


def presented_by_the_app(site, amocrm, owner, state):
    params = amocrm.approve(state=state)
    app.refused(owner.exchange(params), 503, "temporarily_unavailable")
    return params


def killed_while_it_asks(site, amocrm, owner, state):
    params = amocrm.approve(state=state)
    amocrm.faults.clear()
    amocrm.misbehave("opaque_token", path="/oauth2/access_token")
    amocrm.misbehave("hang", path="/api/v4/account")
    program = site.server.start("/api/amo-crm/callback", params)
    wait_until(lambda: amocrm.record.requests("/api/v4/account"), "the request for the account")
    program.kill()
    program.communicate()
    return params


FIRST = [shown_to_the_callback, presented_by_the_app, killed_while_it_asks]


@pytest.mark.parametrize("first", FIRST)
@in_every_mode
def test_a_code_stays_its_users_while_the_account_cannot_be_asked(bare, amocrm, mode, first):
    bare.configure(**mode)
    owner, thief = User(bare, "owner"), User(bare, "thief")
    state = owner.state()
    account_down(amocrm)
    params = first(bare, amocrm, owner, state)

    for attempt in (params, {"code": params["code"]}, {**params, "state": thief.state()},
                    {**params, "state": "x"}):
        app.already_claimed(thief.exchange(attempt))
    assert bare.connections() == []

    app.connected(owner.exchange(params))
    app.already_claimed(thief.exchange(params, state=None))
    assert len(amocrm.exchanges()) == 1


@in_every_mode
def test_a_callback_with_another_state_does_not_change_whose_a_pending_code_is(bare, amocrm, mode):
    bare.configure(**mode)
    owner, thief = User(bare, "owner"), User(bare, "thief")
    account_down(amocrm)
    params = shown_to_the_callback(bare, amocrm, owner, owner.state())

    for attempt in ({**params, "state": thief.state()}, {**params, "state": "x"},
                    {"code": params["code"], "from_widget": "1"}, {"code": params["code"]}):
        bare.get("callback", attempt)

    app.already_claimed(thief.exchange(params, state=thief.state()))
    app.already_claimed(thief.exchange(params, state=None))
    app.connected(owner.exchange(params))
    assert len(amocrm.exchanges()) == 1


@where_states_are_signed
def test_a_pending_install_call_stays_nobodys(bare, amocrm, mode):
    bare.configure(**mode)
    user = User(bare, "olena")
    account_down(amocrm)
    params = amocrm.approve()
    install = {**params, "from_widget": "1"}
    expect.hardened(bare.get("callback", install))

    app.already_claimed(user.exchange(params, state=user.state()))
    bare.get("callback", {**params, "state": user.state()})
    app.already_claimed(user.exchange(params, state=user.state()))

    expect.plain_text(bare.get("callback", install), "")
    assert [one["app_user"] for one in bare.connections()] == [None]
    assert not user.is_connected()
    assert len(amocrm.exchanges()) == 1


@where_states_are_any
def test_a_pending_code_that_an_app_user_presented_stays_theirs(bare, amocrm, mode):
    """Without a state: who presented it first has claimed it."""
    bare.configure(**mode)
    owner, thief = User(bare, "owner"), User(bare, "thief")
    account_down(amocrm)
    params = amocrm.approve()
    app.refused(owner.exchange(params), 503, "temporarily_unavailable")

    app.already_claimed(thief.exchange(params))
    bare.get("callback", params)
    app.already_claimed(thief.exchange(params))
    app.connected(owner.exchange(params))


# Codes that amoCRM refuses.

def test_a_refused_code_is_asked_once(site, amocrm):
    params = made_up()

    expect.failed(site.get("callback", params), "auth_failed")
    expect.failed(site.get("callback", params), "auth_failed")
    expect.failed(site.get("callback", {**params, "state": "x"}), "auth_failed", "x")
    app.refused(User(site).exchange(params), 400, "auth_failed")
    app.refused(User(site, "ivan").exchange(params), 400, "auth_failed")

    assert len(amocrm.exchanges()) == 1


def test_a_code_refused_to_the_app_is_asked_once(bare, amocrm):
    bare.configure(**app.PER_USER)
    user, params = User(bare), made_up()
    for _ in range(2):
        app.refused(user.exchange(params, state=user.state()), 400, "auth_failed")
    expect.failed(bare.get("callback", {**params, "state": (state := user.state())}),
                  "auth_failed", state)
    assert len(amocrm.exchanges()) == 1


@pytest.mark.parametrize("hint", ["client_secret", "redirect_uri", "client_id", "invalid_client",
                                  "too_many", "forbidden", "server_error", "not_json"])
def test_a_fault_that_is_not_the_codes_is_not_kept(bare, amocrm, hint):
    params = amocrm.approve()
    amocrm.misbehave(hint, path="/oauth2/access_token")
    assert bare.get("callback", params).link_query["error"]

    expect.connected(bare.get("callback", params), params["code"])


def test_a_code_refused_by_another_host_is_not_refused_by_its_own(bare, amocrm):
    bare.configure(**ANY_ACCOUNT)
    params = amocrm.approve()

    bare.get("callback", {**params, "referer": "second.amocrm.ru"})

    expect.connected(bare.get("callback", params), params["code"])


OUTSIDE = {"a blank": "a b", "a quote": 'a"b', "an apostrophe": "a'b", "a tag": "<a>", "a tab": "a\tb",
           "a line feed": "ab\n", "a backslash": "a\\b", "a brace": "a{b", "a colon": "a:b",
           "a percent sign": "a%b", "an ampersand": "a&b", "a comma": "a,b", "an asterisk": "a*b",
           "not ASCII": "aé", "DEL": "a\x7fb", "one alone": "!", "an at sign": "a@b", "dollar": "$"}


@pytest.mark.parametrize("code", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_a_code_that_no_code_of_amocrms_looks_like(site, amocrm, code):
    params = made_up(code=code)
    answer = site.get("callback", params)
    if not expect.refused_by_lighttpd(site, params, answer):
        expect.failed(answer, "invalid_request")
    app.refused(User(site).exchange(params), 400, "invalid_request")
    assert amocrm.connections() == []


@pytest.mark.parametrize("code", ["a-._~+/=Z9", "0", "=" * 20])
def test_a_code_of_the_alphabet_is_asked_for(bare, amocrm, code):
    expect.failed(bare.get("callback", made_up(code=code)), "auth_failed")
    assert len(amocrm.exchanges()) == 1


# Floods.

def flood(site, params, count=40, at_once=8):
    """Sends so many callbacks; returns the responses, and the seconds they took."""
    began = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        answers = list(pool.map(lambda _: site.get("callback", params()), range(count)))
    return answers, time.monotonic() - began


def within_the_share(amocrm, seconds):
    calls = [request.time for request in amocrm.record.requests()]
    within(len(calls), seconds)
    assert busiest_second(calls) <= 7


FLOODS = {
    "browsers": made_up,
    "browsers with any state": lambda: made_up(state=secrets.token_hex(8)),
    "install calls": lambda: made_up(from_widget="1"),
    "exchange calls": lambda: made_up(from_exchange="1"),
    "without a referer": lambda: {"code": made_up_code()},
}
INSTALLING = {"from_widget", "from_exchange"}


@pytest.mark.parametrize("params", FLOODS.values(), ids=FLOODS.keys())
def test_strangers_make_few_calls(bare, amocrm, params):
    bare.configure(amocrm_timeout=PATIENT)
    answers, seconds = flood(bare, params)
    within_the_share(amocrm, seconds)
    # an install call does not wait for as long as a turn may take on a busy machine
    assert len(amocrm.exchanges()) >= (1 if INSTALLING & params().keys() else BURST)
    for answer in answers:
        if answer.media_type == "text/html":
            assert answer.link_query["error"] in ("auth_failed", "temporarily_unavailable")


def test_strangers_of_many_processes_share_the_budget(fastcgi, amocrm):
    _, seconds = flood(fastcgi, made_up)
    within_the_share(amocrm, seconds)


def test_install_calls_leave_browsers_theirs(bare, amocrm):
    bare.configure(amocrm_timeout=PATIENT)
    flood(bare, lambda: made_up(from_widget="1"), 20)
    params = amocrm.approve()
    expect.connected(bare.get("callback", params), params["code"])


def test_browsers_leave_install_calls_theirs(bare, amocrm):
    flood(bare, made_up, 20)
    expect.plain_text(bare.get("callback", {**amocrm.approve(), "from_widget": "1"}), "")
    assert len(bare.connections()) == 1


def test_a_known_code_costs_nothing(bare, amocrm):
    params = amocrm.approve()
    expect.connected(bare.get("callback", params), params["code"])
    flood(bare, made_up, 20)
    for _ in range(3):
        expect.connected(bare.get("callback", params), params["code"])
    user = User(bare)
    app.connected(user.exchange(params))


def test_a_pending_code_cannot_be_used_to_call_amocrm_without_limit(bare, amocrm):
    account_down(amocrm, 1000)
    params = amocrm.approve()
    _, seconds = flood(bare, lambda: params, 40, 4)
    within_the_share(amocrm, seconds)


def test_hosts_that_strangers_invent_share_a_limit(bare, amocrm):
    bare.configure(**ANY_ACCOUNT)
    _, seconds = flood(bare, lambda: made_up(referer=f"x{secrets.token_hex(4)}.amocrm.ru"), 150)
    within(len(amocrm.exchanges()), seconds, 2 * BURST, 2 * RATE)
    files = sum(file.stat().st_size for file in bare.store.iterdir() if file.is_file())
    assert files < 1 << 20


@contextlib.contextmanager
def strangers_coming(site):
    """Strangers use up all their shares before the block begins, and come until it ends."""
    kinds = (lambda: made_up(from_widget="1"), lambda: made_up(from_exchange="1"), made_up)
    gone, refused = threading.Event(), set()

    def come(kind):
        while not gone.is_set():
            if "temporarily_unavailable" in site.get("callback", kind()).text:
                refused.add(kind)
    with ThreadPoolExecutor(6) as pool:
        coming = [pool.submit(come, kind) for kind in kinds * 2]
        try:
            wait_until(lambda: len(refused) == len(kinds), "strangers of each kind to be refused")
            yield
        finally:
            gone.set()
    assert all(one.exception() is None for one in coming)


def test_an_own_state_gets_through(bare, amocrm):
    bare.configure(amocrm_budget="7 1", amocrm_timeout=PATIENT)
    user = User(bare)
    states = [user.state() for _ in range(3)]
    with strangers_coming(bare):
        for state in states:
            params = amocrm.approve(state=state)
            expect.connected(bare.get("callback", params), params["code"], state)
            app.connected(user.exchange(params))


def test_a_refresh_gets_through(bare, amocrm):
    bare.configure(amocrm_budget="7 1", amocrm_timeout=PATIENT)
    connect(bare, amocrm)
    with strangers_coming(bare):
        for _ in range(3):
            before = pair(bare)
            bare.ctl("refresh", ID)
            assert pair(bare) != before


def test_refreshes_of_one_account_keep_amocrms_limit(bare, amocrm):
    bare.configure(**ANY_ACCOUNT, amocrm_timeout=PATIENT)
    users = range(100, 115)
    for user in users:
        amocrm.add_user(user)
    for user in users:
        params = amocrm.approve(user=user, state=User(bare, f"u{user}").state())
        expect.connected(bare.get("callback", params), params["code"], params["state"])
        app.connected(User(bare, f"u{user}").exchange(params))

    def refreshed(user):
        return bare.ctl("refresh", f"{ID}/{user}", check=False)
    for _ in range(3):      # a call that takes over two seconds, on a busy machine, loses its turn
        amocrm.forget()
        amocrm.limit.enforce()
        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(refreshed, users))
        busiest = busiest_second([one.time for one in amocrm.record.requests()])
        if busiest <= 7 and all(one.returncode == 0 for one in done):
            break
    assert busiest <= 7
    assert all(one.returncode == 0 for one in done), done


def test_the_app_is_told_when_to_come_again(bare, amocrm):
    """As many ask at once as it takes, since the budget refills meanwhile."""
    bare.configure(app_connections="per_user", app_state="any", amocrm_budget="7 1",
                   amocrm_timeout=PATIENT)
    user = User(bare)

    def asked():
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: user.exchange(made_up()), range(32)))
        return [answer for answer in answers if answer.status == 503]
    over = wait_until(asked, "an answer over the budget")
    bare.logged("exchanges without a state of ours")
    for answer in over:
        app.refused(answer, 503, "temporarily_unavailable")
        assert 1 <= int(answer.header("Retry-After")) <= 10
    state = user.state()
    app.connected(user.exchange(amocrm.approve(state=state)))


# The file that processes share.

def state_file(site):
    """The file of the budget, which the first call has made."""
    known = {"connections", "locks", "events"}
    [file] = [file for file in site.store.iterdir()
              if file.is_file() and file.name not in known and "budget" in file.name]
    return file


DAMAGES = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:33]),
    "random": lambda file: file.write_bytes(secrets.token_bytes(file.stat().st_size)),
    "all ones": lambda file: file.write_bytes(b"\xff" * file.stat().st_size),
    "large numbers": lambda file: file.write_bytes(
        b"\xff\xff\xff\xff\xff\xff\xff\x7f" * (file.stat().st_size // 8)),
    "too long": lambda file: file.write_bytes(b"\x7f" * (1 << 20)),
    "removed": lambda file: file.unlink(),
    "a directory": lambda file: (file.unlink(), file.mkdir()),
    "a link to nothing": lambda file: (file.unlink(), file.symlink_to("/nowhere/at/all")),
    "not readable": lambda file: file.chmod(0o000),
    "read-only": lambda file: file.chmod(0o400),
    "another user's": lambda file: (file.unlink(), file.write_bytes(b"x" * 8000),
                                    file.chmod(0o600)),
    "a pipe": lambda file: (file.unlink(), __import__("os").mkfifo(file),
                            process.give(file, 0o600, owner=True)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_does_not_stop_the_service(bare, amocrm, damage):
    bare.configure(app_connections="per_user", app_state="any")
    connect(bare, amocrm)
    damage(state_file(bare))
    for _ in range(2):
        params = amocrm.approve()
        expect.connected(bare.get("callback", params), params["code"])
    bare.ctl("refresh", ID)
    user = User(bare)
    app.connected(user.exchange(amocrm.approve(state=user.state())))


@pytest.mark.parametrize("damage", [DAMAGES[name] for name in (
    "empty", "cut", "random", "all ones", "large numbers", "too long", "removed")])
def test_a_damaged_file_does_not_open_the_budget_for_good(bare, amocrm, damage):
    connect(bare, amocrm)
    damage(state_file(bare))
    _, seconds = flood(bare, made_up)
    within_the_share(amocrm, seconds)


def test_processes_killed_at_any_moment_leave_nothing_stuck(bare, amocrm):
    for at in range(30):
        program = bare.server.start("/api/amo-crm/callback", made_up())
        time.sleep(0.001 * (at % 15))
        program.kill()
        program.communicate()
    user = User(bare)
    for _ in range(3):
        state = user.state()
        params = amocrm.approve(state=state)
        expect.connected(bare.get("callback", params), params["code"], state)
