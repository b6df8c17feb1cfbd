"""A helper program that cannot be started: the message names the cause and what to do."""

import shlex
import shutil
import subprocess

import pytest

from connections import ID, connect
from findings import check, configure, only
from sandbox import process
from sandbox.site import HELPERS

needs_root = pytest.mark.skipif(not process.is_root(), reason="only root has a folder of its own")


@pytest.fixture
def connected(bare, amocrm):
    connect(bare, amocrm)
    yield bare
    bare.libexec.chmod(0o750)   # first, or its owner, if not root, cannot look into it
    for helper in HELPERS:      # as it was installed
        path = bare.libexec / helper
        path.is_dir() and path.rmdir()
        path.with_suffix(".was").exists() and path.with_suffix(".was").rename(path)
        path.chmod(0o755)


COMMANDS = {"token": [ID], "refresh": [ID], "subscribe": [ID], "disconnect": [ID],
            "export": ["--plain"]}


def messages(site, **how):
    """What each command that needs a helper says when it fails."""
    for command, arguments in COMMANDS.items():
        done = site.ctl(command, *arguments, check=False, **how)
        if done.returncode:
            yield command, done.stderr


@needs_root
def test_a_folder_that_the_web_servers_user_may_not_enter(connected, tmp_path_factory):
    """As when root runs a checkout below /root, and amocrmctl becomes the owner of the store."""
    checkout = tmp_path_factory.mktemp("root") / "checkout"     # whose parent has mode 0700
    checkout.parent.chmod(0o700)
    for folder in (connected.tools, connected.libexec):
        shutil.copytree(folder, checkout / folder.name)
    elsewhere = type(connected.tools)(checkout) / connected.tools.name / "amocrmctl"
    launcher = ["sh", "-c", f'shift; exec {shlex.quote(str(elsewhere))} "$@"', "sh"]

    said = dict(messages(connected, as_web_user=False, launcher=launcher))

    closed = next(folder for folder in reversed(checkout.parents)
                  if folder.stat().st_mode & 0o001 == 0)
    assert {"token", "refresh", "subscribe"} <= said.keys()
    for command, message in said.items():
        assert f"{closed}: user {process.web_user().pw_uid} may not enter" in message, command
        assert "make install" in message and "upload" not in message, command


CAUSES = {
    "not there": (lambda path: path.rename(path.with_suffix(".was")),
                  "is neither beside the programs nor at"),
    "a mode without x": (lambda path: path.chmod(0o644), "mode 0644", "chmod 0755"),
    "a folder in its place": (
        lambda path: path.rename(path.with_suffix(".was")) and path.mkdir(0o644), "is not a file"),
    "a folder that may not be entered": (
        lambda path: path.parent.chmod(0o640), "may not enter this folder", "libexec: "),
    "text, as after an upload in text mode": (
        lambda path: path.rename(path.with_suffix(".was")) and path.write_bytes(b"\x7fELF\n")
        and path.chmod(0o755), "is no program for this machine"),
    "a program whose loader is missing": (
        lambda path: path.rename(path.with_suffix(".was")) and path.write_text("#!/no/loader\n")
        and path.chmod(0o755), "the program loader", "another system"),
    "a program that lacks a library": (
        lambda path: path.rename(path.with_suffix(".was"))
        and path.write_text("#!/bin/sh\nexit 127\n") and path.chmod(0o755),
        "a library that it needs is missing"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_the_cause_is_named(connected, cause):
    breaking, *words = CAUSES[cause]
    breaking(connected.libexec / "amo-crm-crypto")

    done = connected.ctl("token", ID, check=False)

    assert done.returncode == 1
    for word in words:
        assert word in done.stderr, done.stderr


def may_mount():
    return process.is_root() and subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"],
        capture_output=True).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="no mount namespaces (unshare -m)")
def test_a_file_system_without_exec(connected):
    folder = shlex.quote(str(connected.libexec))
    launcher = ["unshare", "-m", "sh", "-c", f"mount --bind {folder} {folder} && mount -o "
                f'remount,bind,noexec {folder} && exec "$@"', "sh"]

    said = dict(messages(connected, as_web_user=False, launcher=launcher))

    assert {"token", "refresh", "subscribe"} <= said.keys()
    assert all("noexec" in message and "upload" not in message for message in said.values())


@needs_root
def test_check_names_the_folder_once_more(connected):
    configure(connected)
    connected.libexec.chmod(0o700)

    found = [one for one in check(connected) if one.level == "WRONG"]

    assert [one.part for one in found] == ["amo-crm-https", "amo-crm-crypto"]
    for one in found:
        assert "may not enter" in one.found and "make install again" not in one.to_do
