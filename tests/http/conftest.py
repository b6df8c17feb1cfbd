"""The programs as their callers meet them: over HTTP, and against a stand-in for amoCRM.

    site       a fresh set-up; the test runs three times, asked bare, behind Apache, behind lighttpd
    bare       a fresh set-up, asked bare: for what no web server has a say in
    on_servers a fresh set-up behind each real server: for what the web server has a say in
    fastcgi    a fresh set-up, asked by FastCGI: one process for each program

One stand-in, one Apache and one lighttpd serve a whole run.  The programs look at their configuration
for every request, so a test changes it with site.configure() and nothing is restarted.
"""

import signal
import sys
from pathlib import Path

import pytest

# Behind the standard library: this folder's name, http, is one of its modules' too.
sys.path.append(str(Path(__file__).resolve().parents[1]))

import responder  # noqa: E402
from sandbox import process  # noqa: E402
from sandbox.amocrm import Amocrm, usual_integration  # noqa: E402
from sandbox.servers import RUNNERS  # noqa: E402
from sandbox.site import NotBuilt, Site  # noqa: E402


def pytest_configure():
    # Ended by a plain kill, as CI does it, the fixtures still clean up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A shell starts what it runs in the background with these ignored, and programs inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


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
            started[name] = RUNNERS[name](one_site)
        return started[name]
    yield runner
    for server in started.values():
        server.stop()


@pytest.fixture
def amocrm(amocrm_and_folder):
    return amocrm_and_folder[0]


@pytest.fixture(params=["bare", "apache", "lighttpd"])
def site(request, one_site, runners):
    return fresh(one_site, runners(request.param))


@pytest.fixture
def bare(one_site, runners):
    return fresh(one_site, runners("bare"))


@pytest.fixture(params=["apache", "lighttpd"])
def on_servers(request, one_site, runners):
    return fresh(one_site, runners(request.param))


def fresh(site, server):
    site.reset(server)
    return site


@pytest.fixture
def fastcgi(bare):
    """The site, asked by FastCGI."""
    bare.server = responder.FastCgi(bare)
    yield bare
    bare.server.stop()
