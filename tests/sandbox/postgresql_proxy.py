"""A bad network between programs and the primary of a cluster.

It reads PostgreSQL's messages, so programs connect to it without TLS.  It connects to the primary
over the Unix socket.
"""

import re
import socket
import struct
import threading
from contextlib import suppress

SSL_REQUEST, GSSENC_REQUEST = 80877103, 80877104
START = struct.Struct("!II")        # length, version or request
MESSAGE = struct.Struct("!cI")      # type, length without the type
WITH_STATEMENT = (b"Q", b"P")       # Query, Parse
ENDING_A_TURN = (b"Q", b"S")        # Query, Sync: each gets one ReadyForQuery
READY_FOR_QUERY = b"Z"


class PostgresqlProxy:
    """Everything is passed on until a test says otherwise.

    `lost` is set when the reply that lose_reply() or hang_reply() withholds has come.
    """

    def __init__(self, cluster):
        self.lost = threading.Event()
        self._cluster = cluster
        self._awaited = []      # words of statements that come one after the other
        self._fate = None       # what happens to the reply to the last of them
        self._passing = threading.Event()
        self._passing.set()
        self._lock = threading.Lock()
        self._connections = set()
        self._listening = socket.create_server(("127.0.0.1", 0))

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.resume()

    def conninfo(self, **changes):
        """The words for [store] database."""
        port = self._listening.getsockname()[1]
        return self._cluster.conninfo(**{"host": "127.0.0.1", "port": port, "sslmode": "disable",
                                         "sslrootcert": None, **changes})

    def lose_reply(self, statement="COMMIT", after=()):
        """The next statement that contains these words is executed, and then the connection ends
        without a reply.  With `after`: the next one after statements that contain those, one after
        the other."""
        self._await("end", *after, statement)

    def hang_reply(self, statement="COMMIT", after=()):
        """The same, but the connection does not end: the client gets nothing."""
        self._await("hang", *after, statement)

    def hang(self):
        """Connections are accepted, but what either side sends is swallowed, also its end."""
        self._passing.clear()

    def resume(self):
        """New connections work again; the others end."""
        self._passing.set()
        self.cut()

    def cut(self):
        """Ends every connection."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.end()

    @property
    def connections(self):
        """How many there are."""
        with self._lock:
            return len(self._connections)

    # For its connections.

    @property
    def hanging(self):
        return not self._passing.is_set()

    def await_resumption(self):
        self._passing.wait()

    def _await(self, fate, *statements):
        self.lost.clear()
        with self._lock:
            self._fate = fate
            # not READ COMMITTED, for COMMIT
            self._awaited = [re.compile(rb"\b%b\b" % re.escape(words.encode()))
                             for words in statements]

    def fate(self, statement):
        """What happens to the reply of this statement: "end", "hang", or None."""
        with self._lock:
            if not self._awaited or not self._awaited[0].search(statement):
                return None
            del self._awaited[0]
            return None if self._awaited else self._fate

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError, EOFError):
            connection = Connection(self, client, server)
            with self._lock:
                self._connections.add(connection)
            try:
                server.connect(str(self._cluster.primary.socket))
                connection.run()
            finally:
                with self._lock:
                    self._connections.remove(connection)


class Connection:
    def __init__(self, proxy, client, server):
        self._proxy, self._client, self._server = proxy, client, server
        self._turns = 0     # that the client has ended
        self._losing = None     # after how many replies, and how
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def end(self):
        for side in (self._client, self._server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def run(self):
        self._start()
        back = threading.Thread(target=self._pass_back, daemon=True)
        back.start()
        try:
            with suppress(OSError, EOFError):
                while True:
                    self._pass_on()
            self._proxy.await_resumption()
        finally:
            self.end()
            back.join()

    def _start(self):
        """The first message has no type; a request for encryption is refused."""
        while True:
            head = read(self._client, START.size)
            length, request = START.unpack(head)
            rest = read(self._client, length - START.size)
            if request not in (SSL_REQUEST, GSSENC_REQUEST):
                break
            self._send(self._client, b"N")
        self._send(self._server, head + rest)

    def _pass_on(self):
        kind, message = read_message(self._client)
        if kind in WITH_STATEMENT:
            fate = self._proxy.fate(message)
            if fate:
                self._losing = self._turns, fate
        self._turns += kind in ENDING_A_TURN
        self._send(self._server, message)

    def _pass_back(self):
        turns = -1      # replied to; the first ReadyForQuery ends the authentication
        with suppress(OSError, EOFError):
            while True:
                kind, message = read_message(self._server)
                losing, fate = self._losing or (None, None)
                if losing is None or turns < losing:
                    self._send(self._client, message)
                elif kind == READY_FOR_QUERY:
                    self._proxy.lost.set()
                    if fate == "end":
                        break
                turns += kind == READY_FOR_QUERY
        self._proxy.await_resumption()
        self.end()

    def _send(self, side, message):
        if not self._proxy.hanging:
            side.sendall(message)


def read_message(side):
    """Its type, and all of it."""
    head = read(side, MESSAGE.size)
    kind, length = MESSAGE.unpack(head)
    return kind, head + read(side, length - 4)


def read(side, size):
    received = bytearray()
    while len(received) < size:
        part = side.recv(size - len(received))
        if not part:
            raise EOFError
        received += part
    return bytes(received)
