"""An HTTP proxy that records which hosts it is asked for, and leads all of them to one port."""

import socket
import threading
from contextlib import suppress

PATIENCE = 30   # seconds


class Proxy:
    """`asked` are the targets of CONNECT, and the URLs of plain requests."""

    def __init__(self, port=None):
        self.asked = []
        self._to = port     # None: every request gets 502
        self._listening = socket.create_server(("127.0.0.1", 0))

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, suppress(OSError):
            client.settimeout(PATIENCE)
            head = b""
            while b"\r\n\r\n" not in head:
                read = client.recv(4096)
                if not read:
                    return
                head += read
            method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
            self.asked.append(target)
            if self._to is None or method != "CONNECT":
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", self._to), PATIENCE) as server:
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
                back.start()
                self._copy(client, server)
                back.join(PATIENCE)

    @staticmethod
    def _copy(source, sink):
        with suppress(OSError):
            while True:
                read = source.recv(65536)
                if not read:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(read)
