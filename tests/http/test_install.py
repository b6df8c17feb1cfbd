"""make install: the paths of the installed files, and the paths that they contain."""

import os
import re
import subprocess

import pytest

from sandbox.site import ROOT

PLACES = {"PREFIX": "/opt/crm", "SYSCONFDIR": "/opt/crm/etc", "LOCALSTATEDIR": "/srv"}


def make(build, *arguments):
    done = subprocess.run(
        ["make", f"BUILD={build}", *(f"{name}={value}" for name, value in PLACES.items()),
         *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")})
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return tmp_path_factory.mktemp("build")


@pytest.fixture(scope="module")
def installed(build, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    make(build, "-j2", "install", f"DESTDIR={root}")
    return root


def test_paths_of_the_installed_files(installed):
    files = {str(file.relative_to(installed)) for file in installed.rglob("*") if file.is_file()}
    lib, share = "opt/crm/lib/amo-crm", "opt/crm/share"

    assert {f"{lib}/cgi-bin/{name}" for name in (
        "callback", "exchange-code", "status", "disconnect", "webhook")} <= files
    assert {f"{lib}/libexec/amo-crm-https", f"{lib}/libexec/amo-crm-crypto"} <= files
    assert {"opt/crm/bin/amocrmctl", f"{share}/man/man1/amocrmctl.1",
            f"{share}/man/man5/amo-crm.conf.5", f"{share}/doc/amo-crm/README.md",
            f"{share}/doc/amo-crm/apache.conf.example",
            f"{share}/bash-completion/completions/amocrmctl",
            "opt/crm/lib/systemd/system/amo-crm-refresh.timer"} <= files
    assert all(name.startswith("opt/crm/") for name in files)


def test_the_links_of_the_documents_have_a_target(installed):
    folder = installed / "opt/crm/share/doc/amo-crm"
    documents = sorted(folder.rglob("*.md"))
    assert len(documents) == 5
    for document in documents:
        for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", document.read_text()):
            assert "://" in link or (document.parent / link).exists(), f"{document.name}: {link}"


@pytest.mark.parametrize("folder, mode", [("opt/crm/etc/amo-crm", 0o750), ("srv/lib/amo-crm", 0o700)])
def test_folders_of_secrets_are_private(installed, folder, mode):
    assert (installed / folder).stat().st_mode & 0o777 == mode


def test_texts_contain_the_paths_of_this_installation(installed):
    texts = [file for folder in ("share", "lib/systemd") for file in
             (installed / "opt/crm" / folder).rglob("*") if file.is_file()]
    assert len(texts) > 15
    for file in texts:
        text = file.read_text()
        for elsewhere in ("/usr/local/", "/var/lib/amo-crm", " /etc/amo-crm", "@CONFIG@"):
            assert elsewhere not in text, f"{file.name}: {elsewhere}"


def test_the_installed_command_uses_the_configured_path(installed):
    done = subprocess.run([installed / "opt/crm/bin/amocrmctl", "accounts"], capture_output=True,
                          text=True, env={"PATH": os.environ["PATH"]})

    assert done.returncode == 1
    assert "/opt/crm/etc/amo-crm/amo-crm.conf" in done.stderr


def test_another_path_is_compiled_in_without_make_clean(build, installed):
    make(build, "-j2", "programs", "CONFIG=/elsewhere/amo-crm.conf")

    done = subprocess.run([build / "bin/amocrmctl", "accounts"], capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"]})

    assert "/elsewhere/amo-crm.conf" in done.stderr
    again = make(build, "programs", "CONFIG=/elsewhere/amo-crm.conf")
    assert again.stdout == "", "it was built again without a change"
