"""Records everything that reached the mock server, so that a test can count it or prove its
absence."""

import json
import threading
from dataclasses import dataclass, field
from time import time as now
from urllib.parse import parse_qs, urlsplit


@dataclass
class Connection:
    """One TCP connection, recorded before a byte of it was read."""
    port: str
    time: float = field(default_factory=now)
    sni: str = None
    resumed: bool = False
    failure: str = None


@dataclass
class Request:
    connection: Connection
    method: str
    target: str
    headers: list
    body: bytes
    time: float = field(default_factory=now)
    status: int = None

    @property
    def path(self):
        return urlsplit(self.target).path

    @property
    def query(self):
        return {name: values[0] for name, values in
                parse_qs(urlsplit(self.target).query, keep_blank_values=True).items()}

    def header(self, name):
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)

    @property
    def host(self):
        return self.header("Host")

    @property
    def json(self):
        return json.loads(self.body)

    def summary(self):
        return {"time": self.time, "port": self.connection.port, "sni": self.connection.sni,
                "host": self.host, "method": self.method, "target": self.target,
                "headers": self.headers, "body": self.body.decode("utf-8", "replace"),
                "status": self.status}


class Record:
    def __init__(self):
        self._lock = threading.Lock()
        self._connections = []
        self._requests = []

    def connected(self, port):
        connection = Connection(port)
        with self._lock:
            self._connections.append(connection)
        return connection

    def requested(self, request):
        with self._lock:
            self._requests.append(request)

    def clear(self):
        with self._lock:
            self._connections.clear()
            self._requests.clear()

    def connections(self, port="tls"):
        with self._lock:
            return [connection for connection in self._connections if connection.port == port]

    def requests(self, path=None, port="tls"):
        with self._lock:
            return [request for request in self._requests
                    if request.connection.port == port and path in (None, request.path)]
