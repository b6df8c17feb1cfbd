"""`make dist`, unpacked as on a shared host: without our libraries, and under suEXEC, which removes
from a program's environment the variables of the server's configuration.
"""

import ctypes
import os
import pwd
import re
import secrets
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

import app
import expect
import webhooks
from sandbox import process
from sandbox.amocrm import Amocrm, usual_integration
from sandbox.servers import APACHE_MODULES, APACHE_USUAL, Apache, Bare, cgi_answer
from sandbox.site import BASE, PROGRAMS, ROOT, Site
from sandbox.web import encode

CLONE_NEWUSER = 0x10000000
SUEXEC = Path("/usr/lib/apache2/suexec")
SUEXEC_ROOT = Path("/var/www")      # compiled into suEXEC
PLACE = Path("/home/olena")         # in the chroot
USER = "nobody"
SIZE = re.compile(r"^ +(\d+) KB  (.+)$", re.MULTILINE)


# The archive.

@pytest.fixture(scope="module")
def tarball():
    archives = ("libjson-c", "libgdbm", "libcrypto", "libfcgi", "libinih")
    if any("/" not in subprocess.run(["cc", f"-print-file-name={name}.a"], capture_output=True,
                                     text=True).stdout for name in archives):
        pytest.skip("the static libraries are not installed")
    build = Path(tempfile.mkdtemp(prefix="amo-crm-dist-"))
    try:
        done = subprocess.run(["make", "dist", f"BUILD={build}"], cwd=ROOT, capture_output=True,
                              text=True, env={**os.environ, "MAKEFLAGS": ""})
        assert done.returncode == 0, done.stdout + done.stderr
        [made] = build.glob("*.tar.gz")
        yield SimpleNamespace(path=made, printed=done.stdout)
    finally:
        process.remove_folder(build)


@pytest.fixture(scope="module")
def unpacked(tarball):
    folder = process.new_folder()
    with tarfile.open(tarball.path) as archive:
        archive.extractall(folder)
    yield folder / "amo-crm-shared-hosting"
    process.remove_folder(folder)


def programs_of(place):
    return place / "public_html" / "api" / "amo-crm"


def mode_of(path):
    return path.stat().st_mode & 0o7777


def test_modes(unpacked):
    for path in unpacked.rglob("*"):
        assert not mode_of(path) & 0o022, f"{path} is writable by others"
    for program in PROGRAMS:
        assert mode_of(programs_of(unpacked) / program) == 0o755
    home = unpacked / "amo-crm"
    for name, mode in (("", 0o700), ("amo-crm.conf", 0o600), ("keys", 0o600), ("store", 0o700),
                       ("bin/amocrmctl", 0o755), ("libexec/amo-crm-https", 0o755),
                       ("libexec/amo-crm-crypto", 0o755)):
        assert mode_of(home / name) == mode, name


def test_installing_into_a_home_folder_that_has_a_site(tarball, tmp_path):
    """As README.txt describes it, by what a file manager does: no file is in the way."""
    site = tmp_path / "public_html"
    site.mkdir()
    (site / "index.html").write_text("mine")
    with tarfile.open(tarball.path) as archive:
        archive.extractall(tmp_path)
    [made] = [path for path in tmp_path.iterdir() if path != site]
    assert f"that makes\n{made.name}/." in (made / "README.txt").read_text()

    (made / "amo-crm").rename(tmp_path / "amo-crm")
    (made / "public_html" / "api").rename(site / "api")

    assert (site / "index.html").read_text() == "mine"
    assert (programs_of(tmp_path) / "callback").is_file()
    assert (programs_of(tmp_path) / "../../../amo-crm/amo-crm.conf").resolve().is_file()
    assert (mode_of(tmp_path / "amo-crm"), mode_of(tmp_path / "amo-crm" / "store")) == (0o700, 0o700)


def test_nothing_but_the_programs_is_in_the_web_folder(unpacked):
    there = {path.relative_to(unpacked / "public_html") for path in
             (unpacked / "public_html").rglob("*") if path.is_file()}
    assert there == {Path("api/amo-crm") / name for name in [*PROGRAMS, ".htaccess"]}


