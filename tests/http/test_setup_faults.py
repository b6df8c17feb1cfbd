"""GET callback with faults of our own: configuration, key ring, store, disk.

The visitor gets the page and the default deep link, never the reason, which is in the log only.  A
code works once, so every fault that can be detected is detected before amoCRM is contacted.
"""

import os
import shlex
import shutil
import subprocess

import pytest

import expect
from sandbox import process

GOOD_KEY = "0123456789abcdef" * 4


def configuration(site):
    return site.config.read_text()


# The change of a valid configuration; a word of the log line.
BROKEN = {
    "empty": (lambda text: "", "missing"),
    "unknown key": (lambda text: text + "colour = blue\n", "colour"),
    "unknown section": (lambda text: text + "[colours]\nblue = 1\n", "colours"),
    "misspelt key": (lambda text: text.replace("client_id", "clientid"), "clientid"),
    "key in the wrong section": (lambda text: "[app]\ntimeout = 5\n" + text, "timeout"),
    "key twice": (lambda text: text + "[app]\nconnections = shared\n", "twice"),
    "no client_secret": (lambda text: without(text, "client_secret"), "client_secret"),
    "no redirect_uri": (lambda text: without(text, "redirect_uri"), "redirect_uri"),
    "no keys": (lambda text: without(text, "keys"), "keys"),
    "no jwt secret": (lambda text: "\n".join(line for line in text.split("\n")
                                             if not line.startswith("secret")), "jwt"),
    "shared without an account": (lambda text: without(text, "account"), "account"),
    "account outside the domains": (
        lambda text: text.replace("account = reforyou.amocrm.ru", "account = evil.com"), "account"),
    "a word for a number": (lambda text: "[amocrm]\ntimeout = soon\n" + text, "timeout"),
    "a number out of bounds": (lambda text: "[amocrm]\ntimeout = 0\n" + text, "timeout"),
    "an unknown choice": (lambda text: "[app]\nredirect = meta\n" + text, "redirect"),
    "a deep link that is script": (
        lambda text: "[app]\ndeep_link = javascript:alert(1)\n" + text, "deep_link"),
    "a short jwt secret": (lambda text: replaced(text, "secret = ", "secret = short"), "secret"),
    "not an INI file": (lambda text: text + "what is this\n", ""),
    "a line that is too long": (lambda text: text + "# " + "x" * 100_000 + "\n[x", ""),
    "a NUL": (lambda text: text.replace("shared", "sha\0red"), ""),
    "not closed": (lambda text: text + "[app\n", ""),
}


def without(text, key):
    return "".join(line for line in text.splitlines(True) if not line.startswith(f"{key} ="))


def replaced(text, beginning, line):
    return "".join(f"{line}\n" if old.startswith(beginning) else old
                   for old in text.splitlines(True))


def assert_our_fault(site, answer, *words):
    """Asserts the default page, with the reason in the log only."""
    expect.failed(answer, "server_error", "s", status=500)
    line = site.logged("server_error", *words)
    for path in (str(site.folder), "amo-crm.conf"):
        assert path not in answer.text, "the visitor sees a path"
    return line


@pytest.mark.parametrize("breaking, word", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_configuration(bare, amocrm, breaking, word):
    bare.write_config(breaking(configuration(bare)))

    answer = bare.get("callback", amocrm.approve(state="s"))

    assert_our_fault(bare, answer, str(bare.config), word)
    assert amocrm.connections() == []


def test_the_line_of_the_fault_is_logged(bare, amocrm):
    text = configuration(bare) + "colour = blue\n"
    bare.write_config(text)

    answer = bare.get("callback", amocrm.approve(state="s"))

    assert_our_fault(bare, answer, f"{bare.config}:{len(text.splitlines())}:", "colour")


def test_a_broken_configuration_never_shows_its_secrets(bare, amocrm):
    for key in ("client_secret", "secret"):
        bare.configure()
        bare.write_config(configuration(bare).replace(f"\n{key} = ", f"\n{key} = x\n{key} = "))
        assert_our_fault(bare, bare.get("callback", amocrm.approve(state="s")), "twice")

    bare.assert_no_secret_in_store_or_logs()


def test_a_missing_configuration(site, amocrm):
    site.config.unlink()

    assert_our_fault(site, site.get("callback", amocrm.approve(state="s")), str(site.config))

    assert amocrm.connections() == []


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o641])
def test_a_configuration_open_to_others(site, amocrm, mode):
    site.configure(mode=mode)

    assert_our_fault(site, site.get("callback", amocrm.approve(state="s")),
                     f"{mode:04o}", "it must be 0600")

    assert amocrm.connections() == []


