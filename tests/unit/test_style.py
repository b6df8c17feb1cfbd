"""The style rules that a compiler does not check; see check-style."""

import subprocess
from pathlib import Path

import pytest

CHECK_STYLE = Path(__file__).resolve().parent / "check-style"


@pytest.mark.parametrize("name", ["folders", "banned", "variables", "format", "make", "width"])
def test_style(name):
    done = subprocess.run([CHECK_STYLE, name], capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    if done.returncode != 0:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
