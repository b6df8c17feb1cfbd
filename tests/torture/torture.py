"""Runs a case with a fault, and judges by the facts."""

import contextlib
import os
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "http"))

import app  # noqa: E402
import connections  # noqa: E402
from sandbox import process  # noqa: E402
from sandbox.amocrm import Amocrm, usual_integration  # noqa: E402
from sandbox.receiver import Receiver  # noqa: E402
from sandbox.servers import Bare  # noqa: E402
from sandbox.site import Site  # noqa: E402

from . import cases, faults, strace  # noqa: E402

PROGRAM = "the program"
CHECKED = 10        # `amocrmctl check` runs after every tenth fault
UNSTORED = "unstored"
ESCROW = "amoescr1"     # the beginning of what is written into the escrow, before all else
OUTCOMES = {
    "burnt": "amoCRM has used up a code or token, and its pair is lost",
    "in flight": "the same, but the program had not read amoCRM's reply yet",
    UNSTORED: "the same, killed between reading the reply and writing it into the escrow",
    "lost": "what was acknowledged is not kept",
    "broken": "the programs do not work afterwards",
    "invalid": "no valid response, or a wrong one",
    "hung": f"no end within {strace.PATIENCE} s",
    "leftover": "a file is left that the same operation does not reuse",
}
EXCUSED = ("in flight", UNSTORED)


@dataclass
class Finding:
    case: str
    process: str
    fault: strace.Fault
    outcome: str
    detail: str

    def __str__(self):
        return f"{self.case}: {self.process}: {self.fault}: {self.outcome}: {self.detail}"


class Place:
    """The programs with a stand-in for amoCRM and a receiver of deliveries."""

    def __init__(self):
        self._stack = contextlib.ExitStack()
        self.folder = process.new_folder()
        self._stack.callback(process.remove_folder, self.folder)
        self.amocrm = self._stack.enter_context(
            Amocrm(self.folder / "amocrm", usual_integration("http://localhost/")))
        self.receiver = self._stack.enter_context(Receiver())
        self.site = Site(self.amocrm, self.folder)
        self.traces = self.folder / "traces"
        self.traces.mkdir()
        process.give(self.traces, 0o700, owner=True)
        self._keys = self.site.keys.read_text()
        self.olena = app.User(self.site)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def prepare(self, case):
        self.site.write_keys(self._keys)
        self.site.reset(Bare(self.site))
        self.site.configure(**case.config)
        self.receiver.clear()
        case.prepare(self)
        self._template = self.folder / "template"
        shutil.rmtree(self._template, ignore_errors=True)
        copy(self.site.store, self._template)
        self._keys_now = self.site.keys.read_text()
        self._saved = self.amocrm.oauth.saved()

    def begin(self, case):
        """The state after prepare again."""
        shutil.rmtree(self.site.store)
        copy(self._template, self.site.store)
        if self.site.keys.read_text() != self._keys_now:
            self.site.write_keys(self._keys_now)
        self.amocrm.forget()
        self.amocrm.oauth.restore(self._saved)
        case.begin(self)

    def run(self, case, options=None):
        arguments, env, given = case.command(self)
        return strace.run(self.site, arguments, env=env, given=given, options=options,
                          folder=self.traces)


def copy(source, target):
    """Copies a store with owners and modes."""
    target.mkdir()
    for entry in os.scandir(source):
        if entry.is_dir(follow_symlinks=False):
            copy(Path(entry), target / entry.name)
        else:
            shutil.copy2(entry, target / entry.name)
            chown_like(entry.path, target / entry.name)
    chown_like(source, target)
    shutil.copymode(source, target)


def chown_like(source, target):
    if process.is_root():
        status = os.stat(source)
        os.chown(target, status.st_uid, status.st_gid)


