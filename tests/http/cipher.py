"""A crypto helper that pauses before it seals, so that a test can do something at that moment."""

import contextlib
import os

from sandbox import process

SCRIPT = """#!/usr/bin/python3
import os, subprocess, sys, time
real = subprocess.Popen([{real!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
for line in sys.stdin.buffer:
    if b'"do":"seal"' in line:
        os.close(os.open({waits!r}, os.O_CREAT | os.O_WRONLY, 0o600))
        while not os.path.exists({goes_on!r}):
            time.sleep(0.005)
    real.stdin.write(line)
    real.stdin.flush()
    sys.stdout.buffer.write(real.stdout.readline())
    sys.stdout.buffer.flush()
real.stdin.close()
real.wait()
"""


class HeldCipher:
    """While the block runs, every request to seal waits until let_go() is called."""

    def __init__(self, site):
        self._program = site.libexec / "amo-crm-crypto"
        self._real = site.libexec / "amo-crm-crypto.real"
        # the web server's user creates a file in it
        self._folder = site.folder / "held"
        self._waits, self._goes_on = self._folder / "waits", self._folder / "goes-on"

    def __enter__(self):
        self._folder.mkdir()
        process.give(self._folder, 0o700, owner=True)
        self._program.rename(self._real)
        self._program.write_text(SCRIPT.format(
            real=str(self._real), waits=str(self._waits), goes_on=str(self._goes_on)))
        process.give(self._program, 0o755)
        return self

    def __exit__(self, *_):
        self.let_go()
        self._real.replace(self._program)
        for file in (self._waits, self._goes_on):
            with contextlib.suppress(FileNotFoundError):
                file.unlink()
        self._folder.rmdir()

    def wait(self):
        process.wait_until(self._waits.exists, "a request to seal")

    def let_go(self):
        os.close(os.open(self._goes_on, os.O_CREAT | os.O_WRONLY, 0o644))
