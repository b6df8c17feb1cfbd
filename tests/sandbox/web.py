"""An HTTP client that sends exactly what the test specifies, and parses the response strictly.

Python's own client refuses to send a malformed request and tolerates a malformed response; a test
needs the opposite.
"""

import json
import re
import socket
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qsl, quote, urlsplit

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
PATIENCE = 120  # seconds for the whole response, on a busy machine


class Malformed(AssertionError):
    """The response is not well-formed."""


@dataclass
class Answer:
    status: int
    headers: list   # (name, value) as received
    body: bytes

    def values(self, name):
        return [value for known, value in self.headers if known.lower() == name.lower()]

    def header(self, name):
        """A header that may occur once; None if it is absent."""
        values = self.values(name)
        if len(values) > 1:
            raise Malformed(f"{name} occurs {len(values)} times: {values}")
        return values[0] if values else None

    def headers_without(self, *names):
        """All headers except these, which may differ from response to response."""
        left_out = [name.lower() for name in names]
        return [(name, value) for name, value in self.headers if name.lower() not in left_out]

    @property
    def media_type(self):
        return (self.header("Content-Type") or "").partition(";")[0].strip().lower()

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def page(self):
        return Page(self.text)

    @property
    def link(self):
        """The deep link, from Location or from the page's button; None if there is none."""
        if self.header("Location") is not None:
            return self.header("Location")
        return self.page.link if self.media_type == "text/html" else None

    @property
    def link_query(self):
        """The deep link's parameters as a dict.  A parameter given twice is an error."""
        pairs = parse_qsl(urlsplit(self.link).query, keep_blank_values=True,
                          encoding="utf-8", errors="surrogateescape", strict_parsing=True)
        params = dict(pairs)
        if len(params) != len(pairs):
            raise Malformed(f"a repeated parameter in {self.link}")
        return params


class Page(HTMLParser):
    """A parsed page.

    `skeleton` is everything that is not data: the elements with the names of their attributes, and
    every value except text between tags and links.  Two responses of one kind must have the same
    skeleton whatever was in the query; otherwise something was injected.
    """

    RAW = ("script", "style")
    VOID = ("meta", "link", "br", "hr", "img", "input")

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.skeleton, self.scripts, self.styles, self.links, self.words = [], [], [], {}, []
        self._open = []
        self.feed(text)
        self.close()
        if self.rawdata or self._open:
            raise Malformed(f"the page ends inside {self._open or self.rawdata!r}")

    @property
    def link(self):
        return self.links.get("open")

    @property
    def said(self):
        return " ".join(" ".join(self.words).split())

    def handle_decl(self, decl):
        self.skeleton.append(("!", decl))

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            raise Malformed(f"a repeated attribute in <{tag} {attrs}>")
        attributes = dict(attrs)
        links = ("href", "content") if tag in ("a", "meta") else ()
        self.skeleton.append((tag, *((name, None if name in links else value)
                                     for name, value in attrs)))
        if tag == "a":
            if attributes.get("id") in self.links:
                raise Malformed(f"two links with the id {attributes.get('id')}")
            self.links[attributes.get("id")] = attributes.get("href")
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        if not self._open or self._open[-1] != tag:
            raise Malformed(f"</{tag}> closes {self._open}")
        self._open.pop()
        self.skeleton.append(("/" + tag,))

    def handle_data(self, data):
        inside = self._open[-1] if self._open else ""
        if inside == "script":
            self.scripts.append(data)
        elif inside == "style":
            self.styles.append(data)
        else:
            self.words.append(data)
        if inside in self.RAW:
            self.skeleton.append(data)

    def handle_comment(self, data):
        self.skeleton.append(("comment", data))


def encode(query):
    """Encodes a query: bytes or text are used unchanged; pairs, or a dict, are percent-encoded."""
    if query is None:
        return None
    if isinstance(query, bytes):
        return query
    if isinstance(query, str):
        return query.encode()
    pairs = query.items() if isinstance(query, dict) else query
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs).encode()


def parse_head(head):
    """Parses header lines, without the final empty line."""
    headers = []
    for line in head:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.match(name):
            raise Malformed(f"not a header line: {line!r}")
        if CONTROL.search(value):
            raise Malformed(f"a control character in the header {line!r}")
        headers.append((name.decode("ascii"), value.strip(b" \t").decode("latin-1")))
    return headers


def ask(port, method, target, headers, body, chunked=False, patience=PATIENCE):
    """Sends one request on a connection of its own; returns the response."""
    sent = [method.encode() + b" " + target + b" HTTP/1.1"]
    headers = {"Host": f"localhost:{port}", "Connection": "close", **headers}
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
    elif body is not None:
        headers.setdefault("Content-Length", str(len(body)))
    sent += [f"{name}: {value}".encode("latin-1") for name, value in headers.items()
             if value is not None]
    message = b"\r\n".join([*sent, b"", b""])
    with socket.create_connection(("127.0.0.1", port), patience) as connection:
        connection.sendall(message + (_chunks(body) if chunked else body or b""))
        return read(connection.makefile("rb"), method)


def _chunks(body):
    pieces = [body[at:at + 1000] for at in range(0, len(body), 1000)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def read(stream, method):
    first = stream.readline()
    status_line = re.match(rb"HTTP/1\.[01] (\d{3})( [^\r\n]*)?\r\n\Z", first)
    if not status_line:
        raise Malformed(f"not a status line: {first!r}")
    lines = []
    while (line := stream.readline()) != b"\r\n":
        if not line.endswith(b"\r\n"):
            raise Malformed(f"the header section ends in {line!r}")
        lines.append(line[:-2])
    answer = Answer(int(status_line[1]), parse_head(lines), b"")
    if method != "HEAD" and answer.status not in (204, 304):
        answer.body = _read_body(stream, answer)
    if stream.read(1):
        raise Malformed("more bytes follow the response")
    return answer


def _read_body(stream, answer):
    if (answer.header("Transfer-Encoding") or "").lower() == "chunked":
        body = b""
        while True:
            size = int(stream.readline().strip(), 16)
            piece = stream.read(size + 2)
            if len(piece) != size + 2 or piece[-2:] != b"\r\n":
                raise Malformed("a chunk was cut short")
            if not size:
                return body
            body += piece[:-2]
    length = answer.header("Content-Length")
    body = stream.read() if length is None else stream.read(int(length))
    if length is not None and len(body) != int(length):
        raise Malformed(f"Content-Length {length}, but {len(body)} bytes were received")
    return body
