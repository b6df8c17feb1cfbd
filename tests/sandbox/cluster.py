"""A PostgreSQL cluster of three nodes on this machine: a primary and two standbys.

A commit is acknowledged once one of the standbys has written it to its disk too.  No node decides
anything by itself: what Patroni does for an operator, a test does with kill(), promote() and
rejoin().

PostgreSQL refuses to run as root, so if root starts it, the nodes run as the web server's user.
The superuser connects over a Unix socket in a folder that only this user may enter.  Programs
connect over TLS, as a role without special rights, and with a password.
"""

import contextlib
import ctypes
import functools
import glob
import os
import secrets
import signal
import socket
import subprocess
from pathlib import Path

from . import pki, process
from .servers import NotInstalled

SUPERUSER = "postgres"
ROLE = "amo_crm"
DATABASE = "amo_crm"
NODES = ("node1", "node2", "node3")
IPC_RMID = 0

SETTINGS = """\
port = {port}
listen_addresses = '127.0.0.1'
unix_socket_directories = '{sockets}'
hba_file = '{hba}'
cluster_name = '{name}'
max_connections = 100
shared_buffers = 32MB
dynamic_shared_memory_type = mmap
jit = off
fsync = {fsync}
ssl = on
ssl_cert_file = '{certificate}'
ssl_key_file = '{key}'
password_encryption = scram-sha-256
log_line_prefix = '%m %p %a '
wal_keep_size = 512MB
wal_retrieve_retry_interval = 100ms
synchronous_commit = on
synchronous_standby_names = 'ANY 1 ({nodes})'
primary_conninfo = '{primary}'
"""

# type, database, user, address, method
HBA = f"""\
local all,replication {SUPERUSER} trust
local all {ROLE} scram-sha-256
hostssl all {ROLE} 127.0.0.1/32 scram-sha-256
"""


@functools.cache
def find(program):
    """The path of one of PostgreSQL's programs, which Debian keeps out of PATH."""
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        folders.append(subprocess.check_output(["pg_config", "--bindir"], text=True).strip())
    for folder in folders:
        if os.access(f"{folder}/{program}", os.X_OK):
            return f"{folder}/{program}"
    raise NotInstalled(f"{program} of PostgreSQL is not installed")


def find_libfaketime():
    for found in glob.glob("/usr/lib/*/faketime/libfaketime.so.1"):
        return found
    raise NotInstalled("libfaketime is not installed")


