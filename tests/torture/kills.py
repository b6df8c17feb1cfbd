"""Rounds of a load on two hosts over one database, in which parts are killed by kill -9: servers of
the database, programs, deliverers, and helpers."""

import random
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "http"))

import hosts as several  # noqa: E402
import loads  # noqa: E402
from sandbox import process  # noqa: E402
from sandbox.amocrm import Amocrm, usual_integration  # noqa: E402
from sandbox.cluster import Cluster  # noqa: E402
from sandbox.database import EmptiedDatabase  # noqa: E402
from sandbox.receiver import Receiver  # noqa: E402

STRIKES_MAX = 3     # of a round
EVENTS_MAX = 12     # that are accepted between two strikes
HELPER = "amo-crm-postgresql"


class Place:
    """A context: a cluster, two hosts, a stand-in for amoCRM, and a receiver of deliveries."""

    def __enter__(self):
        self.folder = process.new_folder()
        self.cluster = Cluster(fsync=False)     # survives kill -9
        self.amocrm = Amocrm(self.folder / "amocrm", usual_integration("http://localhost/"))
        self.receiver = Receiver()
        self.amocrm.start()
        self.receiver.__enter__()
        self.hosts = several.Hosts(self.amocrm, self.cluster,
                                   EmptiedDatabase(self.cluster, "torture"))
        return self

    def __exit__(self, *_):
        self.hosts.remove()
        self.receiver.__exit__()
        self.amocrm.stop()
        self.cluster.remove()
        process.remove_folder(self.folder)


class Round:
    """`struck` tells what was killed.  The same seed kills the same parts, after as many events."""

    def __init__(self, place, seed):
        self._place, self.seed = place, seed
        self._chance = random.Random(seed)
        self.struck = []

    def run(self):
        place = self._place
        place.receiver.clear()
        with place.hosts:
            self.load = loads.Load(place.hosts, place.receiver, self.seed)
            self.load.start()
            try:
                for host in place.hosts.hosts:
                    host.deliver()
                self._strike_all()
                place.cluster.heal()
                self.load.await_progress(self._chance.randrange(4, EVENTS_MAX))
            finally:
                self.load.end()
            loads.check(place.hosts, self.load, place.receiver)

    def _strike_all(self):
        for _ in range(self._chance.randint(1, STRIKES_MAX)):
            self.load.await_progress(self._chance.randrange(2, EVENTS_MAX))
            strike = self._chance.choice(STRIKES)
            self.struck.append(strike.__name__.removeprefix("_").replace("_", " "))
            strike(self)
            for host in self._place.hosts.hosts:
                host.await_deliverer()

    def _host(self):
        return self._chance.choice(self._place.hosts.hosts)

    # Each leaves a cluster that takes changes.

    def _primary(self):
        self._place.cluster.kill()
        self._place.cluster.promote()
        self._place.cluster.heal()

    def _standby(self):
        cluster = self._place.cluster
        node = self._chance.choice(cluster.standbys)
        cluster.kill(node)
        self.load.await_progress(self._chance.randrange(1, EVENTS_MAX))
        cluster.start(node)

    def _both_standbys(self):
        cluster = self._place.cluster
        standbys = cluster.standbys
        for node in standbys:
            cluster.kill(node)
        for node in standbys:
            cluster.start(node)

    def _programs_of_a_host(self):
        self.load.kill_programs(self._host())

    def _deliverer(self):
        self._host().kill_deliverer()

    def _helpers_of_a_host(self):
        self._host().kill_helpers(HELPER)

    def _primary_and_programs(self):
        self._place.cluster.kill()
        self.load.kill_programs(self._host())
        self._place.cluster.promote()
        self._place.cluster.heal()


STRIKES = [Round._primary, Round._primary, Round._standby, Round._both_standbys,
           Round._programs_of_a_host, Round._deliverer, Round._helpers_of_a_host,
           Round._primary_and_programs]


def run(place, seed):
    """One round; an error names its seed, and what was killed."""
    one = Round(place, seed)
    try:
        one.run()
    except Exception as failed:
        raise AssertionError(f"seed {seed}, killed: {', '.join(one.struck)}: {failed}") from failed
    return one
