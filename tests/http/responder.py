"""The programs as FastCGI processes: a client that acts as a web server, and their resources."""

import socket
import struct
import subprocess
from pathlib import Path

import pytest

from sandbox import process
from sandbox.servers import BASE, Bare, cgi_answer
from sandbox.web import encode

# https://fastcgi-archives.github.io/FastCGI_Specification.html, sections 3.3 and 8
BEGIN, END, PARAMS, STDIN, STDOUT, STDERR = 1, 3, 4, 5, 6, 7
RESPONDER, KEEP_CONNECTION, REQUEST = 1, 1, 1
RECORD_MAX = 65535
PATIENCE = process.PATIENCE

# The programs' processes are closed to other processes of their user (base/harden.h).
only_root_sees = pytest.mark.skipif(
    not process.is_root(), reason="only root can see the files and the memory of the programs")


def record(kind, content=b""):
    return struct.pack(">BBHHBx", 1, kind, REQUEST, len(content), 0) + content


def stream(kind, content, piece=RECORD_MAX):
    """The content in records of at most `piece` bytes, and the empty record that ends the
    stream."""
    pieces = [content[at:at + piece] for at in range(0, len(content), piece)]
    return b"".join(record(kind, one) for one in [*pieces, b""])


def begin(keep=False):
    return record(BEGIN, struct.pack(">HB5x", RESPONDER, KEEP_CONNECTION if keep else 0))


def params(variables):
    def length(text):
        return bytes([len(text)]) if len(text) < 128 else struct.pack(">I", len(text) | 1 << 31)
    pairs = [(name.encode(), value) for name, value in variables.items()]
    return b"".join(length(name) + length(value) + name + value for name, value in pairs)


def read_answer(connection):
    """The content of the two output streams up to the end of the request."""
    came = {STDOUT: b"", STDERR: b""}
    source = connection.makefile("rb")
    while True:
        head = source.read(8)
        if len(head) != 8:
            raise ConnectionError(f"the program closed the connection after {came[STDOUT][:300]!r}")
        _, kind, request, size, padding = struct.unpack(">BBHHBx", head)
        content = source.read(size + padding)[:size]
        assert request == REQUEST
        if kind == END:
            assert struct.unpack(">IB3x", content) == (0, 0)    # exit status, REQUEST_COMPLETE
            return came
        came[kind] += content


class FastCgi(Bare):
    """Starts one process, or several, of each program at its first request."""

    name = "fastcgi"

    def __init__(self, site, processes=1):
        super().__init__(site)
        self._count, self._sockets = processes, {}
        self.processes = {}     # by program
        self.address, self.more = None, {}     # of a TCP socket; additional environment
        # the working folder of the processes, and what they run before their program
        self.folder, self.preexec = site.programs, process.die_with_parent

    def _family(self):
        if self.address is None:
            return socket.AF_UNIX
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET

    def spawn(self, program):
        """Starts the processes of a program as a web server or spawn-fcgi does."""
        listening = self._sockets[program] = socket.socket(self._family())
        # an abstract address, which leaves no file; or a free port
        listening.bind((self.address, 0) if self.address else "")
        listening.listen(64)
        with (self._logs / "output.log").open("ab") as output:
            self.processes[program] = [subprocess.Popen(
                [self._site.programs / program], stdin=listening, stdout=output, stderr=output,
                env={"AMO_CRM_CONFIG": str(self._site.config), **self.more}, cwd=self.folder,
                preexec_fn=self.preexec, **process.as_web_user())
                for _ in range(self._count)]

    def connect(self, program):
        if program not in self.processes:
            self.spawn(program)
        connection = socket.socket(self._family())
        connection.settimeout(PATIENCE)
        connection.connect(self._sockets[program].getsockname())
        return connection

    def request(self, path, query, method, headers, body, chunked=False, *, keep=False,
                piece=RECORD_MAX):
        """The bytes of a request."""
        variables = self.environment(path, encode(query), method, headers, body, chunked)
        del variables["AMO_CRM_CONFIG"]     # set for the process, not by the web server
        return (begin(keep) + stream(PARAMS, params(variables), piece)
                + stream(STDIN, body or b"", piece))

    def answer(self, connection, method):
        came = read_answer(connection)
        with (self._logs / "error.log").open("ab") as log:
            log.write(came[STDERR])
        return cgi_answer(came[STDOUT], method)

    def ask(self, path, query, method, headers, body, chunked=False, **how):
        with self.connect(path.removeprefix(BASE)) as connection:
            connection.sendall(self.request(path, query, method, headers, body, chunked, **how))
            return self.answer(connection, method)

    def stop(self):
        for program in self.processes:
            self.end(program)

    def end(self, program):
        for one in self.processes[program]:
            one.kill()
            one.wait()
        self._sockets[program].close()


def only_process(site, program):
    [one] = site.server.processes[program]
    return one


def still_the_same(site):
    """Asserts that no process has exited or crashed."""
    for processes in site.server.processes.values():
        assert [one.poll() for one in processes] == [None] * len(processes)


def helpers(one):
    """The names of its child processes by pid; none of them may be a zombie."""
    children = Path(f"/proc/{one.pid}/task/{one.pid}/children").read_text().split()
    return {child: Path(f"/proc/{child}/comm").read_text().strip() for child in children
            if " Z " not in Path(f"/proc/{child}/stat").read_text()
            or pytest.fail(f"{child} is a zombie")}


def open_files(one):
    return len(list(Path(f"/proc/{one.pid}/fd").iterdir()))


def memory(pid):
    """Private memory in kilobytes."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private"))
