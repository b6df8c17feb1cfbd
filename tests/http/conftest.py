"""Tests of the programs over HTTP, with a mock amoCRM server.  The fixtures:

    site       a fresh set-up; the test runs three times: bare, behind Apache, behind lighttpd
    bare       a fresh set-up, the program run without a web server: for what does not depend on one
    on_servers a fresh set-up behind each real server: for what depends on the web server
    fastcgi    a fresh set-up, the programs run as FastCGI: one process for each program
    cluster    three PostgreSQL servers; a test may kill any of them
    hosts      two hosts over a database in that cluster; their sites are `two`

Tests of what is stored run once more over PostgreSQL, see engines.py.

One mock amoCRM server, one Apache, one lighttpd and one cluster serve a whole run.  The programs check their
configuration for each request, so a test changes it with site.configure() and restarts nothing.
"""

import itertools
import os
import signal
import sys
from collections import defaultdict
from pathlib import Path

import pytest

# Appended, not prepended: the name of this folder, http, is also a module of the standard library.
sys.path.append(str(Path(__file__).resolve().parents[1]))

import engines  # noqa: E402
import responder  # noqa: E402
from hosts import Hosts  # noqa: E402
from sandbox import process  # noqa: E402
from sandbox.amocrm import Amocrm, usual_integration  # noqa: E402
from sandbox.cluster import Cluster  # noqa: E402
from sandbox.database import EmptiedDatabase  # noqa: E402
from sandbox.fastcgi_servers import FASTCGI  # noqa: E402
from sandbox.servers import RUNNERS  # noqa: E402
from sandbox.site import NotBuilt, Site  # noqa: E402


numbers = itertools.count()


def pytest_configure():
    # The fixtures clean up after SIGTERM too, which CI sends.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # nohup, and a shell that starts a job in the background, leave these signals ignored, and
    # programs inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def amocrm_and_folder():
    folder = process.new_folder()
    try:
        with Amocrm(folder / "amocrm", usual_integration("http://localhost/")) as amocrm:
            yield amocrm, folder
    finally:
        process.remove_folder(folder)


@pytest.fixture(scope="session")
def one_site(amocrm_and_folder):
    try:
        return Site(*amocrm_and_folder)
    except NotBuilt as reason:
        pytest.exit(str(reason), returncode=2)


@pytest.fixture(scope="session")
def runners(one_site):
    """Starts each server when the first test needs it."""
    started = {}

    def runner(name):
        if name not in started:
            started[name] = {**RUNNERS, "postgresql": engines.Responders}[name](one_site)
        return started[name]
    yield runner
    for server in started.values():
        server.stop()


@pytest.fixture
def amocrm(amocrm_and_folder):
    return amocrm_and_folder[0]


SERVERS = {"site": ["bare", "apache", "lighttpd"], "bare": ["bare"],
           "on_servers": ["apache", "lighttpd"]}
WEB_SERVERS = {"apache", "lighttpd", *FASTCGI}


def pytest_generate_tests(metafunc):
    for name, servers in SERVERS.items():
        if name in metafunc.fixturenames and is_ours(metafunc, name):
            repeated = name != "on_servers" and engines.repeats(metafunc.module, metafunc.function)
            if repeated or len(servers) > 1:
                metafunc.parametrize(name, [*servers, *["postgresql"] * repeated], indirect=True)


def pytest_collection_modifyitems(config, items):
    """The rows of a test's table take turns behind the web servers: each row runs behind at least
    one of them, and each of them serves at least one row.  ALL_ROWS=1 runs all rows behind all."""
    if os.environ.get("ALL_ROWS"):
        return
    tests = defaultdict(lambda: defaultdict(list))
    for item in items:
        if server_of(item) in WEB_SERVERS:
            tests[item.module, item.function][server_of(item)].append(item)
    taken = {id(item) for servers in tests.values() for item in in_turn(list(servers.values()))}
    left_out = [item for item in items
                if server_of(item) in WEB_SERVERS and id(item) not in taken]
    config.hook.pytest_deselected(items=left_out)
    left_out = set(map(id, left_out))
    items[:] = [item for item in items if id(item) not in left_out]


def server_of(item):
    given = item.callspec.params if hasattr(item, "callspec") else {}
    return next((given[name] for name in SERVERS if name in given), None)


def in_turn(servers):
    """`servers` has the rows of each server, in the same order."""
    rows, count = max(map(len, servers)), len(servers)
    for turn in range(max(rows, count)):
        # Shifted by one in each round: else a table of GET and HEAD has one server for each.
        yield from servers[(turn + turn // count) % count][turn % rows:][:1]


def is_ours(metafunc, name):
    """Whether the fixture is that of this file, and the test does not choose the servers itself;
    some files have another fixture of the same name."""
    chosen = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    return (name not in chosen
            and metafunc._arg2fixturedefs[name][-1].func.__module__ == __name__)


@pytest.fixture
def site(request, one_site, runners):
    return prepared(request, one_site, runners)


@pytest.fixture
def bare(request, one_site, runners):
    return prepared(request, one_site, runners)


@pytest.fixture
def on_servers(request, one_site, runners):
    return prepared(request, one_site, runners)


def prepared(request, site, runners):
    name = getattr(request, "param", "bare")
    if name != "postgresql":
        return fresh(site, runners(name))
    database = request.getfixturevalue("one_database")
    engines.warm(fresh(site, runners(name), database))
    return fresh(site, runners(name), database)


def fresh(site, server, database=None):
    site.reset(server, database)
    return site


@pytest.fixture
def fastcgi(bare):
    """The site, with the programs run as FastCGI."""
    bare.server = responder.FastCgi(bare)
    yield bare
    bare.server.stop()


@pytest.fixture(scope="session")
def one_cluster():
    with Cluster(fsync=False) as started:   # no test cuts the machine's power
        yield started


@pytest.fixture(scope="module")
def one_database(one_cluster):
    """One for each file, in a cluster that is whole: other files kill nodes of it."""
    one_cluster.heal()
    return EmptiedDatabase(one_cluster, f"site{next(numbers)}")


@pytest.fixture
def cluster(one_cluster):
    yield one_cluster
    one_cluster.heal()


# Two hosts over one database.

@pytest.fixture(scope="module")
def own_database(one_cluster):
    return EmptiedDatabase(one_cluster, f"hosts{next(numbers)}")


@pytest.fixture(scope="module")
def installed(amocrm_and_folder, one_cluster, own_database):
    both = Hosts(amocrm_and_folder[0], one_cluster, own_database)
    yield both
    both.remove()


@pytest.fixture
def hosts(installed, cluster):
    with installed:
        yield installed


@pytest.fixture
def two(hosts):
    return hosts.sites
