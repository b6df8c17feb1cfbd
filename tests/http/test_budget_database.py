"""[amocrm] budget of a store in PostgreSQL: one for all hosts.

A host is a program that talks to amo-crm-postgresql, as the other programs do.
"""

import itertools
import time
from types import SimpleNamespace

import pytest

import responder
from postgresql_helper import Helper
from sandbox import process
from sandbox.site import Site
from strangers import BURST, PATIENT, RATE as EXCHANGES, made_up, within

CALLS = 7
OWN_STATE, STRANGER, INSTALL = 0, 1, 2      # enum budget_share

A, B = "a.amocrm.ru", "b.amocrm.ru"

names = itertools.count()


class Host(Helper):
    def admit(self, host=A, share=STRANGER):
        """The milliseconds to wait; 0: admitted."""
        return self.do("admit", host=host, share=share, exchanges=EXCHANGES)["wait_ms"]

    def try_begin(self, host=A, share=OWN_STATE):
        return self.do("begin_call", host=host, share=share, calls=CALLS, exchanges=EXCHANGES)

    def begin(self, host=A):
        """Waits for a turn, as a program does."""
        while (turn := self.try_begin(host))["slot"] < 0:
            time.sleep(max(turn["wait_ms"], 20) / 1000)
        return turn

    def end(self, turn, host=A):
        self.do("end_call", host=host, slot=turn["slot"], latest=turn["latest"])


@pytest.fixture
def engine(cluster):
    """A database of its own, and hosts that share it."""
    name = f"budget{next(names)}"
    cluster.new_database(name)
    def host():
        return Host(cluster.conninfo(name), cluster.password_file)
    with host() as first, host() as second:
        first.do("init")
        yield SimpleNamespace(first=first, second=second, host=host,
                              sql=lambda sql: cluster.psql(sql, database=name),
                              settings={"store_engine": "postgresql",
                                        "store_database": first.database,
                                        "store_password_file": first.password_file})


@pytest.fixture
def sites(engine, fastcgi, amocrm):
    """Two hosts with the same keys, the programs run as FastCGI."""
    folder = process.new_folder()
    other = Site(amocrm, folder)
    other.jwt_secret = fastcgi.jwt_secret
    other.write_keys(fastcgi.keys.read_text())
    other.server = responder.FastCgi(other)
    for site in (fastcgi, other):
        site.configure(amocrm_timeout=PATIENT, **engine.settings)
    yield fastcgi, other
    other.server.stop()
    process.remove_folder(folder)


def test_strangers_at_two_hosts_cause_few_exchanges(sites, amocrm):
    began = time.monotonic()
    answers = [site.get("callback", made_up()) for site in sites * BURST]
    took = time.monotonic() - began

    asked = len(amocrm.exchanges())
    assert asked >= BURST
    within(asked, took)
    errors = [answer.link_query["error"] for answer in answers]
    assert errors.count("auth_failed") == asked
    assert errors.count("temporarily_unavailable") == len(answers) - asked
    # not even two budgets of files have been used
    assert not any((site.store / "budget").exists() for site in sites)


# All turns that were given begin anew, as this machine may be busy: they last two seconds.
RENEW = """
UPDATE call SET slots = ARRAY(
    SELECT CASE WHEN at = 0 THEN 0 ELSE floor(extract(epoch FROM now()) * 1000) + 2000 END
    FROM unnest(slots) WITH ORDINALITY slot (at, n) ORDER BY n)
"""


def test_hosts_share_the_turns(engine):
    slots = []
    for host in (engine.first, engine.second) * 4:
        slots.append(host.try_begin()["slot"])
        engine.sql(RENEW)
    other = engine.second.try_begin(B)["slot"]

    assert slots[CALLS] == -1
    assert sorted(slots[:CALLS]) == list(range(CALLS))
    assert other >= 0


def test_hosts_share_the_exchanges_of_strangers(engine):
    began = time.monotonic()
    waits = [host.admit() for host in (engine.first, engine.second) * BURST]
    took = time.monotonic() - began

    assert BURST <= waits.count(0) <= BURST + EXCHANGES * took + 1
    assert engine.second.admit(share=INSTALL) == 0
    assert all(0 < wait <= 1000 for wait in waits if wait)


def test_all_accounts_together_have_twice_the_exchanges(engine):
    began = time.monotonic()
    waits = [engine.first.admit(f"h{i}.amocrm.ru") for i in range(3 * BURST)]

    assert 2 * BURST <= waits.count(0) <= 2 * (BURST + EXCHANGES * (time.monotonic() - began)) + 1
    # who is refused leaves no row
    assert engine.sql("SELECT count(*) FROM call") == str(waits.count(0) + 1)


def test_no_second_has_more_calls_than_the_budget(engine):
    """By the moment at which a call is known to have been on its way."""
    calls = []
    for host in (engine.first, engine.second) * 12:
        turn = host.begin()
        began = time.monotonic()
        host.end(turn)
        calls.append(began)

    for first, last in zip(calls, calls[CALLS:]):
        assert last - first >= 1


def test_the_turn_of_a_killed_program_ends_by_itself(engine):
    with engine.host() as killed:
        for _ in range(CALLS):
            killed.begin()

    assert engine.second.begin()["slot"] in range(CALLS)


def test_a_program_killed_while_it_takes_a_turn_keeps_nobody_waiting(engine):
    for _ in range(10):
        with engine.host() as killed:
            killed.send("begin_call", host=A, share=OWN_STATE, calls=CALLS, exchanges=EXCHANGES)

    assert engine.second.begin()["slot"] in range(CALLS)


def test_a_turn_that_is_anothers_by_now_is_not_ended(engine):
    first = engine.first.try_begin()
    engine.sql(f"UPDATE call SET slots[{2 * first['slot'] + 2}] = {first['latest'] + 500}")
    before = engine.sql("SELECT slots FROM call")
    engine.second.end(first)

    assert engine.sql("SELECT slots FROM call") == before


@pytest.mark.parametrize("slots", ["{}", "{-1}", "{1,NULL,3}", "{9223372036854775807,1}",
                                   "{9223372036854775807,9223372036854775807}",
                                   "{-9223372036854775808,-9223372036854775808}"])
def test_times_that_make_no_sense_count_as_empty(engine, slots):
    engine.sql(f"INSERT INTO call (account, slots, full_at) VALUES ('{A}', '{slots}', '{slots}'),"
               f" ('', '{slots}', '{slots}')")

    assert engine.first.admit() == 0
    assert engine.first.try_begin()["slot"] >= 0


def test_unused_accounts_are_forgotten(engine):
    """With the first call to another account."""
    engine.sql("INSERT INTO call (account, used_on) VALUES ('', current_date - 9),"
               " ('old.amocrm.ru', current_date - 2), ('new.amocrm.ru', current_date - 1)")
    engine.first.try_begin()

    assert engine.sql("SELECT account FROM call ORDER BY account").split("\n") == [
        "", A, "new.amocrm.ru"]
