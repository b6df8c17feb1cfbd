"""What was aimed at, and what came.  Nothing fails by it: a busy machine proves nothing."""

from report import Table

# The share of the empty program that each may take, and how often Express's each must be.
CGI = {"webhook, 2 KB stored": 1.25, "status": 1.25, "disconnect, no token": 1.25}
RESIDENT = {"callback, no code": 2.5, "status": 2.5, "webhook, 2 KB stored": 2.0}
MEMORY = 1 / 10
STORE = 5


def _of(results, *beginnings):
    """The first value whose name begins so."""
    for name, value in results.items():
        if name.startswith(beginnings):
            return value
    return None


def rows(results):
    """What, the target in words, the value, whether it is met; None where it was not measured."""
    keeping = results.get("cgi the same, keeping 2 KB")
    for name, most in CGI.items():
        value = results.get(f"cgi {name}")
        yield f"CGI, {name}: CPU against the empty program", f"≤ {most}", value, \
            value and value <= most, "{:.2f}"
        if "webhook" in name and value and keeping:
            yield f"CGI, {name}: against the empty one that keeps 2 KB too", f"≤ {most}", \
                value / keeping, value / keeping <= most, "{:.2f}"
    for name, least in RESIDENT.items():
        for where, before in (("", ""), (", both behind lighttpd", "lighttpd, ")):
            express = _of(results, f"resident {name} | {before}Express")
            value = results.get(f"resident {name} | {before}ours, FastCGI")
            ratio = value / express if value and express else None
            yield f"FastCGI, {name}: requests per CPU second against Express{where}", \
                f"≥ {least}", ratio, ratio and ratio >= least, "{:.2f}"
    node, ours = _of(results, "memory Node"), [
        value for name, value in results.items() if name.startswith("memory our ")]
    share = max(ours) / node if ours and node else None
    yield "RSS of one FastCGI process against Node's", "≤ 0.1", share, share and share <= MEMORY, \
        "{:.3f}"
    for what, most, command in (("CGI", 5, ""), ("FastCGI", 0.5, "resident ")):
        for where, name in (("", f"callback, {what}"),
                            (", store in memory", "the same, store in memory")):
            value = results.get(f"exchange {command}{name}")
            yield f"exchange in {what}{where}: ms above bare curl", f"≤ {most}", value, \
                value is not None and value <= most, "{:.2f}"
    sizes = [name for name in results if name.startswith("store change ×")]
    for name in sizes[-1:]:
        size = name.rsplit(" ", 1)[1]
        change, read = results[name], results[f"store read × {size}"]
        yield f"store, change at {size} connections against 100", f"≤ {STORE}", change, \
            change <= STORE, "{:.2f}"
        yield f"store, read at {size} connections against 100", "flat", read, read <= 1.25, "{:.2f}"


def section(results):
    table = Table("Against what was aimed at", "Ratios within this one run.",
                  ["what", "target", "measured", "met"])
    for what, target, value, met, shown in rows(results):
        table.add(what, target, "–" if value is None else shown.format(value),
                  "–" if value is None else "yes" if met else "no")
    return table
