"""The targets and the measured values.  A missed target is no failure: the machine may be busy."""

from dataclasses import dataclass

from report import Table

# CGI: the upper limit of the CPU time, relative to the empty program.  RESIDENT: the lower limit of
# the requests per CPU second, relative to Express.
CGI = {"webhook, 2 KB stored": 1.25, "status": 1.25, "disconnect, no token": 1.25}
RESIDENT = {"callback, no code": 2.5, "status": 2.5, "webhook, 2 KB stored": 2.0}
FLAT = 1.25


@dataclass
class Aim:
    what: str
    value: float            # None: not measured
    most: float = None
    least: float = None
    digits: int = 2

    def cells(self):
        if self.value is None:
            return [self.what, self._target(), "–", "–"]
        met = self.value <= self.most if self.least is None else self.value >= self.least
        return [self.what, self._target(), f"{self.value:.{self.digits}f}", "yes" if met else "no"]

    def _target(self):
        return f"≤ {self.most:g}" if self.least is None else f"≥ {self.least:g}"


def _first(results, beginning):
    return next((value for name, value in results.items() if name.startswith(beginning)), None)


def _ratio(value, base):
    return value / base if value and base else None


def _cgi(results):
    for name, most in CGI.items():
        value = results.get(f"cgi {name}")
        yield Aim(f"CGI, {name}: CPU against the empty program", value, most)
        if "stored" in name:
            yield Aim(f"CGI, {name}: CPU against the empty program that stores 2 KB",
                      _ratio(value, results.get("cgi the same, storing 2 KB")), most)


def _resident(results):
    for name, least in RESIDENT.items():
        for where, before in (("", ""), (", both behind lighttpd", "lighttpd, ")):
            ours = results.get(f"resident {name} | {before}ours, FastCGI")
            express = _first(results, f"resident {name} | {before}Express")
            yield Aim(f"FastCGI, {name}: requests per CPU second against Express{where}",
                      _ratio(ours, express), least=least)
    ours = [value for name, value in results.items() if name.startswith("memory our ")]
    yield Aim("RSS of one FastCGI process against Node's",
              _ratio(max(ours, default=None), _first(results, "memory Node")), 0.1, digits=3)


def _exchange(results):
    for how, beside, command, most in (("CGI", "the curl command", "", 5),
                                       ("FastCGI", "the curl command", "resident ", 0.5),
                                       ("FastCGI", "resident libcurl", "beside libcurl ", 0.5)):
        for where, name in (("", f"callback, {how}"),
                            (", store in memory", "the same, store in memory")):
            yield Aim(f"exchange in {how}{where}: ms above {beside}",
                      results.get(f"exchange {command}{name}"), most)


def _store(results):
    sizes = [name.rsplit(" ", 1)[1] for name in results if name.startswith("store change ×")]
    for size in sizes[-1:]:
        for what, most in (("change", 5), ("read", FLAT)):
            yield Aim(f"store, {what} at {size} connections against 100",
                      results[f"store {what} × {size}"], most)


def section(results):
    table = Table("Results against the targets", "All numbers are from this run.",
                  ["what", "target", "measured", "met"])
    for part in (_cgi, _resident, _exchange, _store):
        for aim in part(results):
            table.add(*aim.cells())
    return table