def test_make_and_the_readme_give_the_sizes(tarball, unpacked):
    readme = (unpacked / "README.txt").read_text()
    assert "@" not in re.sub(r"\S+@\S+", "", readme)
    sizes = dict((name, int(size)) for size, name in SIZE.findall(readme))
    assert SIZE.findall(tarball.printed) == SIZE.findall(readme)
    for program in PROGRAMS:
        size = (programs_of(unpacked) / program).stat().st_size
        assert abs(sizes[program] * 1000 - size) <= 1000
        assert size < 2_000_000, f"{program} is too large"


def test_the_configuration_needs_only_the_user_replaced(unpacked):
    lines = (unpacked / "amo-crm" / "amo-crm.conf").read_text().splitlines()
    paths = [line for line in lines if not line.startswith("#") and " = /" in line]
    assert paths == ["ca_file = /home/USER/amo-crm/ca.pem",
                     "path = /home/USER/amo-crm/store", "keys = /home/USER/amo-crm/keys",
                     "ca_file = /home/USER/amo-crm/ca.pem"]


def test_check_explains_the_placeholder_user(unpacked):
    home = unpacked / "amo-crm"
    done = subprocess.run([home / "bin" / "amocrmctl", "-c", home / "amo-crm.conf", "check"],
                          capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    left = [line for line in done.stdout.splitlines() if "/home/USER/" in line]
    assert len(left) >= 2, done.stdout
    for line in left:
        assert line.startswith("WRONG") and "your own home folder" in line, line


def test_the_path_of_the_configuration_can_be_chosen():
    shown = subprocess.run(["make", "-n", "dist", "CONFIG=/home2/olena/amo-crm/amo-crm.conf"],
                           cwd=ROOT, capture_output=True, text=True, check=True,
                           env={**os.environ, "MAKEFLAGS": ""}).stdout
    assert "/home2/olena/amo-crm/amo-crm.conf" in shown
    assert "../../../amo-crm/amo-crm.conf" not in shown


# The ways to make a key ring, by the lines of README.txt.

def indented(readme, beginning):
    [line] = re.findall(rf"^ +({re.escape(beginning)}.*)$", readme, re.MULTILINE)
    return line


def is_ring(text):
    return re.fullmatch(r"[A-Za-z0-9_-]{1,32} [0-9a-f]{64}\n", text) is not None


def test_the_cron_job_makes_a_key_and_only_one(unpacked, tmp_path):
    job = indented((unpacked / "README.txt").read_text(), 'cd "$HOME/amo-crm"')
    shutil.copytree(unpacked / "amo-crm", tmp_path / "amo-crm")
    keys = tmp_path / "amo-crm" / "keys"
    for _ in range(2):
        subprocess.run(["sh", "-c", job], env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
                       check=True)
        first, _, ring = keys.read_text().partition("\n")
        assert first.startswith("#") and is_ring(ring)
    assert mode_of(keys) == 0o600


def test_the_terminal_makes_a_key(unpacked):
    line = indented((unpacked / "README.txt").read_text(), "printf 'k1")
    made = {subprocess.run(["sh", "-c", line], capture_output=True, text=True).stdout
            for _ in range(2)}
    assert len(made) == 2 and all(map(is_ring, made))


def test_the_browser_makes_a_key(unpacked):
    if shutil.which("node") is None:
        pytest.skip("node, used instead of a browser's console, is not installed")
    line = indented((unpacked / "README.txt").read_text(), "'k1 '")
    made = subprocess.run(["node", "-p", line], capture_output=True, text=True).stdout
    assert is_ring(made)


# A shared host.

@pytest.fixture(scope="module")
def amocrm():
    folder = process.new_folder()
    with Amocrm(folder, usual_integration("http://localhost" + BASE + "callback")) as amocrm:
        yield amocrm
    process.remove_folder(folder)


class Host(Site):
    """The archive in a user's home folder.  `home` is the path of that folder for its owner."""

    def __init__(self, amocrm, unpacked, place, home, owner, amocrm_name="127.0.0.1"):
        self.amocrm, self.folder, self.home = amocrm, place, home
        shutil.copytree(unpacked / "amo-crm", place / "amo-crm")
        shutil.copytree(unpacked / "public_html", place / "public_html")
        self.programs = programs_of(place)
        self.config = place / "amo-crm" / "amo-crm.conf"
        self.logs = place / "logs"
        self.logs.mkdir()
        self.jwt_secret = secrets.token_urlsafe(36)
        self._log_marks = {}
        shutil.copy(amocrm.ca_file, place / "amo-crm" / "ca.pem")
        self._fill_in(self.amocrm.connect_to.replace("127.0.0.1", amocrm_name))
        if owner:
            for path in [place, *place.rglob("*")]:
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def _fill_in(self, connect_to):
        """Fills in what README.txt tells the user to, and redirects amoCRM's hosts to the mock."""
        integration = self.amocrm.integration
        filled = {"client_id": integration.client_id, "client_secret": integration.client_secret,
                  "redirect_uri": integration.redirect_uri, "secret": self.jwt_secret}
        text = self.config.read_text().replace("/home/USER", str(self.home))
        for key, value in filled.items():
            text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, count=1, flags=re.M)
        text = text.replace("[app]", f"connect_to = {connect_to}\n\n[app]")
        self.config.write_text(text)
        (self.folder / "amo-crm" / "keys").write_text(f"k1 {secrets.token_hex(32)}\n")


