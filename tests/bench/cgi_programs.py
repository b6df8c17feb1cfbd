"""The cost of a CGI program from fork to exit, compared with that of an empty program."""

import measure
from measure import median
from report import Table, number
from setting import tool

EMPTY = "an empty C program"
KEEPING = "the same, storing 2 KB"


def commands_of(setting):
    """The commands to measure: arguments, environment, a file as standard input."""
    commands = {}
    for name, request in setting.requests().items():
        setting.check(request)
        body = setting.file(name.replace(" ", "-"), request.body or b"")
        commands[name] = ([setting.site.programs / request.program],
                          request.environment(setting.bare), body)
    return commands


def measured(setting, quick):
    """Samples of the empty program, samples of the others by name, and the instructions of each."""
    ours = commands_of(setting)
    environment = next(iter(ours.values()))[1]
    empty = ([tool("empty")], environment)
    keeping = ([tool("empty"), setting.site.store / "bench"], environment)
    others = {KEEPING: keeping, **ours}
    of_empty, of_others = measure.in_pairs(
        lambda: measure.run(*empty),
        {name: lambda one=one: measure.run(*one) for name, one in others.items()},
        15 if quick else 300)
    counted = {name: measure.instructions(*one) for name, one in {EMPTY: empty, **others}.items()}
    return of_empty, of_others, counted


def section(setting, results, quick):
    of_empty, of_others, counted = measured(setting, quick)
    base_cpu = median(run.cpu for run in of_empty)
    base_wall = median(run.wall for run in of_empty)
    table = Table("CGI: one process for each request",
                  "Medians of the time from fork to exit. Each run alternates with one of the empty "
                  "program. CPU time is user time plus system time: it includes submitting data to "
                  "the disk, but not waiting for it. Instructions are counted in user space. Page "
                  "faults are the pages that the kernel maps during the run.",
                  ["program", "CPU, µs", "× empty", "wall, µs", "× empty", "instructions",
                   "page faults"])
    for name, runs in {EMPTY: of_empty, **of_others}.items():
        cpu, wall = median(run.cpu for run in runs), median(run.wall for run in runs)
        table.add(name, number(cpu), f"{cpu / base_cpu:.2f}", number(wall),
                  f"{wall / base_wall:.2f}",
                  "–" if counted[name] is None else number(counted[name]),
                  number(median(run.faults for run in runs)))
        results[f"cgi {name}"] = cpu / base_cpu
        results[f"cgi cpu {name}"] = cpu
    table.add_note(f"{len(of_empty) // len(of_others)} rounds. The empty program is dynamically "
                   "linked against libc, as a small C program is by default.")
    if counted[EMPTY] is None:
        table.add_note("No instructions: valgrind is not installed.")
    return table
