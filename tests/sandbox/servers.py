"""Three ways to send a program the same request: run bare, behind Apache, behind lighttpd.

The two servers are started from the *.conf.example files that are shipped; only the folders named
at their top are replaced.  The rest of the configuration is what a distribution provides.
fastcgi_servers.py runs the same programs as FastCGI.
"""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import process
from .site import BASE, ROOT
from .web import Malformed, Answer, ask, encode, parse_head

APACHE_MODULES = Path("/usr/lib/apache2/modules")
# The modules that Debian enables by default, and the one that its guide tells administrators to
# add.
APACHE_USUAL = ("access_compat alias auth_basic authn_core authn_file authz_core authz_host "
                "authz_user autoindex deflate dir env filter mime negotiation reqtimeout "
                "setenvif status").split()
STARTS = 5      # attempts: another process may take a free port before the server binds it


class Bare:
    """Runs the program itself, with the environment that a web server would give it."""

    name = "bare"
    url = "http://localhost"

    def __init__(self, site):
        self._site = site
        self._logs = site.logs / "bare"
        self._logs.mkdir(exist_ok=True)

    def environment(self, path, query, method, headers, body, chunked=False):
        """The variables of RFC 3875 section 4.1, as Apache sets them."""
        variables = {
            "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": "test", "SERVER_NAME": "localhost", "SERVER_PORT": "80",
            "REMOTE_ADDR": "127.0.0.1", "REQUEST_METHOD": method, "SCRIPT_NAME": path,
            "REQUEST_URI": path + (f"?{os.fsdecode(query)}" if query else ""),
            "QUERY_STRING": os.fsdecode(query or b""), "HTTP_HOST": "localhost",
            "AMO_CRM_CONFIG": str(self._site.config),
        }
        for name, value in headers.items():
            if name.lower() == "content-type":
                variables["CONTENT_TYPE"] = value
            elif name.lower() == "content-length":
                variables["CONTENT_LENGTH"] = value
            else:
                variables["HTTP_" + name.upper().replace("-", "_")] = value
        if body is not None and not chunked:
            variables.setdefault("CONTENT_LENGTH", str(len(body)))
        return {name: value.encode("utf-8", "surrogateescape") for name, value in variables.items()
                if value is not None}

    def start(self, path, query=None, method="GET", headers=None, body=None, chunked=False, *,
              launcher=(), start_new_session=False, **changed):
        """Starts the program; `changed` are environment variables, None removes one.

        A launcher is a command that finally runs its arguments; it runs with our own privileges.
        """
        environment = self.environment(path, encode(query), method, headers or {}, body, chunked)
        environment.update({name: value.encode() for name, value in changed.items()
                            if value is not None})
        for name, value in changed.items():
            if value is None:
                environment.pop(name, None)
        with (self._logs / "error.log").open("ab") as log:
            return subprocess.Popen(
                [*launcher, self._site.programs / path.removeprefix(BASE)], env=environment,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                cwd=self._site.programs, start_new_session=start_new_session,
                **({} if launcher else process.as_web_user()))

    def ask(self, path, query, method, headers, body, chunked=False, **changed):
        program = self.start(path, query, method, headers, body, chunked, **changed)
        try:
            output, _ = program.communicate(body, timeout=process.PATIENCE)
        finally:
            program.kill()
            program.wait()
        if program.returncode:
            raise Malformed(f"the program exited with status {program.returncode} after it wrote "
                            f"{output[:300]!r}")
        return cgi_answer(output, method)

    def stop(self):
        pass


def cgi_answer(output, method="GET"):
    """Parses a program's output, strictly by RFC 3875 section 6."""
    head, end, body = output.partition(b"\r\n\r\n")
    if not end:
        raise Malformed(f"the header section does not end in {output[:300]!r}")
    headers = parse_head(head.split(b"\r\n"))
    answer = Answer(200, headers, body)
    status = answer.header("Status")
    if status is not None:
        if not re.fullmatch(r"[1-5]\d\d [\x20-\x7e]+", status):
            raise Malformed(f"Status: {status!r}")
        answer.status = int(status[:3])
    if answer.header("Content-Type") is None and (body or answer.header("Location") is None):
        raise Malformed("a body without a Content-Type")
    if answer.header("Location") is not None and answer.status // 100 != 3:
        raise Malformed(f"Location with the status {answer.status}")
    length = answer.header("Content-Length")
    if method == "HEAD":
        answer.body = b""
        if body:
            raise Malformed("the response to HEAD has a body")
    elif length is not None and int(length) != len(body):
        raise Malformed(f"Content-Length {length}, but {len(body)} bytes were received")
    return answer


class NotInstalled(FileNotFoundError):
    """A server, or a part of it, is not installed on this machine."""


def find(program):
    binary = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/usr/local/sbin")
    if binary is None:
        raise NotInstalled(f"{program} is not installed")
    return binary