def assert_works(host):
    """Every kind of request by browsers, the app and amoCRM."""
    expect.failed(host.get("callback"), "missing_code")
    params = host.amocrm.approve(state="s")
    expect.connected(host.get("callback", params), params["code"], "s")
    user = app.User(host)
    assert app.done(user.status())["data"]["connected"] is True
    webhooks.accepted(webhooks.send(
        host, encode({"account[id]": "31920194", "leads[add][0][id]": "1"})))
    app.disconnected(user.disconnect())
    assert app.done(user.status())["data"]["connected"] is False
    app.refused(host.get("status"), 401, "missing_token")


# Without any library or file of the system.

class Inside(Bare):
    """The programs run in a chroot."""

    def __init__(self, host, root):
        super().__init__(host)
        self._root = root

    def command(self, path, arguments, environment, stdin):
        return subprocess.run([path, *arguments], env=environment, input=stdin,
                              capture_output=True, timeout=process.PATIENCE, preexec_fn=self._enter)

    def ask(self, path, query, method, headers, body, chunked=False):
        environment = self.environment(path, encode(query), method, headers, body)
        del environment["AMO_CRM_CONFIG"]
        program = programs_of(PLACE) / path.removeprefix(BASE)
        done = self.command(program, [], environment, body or b"")
        assert done.returncode == 0, done.stderr
        return cgi_answer(done.stdout, method)

    def _enter(self):
        user = process.web_user()
        if not user:
            ctypes.CDLL(None).unshare(CLONE_NEWUSER)
        os.chroot(self._root)
        os.chdir(programs_of(PLACE))
        if user:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)


@pytest.fixture
def in_chroot(amocrm, unpacked):
    if not process.is_root() and subprocess.run(["unshare", "-r", "true"],
                                                capture_output=True).returncode:
        pytest.skip("only root may use chroot here")
    root = process.new_folder()
    place = root / PLACE.relative_to("/")
    place.mkdir(parents=True)
    # the only file of the system that is read, to resolve a host name
    (root / "etc").mkdir()
    (root / "etc" / "hosts").write_text("127.0.0.1 amocrm.mock\n")
    host = Host(amocrm, unpacked, place, PLACE, process.web_user(), "amocrm.mock")
    host.server = Inside(host, root)
    yield host
    process.remove_folder(root)


def test_the_readme_quotes_the_pages(in_chroot):
    readme = (ROOT / "dist" / "README.txt").read_text()
    english = {"Accept-Language": "en"}
    ok_page, broken_page = re.findall(r'"(Please [^"]+)"', readme)
    assert ok_page in in_chroot.get("callback", headers=english).page.said
    in_chroot.config.chmod(0o644)
    assert broken_page in in_chroot.get("callback", headers=english).page.said


def test_the_programs_need_only_the_kernel(in_chroot):
    assert_works(in_chroot)
    done = in_chroot.server.command(
        PLACE / "amo-crm" / "bin" / "amocrmctl",
        ["-c", PLACE / "amo-crm" / "amo-crm.conf", "events"], {}, b"")
    assert done.returncode == 0, done.stderr
    assert b'"leads.add"' in done.stdout


# Behind Apache, run as the user.

