"""FastCGI records, as a web server writes them, and the text of an HTTP request."""

import socket
import struct

BEGIN_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6
RESPONDER = 1
CONTENT_MAX = 65535


def _record(kind, content=b""):
    return struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content


def _stream(kind, content):
    """A stream ends with an empty record."""
    pieces = [content[at:at + CONTENT_MAX] for at in range(0, len(content), CONTENT_MAX)]
    return b"".join(_record(kind, piece) for piece in [*pieces, b""])


def _pair(name, value):
    sizes = b"".join(bytes([size]) if size < 128 else struct.pack(">I", size | 1 << 31)
                     for size in (len(name), len(value)))
    return sizes + name + value


def request(parameters, body=b""):
    """All records of one request; the connection ends with it."""
    pairs = b"".join(_pair(name.encode(), value if isinstance(value, bytes) else value.encode())
                     for name, value in parameters.items())
    return (_record(BEGIN_REQUEST, struct.pack(">HB5x", RESPONDER, 0))
            + _stream(PARAMS, pairs) + _stream(STDIN, body or b""))


def ask(path, records):
    """Sends the records; returns the content of STDOUT."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(records)
        came = b""
        with connection.makefile("rb") as stream:
            while (head := stream.read(8)) and head[1] != END_REQUEST:
                _, kind, _, length, padding = struct.unpack(">BBHHBx", head)
                content = stream.read(length + padding)[:length]
                came += content if kind == STDOUT else b""
        return came


def http(port, method, target, headers, body=None):
    lines = [f"{method} {target} HTTP/1.1", f"Host: localhost:{port}",
             *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")
