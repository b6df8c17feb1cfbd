"""What servers of databases have in common: the user that they run as, and the examples in
docs/examples that they are started from.

PostgreSQL refuses root, so as root all of them run as nobody.
"""

import os
import pwd
import re
from pathlib import Path

from . import process
from .site import ROOT

EXAMPLES = ROOT / "docs" / "examples"
POSTGRESQL = Path("/usr/lib/postgresql/15/bin")


def user():
    """The user that PostgreSQL runs as."""
    return pwd.getpwnam("nobody") if process.is_root() else pwd.getpwuid(os.geteuid())


def as_user():
    """Arguments for subprocess."""
    return ({"user": user().pw_uid, "group": user().pw_gid, "extra_groups": []}
            if process.is_root() else {})


def give(path, mode):
    if process.is_root():
        os.chown(path, user().pw_uid, user().pw_gid)
    os.chmod(path, mode)


def replaced(text, replacements):
    """The text with each of the patterns replaced; one that is missing is an error."""
    for pattern, new in replacements.items():
        text, found = re.subn(pattern, lambda _, new=new: str(new), text, flags=re.M)
        if not found:
            raise ValueError(f"the example has no {pattern}")
    return text
