"""PgBouncer in transaction mode, and HAProxy before it, which leads to the primary.

They are started from the files in docs/examples; only ports, folders and users are replaced.
"""

import contextlib
import os
import socket
import tempfile
from pathlib import Path

from . import process
from .database_user import EXAMPLES, as_user, give, replaced, user
from .servers import find

STARTS = 5      # attempts: another process may take a free port before HAProxy binds it


def new_folder(folder, name):
    made = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))
    give(made, 0o711)
    return made


def listens(path_or_port):
    """Whether somebody accepts connections at a Unix socket or a local port."""
    family = socket.AF_INET if isinstance(path_or_port, int) else socket.AF_UNIX
    with contextlib.suppress(OSError), socket.socket(family) as probe:
        probe.connect(("127.0.0.1", path_or_port) if family == socket.AF_INET else str(path_or_port))
        return True
    return False


class Pgbouncer:
    """A pool before the server at this host and port, on a Unix socket that the web server's group
    may use.  The role and the database are called amo_crm.

    With a CA certificate the server must show one that it has signed.  To pass several nodes, put
    HAProxy between: see below.
    """

    PORT = 6432     # part of the socket's name

    def __init__(self, folder, host, port, password, certificate_authority=None):
        binary = find("pgbouncer")
        self.folder = new_folder(folder, "pgbouncer")
        text = replaced((EXAMPLES / "pgbouncer.ini").read_text(), {
            r"host=127\.0\.0\.1 port=5433": f"host={host} port={port}",
            r"^unix_socket_group = .*": "",     # only root and its members may give it away
            r"(?<=unix_socket_mode = )0660": "0777" if process.is_root() else "0600",
            r"/etc/ssl/amo-crm/ca\.pem": certificate_authority or "",
            r"/etc/pgbouncer|/var/run/postgresql|/var/log/postgresql": self.folder})
        if not certificate_authority:
            text = replaced(text, {r"^server_tls.*\n": ""})
        self._write("pgbouncer.ini", text)
        self._write("userlist.txt", f'"amo_crm" "{password}"\n')
        self._daemon = process.Daemon([binary, self.folder / "pgbouncer.ini"], self.folder / "output",
                                      **as_user())
        accepts = self.folder / f".s.PGSQL.{self.PORT}"
        process.wait_until(lambda: not self._daemon.running or listens(accepts), "PgBouncer")
        if not self._daemon.running:
            raise RuntimeError(f"PgBouncer does not start:\n{self._daemon.output()}")

    def _write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        give(path, 0o600)

    def conninfo(self, *others):
        """The value of the configuration key `database`."""
        return " ".join([f"host={self.folder} port={self.PORT} dbname=amo_crm user=amo_crm", *others])

    def log(self):
        return (self.folder / "pgbouncer.log").read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._daemon.stop()


class Haproxy:
    """A port that leads to the primary of a cluster under Patroni."""

    def __init__(self, folder, cluster):
        binary = find("haproxy")
        self.folder = new_folder(folder, "haproxy")
        for _ in range(STARTS):
            self.port = process.free_port()
            config = self.folder / "haproxy.cfg"
            config.write_text(self._configuration(cluster))
            config.chmod(0o644)
            self._daemon = process.Daemon([binary, "-db", "-f", config], self.folder / "output",
                                          **as_user())
            process.wait_until(lambda: not self._daemon.running or listens(self.port), "HAProxy")
            if self._daemon.running:
                return
        raise RuntimeError(f"HAProxy does not start:\n{self._daemon.output()}")

    def _configuration(self, cluster):
        replacements = {
            r"^\s*(user|group|log) .*\n": "",    # it does not run as root, and nobody listens there
            r"127\.0\.0\.1:5433": f"127.0.0.1:{self.port}",
            r"\bport 8008 ": "",
            r"verifyhost \S+": "verifyhost localhost",
            r"/etc/ssl/amo-crm/ca\.pem": cluster.certificate_authority}
        for node in cluster.nodes:
            replacements[rf"{node.name}\.example\.com:5432"] = \
                f"127.0.0.1:{node.port} port {node.api_port}"
        return replaced((EXAMPLES / "haproxy.cfg").read_text(), replacements)

    def stop(self):
        self._daemon.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