class Node:
    """One server; its port stays reserved while it is down."""

    def __init__(self, name, folder, environment):
        self.name = name
        self._environment = environment
        self.folder = folder / name
        self.data = self.folder / "data"
        self.standby_signal = self.data / "standby.signal"
        self.log = self.folder / "server.log"
        self.config = self.folder / "postgresql.conf"
        self.folder.mkdir()
        process.give(self.folder, 0o700, owner=True)
        # PostgreSQL binds it too, because neither socket listens
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = self._reserved.getsockname()[1]
        self._daemon = None

    @property
    def socket(self):
        return self.folder / f".s.PGSQL.{self.port}"

    @property
    def pid(self):
        return self._daemon.process.pid

    @property
    def running(self):
        return self._daemon is not None and self._daemon.running

    def launch(self, launcher=()):
        """The server starts; `await_ready` waits until it accepts connections.  `launcher` is a
        command that becomes the server."""
        # an immediate shutdown: SIGTERM would wait until all clients have disconnected
        self._daemon = process.Daemon(
            [*launcher, find("postgres"), "-D", self.data, "-c", f"config_file={self.config}"],
            self.log, ending=signal.SIGQUIT, cwd=self.folder,
            env={"LC_ALL": "C", "TZ": "UTC", **self._environment}, **process.as_web_user())

    def await_ready(self):
        def settled():
            return not self.running or self._status() == "ready"
        process.wait_until(settled, f"PostgreSQL's {self.name}")
        if not self.running:
            raise RuntimeError(f"PostgreSQL does not start:\n{self._daemon.output()}")

    def _lock_file(self):
        with contextlib.suppress(FileNotFoundError):
            return (self.data / "postmaster.pid").read_text().split("\n")
        return []

    def _status(self):
        lines = self._lock_file()
        return lines[7].strip() if len(lines) > 8 and lines[0] == str(self.pid) else None

    def reload(self):
        self._daemon.process.send_signal(signal.SIGHUP)

    def stop(self):
        """An ordinary shutdown, which ends the clients' sessions."""
        self._daemon.process.send_signal(signal.SIGINT)
        process.wait_until(lambda: not self.running, f"the end of {self.name}")
        self._daemon.stop()

    def kill(self):
        """kill -9 of all its processes at once, as if its host had lost power."""
        # each of its processes has a process group of its own, and a stopped one starts no others
        self._daemon.process.send_signal(signal.SIGSTOP)
        children = process.children(self.pid)
        for pid in (*children, self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._daemon.stop()
        process.wait_until(lambda: not any(map(process.alive, children)), f"the end of {self.name}")
        self.free_memory()

    def free_memory(self):
        """Frees the shared memory of a killed server, which marks its data as in use."""
        lines = self._lock_file()
        if len(lines) > 6:
            ctypes.CDLL(None).shmctl(int(lines[6].split()[1]), IPC_RMID, None)

    def remove(self):
        if self._daemon:
            self._daemon.stop()
        self.free_memory()
        self._reserved.close()


class Cluster:
    """Starts when it is made.  `primary` and `nodes` are Node; `password_file` is for [store]
    password_file.

    Without fsync it is faster, and survives kill -9 of its processes, but no loss of power.  Its
    folder is a new temporary one by default.  `ahead_s`: its clock is that much ahead of ours.
    """

    def __init__(self, fsync=True, folder=None, ahead_s=0):
        self.fsync, self.ahead_s = fsync, ahead_s
        self.folder = folder or process.new_folder()
        self.nodes = []
        if folder:
            folder.mkdir()
            process.give(folder, 0o750)
        try:
            self._start()
        except BaseException:
            self.remove()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def _start(self):
        self._make_certificate()
        self._make_password()
        self.hba = self.folder / "hba.conf"
        self.hba.write_text(HBA)
        process.give(self.hba, 0o640)
        for name in NODES:
            self.nodes.append(Node(name, self.folder, self._clock()))
        self.primary, *standbys = self.nodes
        self._run("initdb", "-D", self.primary.data, "--username", SUPERUSER, "--auth", "trust",
                  "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
        # The files of a server that has not been started yet are as good as a backup.
        copies = [subprocess.Popen(["cp", "-R", self.primary.data, node.data],
                                   **process.as_web_user()) for node in standbys]
        if any([copy.wait() for copy in copies]):
            raise RuntimeError("the files of the primary cannot be copied")
        for node in standbys:
            self._make_standby(node)
        for node in self.nodes:
            self._configure(node)
            node.launch()
        self.primary.await_ready()
        self.psql(f"SET synchronous_commit = local;\n"
                  f"CREATE ROLE {ROLE} LOGIN PASSWORD '{self.password}';\n"
                  f"CREATE DATABASE {DATABASE} OWNER {ROLE};", database="postgres")
        for node in standbys:
            node.await_ready()
        self.await_standbys()

    def _clock(self):
        """The environment of a server with another clock than this machine's; how long it waits
        is not changed."""
        if not self.ahead_s:
            return {}
        return {"LD_PRELOAD": find_libfaketime(), "FAKETIME": f"{self.ahead_s:+d}s",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}

    def _make_certificate(self):
        self._authority = pki.Authority(self.folder / "ca", "PostgreSQL CA")
        process.give(self._authority.folder, 0o750)
        self.ca_file = self._authority.certificate
        self._issue()

    def _issue(self, days=30):
        self.certificate, self.key = self._authority.issue(
            "server", ["localhost", "127.0.0.1"], days)
        process.give(self.certificate, 0o640)
        process.give(self.key, 0o600, owner=True)

    def new_certificate(self, days=30):
        """New sessions get one that is valid for that long; negative days: it has expired."""
        self._issue(days)
        for node in self.nodes:
            node.reload()

    def _make_password(self):
        self.password = secrets.token_urlsafe(24)
        self.password_file = self.folder / "password"
        self.password_file.write_text(self.password + "\n")
        process.give(self.password_file, 0o640)

    def _make_standby(self, node):
        node.standby_signal.touch()
        process.give(node.standby_signal, 0o600, owner=True)

    def _configure(self, node, follow=True):
        """The settings are outside of the data, which a standby copies from the primary."""
        primary = (f"host={self.primary.folder} port={self.primary.port} user={SUPERUSER}"
                   if follow and node is not self.primary else "")
        node.config.write_text(SETTINGS.format(
            port=node.port, sockets=node.folder, hba=self.hba, name=node.name,
            fsync="on" if self.fsync else "off", certificate=self.certificate, key=self.key,
            nodes=", ".join(NODES), primary=primary))
        process.give(node.config, 0o600, owner=True)

    def _run(self, program, *arguments):
        """Runs one of the server's programs as the user that the nodes run as."""
        done = subprocess.run([find(program), *arguments], capture_output=True, text=True,
                              timeout=process.PATIENCE, cwd=self.folder,
                              env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
                              **process.as_web_user())
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()}")

    # Connections.

    def conninfo(self, database=DATABASE, **changes):
        """The words for [store] database; `changes` replace some of them."""
        words = {
            "host": ",".join("127.0.0.1" for _ in self.nodes),
            "port": ",".join(str(node.port) for node in self.nodes),
            "dbname": database, "user": ROLE,
            "sslmode": "verify-full", "sslrootcert": self.ca_file, **changes,
        }
        return " ".join(f"{name}={value}" for name, value in words.items() if value is not None)

    def psql(self, sql, node=None, database=DATABASE):
        """What the statements return, to the superuser: a line for each row, | between columns."""
        node = node or self.primary
        return psql(f"host={node.folder} port={node.port} dbname={database} user={SUPERUSER}", sql)

    def psql_as_program(self, sql, conninfo=None):
        """The same as the programs' role, connected as they are."""
        return psql(f"{conninfo or self.conninfo()} target_session_attrs=read-write", sql,
                    PGPASSWORD=self.password)

    def new_database(self, name):
        """Creates an empty database; `conninfo` names it."""
        self.psql(f"SET synchronous_commit = local;\n"
                  f"CREATE DATABASE {name} OWNER {ROLE};", database="postgres")

    # What happens to nodes.

    @property
    def standbys(self):
        """Those that run.  A promotion removes the file that makes a server a standby."""
        return [node for node in self.nodes if node.running and node.standby_signal.exists()]

    def await_standbys(self):
        """Returns when all the running standbys have all that has been committed until now."""
        expected = str(len(self.standbys))
        end = self.psql("SELECT pg_current_wal_flush_lsn()", database="postgres")
        process.wait_until(lambda: expected == self.psql(
            "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'"
            f" AND replay_lsn >= '{end}'", database="postgres"), "the standbys")

    def kill(self, node=None):
        """kill -9 of all processes of the node, or of the primary."""
        (node or self.primary).kill()

    def stop(self, node):
        node.stop()

    def start(self, node, launcher=()):
        """Starts a node that was stopped or killed, as what it was before."""
        self._configure(node)
        node.launch(launcher)
        node.await_ready()

    def promote(self):
        """Makes the standby that received most the primary; the others follow it.

        A primary that is still alive is left alone: it commits nothing any more.
        """
        standbys = self.standbys
        for node in standbys:
            self._configure(node, follow=False)
            node.reload()
        for node in standbys:
            process.wait_until(lambda: self._ask(node, "SELECT count(*) FROM pg_stat_wal_receiver")
                               == "0", f"{node.name} to be cut off")
        self.primary = max(standbys, key=self._received)
        self._ask(self.primary, f"SELECT pg_promote(wait_seconds => {process.PATIENCE})")
        for node in self.nodes:
            self._configure(node)
        for node in standbys:
            node.reload()
        self.await_standbys()

    def _ask(self, node, sql):
        return self.psql(sql, node, database="postgres")

    def _received(self, node):
        """The end of what it has on its disk."""
        return int(self._ask(node, "SELECT coalesce(greatest(pg_last_wal_receive_lsn(),"
                                   " pg_last_wal_replay_lsn()) - '0/0', 0)"))

    def rejoin(self, node):
        """Makes a node a standby of the primary, with a copy of the primary's data."""
        if node.running:
            node.kill()
        node.free_memory()
        process.remove_folder(node.data)    # absent if an attempt failed
        self._run("pg_basebackup", "-D", node.data, "-h", self.primary.folder,
                  "-p", str(self.primary.port), "-U", SUPERUSER,
                  "--checkpoint", "fast", "--no-sync")
        self._make_standby(node)
        self.start(node)
        self.await_standbys()

    def heal(self):
        """Three nodes that follow each other again, whatever has happened to them."""
        if not self.primary.running:
            self.promote()
        for node in self.nodes:
            if node is not self.primary and node not in self.standbys:
                self.rejoin(node)
        self.await_standbys()

    def remove(self):
        for node in self.nodes:
            node.remove()
        process.remove_folder(self.folder)


def psql(conninfo, sql, **environment):
    done = subprocess.run([find("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", "-", conninfo],
                          input=sql, capture_output=True, text=True, timeout=process.PATIENCE,
                          cwd="/", env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", **environment})
    if done.returncode:
        raise RuntimeError(f"psql failed: {done.stderr.strip()}")
    return done.stdout.rstrip("\n")