class Server:
    """What the real servers have in common."""

    name = None     # as in NAME.conf.example
    kind = ""       # a suffix that tells set-ups of the same server apart
    program = None
    logs_as_its_user = False

    def __init__(self, site, port=None, **options):
        self._site = site
        self._logs = site.logs / f"{self.name}{self.kind}"
        self._logs.mkdir(exist_ok=True)
        # Apache opens its logs as root, lighttpd as its own user
        process.give(self._logs, 0o750, owner=self.logs_as_its_user)
        self._run = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=site.folder))
        process.give(self._run, 0o750)
        self._options = options
        self._daemon = None
        self.port = port
        self._start(fixed=port is not None)

    @property
    def url(self):
        return f"http://localhost:{self.port}"

    @property
    def error_log(self):
        return self._logs / "error.log"

    @property
    def access_log(self):
        return self._logs / "access.log"

    def _start(self, fixed):
        binary = find(self.program)
        for _ in range(1 if fixed else STARTS):
            if not fixed:
                self.port = process.free_port()
            config = self._run / "server.conf"
            config.write_text(self.configuration())
            self._daemon = process.Daemon(
                [binary, *self.arguments(config)], self._logs / "output.log",
                env={**os.environ, **self.environment()})
            if self._answers():
                return
        raise RuntimeError(f"{self.program} does not start:\n{self.errors()}")

    def environment(self):
        """Variables that the server's process gets in addition to our own."""
        return {}

    @property
    def running(self):
        return self._daemon.running

    def errors(self):
        logged = self.error_log.read_text(errors="replace") if self.error_log.exists() else ""
        return self._daemon.output() + logged

    def _answers(self):
        """False if the server exited instead, as it does if the port is taken."""
        def settled():
            with contextlib.suppress(OSError, Malformed):
                return not self._daemon.running or self.greet()
        process.wait_until(settled, f"a response of {self.program}")
        return self._daemon.running

    def greet(self):
        """Any response means that the server is up."""
        return self.ask("/", None, "GET", {}, None)

    def shipped(self):
        return (ROOT / f"{self.name}.conf.example").read_text()

    def example(self, replaced):
        """The shipped example with our folders instead of the default ones."""
        text = self.shipped()
        for usual, ours in replaced.items():
            if text.count(usual) != 1:
                raise ValueError(f"{self.name}.conf.example names {usual} {text.count(usual)} "
                                 "times, and should once")
            text = text.replace(usual, str(ours))
        (self._run / "amo-crm.conf").write_text(text)
        return self._run / "amo-crm.conf"

    def our_example(self):
        return self.example(self.our_folders())

    def our_folders(self):
        return {"/usr/local/lib/amo-crm/cgi-bin": self._site.programs,
                "/usr/local/share/amo-crm/htdocs": self._site.htdocs}

    def ask(self, path, query, method, headers, body, chunked=False):
        query = encode(query)
        target = path.encode() + (b"" if query is None else b"?" + query)
        return ask(self.port, method, target, headers, body, chunked)

    def stop(self):
        if self._daemon:
            self._daemon.stop()


class Apache(Server):
    """Apache 2.4 as Debian configures it; `mpm="prefork"` is what many shared hosts run."""

    name = "apache"
    program = "apache2"

    def arguments(self, config):
        return ["-DFOREGROUND", "-f", config]

    def configuration(self):
        mpm = self._options.get("mpm", "event")
        modules = [f"mpm_{mpm}", *APACHE_USUAL, *self.modules(mpm)]
        user = process.web_user()
        lines = [f"LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so" for name in modules]
        if user:
            lines += [f"User #{user.pw_uid}", f"Group #{user.pw_gid}"]
        lines += self.settings(modules)
        return "\n".join(lines) + f"""
ServerRoot {self._run}
DefaultRuntimeDir {self._run}
PidFile {self._run}/apache.pid
ServerName localhost
Listen 127.0.0.1:{self.port}
TypesConfig /etc/mime.types
ErrorLog {self.error_log}
LogLevel warn
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
Define APACHE_LOG_DIR {self._logs}
StartServers 1
MaxRequestWorkers 50
{"ThreadsPerChild 25" if mpm == "event" else ""}
<Directory />
	AllowOverride None
	Require all denied
</Directory>
# an installed program has the path of its configuration compiled in
SetEnv AMO_CRM_CONFIG {self._site.config}
<VirtualHost 127.0.0.1:{self.port}>
	DocumentRoot {self._site.htdocs}
	DirectoryIndex index.html
	CustomLog {self.access_log} combined env=!amo_crm
	Include {self.our_example()}
</VirtualHost>
"""

    def modules(self, mpm):
        """The modules that start programs."""
        return ["cgi" if mpm == "prefork" else "cgid"]

    def settings(self, modules):
        """The settings of these modules, for the whole server."""
        return [f"ScriptSock {self._run}/cgid.sock"] if "cgid" in modules else []


class Lighttpd(Server):
    name = "lighttpd"
    program = "lighttpd"
    logs_as_its_user = True

    def arguments(self, config):
        return ["-D", "-f", config]

    def configuration(self):
        user = process.web_user()
        rights = (f'server.username = "{user.pw_name}"\n'
                  f'server.groupname = "www-data"\n' if user else "")
        return rights + f"""
server.modules = ( "mod_indexfile", "mod_access", "mod_alias", "mod_redirect", "mod_setenv" )
server.port = {self.port}
server.bind = "127.0.0.1"
server.document-root = "{self._site.htdocs}"
server.errorlog = "{self.error_log}"
server.breakagelog = "{self._logs / "programs.log"}"
server.upload-dirs = ( "{self._uploads()}" )
index-file.names = ( "index.html" )
mimetype.assign = ( ".html" => "text/html; charset=utf-8", "" => "application/octet-stream" )
accesslog.filename = "{self.access_log}"
# an installed program has the path of its configuration compiled in
setenv.set-environment = ( "AMO_CRM_CONFIG" => "{self._site.config}" )
include "{self.our_example()}"
"""

    def _uploads(self):
        folder = self._run / "uploads"
        folder.mkdir(exist_ok=True)
        process.give(folder, 0o700, owner=True)
        return folder


RUNNERS = {"bare": Bare, "apache": Apache, "lighttpd": Lighttpd}