def test_an_unreadable_configuration(site, amocrm):
    site.configure(mode=0o000)

    assert_our_fault(site, site.get("callback", amocrm.approve(state="s")), "Permission denied")


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_a_configuration_that_is_not_a_file(bare, amocrm, kind):
    bare.config.unlink()
    try:
        if kind == "folder":
            bare.config.mkdir(mode=0o700)
        elif kind == "pipe":
            os.mkfifo(bare.config, 0o600)
        else:
            bare.config.symlink_to("/dev/null")
        if kind != "device":
            process.give(bare.config, 0o700 if kind == "folder" else 0o600, owner=True)

        assert_our_fault(bare, bare.get("callback", amocrm.approve(state="s")), str(bare.config))
    finally:
        bare.config.rmdir() if kind == "folder" else bare.config.unlink()


def test_a_broken_configuration_never_redirects(bare, amocrm):
    bare.configure(app_redirect="302")
    bare.write_config(configuration(bare) + "colour = blue\n")

    assert_our_fault(bare, bare.get("callback", amocrm.approve(state="s")), "colour")


def test_an_install_call_gets_the_error(bare, amocrm):
    bare.write_config("")

    expect.plain_text(bare.get("callback", {**amocrm.approve(), "from_widget": "1"}),
                      "server_error")


# The key ring.

KEY_RINGS = {
    "empty": "",
    "only a comment": "# keys\n",
    "no kid": f"{GOOD_KEY}\n",
    "a digit too few": f"k1 {GOOD_KEY[:-1]}\n",
    "a digit too many": f"k1 {GOOD_KEY}0\n",
    "not hexadecimal": f"k1 {GOOD_KEY[:-1]}g\n",
    "one kid twice": f"k1 {GOOD_KEY}\nk1 {'ab' * 32}\n",
    "two blanks": f"k1  {GOOD_KEY}\n",
}


@pytest.fixture
def key_ring(bare):
    """The key ring, which is restored after the test."""
    text = bare.keys.read_text()
    yield bare.keys
    bare.write_keys(text)


@pytest.mark.parametrize("lines", KEY_RINGS.values(), ids=KEY_RINGS.keys())
def test_a_broken_key_ring_does_not_use_up_the_code(bare, amocrm, key_ring, lines):
    bare.write_keys(lines)

    assert_code_still_valid(bare, amocrm, str(key_ring))


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o000])
def test_a_key_ring_with_the_wrong_mode_does_not_use_up_the_code(bare, amocrm, key_ring, mode):
    bare.write_keys(key_ring.read_text(), mode)

    assert_code_still_valid(bare, amocrm, str(key_ring))


def test_a_missing_key_ring_does_not_use_up_the_code(bare, amocrm, key_ring):
    key_ring.rename(key_ring.with_suffix(".away"))
    try:
        assert_code_still_valid(bare, amocrm, str(key_ring))
    finally:
        key_ring.with_suffix(".away").rename(key_ring)


def assert_code_still_valid(site, amocrm, *words):
    """Asserts server_error for the app; amoCRM was not contacted, so the code is still valid."""
    answer = site.get("callback", amocrm.approve(state="s"))

    expect.hardened(answer)
    assert answer.link_query["error"] == "server_error"
    assert answer.link_query["state"] == "s"
    site.logged("server_error", *words)
    assert amocrm.exchanges() == []


def test_a_new_first_key_leaves_old_tokens_readable(bare, amocrm, key_ring):
    bare.get("callback", amocrm.approve())
    token = bare.ctl("token", 31920194).stdout
    bare.write_keys(f"k2 {GOOD_KEY}\n" + key_ring.read_text())

    assert bare.ctl("token", 31920194).stdout == token


