"""`make bench` runs and prints all tables.  The numbers themselves are not tested."""

import os
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))

from sandbox.site import BUILD, ROOT  # noqa: E402

RUN = Path(__file__).resolve().parent / "run"
TITLES = ["CGI: one process for each request", "Resident: callback, no code", "Resident: status",
          "Resident: webhook, 2 KB stored", "Resident: memory",
          "The exchange: one process for each request", "The exchange: resident processes",
          "The store against the number of connections",
          "The journal against the number of writers",
          "Several hosts: events against the number of writers", "Several hosts: requests",
          "Results against the targets"]
LONGEST = 180   # seconds; it takes about 40


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    svg = tmp_path_factory.mktemp("bench") / "performance.svg"
    document = svg.with_name("performance.md")
    document.write_text((ROOT / "docs" / "performance.md").read_text())
    done = subprocess.run([RUN, "--quick", "--svg", svg, "--document", document],
                          capture_output=True, text=True, timeout=2 * LONGEST,
                          env={**os.environ, "BUILD": str(BUILD)})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, svg, document


def rows_of(text, title):
    """The cells of a table's rows, without the header."""
    lines = text.split(f"## {title}\n")[1].split("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines
            if line.startswith("|")][2:]


def skipped(text):
    return [line for line in text.splitlines() if line.startswith("Skipped: ")]


@pytest.mark.parametrize("title", TITLES)
def test_every_table_is_filled(printed, title):
    text, *_ = printed
    if title not in text and any("several hosts" in line for line in skipped(text)):
        pytest.skip("PostgreSQL is not installed")
    rows = rows_of(text, title)
    assert len(rows) >= 2
    if not skipped(text):
        assert all(cell for row in rows for cell in row)


def test_our_own_programs_are_never_skipped(printed):
    text, *_ = printed
    for line in skipped(text):
        assert "is not built" not in line, line
    assert "ours, FastCGI" in text
    ours = [row for row in rows_of(text, TITLES[-1]) if "Express" not in row[0]
            and "Node" not in row[0] and "in memory" not in row[0]]
    assert ours and all(row[2] != "–" for row in ours)


def test_the_picture_is_valid(printed):
    _, svg, _ = printed
    root = xml.etree.ElementTree.parse(svg).getroot()
    assert root.tag.endswith("svg")
    said = " ".join(root.itertext())
    for words in ("CGI: CPU time", "ours, FastCGI", "The store:"):
        assert words in said
    for bar in root.iter("{http://www.w3.org/2000/svg}rect"):
        if bar.get("width") != "100%":
            assert float(bar.get("width")) >= 0


def test_the_tables_are_written_into_the_document(printed):
    text, _, document = printed
    written = document.read_text()
    for title in TITLES:
        assert rows_of(written.replace("\n### ", "\n## "), title) == rows_of(text, title)
