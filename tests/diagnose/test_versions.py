"""The known faults of an adapter that runs: read off the files that its code names, and off nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from peers import websocket_server
from started import started

from qqdiag import capture
from qqdiag.explain import load
from qqdiag.model import Missing
from qqdiag.run import record
from qqdiag.snapshot import KnownFault, Snapshot
from qqdiag.target import Live, resolve
from qqdiag.versions import adapters
from qqdiag.versions.functions import MAX_LINES, function

PROGRAM = Path(__file__).with_name("adapters.py")
MENDED = """

class Mended(QQAdapter):
    async def _wait_for_reconnection(self) -> bool:
        while self._ws.closed and not self._listen_task.done():
            await asyncio.sleep(0.5)
        return not self._ws.closed


"""


@contextmanager
def running(program: Path, port: int, state: str = "beating") -> Iterator[int]:
    with started(program, state, port) as process:
        yield process.pid


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with websocket_server() as found:
        yield found


def live(pid: int) -> Live:
    target = resolve(str(pid))
    assert isinstance(target, Live)
    return target


def look(pid: int) -> Snapshot:
    return record(live(pid), 0.0).snapshot


def fault(snapshot: Snapshot, id: str) -> KnownFault:
    assert isinstance(snapshot.faults, list), snapshot.faults
    return next(row for row in snapshot.faults if row.fault.reveal() == id)


def last_line(program: Path, method: str) -> int:
    """Where the last method of that name begins."""
    *_, last = re.finditer(rf"^ +async def {method}\(", program.read_text(), re.MULTILINE)
    return program.read_text()[: last.start()].count("\n") + 1


def test_a_fault_is_where_the_file_has_it(port: int) -> None:
    with running(PROGRAM, port) as pid:
        snapshot = look(pid)
    found = fault(snapshot, "send-waits")
    assert (found.state.reveal(), found.failure.reveal()) == ("has", "send-waiting")
    assert found.path is not None
    assert (found.path.reveal(), found.line) == (str(PROGRAM), last_line(PROGRAM, "_wait_for_reconnection"))
    assert fault(snapshot, "gives-up").state.reveal() == "unknown"  # its listener does not reconnect at all


def test_the_nearest_class_counts(port: int, tmp_path: Path) -> None:
    """A class that derives from the adapter and mends a method of it."""
    mended, text = tmp_path / "mended.py", PROGRAM.read_text()
    at = text.index("QQAdapter.__module__")
    mended.write_text(text[:at] + MENDED + text[at:].replace("QQAdapter(**", "Mended(**"))
    with running(mended, port) as pid:
        found = fault(look(pid), "send-waits")
    assert (found.state.reveal(), found.line) == ("free", last_line(mended, "_wait_for_reconnection"))


def test_a_file_that_was_changed_is_not_what_runs(port: int, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    shutil.copy(PROGRAM, program)
    with running(program, port) as pid:
        assert fault(look(pid), "send-waits").state.reveal() == "has"
        later = program.stat().st_mtime + 3600
        os.utime(program, (later, later))
        changed = look(pid).faults
        program.unlink()
        gone = look(pid).faults
    assert isinstance(changed, Missing)
    assert isinstance(gone, Missing)


def test_a_file_of_other_lines_is_not_what_runs(port: int, tmp_path: Path) -> None:
    """A package that was replaced by files as old as itself: where a method began, none begins now."""
    program = tmp_path / "program.py"
    shutil.copy(PROGRAM, program)
    before = program.stat().st_mtime
    with running(program, port) as pid:
        program.write_text("# one line more\n" + PROGRAM.read_text())
        os.utime(program, (before, before))
        assert isinstance(look(pid).faults, Missing)


def test_a_capture_keeps_them(port: int, tmp_path: Path) -> None:
    file = tmp_path / "capture"
    with running(PROGRAM, port) as pid:
        recording = record(live(pid), 0.0)
        capture.write(file, recording)
    assert isinstance(recording.snapshot.faults, list)
    assert capture.open(file).faults == recording.snapshot.faults


def inspected(pid: int, *options: str) -> str:
    command = [sys.executable, "-m", "qqdiag", "inspect", str(pid), "--interval", "0.3", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout


def test_it_is_told_beside_the_adapter_and_beside_the_finding(port: int) -> None:
    has = f"has send-waits (send-waiting), {{}}:{last_line(PROGRAM, '_wait_for_reconnection')}: a send waits for "
    with running(PROGRAM, port, "send-waiting") as pid:
        public, private = inspected(pid), inspected(pid, "--raw")
    assert public.count(has.format("diagnose/adapters.py")) == 2
    assert f"this adapter's source {has.format('diagnose/adapters.py')}" in public
    assert "its source has the known faults of no release of hermes-agent" in public
    assert "not recognised, so it may have spins, " in public
    assert has.format(PROGRAM) in private


def test_where_the_source_is_not_it_is_said(port: int, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    shutil.copy(PROGRAM, program)
    with running(program, port) as pid:
        program.unlink()
        assert "known faults: not looked for, the adapter's source is not there" in inspected(pid)


def test_a_program_without_an_adapter_has_none() -> None:
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert look(process.pid).faults is None
        process.communicate("\n")


# --- the text of one function ----------------------------------------------------------------------------------------


def test_a_function_is_cut_out_by_its_first_line() -> None:
    text = "class A:\n    @staticmethod\n    def f(\n        x=')',\n    ):\n        return 1\n\n    def g(self): ...\n"
    found = function(text, 2)
    assert found is not None
    assert (found.name, found.body[0].lineno) == ("f", 6)
    assert [function(text, line) for line in (0, -1, 1, 6, 7, 99)] == [None] * 6


@pytest.mark.parametrize(
    "body",
    [
        "(" * 5000,
        "-" * 50_000 + "1",
        "(\n" + "-\n" * 500 + "1)",
        "x" + "[0]" * 10_000,
        "1" + "+1" * 12_000,
        "lambda:" * 4000 + "1",
        "\0",
        "\f\n  x\n x",
        "'''",
        "f'{" * 200,
        "\ud800",
        "x = 1\n" * 20_000,
        "if x:\n    " + "y" * 100_000,
    ],
    ids=lambda body: ascii(body[:8]),
)
def test_no_text_is_too_much_for_it(body: str) -> None:
    indented = "\n".join(f"    {line}" for line in body.split("\n"))
    found = function(f"def f():\n{indented}\n", 1)
    assert found is None or len(found.body) <= MAX_LINES


def test_odd_escapes_are_said_to_nobody() -> None:
    text = 'def f():\n    return "\\d"\n'
    program = f"from qqdiag.versions.functions import function; print(function({text!r}, 1).name)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("f", "")


# --- what is known of releases ---------------------------------------------------------------------------------------


def test_a_runbook_says_the_same_of_where_it_is_fixed() -> None:
    (source,) = adapters()
    for failure in {fault.failure for fault in source.faults}:
        fixed = [fault.fixed_in for fault in source.faults if fault.failure == failure]
        if all(fixed):
            assert all(f"hermes-agent {release}" in load(failure).fixed_in for release in fixed), failure


def test_a_release_has_no_fault_that_was_fixed_in_an_earlier_one() -> None:
    (source,) = adapters()
    releases = list(source.releases)
    for one in source.faults:
        having = [release for release in releases if one.id in source.releases[release]]
        if one.fixed_in in releases:
            assert all(releases.index(release) < releases.index(one.fixed_in) for release in having), one.id
        elif not one.fixed_in:
            assert releases[-1] in having, one.id