def test_a_removed_key_makes_tokens_unreadable(bare, amocrm, key_ring):
    bare.get("callback", amocrm.approve())
    bare.write_keys(f"k2 {GOOD_KEY}\n")

    done = bare.ctl("token", 31920194, check=False)

    assert done.returncode == 1
    assert done.stdout == ""
    assert "k1" in done.stderr


# The store.

def test_a_missing_store(site, amocrm):
    shutil.rmtree(site.store)

    assert_code_still_valid(site, amocrm, str(site.store))


def test_a_read_only_store(site, amocrm):
    process.give(site.store, 0o500, owner=True)

    assert_code_still_valid(site, amocrm, str(site.store), "Permission denied")


def test_a_store_that_is_a_file(bare, amocrm):
    bare.store.rmdir()
    bare.store.touch()
    try:
        assert_code_still_valid(bare, amocrm, str(bare.store))
    finally:
        bare.store.unlink()


def test_a_corrupt_shard_is_reported_and_left_alone(bare, amocrm):
    bare.get("callback", params := amocrm.approve())
    shards = [shard for shard in bare.store.rglob("*.gdbm") if shard.stat().st_size]
    for shard in shards:
        shard.write_bytes(b"\xff" * shard.stat().st_size)

    answer = bare.get("callback", params)

    assert answer.link_query["error"] == "server_error"
    bare.logged("server_error", ".gdbm")
    assert all(shard.read_bytes().startswith(b"\xff") for shard in shards)


def test_the_store_is_private(site, amocrm):
    site.get("callback", amocrm.approve())

    paths = [site.store, *site.store.rglob("*")]
    assert len(paths) > 3
    for path in paths:
        assert path.stat().st_mode & 0o077 == 0, f"{path} is {path.stat().st_mode & 0o777:o}"


def test_root_and_the_web_server_can_use_the_store_in_turn(bare, amocrm):
    """After root has listed the connections, the web server can still use the store."""
    bare.get("callback", amocrm.approve())
    bare.ctl("accounts", as_web_user=False)
    bare.ctl("token", 31920194, as_web_user=False)

    expect.connected(bare.get("callback", params := amocrm.approve()), params["code"])


# A full disk, in a mount namespace, so that no mount can remain.

def may_unshare():
    return subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"],
                          capture_output=True).returncode == 0


def on_small_disk(site, query, size, filled):
    """Runs the callback with a store of `size` KiB, of which `filled` KiB are used."""
    script = (f"mount -t tmpfs -o size={size}k,mode=0700 none {shlex.quote(str(site.store))} && "
              f"head -c {filled * 1024} /dev/zero >{shlex.quote(str(site.store / 'filler'))}; "
              'exec "$@"')
    return site.server.ask(site.url("callback").removeprefix("http://localhost"), query, "GET", {},
                           None, launcher=["unshare", "-rm", "sh", "-c", script, "sh"])


@pytest.mark.skipif(not may_unshare(), reason="no mount namespaces (unshare -rm)")
def test_a_full_disk(bare, amocrm):
    answer = on_small_disk(bare, amocrm.approve(state="s"), size=64, filled=64)

    expect.hardened(answer)
    assert answer.link_query["error"] == "server_error"
    bare.logged("server_error", "No space left on device")
    assert amocrm.exchanges() == [], "the code was used without space for its tokens"


@pytest.mark.skipif(not may_unshare(), reason="no mount namespaces (unshare -rm)")
def test_a_disk_with_little_space(bare, amocrm):
    """With any free space: a valid response, and success only if everything was stored."""
    answers = []
    for free in (0, 64, 256, 512, 1024, 2048, 4096):
        params = amocrm.approve(state="s")
        answer = expect.hardened(on_small_disk(bare, params, size=4096, filled=4096 - free))
        answers.append(answer.link_query.get("error"))
        if answers[-1]:
            assert answers[-1] == "server_error"
        else:
            expect.connected(answer, params["code"], "s")

    assert answers[0] == "server_error" and answers[-1] is None, answers
