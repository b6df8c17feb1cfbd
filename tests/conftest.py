"""The progress of `pytest -q`: one line for each file in a pipe, one changing line on a terminal.

A test that fails is named at once.  With -v, or without -q, pytest reports as usual.
"""

from collections import Counter

import pytest


def pytest_configure(config):
    if config.option.verbose < 0 and not hasattr(config, "workerinput"):
        config.inicfg["console_output_style"] = "classic"   # no percentages
        config.pluginmanager.register(Progress(config))


class Progress:
    def __init__(self, config):
        self._config = config
        self._left = Counter()      # tests of each file that have not ended
        self._total = self._ended = 0
        self._outcomes = {}         # of the tests of each file

    @property
    def _terminal(self):
        return self._config.pluginmanager.get_plugin("terminalreporter")

    # What there is to run; with pytest-xdist, every worker says it.

    def pytest_collection_finish(self, session):
        if session.items:
            self._collected([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node, ids):
        if not self._total:
            self._collected(ids)

    def _collected(self, ids):
        self._left = Counter(map(file_of, ids))
        self._total = len(ids)

    # What happens to a test.

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report):
        """Counted as usual, without a dot or a letter."""
        if report.failed:
            return ("failed", "", "FAILED") if report.when == "call" else ("error", "", "ERROR")
        if report.skipped:
            return "skipped", "", "SKIPPED"
        return ("passed", "", "PASSED") if report.when == "call" else None

    def pytest_runtest_logstart(self, nodeid):
        if self._terminal.isatty:
            self._terminal.rewrite(f"{self._count()} {nodeid}"[:self._columns()], erase=True)

    def pytest_runtest_logreport(self, report):
        outcomes = self._outcomes.setdefault(file_of(report.nodeid), Counter())
        if report.failed:
            self._line(f"FAILED {report.nodeid}" + ("" if report.when == "call"
                                                    else f" ({report.when})"))
        if report.failed or report.when == "call" or report.skipped:
            outcomes[report.outcome] += 1

    def pytest_runtest_logfinish(self, nodeid):
        file = file_of(nodeid)
        self._ended += 1
        self._left[file] -= 1
        if not self._left[file]:
            counts = ", ".join(f"{count} {name}" for name, count in
                               sorted(self._outcomes.get(file, {}).items()))
            self._line(f"{self._count()} {file}: {counts}")

    def _count(self):
        width = len(str(self._total))
        return f"[{self._ended:{width}}/{self._total}]"

    def _line(self, text):
        if self._terminal.isatty:
            self._terminal.rewrite("", erase=True)
            self._terminal.rewrite("")
        self._terminal.write_line(text)

    def _columns(self):
        return self._terminal._tw.fullwidth - 1


def file_of(nodeid):
    return nodeid.partition("::")[0]
