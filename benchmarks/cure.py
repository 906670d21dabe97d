"""The cure: what each version of hermes-agent falls into as it is installed, and how soon its patched copy recovers.

    python benchmarks/cure.py [--versions 0.14.0 ...] [--only TEXT] [--alone] [--at-once 2] [--write]

Each cell is a gateway of its own between the lab's platform and a stand-in for a model, as in `tests/hermes`. Before:
the fault, what `qqdiag inspect` says of it, and whether the gateway recovers by itself once the world is well again.
After: the same fault for a copy with the diff of `qqdiag fixes diff` (loop-watchdog: with its file and two lines in
run.py), and the seconds from the fault, or from the world's return, to the line that tells of READY or RESUMED.
Waits are short in both, and said above the table. Needs what the tests need: the network once, for the versions.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder, whose `inspect` would hide the one of the standard library

import argparse
import itertools
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parent.parent / "tests"))
sys.path.append(str(Path(__file__).parent.parent / "tests" / "hermes"))
import hermes_environment
import page
from hermes_cases import PLAIN
from hermes_faults import FATAL, FAULTS, SLOW
from hermes_patched import SHORTER, patched
from hermes_patient import HEARTBEAT_INTERVAL, Case, Patient, hermes
from hermes_senders import answer_after, seconds_of_send
from hermes_thrown import RESTS, RESUMED, SETTING, STOPPED, Fault, Thrown, lies_ahead
from hermes_watched import CODE, LIMIT, watched

BOUND = 20.0  # seconds in which a gateway that has not recovered is said not to
PATIENCE = 90.0  # seconds in which a patched one must
OUTCOMES = {STOPPED: "says that it stops", RESTS: "notices", RESUMED: "resumes"}
STANDING = {  # cases whose loop stands still, and the versions that fall into them
    "hot-loop": ("0.14.0", "0.16.0"),
    "blocked-in-pipe": hermes_environment.VERSIONS,
}


@dataclass(frozen=True)
class Bench:
    """The interpreters of a version: as it is installed, patched, and with loop-watchdog; and a folder for homes."""

    version: str
    original: Path
    patched: Path
    watched: Path
    folder: Path
    numbers: Iterator[int]
    alone: bool  # what cures a row is its own fixes, not all of them

    def home(self) -> Path:
        return self.folder / f"home-{next(self.numbers)}"

    def cured(self, fixes: str) -> Path:
        if not self.alone:
            return self.patched
        return patched(self.original, self.folder / f"copy-{next(self.numbers)}", *fixes.split(", "))


Cell = Callable[[Bench], str]


@dataclass(frozen=True)
class Row:
    fault: str
    fixes: str
    before: Cell
    after: Cell


def said(patient: Patient, goes_on: Callable[[Patient], object] | None = None) -> str:
    """The ids that `qqdiag inspect` finds, consequences and notes left out."""
    command = [sys.executable, "-P", "-m", "qqdiag", "inspect", str(patient.pid), "--json"]
    with tempfile.TemporaryFile() as out, subprocess.Popen(command, stdout=out) as looking:
        while goes_on is not None and looking.poll() is None:
            goes_on(patient)
        looking.wait(120)
        out.seek(0)
        told = json.load(out)
    grave = [one for one in told["findings"] if one["severity"] != "info" and not one.get("consequence_of")]
    return ", ".join(one["id"] for one in grave) or told["verdict"]


# --- faults of the adapter -------------------------------------------------------------------------------------------


@contextmanager
def ready(bench: Bench, python: Path, fault: Fault) -> Iterator[Patient]:
    case = Case("cure", fault.begin, setting=SETTING, through_relay=fault.through_relay)
    with hermes(case, python, bench.home()) as patient:
        yield patient


def recovery(thrown: Thrown, fault: Fault, since: float, bound: float) -> str:
    """`0.4 s`, or that there was none."""
    with suppress(AssertionError):
        thrown.wait(fault.recovered, seconds=bound)
        seconds = time.monotonic() - since
        outcome = OUTCOMES.get(fault.recovered)
        return f"{outcome}, {seconds:.1f} s" if outcome else f"{seconds:.1f} s"
    assert thrown.patient.gateway.process.poll() is None, "it ended"
    return f"not in {bound:g} s"


def unpatched(fault: Fault) -> Cell:
    def cell(bench: Bench) -> str:
        with ready(bench, bench.original, fault) as patient:
            thrown, began = lies_ahead(patient), time.monotonic()
            fault.throw(patient)
            if bench.version in fault.survivors:
                return recovery(thrown, fault, began, BOUND)
            fault.fallen(thrown)
            verdict = said(patient, fault.goes_on)
            if fault.returns is not None:
                fault.returns(patient)
            return f"{verdict}; {recovery(thrown, fault, began, BOUND)}"

    return cell


def cured(fault: Fault) -> Cell:
    def cell(bench: Bench) -> str:
        with ready(bench, bench.cured(fault.fixes), fault) as patient:
            thrown, began = lies_ahead(patient), time.monotonic()
            fault.throw(patient)
            if fault.returns is not None:
                fault.met(thrown)
                began = time.monotonic()
                fault.returns(patient)
            return recovery(thrown, fault, began, PATIENCE)

    return cell


# --- who waits for a dead listener -----------------------------------------------------------------------------------


def sending(is_patched: bool) -> Cell:
    def cell(bench: Bench) -> str:
        case = Case("cure", lambda _: None, setting=SETTING)
        python = bench.cured("send-gate") if is_patched else bench.original
        with hermes(case, python, bench.home()) as patient:
            thrown = answer_after(patient, 4914)
            thrown.wait("Not connected")
            verdict = "" if is_patched else f"{said(patient)}; "
            return f"{verdict}`send()` gives up after {seconds_of_send(thrown):.1f} s"

    return cell


# --- a loop that stands still ----------------------------------------------------------------------------------------


def standing(case: Case) -> Cell:
    def cell(bench: Bench) -> str:
        if bench.version not in STANDING[case.id]:
            return "does not fall"
        with hermes(case, bench.original, bench.home()) as patient:
            verdict = said(patient)
            with suppress(subprocess.TimeoutExpired):
                return f"{verdict}; ends with {patient.gateway.process.wait(BOUND)}"
            return f"{verdict}; not in {BOUND:g} s"

    return cell


def ended(case: Case) -> Cell:
    """Its exit code, then a new process, as a service manager would start it: seconds from the fault to READY."""

    def cell(bench: Bench) -> str:
        if bench.version not in STANDING[case.id]:
            return "does not fall"
        began: list[float] = []
        home = bench.home()
        with hermes(case, bench.watched, home, lambda _: began.append(time.monotonic())) as patient:
            assert patient.gateway.process.wait(PATIENCE) == CODE
            exited = time.monotonic() - began[0]
        with hermes(Case("again", lambda _: None, setting=SETTING), bench.watched, home):
            return f"ends with {CODE}, {exited:.1f} s; READY, {time.monotonic() - began[0]:.1f} s"

    return cell


# --- the table -------------------------------------------------------------------------------------------------------


def rows() -> list[Row]:
    adapters = [Row(one.id, one.fixes, unpatched(one), cured(one)) for one in (*FAULTS, *SLOW, FATAL)]
    cases = {case.id: case for case in PLAIN}
    loops = [Row(id, "loop-watchdog", standing(cases[id]), ended(cases[id])) for id in STANDING]
    return [*adapters, Row("an answer after the listener's end", "send-gate", sending(False), sending(True)), *loops]


def benches(versions: list[str], folder: Path, alone: bool) -> list[Bench]:
    found = []
    for version in versions:
        python, own = hermes_environment.python_of(version), folder / version
        own.mkdir()
        copies = (patched(python, own / "patched"), watched(python, own / "watched"))
        found.append(Bench(version, python, *copies, own, itertools.count(), alone))
    return found


def text(cell: Future[str]) -> str:
    error = cell.exception()
    if error is None:
        return cell.result()
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return f"FAILED: {type(error).__name__}"


def table(chosen: list[Row], found: list[Bench], pool: ThreadPoolExecutor) -> list[str]:
    cells = {
        (row.fault, bench.version): (pool.submit(row.before, bench), pool.submit(row.after, bench))
        for row in chosen
        for bench in found
    }
    versions = [bench.version for bench in found]
    heading = ["fault", "fix", *itertools.chain(*((f"{one} before", f"{one} after") for one in versions))]
    lines = [heading, ["---"] * len(heading)]
    for row in chosen:
        told = [text(cell) for version in versions for cell in cells[row.fault, version]]
        lines.append([row.fault, row.fixes, *told])
        print(" | ".join(lines[-1]), file=sys.stderr, flush=True)
    return [f"| {' | '.join(line)} |" for line in lines]


def conditions() -> str:
    waits = SETTING.constants
    close, deadline = SHORTER.values()
    return (
        f"A heartbeat each {0.8 * HEARTBEAT_INTERVAL / 1e3:g} s, back-off {waits['RECONNECT_BACKOFF']} s, "
        f"{waits['MAX_RECONNECT_ATTEMPTS']} attempts, a close timeout of {waits['CONNECT_TIMEOUT_SECONDS']} s; of the "
        f"fixes, {close:g} s to close and {deadline:g} s to READY in place of 5 and 30, and {LIMIT:g} s until the "
        f"watchdog ends the process in place of 60."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", nargs="+", default=list(hermes_environment.VERSIONS))
    parser.add_argument("--only", default="", help="rows whose fault or fix has this text")
    parser.add_argument("--alone", action="store_true", help="cure each row by its own fixes, not by all of them")
    parser.add_argument("--at-once", type=int, default=2, help="gateways that run at the same time")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    arguments = parser.parse_args()
    chosen = [row for row in rows() if arguments.only in f"{row.fault} {row.fixes}"]
    with (
        tempfile.TemporaryDirectory(prefix="qqdiag-cure-", ignore_cleanup_errors=True) as folder,
        ThreadPoolExecutor(arguments.at_once) as pool,
    ):
        lines = [conditions(), "", *table(chosen, benches(arguments.versions, Path(folder), arguments.alone), pool)]
    print("\n".join(lines))
    if arguments.write:
        page.replace("cure", "\n".join(lines))


if __name__ == "__main__":
    main()
