"""The table of what the faults did."""

from collections import Counter, defaultdict

from .torture import EXCUSED, OUTCOMES

KILLED = "killed"
UNREACHED = "not reached"


class Figures:
    def __init__(self):
        self._runs = defaultdict(Counter)       # by case and process
        self._outcomes = defaultdict(Counter)   # by case, process and kind of fault

    def add(self, case, process, runs, findings):
        self._runs[case, process] += runs
        for finding in findings:
            kind = finding.fault.error or KILLED
            self._outcomes[case, process, kind][finding.outcome] += 1

    def failed(self):
        return any(count for outcomes in self._outcomes.values()
                   for outcome, count in outcomes.items() if outcome not in EXCUSED)

    def __str__(self):
        lines = [row("case", "process", "fault", "runs", list(OUTCOMES))]
        for case, process in self._runs:
            for kind in ("errors", KILLED):
                lines.append(self._row(case, process, kind, lambda one: one == (case, process)))
        kinds = {kind for runs in self._runs.values() for kind in runs} - {UNREACHED}
        lines += ["", row("all cases", "", "fault", "runs", list(OUTCOMES))]
        for kind in sorted(kinds):
            lines.append(self._row("", "", kind, lambda _: True))
        lines.append(self._row("", "", "all", lambda _: True))
        return "\n".join(lines + [""] + [f"{name}: {text}" for name, text in OUTCOMES.items()])

    def _row(self, case, process, kind, chosen):
        def counts(one):
            return one == kind or kind == "all" or (kind == "errors" and one != KILLED)
        runs = sum(count for key, runs in self._runs.items() if chosen(key)
                   for one, count in runs.items() if one != UNREACHED and counts(one))
        outcomes = Counter()
        for (*key, one), found in self._outcomes.items():
            if chosen(tuple(key)) and counts(one):
                outcomes += found
        return row(case, process, kind, runs, [outcomes[name] for name in OUTCOMES])


def row(case, process, kind, runs, figures):
    return (f"{case:26} {process:15} {kind:7} {runs:>6}"
            + "".join(f" {figure:>9}" for figure in figures)).rstrip()
