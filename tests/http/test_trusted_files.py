"""Files and folders that somebody other than root and the web server's user can change: every
program refuses them, for each request, until they are repaired."""

import contextlib
import json
import os
import shutil

import pytest

import app
import expect
from app import JSON, User
from connections import ID
from findings import check, configure
from responder import FastCgi, still_the_same
from sandbox import process

ROOT_ONLY = pytest.mark.skipif(not process.is_root(), reason="only root can change owners")
STRANGER = 12345    # no user of this machine


def chmod(mode):
    return lambda path: path.chmod(mode)


def chown(user):
    return lambda path: os.chown(path, user, -1)


# What is done to the file, whether it is refused then, and a word of the log line.
CHANGES = {
    "the group may write": (chmod(0o660), True, "mode 0660"),
    "others may write": (chmod(0o642), True, "mode 0642"),
    "everybody may write": (chmod(0o666), True, "mode 0666"),
    "of another user": (chown(STRANGER), True, f"user {STRANGER}"),
    "of the web server's user": (lambda path: process.give(path, 0o600, owner=True), False, ""),
    "of root": (lambda path: process.give(path, 0o640), False, ""),
}
FOLDER_CHANGES = {
    "the group may write": (chmod(0o770), True, "mode 0770"),
    "others may write": (chmod(0o703), True, "mode 0703"),
    "everybody may write, but not delete": (chmod(0o1777), True, "mode 1777"),
    "others may read": (chmod(0o755), False, ""),
}


def cases(changes):
    return pytest.mark.parametrize("change, refused, word", [
        pytest.param(*case, marks=ROOT_ONLY if "of " in name else (), id=name)
        for name, case in changes.items()])


@pytest.fixture(params=["cgi", "fastcgi"])
def either(request, bare):
    if request.param == "fastcgi":
        bare.server = FastCgi(bare)
    yield bare
    if request.param == "fastcgi":
        still_the_same(bare)
        bare.server.stop()


@contextlib.contextmanager
def changed(path, change):
    before = path.stat()
    change(path)
    try:
        yield
    finally:
        if process.is_root():
            os.chown(path, before.st_uid, before.st_gid)
        path.chmod(before.st_mode)


def server_error(site, answer, path, word):
    app.refused(answer, 500, "server_error")
    site.logged("fault=server_error", str(path), word)


@cases(CHANGES)
@pytest.mark.parametrize("file", ["config", "keys"])
def test_configuration_and_key_ring(either, file, change, refused, word):
    configured = getattr(either, file)
    olena = User(either)
    with changed(configured, change):
        for _ in range(2):
            either.mark_logs()
            answer = olena.status()     # not connected: it signs a state with a key of the ring
            if refused:
                server_error(either, answer, configured, word)
            else:
                app.done(answer)
    app.done(olena.status())


@cases(CHANGES)
def test_the_public_key_of_the_app(either, change, refused, word):
    signer = app.Signer(either.folder, "ES256")
    process.give(signer.public, 0o640)
    either.configure(jwt_algorithm="ES256", jwt_public_key=signer.public, jwt_secret=None)
    with changed(signer.public, change):
        answer = either.get("status", headers=app.bearer(signer.token()))
        if refused:
            server_error(either, answer, signer.public, word)
        else:
            app.done(answer)
    app.done(either.get("status", headers=app.bearer(signer.token())))


@cases(CHANGES)
def test_the_certificates_of_amocrm(either, amocrm, change, refused, word):
    """amoCRM gets nothing, so the code stays valid."""
    ca_file = either.folder / "ca.pem"
    shutil.copyfile(amocrm.ca_file, ca_file)
    process.give(ca_file, 0o640)
    either.configure(amocrm_ca_file=ca_file)
    olena, params = User(either), amocrm.approve()
    with changed(ca_file, change):
        if not refused:
            app.connected(olena.exchange(params))
            return
        expect.failed(either.get("callback", params), "server_error", params.get("state"))
        server_error(either, olena.exchange(params), ca_file, word)
        assert not amocrm.exchanges()
        done = either.ctl("refresh", check=False)
        assert done.returncode == 0     # there is no connection yet
    app.connected(olena.exchange(params))
    with changed(ca_file, change):
        done = either.ctl("refresh", str(ID), check=False)
        assert done.returncode == 1
        assert word in done.stderr


@cases(FOLDER_CHANGES)
def test_the_store(either, amocrm, change, refused, word):
    olena, params = User(either), amocrm.approve()
    with changed(either.store, change):
        if not refused:
            app.connected(olena.exchange(params))
            return
        expect.failed(either.get("callback", params), "server_error", params.get("state"))
        server_error(either, olena.exchange(params), either.store, word)
        server_error(either, olena.status(), either.store, word)
        server_error(either, either.post("webhook", body=b"{}", headers={"Content-Type": JSON}),
                     either.store, word)
        assert not amocrm.exchanges()
        done = either.ctl("accounts", check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert word in done.stderr
    app.connected(olena.exchange(params))


@pytest.mark.parametrize("folder", ["connections", "escrow", "events"])
def test_a_folder_of_the_store_that_others_can_reach_and_change(either, amocrm, folder):
    olena = User(either)
    app.connected(olena.exchange(amocrm.approve()))
    path = either.store / folder
    with contextlib.suppress(FileExistsError):
        path.mkdir()
        process.give(path, 0o700, owner=True)
    path.chmod(0o777)
    app.done(olena.status())    # nobody can reach it
    either.store.chmod(0o755)
    server_error(either, olena.status(), path, "mode 0777")
    path.chmod(0o700)
    app.done(olena.status())


@ROOT_ONLY
def test_root_uses_the_files_of_the_user_that_owns_the_store(bare):
    """As where everything is one user's, and that user is not the one who runs the command."""
    for path in (bare.config, bare.keys):
        process.give(path, 0o600, owner=True)
    bare.ctl("accounts", as_web_user=False)
    os.chown(bare.keys, STRANGER, process.web_user().pw_gid)
    bare.keys.chmod(0o640)
    done = bare.ctl("rekey", as_web_user=False, check=False)
    assert done.returncode == 1
    assert f"user {STRANGER}" in done.stderr
    process.give(bare.keys, 0o640)
    os.chown(bare.config, STRANGER, process.web_user().pw_gid)
    bare.config.chmod(0o640)
    done = bare.ctl("accounts", as_web_user=False, check=False)
    assert done.returncode == 1
    assert f"user {STRANGER}" in done.stderr


@cases(CHANGES)
def test_check_says_the_same_of_the_certificates(bare, amocrm, change, refused, word):
    ca_file = bare.folder / "ca.pem"
    shutil.copyfile(amocrm.ca_file, ca_file)
    process.give(ca_file, 0o640)
    configure(bare, amocrm_ca_file=ca_file)
    with changed(ca_file, change):
        found = [one for one in check(bare) if one.part == "certificates"]
    assert [one.level for one in found] == ["WRONG" if refused else "ok"]
    assert not refused or (word in str(found) and ("chmod" in str(found) or "chown" in str(found)))
