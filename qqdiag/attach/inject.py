"""An aiomonitor for a gateway that has none: nothing else of qqdiag runs anything in one, and this asks before."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from qqdiag.attach import injected, ways
from qqdiag.attach.ways import REMOTE_EXEC, Way
from qqdiag.cpython.runtime import attach as runtime_of
from qqdiag.errors import NotReadable, QqdiagError, TargetGone
from qqdiag.memory.live import LiveMemory
from qqdiag.model import Say, Word
from qqdiag.target import Live

Tell = Callable[[Say], None]
PATIENCE = {REMOTE_EXEC: 600.0, ways.HYPNO: 30.0}  # seconds for the program to begin
START = 30.0  # seconds for aiomonitor, once it has begun, and for its end
SOON = 1.0  # seconds, after which it is said that the program has not begun
STEP = 0.1  # seconds
BEGUN, STARTED, STOPPED = "begun", "started", "stopped"
ANSWERS = {
    "no-loop": Say("no event loop runs in its main thread, where the program would start one"),
    "there-already": Say("an aiomonitor was put into it before, and is still there"),
    "ModuleNotFoundError": Say("aiomonitor cannot be imported in it"),
    "ImportError": Say("aiomonitor cannot be imported in it"),
}


class Program(NamedTuple):
    """The program that was put into a process: its files."""

    target: Live
    way: Way
    source: Path
    told: Path
    leave: Path

    def answer(self) -> str:
        """What it has told last."""
        try:
            return self.told.read_text("ascii", "replace")
        except FileNotFoundError:
            return ""


def explain(target: Live, way: Way) -> list[Say]:
    """What will happen in the process."""
    return [
        Say("this runs a program in process {pid}, by {way}", pid=target.pid, way=Word(way.name)),
        Say("  it imports aiomonitor and starts it in a thread of its own, on two ports of loopback"),
        Say("  no garbage is collected in it until it is taken out again, when you leave, or when qqdiag ends"),
        Say("  it begins once the main thread runs Python again: a loop that stands, or waits for ever, never does")
        if way.name == REMOTE_EXEC
        else Say("  it may harm the process: a program that is put into another one runs at a place nobody chose"),
        Say("  a capture is taken first, because what hangs may not survive this"),
    ]


@contextlib.contextmanager
def injected_monitor(target: Live, way: Way, tell: Tell) -> Iterator[int]:
    """A gateway with an aiomonitor in it, and the port of its terminal; at the end it is taken out.

    NotReadable where that cannot be. The program's file can be changed by nobody else; only the process may answer.
    `tell` has what there is to wait for, and how it stands where that is broken off.
    """
    port = free_ports()
    with tempfile.TemporaryDirectory(prefix="qqdiag-", dir=way.folder) as folder:
        program = _write(target, way, Path(folder), port)
        with contextlib.ExitStack() as held:
            held.callback(os.close, os.open(program.leave, os.O_RDWR))  # for reading too: nobody reads it yet
            target.check()
            ways.put(target, way, str(program.source))
            over = False
            try:
                _begin(program, tell)
                yield port
                over = True
            finally:
                held.close()  # the sign to leave
                if not over:
                    _leave_early(program, tell)
            _wait(program, START, {STOPPED})


def _write(target: Live, way: Way, folder: Path, port: int) -> Program:
    os.chmod(folder, 0o755)
    answers = folder / "answers"
    answers.mkdir(0o700)
    program = Program(target, way, folder / "program.py", answers / "told", answers / "leave")
    os.mkfifo(program.leave, 0o600)
    if os.geteuid() == 0:
        owner = os.stat(f"/proc/{target.pid}").st_uid
        os.chown(answers, owner, -1)
        os.chown(program.leave, owner, -1)
    program.source.write_text(injected.program(str(program.told), str(program.leave), port, _paths(target)))
    program.source.chmod(0o644)
    return program


def _begin(program: Program, tell: Tell) -> None:
    """Wait until the monitor is there. NotReadable where it does not come to that."""
    if not _wait(program, SOON):
        tell(Say("it has not begun: the main thread runs no Python now; waiting until it does (Ctrl-C takes it back)"))
    if not _wait(program, PATIENCE[program.way.name]):
        raise NotReadable(
            Say("the program has not begun: the main thread runs no Python"),
            Say("see where it stands: qqdiag inspect {pid}", pid=program.target.pid),
        )
    _wait(program, START, {STARTED})


def _wait(program: Program, limit: float, wanted: set[str] | None = None) -> bool:
    """Until it tells anything, or what is wanted. False where it told nothing in time; NotReadable where it failed, or
    what is wanted did not come."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        answer = program.answer()
        if answer in (wanted or {BEGUN, STARTED}):
            return True
        if answer not in ("", BEGUN, STARTED):
            why = ANSWERS.get(answer, Say("the program ended in it with {error}", error=Word(answer[:40])))
            raise NotReadable(why, Say("qqdiag inspect {pid} needs nothing in it", pid=program.target.pid))
        program.target.check()
        time.sleep(STEP)
    if wanted is None:
        return False
    raise NotReadable(
        Say("what was put into process {pid} stands: no thread of it runs Python now", pid=program.target.pid),
        Say("it takes itself out as soon as it runs; see what holds it: qqdiag inspect {pid}", pid=program.target.pid),
    )


def _leave_early(program: Program, tell: Tell) -> None:
    """Take it back where it has not begun, and wait for its end where it has; say how it stands."""
    try:
        if not program.answer():
            ways.withdraw(program.target, program.way)
        if not program.answer():
            tell(Say("it had not begun, and was taken back: nothing of it is in the process"))
        elif program.answer() in (BEGUN, STARTED) and _wait(program, START, {STOPPED}):
            tell(Say("it was taken out again"))
    except TargetGone:  # there is nothing to take back, and why is told already
        return
    except QqdiagError as error:
        tell(error.message)


def _paths(target: Live) -> list[str]:
    """Where our own aiomonitor is, if the process runs the same minor version: another one could not import it."""
    with LiveMemory(target.pid) as memory:
        same = runtime_of(memory).version[:2] == sys.version_info[:2]
    spec = find_spec("aiomonitor")
    return [str(Path(spec.origin).parent.parent)] if same and spec is not None and spec.origin else []


def free_ports() -> int:
    """The first of two neighbours that nobody has."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port: int = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError), socket.create_server(("127.0.0.1", port + 1)):
                return port
