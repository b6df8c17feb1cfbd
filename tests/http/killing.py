"""Shared by the tests that kill programs at random moments: a busy machine is slow, and not always
equally slow, so the moments follow from what became of the programs that were killed before."""

import select
import time

STEP = 1.1      # how much a program's fate changes the guess


class Moments:
    """Random moments, such that about half of the programs end before they would be killed."""

    def __init__(self, chance, usual):
        """`usual` is a guess of how long the program runs, in seconds."""
        self._chance, self._usual = chance, usual

    def draw(self):
        return self._chance.uniform(0.1, 1.4) * self._usual

    def learn(self, killed):
        self._usual *= STEP if killed else 1 / STEP


def killed_after(program, seconds):
    """Kills the program after this time; returns what it had written."""
    if program.stdin:
        program.stdin.close()
    written, deadline = b"", time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([program.stdout], [], [], left)[0]:
            break
        if not (piece := program.stdout.read1()):
            break
        written += piece
    program.kill()
    written += program.stdout.read()
    program.stdout.close()
    if program.stderr:
        program.stderr.close()
    program.wait()
    return written
