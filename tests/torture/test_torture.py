"""A sample of `make torture`: every system call may fail once, and nothing is lost by it."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))

from torture import faults, strace, torture     # noqa: E402

SAMPLE = 30     # faults of each process in each case; all of them are several hundred


@pytest.fixture(scope="module")
def place():
    reason = strace.works()
    if reason:
        pytest.skip(reason)
    with torture.Place() as place:
        yield place


@pytest.mark.parametrize("case, process", [
    pytest.param(case, process, id=f"{case.name}, {process}")
    for case, process in torture.all_series()])
def test_nothing_is_lost_by_a_fault(place, case, process):
    with torture.Series(place, case, process) as series:
        for fault in faults.sample(series.plan(), SAMPLE):
            series.run(fault)

    assert sum(series.runs.values()) > series.runs["not reached"]
    failed = [str(one) for one in series.findings if one.outcome not in torture.EXCUSED]
    assert not failed, "\n".join(failed)
