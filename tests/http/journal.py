"""The files of the journal, which a test writes and reads without the programs."""

import os

from sandbox import process


def segment(site, number=1):
    return site.store / "events" / f"{number:010}.ndjson"


def append(site, text, *, number=1):
    """Appends to a segment.  New folders and files appear atomically, with their final owner."""
    file = segment(site, number)
    _appear(file.parent, lambda new: new.mkdir(), 0o700)
    _appear(file, lambda new: new.touch(), 0o600)
    with file.open("a") as opened:
        opened.write(text)


def _appear(path, make, mode):
    if not path.exists():
        new = path.with_name(path.name + ".new")
        make(new)
        process.give(new, mode, owner=True)
        os.rename(new, path)
