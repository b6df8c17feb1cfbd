"""The store by the number of connections, and the journal by the number of writers."""

import shutil

import measure
from measure import median
from report import Table, number
from setting import output, tool

SIZES = (100, 1000, 10_000, 100_000)
WRITERS = (1, 8, 64)


def key_of_connection(setting):
    [connection] = setting.site.connections()
    return f"connection:{connection['account_id']}:{connection['amocrm_user_id']}"


def microseconds(*arguments):
    return [float(line) for line in output([tool("storage"), *arguments]).split()]


def filled(setting, sizes):
    """Creates a store of each size, with copies of the record of a real connection."""
    key = key_of_connection(setting)
    stores = {}
    for size in sizes:
        stores[size] = setting.folder / f"store-{size}"
        stores[size].mkdir(mode=0o700)
        output([tool("storage"), "fill", stores[size], size, setting.site.store, key])
    return stores


def spread(samples):
    ordered = sorted(samples)
    return median(ordered), ordered[len(ordered) * 9 // 10]


def size_of(store):
    return sum(file.stat().st_size for file in store.rglob("*") if file.is_file())


def store_section(setting, results, quick):
    sizes = SIZES[:2] if quick else SIZES
    stores = filled(setting, sizes)
    turns, changes, reads = (2, 5, 100) if quick else (6, 20, 500)
    changed = measure.in_turn(
        {size: lambda size=size: microseconds("change", stores[size], str(size), str(changes))
         for size in sizes}, turns)
    read = measure.in_turn(
        {size: lambda size=size: microseconds("get", stores[size], str(size), str(reads))
         for size in sizes}, turns)
    table = Table("The store against the number of connections",
                  f"One process and random connections: {turns * changes} changes, each of which "
                  f"is on disk when it returns, then {turns * reads} reads from the same stores. A "
                  "connection consists of three records.",
                  ["connections", "change, µs", "vs. 100", "90 %", "read, µs", "vs. 100", "90 %",
                   "store, MB"])
    base = {}
    for size in sizes:
        cells = [number(size)]
        for what, samples in (("change", changed[size]), ("read", read[size])):
            middle, late = spread([one for turn in samples for one in turn])
            base.setdefault(what, middle)
            results[f"store {what} {size}"] = middle
            results[f"store {what} × {size}"] = middle / base[what]
            cells += [number(middle, 0 if what == "change" else 1), f"{middle / base[what]:.2f}",
                      number(late, 0 if what == "change" else 1)]
        table.add(*cells, number(size_of(stores[size]) / 1e6, 1))
    for store in stores.values():
        shutil.rmtree(store)
    return table


def appended_by(engine, where, password_file, writers, events):
    """EVENTS events from each writer: the seconds, and the longest wait for one in milliseconds."""
    return map(float, output(
        [tool("append"), engine, where, password_file, writers, events]).split())


def journal_section(setting, results, quick):
    events = 128 if quick else 1920
    turns = 1 if quick else 5

    def appended(writers):
        store = setting.folder / "journal"
        shutil.rmtree(store, ignore_errors=True)
        store.mkdir(mode=0o700)
        seconds, _ = appended_by("files", store, "", writers, events // writers)
        there = sum(file.read_bytes().count(b"\n") for file in store.glob("events/*.ndjson"))
        if there != (events // writers + 1) * writers:     # each writer's first is not measured
            raise RuntimeError(f"the journal holds {there} events")
        return events // writers * writers / seconds

    samples = measure.in_turn({writers: lambda writers=writers: appended(writers)
                               for writers in WRITERS}, turns)
    table = Table("The journal against the number of writers",
                  f"{events} events of 2.6 KB in total. A writer appends its next event when the "
                  f"previous one is on disk. Medians of {turns} rounds.",
                  ["writers", "events/s", "× one writer", "wait per event, ms"])
    for writers in WRITERS:
        rate = median(samples[writers])
        results[f"journal {writers}"] = rate
        table.add(writers, number(rate), f"{rate / median(samples[1]):.2f}",
                  number(writers / rate * 1e3, 2))
    return table
