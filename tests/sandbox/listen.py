"""The mock server's two ports: plain HTTP on loopback for the browser, TLS for our programs.

Every connection is recorded before a byte of it is read.  The TLS port is as strict as a real
server: it refuses plain HTTP, an unknown server name, and a Host header that differs from the
server name.
"""

import contextlib
import email.utils
import select
import socket
import socketserver
import ssl
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from .record import Request

BODY_MAX = 1 << 20
TLS_HANDSHAKE = 0x16
PATIENCE = 30   # seconds that a client may be silent in the middle of a request


@dataclass
class Reply:
    status: int
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    headers: dict = field(default_factory=dict)


class Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One port.  `answer(exchange)` returns a Reply, or None to close the connection."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    body_max = BODY_MAX

    def __init__(self, port, record, answer, tls=None):
        super().__init__(("127.0.0.1", port), Exchange)
        self.record, self.answer, self.tls = record, answer, tls
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self):
        return self.server_address[1]

    def start(self):
        self._thread.start()

    def stop(self):
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def process_request_thread(self, request, client_address):
        connection = self.record.connected("tls" if self.tls else "plain")
        request.settimeout(PATIENCE)
        # a response is two writes; the second would be delayed until the first is acknowledged,
        # up to 40 ms
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.tls:
                request = self.tls(request, connection)
            if request is not None:
                Exchange(request, client_address, self, connection)
        except (OSError, ValueError) as failure:
            connection.failure = connection.failure or repr(failure)
        finally:
            if request is not None:
                self.shutdown_request(request)


class Exchange(BaseHTTPRequestHandler):
    """One connection and the requests on it."""

    protocol_version = "HTTP/1.1"
    server_version = "nginx"
    sys_version = ""

    def __init__(self, request, client_address, server, connection=None):
        self.record_of_connection = connection
        self.asked = None
        self.route = None
        super().__init__(request, client_address, server)

    def _serve(self):
        body = self._read_body()
        if body is None:
            return
        self.asked = Request(self.record_of_connection, self.command, self.path,
                             list(self.headers.items()), body)
        self.server.record.requested(self.asked)
        reply = self.server.answer(self)
        if reply is None:
            self.close_connection = True
        else:
            self.send(reply)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def _read_body(self):
        length = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not length.isdecimal():
            self.close_connection = True
            return self.send(Reply(411, b"Length Required"))
        if int(length) > self.server.body_max:
            self.close_connection = True
            return self.send(Reply(413, b"Request Entity Too Large"))
        return self.rfile.read(int(length))

    def proceed(self, **options):
        """The reply of the real route, for a fault that changes it or withholds it."""
        return self.route(self, **options)

    def send(self, reply):
        if self.asked:
            self.asked.status = reply.status
        self.send_response(reply.status)
        if reply.status != 204:
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def send_raw(self, data):
        self.wfile.write(data)
        self.wfile.flush()

    def pause(self, seconds):
        """Waits; false once the client has hung up or the server is being stopped."""
        waited = 0
        while waited < seconds and not self.server.stopping.is_set():
            step = min(0.1, seconds - waited)
            if select.select([self.connection], [], [], step)[0]:
                with contextlib.suppress(OSError):
                    if self.connection.recv(1):
                        continue
                return False
            waited += step
        return not self.server.stopping.is_set()

    def reset(self):
        """Ends the connection with a TCP reset."""
        reset(self.connection)
        self.close_connection = True

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(timestamp, usegmt=True)

    def log_message(self, *_):
        pass


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Tls:
    """Runs the handshake on a new connection; returns None if it is refused.

    known(name) tells whether a server name is served here; spoil() may name another certificate
    than the good one, or "reset_early".
    """

    def __init__(self, certificates, known, spoil):
        self._certificates, self._known, self._spoil = certificates, known, spoil
        self._contexts, self._lock, self._current = {}, threading.Lock(), threading.local()

    def __call__(self, raw, connection):
        spoiled = self._spoil()
        if spoiled == "reset_early":
            reset(raw)
            return None
        first = raw.recv(1, socket.MSG_PEEK)
        if not first or first[0] != TLS_HANDSHAKE:
            connection.failure = "no TLS"
            if first:
                _refuse_plain_http(raw)
            return None
        self._current.connection = connection
        try:
            secured = self._context(spoiled or "good").wrap_socket(raw, server_side=True)
            connection.resumed = secured.session_reused
            return secured
        except OSError as failure:
            connection.failure = f"handshake: {failure}"
            raw.close()
            return None

    def _context(self, kind):
        """One context for each certificate: a session is resumed only in the context it began
        in."""
        certificate = self._certificates(kind)
        with self._lock:
            if certificate not in self._contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                context.load_cert_chain(*certificate)
                context.sni_callback = self._named
                self._contexts[certificate] = context
            return self._contexts[certificate]

    def _named(self, _socket, name, _context):
        self._current.connection.sni = name
        if name is None or not self._known(name):
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        return None


def _refuse_plain_http(raw):
    body = b"The plain HTTP request was sent to HTTPS port\n"
    with contextlib.suppress(OSError), raw:
        raw.recv(1 << 16)
        raw.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
                    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
