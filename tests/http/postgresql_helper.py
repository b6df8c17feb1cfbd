"""amo-crm-postgresql, started as the other programs start it: with an empty environment, a socket
as its standard input and output, and a line of JSON for each request."""

import base64
import contextlib
import json
import socket
import subprocess
import time

from sandbox import process
from sandbox.cluster import SUPERUSER
from sandbox.servers import find
from sandbox.site import BUILD

PROGRAM = BUILD / "libexec/amo-crm-postgresql"


def encode(value):
    """As bytes are sent."""
    return None if value is None else base64.urlsafe_b64encode(value).decode().rstrip("=")


def decode(text):
    return None if text is None else base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Failed(Exception):
    """A reply that is a fault."""

    def __init__(self, reply):
        super().__init__(f"{reply['fault']}: {reply['reason']}")
        self.kind = reply["fault"]
        self.reason = reply["reason"]


def new_database(cluster, name):
    """Gives the name of a new database with the schema."""
    cluster.new_database(name)
    with Helper(cluster.conninfo(name), cluster.password_file) as helper:
        helper.do("init")
    return name


@contextlib.contextmanager
def transaction(cluster, database):
    """A session in which the superuser's statements are executed, and committed with "COMMIT"."""
    node = cluster.primary
    conninfo = f"host={node.folder} port={node.port} dbname={database} user={SUPERUSER}"
    with subprocess.Popen([find("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", "-", conninfo],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", text=True,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                          preexec_fn=process.die_with_parent) as session:
        def execute(sql):
            """Returns when it has been executed."""
            session.stdin.write(f"{sql};\n\\echo done\n")
            session.stdin.flush()
            said = session.stdout.readline()
            assert said == "done\n", said

        execute("BEGIN")
        yield execute
        session.stdin.close()


class Helper:
    def __init__(self, conninfo, password_file, launcher=()):
        self.database = conninfo
        self.password_file = password_file and str(password_file)
        self.in_section = False
        ours, its = socket.socketpair()
        with its:
            # without restore_signals SIGPIPE stays ignored; the other programs block it
            self._process = subprocess.Popen([*launcher, PROGRAM], stdin=its, stdout=its, env={},
                                             restore_signals=False)
        self._socket = ours
        self._replies = ours.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """As when its program ends or is killed; returns when the helper has ended, too."""
        self._replies.close()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        assert self._process.wait(process.PATIENCE) == 0

    def send(self, verb, wait=process.PATIENCE, **members):
        request = {"do": verb, "deadline_ms": int((time.monotonic() + wait) * 1000),
                   "section": int(self.in_section), "database": self.database,
                   "password_file": self.password_file, **members}
        self._socket.sendall(json.dumps(request).encode() + b"\n")

    def receive(self):
        reply = json.loads(self._replies.readline())
        if "fault" in reply:
            raise Failed(reply)
        return reply

    def do(self, verb, **members):
        self.send(verb, **members)
        return self.receive()

    # Records.

    def get(self, key):
        value, = self.do("get", key=key)["values"]
        return decode(value)

    def begin(self, turn=None, lease=None, token=0):
        self.do("begin", turn=turn, lease=lease, token=token)
        self.in_section = True

    def read(self, *keys):
        return [decode(value) for value in self.do("read", keys=keys)["values"]]

    def write(self, key, value, expires=0, absent=False):
        self.do("write", changes=[{"key": key, "value": encode(value), "expires": expires,
                                   "absent": int(absent)}])

    def commit(self):
        self._end("commit")

    def roll_back(self):
        self._end("roll_back")

    def _end(self, verb):
        try:
            self.do(verb)
        finally:
            self.in_section = False

    def put(self, key, value, expires=0):
        """Without looking who else does the same."""
        self.begin()
        old, = self.read(key)
        self.write(key, value, expires, absent=old is None)
        self.commit()

    def each(self, prefix):
        """All pages: of each a list of keys and values."""
        after = ""
        while True:
            page = self.do("each", prefix=prefix, after=after)
            records = [(key, decode(value)) for key, value in page["records"]]
            yield records
            if not page["more"]:
                break
            after = records[-1][0]

    # Leases.

    def hold(self, name, holder, seconds=60):
        reply = self.do("hold", name=name, holder=holder, for_ms=int(seconds * 1000))
        return reply["token"], bool(reply["abandoned"])

    def let_go(self, name, token, abandoned=False):
        self.do("let_go", name=name, token=token, abandoned=int(abandoned))
