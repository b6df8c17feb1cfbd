"""Three PostgreSQL nodes under Patroni and etcd, as docs/several-hosts.md describes them.

They are started from the files in docs/examples; only host names, ports, folders, users, passwords
and times are replaced, etcd is one node, and nothing waits for the disk.  All "hosts" are this
machine, under the name localhost.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import urllib.request
from pathlib import Path

from . import process
from .database_user import EXAMPLES, POSTGRESQL, as_user, give, replaced, user
from .servers import NotInstalled, find

HOSTS = ("db1", "db2", "db3")
# The example has 20, 5 and 5 s.  Patroni 3.0.2 sets no lower limits; etcd's lease is at least 2 s.
TTL, LOOP_WAIT, RETRY_TIMEOUT = 6, 1, 2
STARTS = 5      # attempts: another process may take a free port before etcd binds it
PASSWORD = "of-the-programs"


class Node:
    """One host: Patroni's agent and its PostgreSQL."""

    def __init__(self, cluster, name):
        self._cluster = cluster
        self.name = name
        self.port, self.api_port = process.free_port(), process.free_port()
        self.folder = cluster.folder / name
        self.folder.mkdir()
        give(self.folder, 0o700)
        self.data = self.folder / "data"
        self._agent = None
        self._frozen = []

    def configuration(self):
        places = self._cluster.places()
        return replaced((EXAMPLES / "patroni.yml").read_text(), {
            r"^name: db1$": f"name: {self.name}",
            r"hosts: db1\S+$": f"hosts: localhost:{self._cluster.etcd_port}",
            r"db1\.example\.com:5432": f"localhost:{self.port}",
            r"db1\.example\.com:8008": f"localhost:{self.api_port}",
            r"0\.0\.0\.0:5432": f"127.0.0.1:{self.port}",
            r"0\.0\.0\.0:8008": f"127.0.0.1:{self.api_port}",
            r"\b10\.0\.0\.0/24": "127.0.0.1/32",
            r"/var/lib/postgresql/15/amo-crm": self.data,
            r"/var/lib/postgresql/patroni\.pgpass": self.folder / "pgpass",
            r"/var/run/postgresql": self.folder,
            r"/usr/lib/postgresql/15/bin": POSTGRESQL,
            r"(?<=username: )postgres\b": user().pw_name,
            r"(?<=- local   all         )postgres\b|(?<=- local   replication )postgres\b":
                user().pw_name,
            r"REPLICATION-PASSWORD": "of-the-standbys",
            r"REWIND-PASSWORD": "of-pg-rewind",
            r"(?<=ttl: )20\b": TTL,
            r"(?<=loop_wait: )5$": LOOP_WAIT,
            r"(?<=retry_timeout: )5$": RETRY_TIMEOUT,
            r"(?<=mode: )automatic\b": "off",      # the watchdog would restart this machine
            # what a killed process has written is there even so, and no power is cut here
            r'^( *)synchronous_commit: "on"$': '        synchronous_commit: "on"\n        fsync: "off"',
            **places})

    def start(self):
        config = self.folder / "patroni.yml"
        config.write_text(self.configuration())
        give(config, 0o600)
        # PATH: initdb looks for postgres; LC_ALL: there may be no locale but C
        self._agent = process.Daemon(
            ["/usr/bin/patroni", config], self.folder / "log", cwd=self.folder,
            env={"PATH": f"{POSTGRESQL}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(self.folder)},
            **as_user())

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def state(self):
        """What Patroni's agent says of its node; None if it does not answer."""
        with contextlib.suppress(OSError, ValueError):
            with urllib.request.urlopen(f"https://localhost:{self.api_port}/patroni", timeout=5,
                                        context=self._cluster.tls()) as answer:
                return json.load(answer)
        return None

    def postmaster(self):
        """The process id of the running PostgreSQL, or None."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.data / "postmaster.pid").read_text().split("\n")[0])
            if process.alive(pid) and b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    def sql(self, statement, dbname="postgres"):
        """The output of a statement that the superuser executes."""
        done = subprocess.run(
            [POSTGRESQL / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.folder,
             "-p", str(self.port), "-U", user().pw_name, "-d", dbname, "-c", statement],
            capture_output=True, text=True, env={}, timeout=process.PATIENCE, **as_user())
        if done.returncode:
            raise RuntimeError(f"{self.name}: {statement}: {done.stderr}")
        return done.stdout.rstrip("\n")

    def kill_database(self):
        """kill -9 of PostgreSQL's whole process tree, at once."""
        pid = self.postmaster()
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)    # it must start no more children
            for child in children(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
        process.wait_until(lambda: not process.alive(pid), f"the end of PostgreSQL on {self.name}")

    def kill_host(self):
        """Ends agent and database by kill -9, as a power cut does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._agent.process.pid, signal.SIGKILL)
        self._agent.stop()
        self.kill_database()

    def _processes(self):
        postmaster = self.postmaster()
        agent = self._agent.process.pid
        return [agent, *children(agent), *([postmaster, *children(postmaster)] if postmaster else [])]

    def freeze(self):
        """Stops all processes where they are: connections remain, and nobody answers."""
        self._frozen = self._processes()
        for pid in self._frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in reversed(self._frozen):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def stop(self):
        if self._agent:
            self.kill_host()


def children(pid):
    """The children of a process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(") ")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


class Patroni:
    """A context.  On entry the cluster has a primary, two standbys of which one is synchronous, and
    the role and the database of the programs."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.nodes = []
        self.etcd_port = None
        self._etcd = None

    def __enter__(self):
        for program in ("patroni", "etcd"):
            find(program)
        if not (POSTGRESQL / "postgres").exists():
            raise NotInstalled("PostgreSQL 15 is not installed")
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for node in self.nodes:
            node.stop()
        if self._etcd:
            self._etcd.stop()

    def _start(self):
        self.folder.mkdir(exist_ok=True)
        give(self.folder, 0o711)
        self._make_certificates()
        self._start_etcd()
        self.nodes = [Node(self, name) for name in HOSTS]
        for node in self.nodes:
            node.start()
        self.wait_until(self.complete, "a primary and two standbys, one synchronous")
        self.sql(f"CREATE ROLE amo_crm LOGIN PASSWORD '{PASSWORD}'")
        self.sql("CREATE DATABASE amo_crm OWNER amo_crm")
        # libpq tries no other node after one that does not know the database
        self.wait_until(lambda: all(node.sql("SELECT 1 FROM pg_database WHERE datname = 'amo_crm'")
                                    for node in self.nodes), "the database on all nodes")

    def _make_certificates(self):
        """One certificate for all, as all are localhost."""
        done = subprocess.run(["sh", EXAMPLES / "database-certificates.sh", "localhost"],
                              cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        give(self.folder / "localhost.key", 0o600)

    def places(self):
        return {r"/etc/ssl/amo-crm/ca\.pem": self.certificate_authority,
                r"/etc/ssl/amo-crm/host\.": self.folder / "localhost."}

    @property
    def certificate_authority(self):
        return self.folder / "ca.pem"

    def tls(self):
        return ssl.create_default_context(cafile=self.certificate_authority)

    def _start_etcd(self):
        data = self.folder / "etcd"
        for _ in range(STARTS):
            shutil.rmtree(data, ignore_errors=True)
            data.mkdir()
            give(data, 0o700)
            self.etcd_port, peer_port = process.free_port(), process.free_port()
            text = replaced((EXAMPLES / "etcd.env").read_text(), {
                r",db2=\S+,db3=\S+": "",
                r"db1\.example\.com:2379|0\.0\.0\.0:2379": f"127.0.0.1:{self.etcd_port}",
                r"db1\.example\.com:2380|0\.0\.0\.0:2380": f"127.0.0.1:{peer_port}",
                r"(?<=ADVERTISE_CLIENT_URLS=https://)127\.0\.0\.1": "localhost",
                **self.places()})
            settings = dict(re.findall(r"^(ETCD_\w+)=(.*)$", text, re.M))
            self._etcd = process.Daemon(
                ["/usr/bin/etcd"], self.folder / "etcd.log",
                env={**settings, "ETCD_DATA_DIR": str(data), "ETCD_UNSAFE_NO_FSYNC": "true"},
                **as_user())
            self.wait_until(lambda: not self._etcd.running or self._etcd_answers(), "etcd")
            if self._etcd.running:
                return
        raise RuntimeError(f"etcd does not start:\n{self._etcd.output()[-3000:]}")

    def _etcd_answers(self):
        context = self.tls()
        context.load_cert_chain(self.folder / "localhost.pem", self.folder / "localhost.key")
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"https://localhost:{self.etcd_port}/health", timeout=5,
                                        context=context) as answer:
                return json.load(answer)["health"] == "true"
        return False

    def wait_until(self, true, what):
        """The error ends with what the agents logged last."""
        try:
            return process.wait_until(true, what)
        except TimeoutError as late:
            logged = "\n".join(f"{node.name}: {node.log()[-2000:]}" for node in self.nodes)
            raise TimeoutError(f"{late}\n{logged}") from None

    # What the cluster is like.

    def primary(self):
        """The node that Patroni calls the primary, or None."""
        for node in self.nodes:
            state = node.state()
            if state and state["role"] in ("master", "primary") and state["state"] == "running":
                return node
        return None

    def standbys(self):
        """name -> "sync", "async", …, as the primary replicates now."""
        node = self.primary()
        state = node and node.state()
        return {standby["application_name"]: standby["sync_state"]
                for standby in (state or {}).get("replication", [])
                if standby["state"] == "streaming"}

    def complete(self):
        standbys = self.standbys()
        return len(standbys) == len(HOSTS) - 1 and "sync" in standbys.values()

    # How clients reach it.

    def conninfo(self, *others, **changed):
        """The value of the configuration key `database`, for all nodes."""
        words = {"host": ",".join("localhost" for _ in self.nodes),
                 "port": ",".join(str(node.port) for node in self.nodes),
                 "dbname": "amo_crm", "user": "amo_crm", "sslmode": "verify-full",
                 "sslrootcert": str(self.certificate_authority), **changed}
        return " ".join([*(f"{name}={value}" for name, value in words.items()), *others])

    def sql(self, statement, dbname="postgres"):
        """What Node.sql returns, on the primary."""
        return self.wait_until(self.primary, "a primary").sql(statement, dbname)
