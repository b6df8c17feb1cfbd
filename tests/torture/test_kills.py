"""A sample of `make torture`: whatever is killed, nothing that two hosts acknowledged is lost."""

import random
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))

from torture import kills   # noqa: E402

ROUNDS = 4


@pytest.fixture(scope="module")
def place():
    with kills.Place() as place:
        yield place


@pytest.mark.parametrize("number", range(ROUNDS))
def test_nothing_acknowledged_is_lost_by_a_kill(place, number):
    done = kills.run(place, random.randrange(1 << 32))

    assert done.struck and done.load.accepted