class Suexec(Apache):
    name = "apache"
    allowed = "FileInfo Options"    # hosts do not allow AuthConfig

    def configuration(self):
        modules = ["mpm_event", *APACHE_USUAL, "cgid", "alias", "rewrite", "suexec"]
        lines = [f"LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so"
                 for name in dict.fromkeys(modules)]
        web_user, user = process.web_user(), pwd.getpwnam(USER)
        return "\n".join(lines) + f"""
ServerRoot {self._run}
DefaultRuntimeDir {self._run}
PidFile {self._run}/apache.pid
ScriptSock {self._run}/cgid.sock
ServerName localhost
Listen 127.0.0.1:{self.port}
User #{web_user.pw_uid}
Group #{web_user.pw_gid}
TypesConfig /etc/mime.types
ErrorLog {self.error_log}
StartServers 1
MaxRequestWorkers 50
ThreadsPerChild 25
Suexec On
<VirtualHost 127.0.0.1:{self.port}>
	SuexecUserGroup #{user.pw_uid} #{user.pw_gid}
	DocumentRoot {self._site.folder}/public_html
	# suEXEC removes it
	SetEnv AMO_CRM_CONFIG /nonexistent
	<Directory {self._site.folder}/public_html>
		Require all granted
		AllowOverride {self.allowed}
	</Directory>
</VirtualHost>
"""


@pytest.fixture
def under_suexec(amocrm, unpacked):
    if not process.is_root():
        pytest.skip("only root can start Apache with suEXEC")
    if not SUEXEC.exists():
        pytest.skip("suEXEC is not installed (apache2-suexec-pristine)")
    if not SUEXEC_ROOT.is_dir():
        pytest.skip(f"there is no {SUEXEC_ROOT}, below which suEXEC starts programs")
    place = Path(tempfile.mkdtemp(prefix="amo-crm-", dir=SUEXEC_ROOT))
    run = process.new_folder()
    place.chmod(0o755)
    try:
        host = Host(amocrm, unpacked, place, place, pwd.getpwnam(USER))
        host.logs = run / "logs"
        host.logs.mkdir()
        process.give(host.logs, 0o750)
        host.server = Suexec(SimpleNamespace(folder=place, logs=host.logs))
        yield host
        host.server.stop()
    finally:
        process.remove_folder(place)
        process.remove_folder(run)


def test_under_suexec(under_suexec):
    assert_works(under_suexec)
    for file in (under_suexec.folder / "amo-crm" / "store").rglob("*"):
        assert file.owner() == USER


@pytest.mark.parametrize("name", ["", ".htaccess", "other", "amo-crm.conf", "callback/more",
                                  "callback.conf", "../amo-crm/.htaccess"])
def test_no_other_file_is_served(under_suexec, name):
    for path in (under_suexec.programs / "other", under_suexec.programs / "callback.conf"):
        path.write_text("not for visitors")
    answer = under_suexec.get(name)
    assert answer.status == 404 and b"not for visitors" not in answer.body
    assert BASE + "callback" in answer.text or name == "callback/more"


def test_programs_renamed_to_cgi(under_suexec):
    """Renamed, with the two lines of .htaccess enabled: the URLs stay the same."""
    for program in PROGRAMS:
        (under_suexec.programs / program).rename(under_suexec.programs / f"{program}.cgi")
    htaccess = under_suexec.programs / ".htaccess"
    switched, count = re.subn(r"^#(Rewrite)", r"\1", htaccess.read_text(), flags=re.MULTILINE)
    assert count == 2
    htaccess.write_text(switched)
    assert_works(under_suexec)


def test_scripts_in_place_of_the_programs(under_suexec):
    """The last alternative of README.txt, for a configuration at another path."""
    readme = (ROOT / "dist" / "README.txt").read_text()
    script = "".join(f"{indented(readme, line)}\n" for line in ("#!/bin/sh", "AMO_CRM_CONFIG="))
    elsewhere = under_suexec.folder / "elsewhere"
    (under_suexec.folder / "amo-crm").rename(elsewhere)
    shutil.copytree(under_suexec.programs, elsewhere / "cgi-bin")
    config = elsewhere / "amo-crm.conf"
    config.write_text(config.read_text().replace(f"{under_suexec.home}/amo-crm/", f"{elsewhere}/"))
    for program in PROGRAMS:
        path = under_suexec.programs / program
        path.write_text(script.replace("/home/USER/amo-crm", str(elsewhere))
                        .replace("cgi-bin/callback", f"cgi-bin/{program}"))
    assert_works(under_suexec)