class Series:
    """All faults of one process in one case."""

    def __init__(self, place, case, name=PROGRAM):
        self.place, self.case, self.name = place, case(), name
        self.helper = None
        self.findings, self.runs = [], Counter()

    def __enter__(self):
        self.place.prepare(self.case)
        if self.name != PROGRAM:
            self.helper = strace.TracedHelper(self.place.site, self.name)
        return self

    def __exit__(self, *_):
        if self.helper:
            self.helper.remove()

    def _traced(self, options):
        self.place.begin(self.case)
        if not self.helper:
            return self.place.run(self.case, options)
        self.helper.arm(options)
        ran = self.place.run(self.case)
        self.helper.disarm()
        ran.trace = self.helper.trace()
        return ran

    def plan(self):
        """The faults, from a run without one, which also shows the files of a store."""
        ran = self._traced(["-e", "trace=all"])
        wrong = self.case.wrong(ran) or self.case.repeat(self.place) \
            or self.case.unkept(self.place, True)
        if wrong or not self.case.acknowledged(ran):
            raise AssertionError(f"{self.case.name} fails without a fault: {wrong} {ran}")
        self._usual = self._files()
        return faults.planned(ran.trace.numbers())

    def run(self, fault):
        ran = self._traced(["-e", "trace=all", "-e", fault.option()])
        hit = ran.trace.hit()
        kind = "killed" if fault.error is None else fault.error
        if hit is None:
            self.runs["not reached"] += 1
            return
        self.runs[kind] += 1
        for outcome, detail in self._judge(fault, ran, hit):
            self.findings.append(
                Finding(self.case.name, self.name, fault, outcome, " ".join(detail.split())))

    def _judge(self, fault, ran, hit):
        case, place = self.case, self.place
        killed = fault.error is None and not self.helper
        if ran.hung:
            yield "hung", ran.complaint[-300:]
        elif not killed and not self._excused(fault, ran, hit) and (wrong := case.wrong(ran)):
            yield "invalid", f"{wrong} {ran.complaint[-300:]}"
        acknowledged = case.acknowledged(ran)
        broken = case.repeat(place)
        before = self.place._saved
        used = len(place.amocrm.oauth.saved()[2]) > len(before[2])
        try:
            unkept = case.unkept(place, acknowledged)
            burnt = used and not stored_newest(place)
        except AssertionError as failed:
            broken, unkept, burnt = broken or str(failed), None, False
        if burnt:
            yield self._excuse(fault, ran, hit), f"{broken} {ran.complaint[-400:]}"
        elif broken:
            yield "broken", f"{broken}; before: {ran.complaint[-300:]}"
        elif unkept:
            yield "lost", unkept
        yield from self._checked()
        yield from self._leftover()

    def _excuse(self, fault, ran, hit):
        """Which kind of loss it is."""
        if self.helper:
            if self.name != strace.HTTPS or (fault.error == "EINTR" and fault.call != "fcntl"):
                return "burnt"
            replied = ran.trace.last_output()
            return "in flight" if replied is None or hit <= replied else "burnt"
        sent, read = ran.trace.https_call()
        if sent is not None and (read is None or hit <= read):
            return "burnt" if fault.error == "EINTR" else "in flight"
        if fault.error is None and read is not None and not any(
                name == "pwrite64" and ESCROW in rest
                for name, rest in ran.trace.calls[read + 1:hit]):
            return UNSTORED
        return "burnt"

    @staticmethod
    def _excused(fault, ran, hit):
        """A request that cannot be read, and a response that cannot be written, are the server's
        fault, unless the call was interrupted."""
        name, rest = ran.trace.calls[hit]
        return fault.error != "EINTR" and (
            (name == "read" and rest.startswith("0,"))
            or (name in ("write", "writev") and rest.startswith("1,")))

    def _checked(self):
        if sum(self.runs.values()) % CHECKED == 0:
            lines = self.place.site.ctl("check", check=False).stdout.splitlines()
            bad = [line for line in lines if line.startswith("WRONG")
                   and line.split()[1] in ("store", "locks", "records", "connections", "events")]
            if bad:
                yield "broken", f"check: {bad}"

    def _files(self):
        """All but those of which there is a fixed number, as of free slots of the escrow."""
        store = self.place.site.store
        free = set(connections.slots(self.place.site)) - set(connections.occupied(self.place.site))
        return {str(file.relative_to(store)) for file in store.rglob("*")
                if file.suffix not in (".gdbm", ".room") and file not in free}

    def _leftover(self):
        """Files that are left even after the same was done again, in a store with these files."""
        store = self.place.site.store
        left = {name: (store / name).read_bytes() for name in self._files() - self._usual
                if (store / name).is_file()}
        if not left:
            return
        self.place.begin(self.case)
        for name, content in left.items():
            if not (store / name).parent.exists():
                (store / name).parent.mkdir()
                process.give((store / name).parent, 0o700, owner=True)
            (store / name).write_bytes(content)
            process.give(store / name, 0o600, owner=True)
        self.place.run(self.case)
        self.case.repeat(self.place)
        still = left.keys() & (self._files() - self._usual)
        if still:
            yield "leftover", f"{sorted(still)}"


def stored_newest(place):
    """Whether the pair that amoCRM has issued last is stored."""
    newest = place.amocrm.oauth.newest()
    return any(pair["refresh_token"] == newest.refresh_token
               for pair in connections.stored(place.site).values())


def all_series():
    """Every case with every process in which faults are provoked."""
    return [(case, name) for case in cases.CASES for name in (PROGRAM, *case.helpers)]
