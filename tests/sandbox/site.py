"""Our programs in a folder of their own: installed, configured, with a key ring and a store.

Owners and modes are those of a real installation.  If root sets it up, root owns the programs and
pages, the web server's user owns the store, and files with secrets have mode 0640 and that user's
group.  An ordinary user owns everything, and the web server runs as that user.
"""

import configparser
import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlencode

from . import process, tokens

ROOT = Path(__file__).resolve().parents[2]
BUILD = (ROOT / (os.environ.get("BUILD") or "build")).resolve()   # as in the Makefile
HTDOCS = ROOT / "htdocs"
PROGRAMS = ("callback", "exchange-code", "status", "disconnect", "webhook")
HELPERS = ("amo-crm-https", "amo-crm-crypto", "amo-crm-postgresql")
BASE = "/api/amo-crm/"


class NotBuilt(Exception):
    """The programs have not been built yet."""


class Site:
    def __init__(self, amocrm, folder, build=BUILD):
        self.amocrm = amocrm
        self.folder = Path(folder)
        self.programs = self.folder / "cgi-bin"
        self.tools = self.folder / "bin"
        self.libexec = self.folder / "libexec"
        self.htdocs = self.folder / "htdocs"
        self.config = self.folder / "amo-crm.conf"
        self.keys = self.folder / "keys"
        self.store = self.folder / "store"
        self.logs = self.folder / "logs"
        self.jwt_secret = secrets.token_urlsafe(36)
        self.server = None
        self.database = None    # an EmptiedDatabase: the store is there, and not in files
        self._log_marks = {}
        self._key_ring = ""
        self._stage(Path(build))
        self.new_store()
        self.write_keys(f"k1 {secrets.token_hex(32)}\n")
        self.configure()

    # Setting up.

    def _stage(self, build):
        built = [build / "cgi-bin" / name for name in PROGRAMS]
        if not any(program.exists() for program in built):
            raise NotBuilt(f"there are no programs in {build}/cgi-bin: run make first")
        for folder in (self.programs, self.tools, self.libexec, self.htdocs, self.logs):
            folder.mkdir()
            process.give(folder, 0o750)
        for program in built:
            self._copy(program, self.programs, 0o755)
        self._copy(build / "bin" / "amocrmctl", self.tools, 0o755)
        for helper in HELPERS:
            self._copy(build / "libexec" / helper, self.libexec, 0o755)
        for page in HTDOCS.iterdir():
            if page.suffix in (".html", ".txt"):
                self._copy(page, self.htdocs, 0o644)

    @staticmethod
    def _copy(file, folder, mode):
        if file.exists():
            process.give(shutil.copyfile(file, folder / file.name), mode)

    def has(self, program):
        return (self.programs / program).exists()

    @property
    def amocrmctl(self):
        return self.tools / "amocrmctl"

    def new_store(self):
        if self.database:
            self.database.empty()
        with contextlib.suppress(FileNotFoundError):
            # a test may have removed our own permission to read it
            self.store.chmod(0o700)
            shutil.rmtree(self.store)
        self.store.mkdir()
        process.give(self.store, 0o700, owner=True)

    def write_keys(self, lines, mode=0o640):
        """Writes the key ring: lines `<kid> <64 hex digits>`."""
        self._key_ring += lines
        self._write_secret(self.keys, lines, mode)

    def settings(self):
        """The default configuration of a site."""
        integration = self.amocrm.integration
        return {
            "amocrm": {
                "client_id": integration.client_id,
                "client_secret": integration.client_secret,
                "redirect_uri": integration.redirect_uri,
                "account": self.amocrm.who()[0].host,
                "authorize_url": self.amocrm.authorize_url,
                "ca_file": self.amocrm.ca_file,
                "connect_to": self.amocrm.connect_to,
            },
            "app": {"connections": "shared"},
            "jwt": {"secret": self.jwt_secret},
            "store": {"path": self.store, "keys": self.keys,
                      **(self.database.settings if self.database else {})},
            "webhook": {},
            "deliver": {},
        }

    def configure(self, *, mode=0o640, **changes):
        """Rewrites the configuration: `section_key=value`; None omits a key.

        The programs check the file for each request, so no server has to be restarted.
        """
        settings = self.settings()
        for name, value in changes.items():
            section, _, key = name.partition("_")
            settings[section][key] = value
        lines = []
        for section, keys in settings.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {value}" for key, value in keys.items() if value is not None]
        self.write_config("\n".join(lines) + "\n", mode)

    def write_config(self, text, mode=0o640):
        self._write_secret(self.config, text, mode)

    @staticmethod
    def _write_secret(path, text, mode):
        """Atomically, by rename, so that a program never reads a partial file."""
        written = path.with_suffix(".new")
        with open(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        process.give(written, mode)
        written.rename(path)

    def reset(self, server=None, database=None):
        """The initial state again, so that tests do not affect each other."""
        self.server, self.database = server, database
        self.amocrm.reset()
        self.amocrm.integration.redirect_uri = self.url("callback")
        self.new_store()
        self.configure()
        self.mark_logs()

    def url(self, program):
        return f"{self.server.url if self.server else 'http://localhost'}{BASE}{program}"

    def webhook_url(self):
        """The URL that amoCRM calls: with the key, if one is configured now."""
        written = configparser.ConfigParser(interpolation=None, strict=False)
        written.read(self.config)
        key = written.get("webhook", "secret", fallback=None)
        return self.url("webhook") + (f"?{urlencode({'key': key})}" if key else "")

    # Sending requests.

    def ask(self, path, query=None, *, method="GET", headers=None, body=None, chunked=False):
        """`path` is a program's name, or a whole path if it begins with a slash."""
        path = path if path.startswith("/") else BASE + path
        return self.server.ask(path, query, method, headers or {}, body, chunked)

    def get(self, path, query=None, **options):
        return self.ask(path, query, **options)

    def post(self, path, query=None, **options):
        return self.ask(path, query, method="POST", **options)

    def app_token(self, user="app-user-1", **claims):
        return tokens.app_token(self.jwt_secret, user, **claims)

    def ctl(self, *arguments, check=True, input=None, as_web_user=True, launcher=(), **environment):
        """Runs amocrmctl with this site's configuration; a launcher is a command that runs its
        arguments."""
        rights = process.as_web_user() if as_web_user else {}
        done = subprocess.run([*launcher, self.amocrmctl, "-c", self.config, *map(str, arguments)],
                              input=input, capture_output=True, text=True,
                              timeout=process.PATIENCE, cwd="/",
                              env={"PATH": "/usr/bin:/bin", **environment}, **rights)
        if check and done.returncode:
            raise AssertionError(f"amocrmctl {' '.join(map(str, arguments))} exited with status "
                                 f"{done.returncode}: {done.stdout}{done.stderr}")
        return done

    def start_ctl(self, *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options):
        """Starts amocrmctl in the same way; the caller has to end the process."""
        return subprocess.Popen(
            [self.amocrmctl, "-c", self.config, *map(str, arguments)], stdin=stdin, stdout=stdout,
            stderr=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}, cwd="/",
            **process.as_web_user(), **options)

    def connections(self):
        """The output of `amocrmctl accounts --json`."""
        return json.loads(self.ctl("accounts", "--json").stdout)

    # Logs.

    def _log_files(self):
        return sorted(self.logs.glob("*/*.log"))

    def mark_logs(self):
        self._log_marks = {file: file.stat().st_size for file in self._log_files()}

    def log_bytes(self):
        """What any server has logged since the last reset or mark_logs."""
        logged = b""
        for file in self._log_files():
            if file.name in ("error.log", "programs.log"):
                with file.open("rb") as opened:
                    opened.seek(self._log_marks.get(file, 0))
                    logged += opened.read()
        return logged

    def log(self):
        """The lines of our programs among these."""
        lines = self.log_bytes().decode("utf-8", "replace").split("\n")
        return [line for line in lines if "amo-crm " in line]

    def logged(self, *words):
        """Waits for a line with all these words: it is written after the response was sent."""
        def line():
            return next((line for line in self.log() if all(word in line for word in words)), None)
        try:
            return process.wait_until(line, "a log line")
        except TimeoutError:
            raise AssertionError(f"no log line contains {words}; the lines are:\n"
                                 + "\n".join(self.log())) from None

    # Secrets.

    def secrets(self):
        """Name and bytes of every secret that must never be stored or logged in clear text."""
        integration = self.amocrm.integration
        yield "the client secret", integration.client_secret.encode()
        yield "the app's JWT secret", self.jwt_secret.encode()
        for line in self._key_ring.split("\n"):
            digits = line.partition(" ")[2]
            # not a malformed line of a test, nor 32 zero bytes, which many files contain
            if re.fullmatch("[0-9A-Fa-f]{64}", digits) and digits.strip("0"):
                yield "a key", digits.encode()
                yield "a key's bytes", bytes.fromhex(digits)
        for token in self.amocrm.oauth.secrets():
            # a part of its middle: all begin alike, and a log may shorten them
            middle = len(token) // 2
            yield "a code or token", token[middle:middle + 24].encode()
            yield "the beginning of a code or token", token.removeprefix("def50200")[:32].encode() \
                if token.startswith("def50200") else token[-40:].encode()

    def assert_no_secret_in_store_or_logs(self):
        known = list(self.secrets())
        files = [file for folder in (self.store, self.logs) for file in folder.rglob("*")
                 if file.is_file()]
        for file in files:
            content = file.read_bytes()
            for name, secret in known:
                assert secret not in content, f"{name} is in {file.relative_to(self.folder)}"
