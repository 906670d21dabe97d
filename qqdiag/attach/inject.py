"""An aiomonitor for a gateway that has none: the one command that runs something in it, by name and after a question.

hypno (extra `inject`) puts a program into any CPython, at an unsafe place: 0 of 928 injections were seen to fail, none
can be promised. From 3.14 on `sys.remote_exec` (PEP 768) runs it at a safe place, which comes only once the main thread
runs Python again: a loop that waits in its selector for ever, or stands in a call, never gets there.
"""

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

from qqdiag.attach import injected
from qqdiag.collect import proc
from qqdiag.cpython.runtime import attach as runtime_of
from qqdiag.errors import NotReadable, UsageError
from qqdiag.memory.live import LiveMemory
from qqdiag.model import Say, Word
from qqdiag.target import Live

Progress = Callable[[], contextlib.AbstractContextManager[Callable[[str], None]]]
PATIENCE = 30.0  # seconds
STEP = 0.1  # seconds
ANSWERS = {
    "no-loop": Say("no event loop runs in its main thread, where the program would start one"),
    "there-already": Say("an aiomonitor was put into it before, and is still there"),
    "ModuleNotFoundError": Say("aiomonitor cannot be imported in it"),
    "ImportError": Say("aiomonitor cannot be imported in it"),
}


def explain(target: Live) -> list[Say]:
    """What will happen in the process."""
    way = _way(target)
    return [
        Say("this runs a program in process {pid}, by {way}", pid=target.pid, way=Word(way)),
        Say("  it imports aiomonitor and starts it in a thread of its own, on two ports of loopback"),
        Say("  no garbage is collected in it until it is taken out again, when you leave"),
        Say("  it may harm the process: a program that is put into another one runs at a place nobody chose")
        if way == "hypno"
        else Say("  it begins once the main thread runs Python again, which a loop that stands never does"),
        Say("  a capture is taken first, because what hangs may not survive this"),
    ]


def _way(target: Live) -> str:
    """`remote-exec` where both are of one minor version from 3.14 on; else `hypno`. NotReadable: there is neither."""
    with LiveMemory(target.pid) as memory:
        version = runtime_of(memory).version
    if version >= (3, 14) and version[:2] == sys.version_info[:2]:
        return "remote-exec"
    if find_spec("hypno") is None:
        raise NotReadable(
            Say("nothing here can put a program into CPython {major}.{minor}", major=version[0], minor=version[1]),
            Say("pip install 'qqdiag[inject]' (it may need a compiler), or run qqdiag with the gateway's own Python"),
        )
    return "hypno"


@contextlib.contextmanager
def injected_monitor(target: Live, progress: Progress) -> Iterator[int]:
    """A gateway with an aiomonitor in it, and the port of its terminal; at the end it is taken out.

    NotReadable where that cannot be. The program's file can be changed by nobody else; only the process may answer.
    """
    if not proc.same_namespace(target.pid, "mnt"):
        raise UsageError(
            Say("the process is in a container, and would not find the program's files"),
            Say("run qqdiag in there: docker exec CONTAINER qqdiag attach PID --inject"),
        )
    with tempfile.TemporaryDirectory(prefix="qqdiag-") as folder:
        os.chmod(folder, 0o755)
        answers = Path(folder, "answers")
        answers.mkdir(0o700)
        if os.geteuid() == 0:
            os.chown(answers, os.stat(f"/proc/{target.pid}").st_uid, -1)
        port = free_ports()
        _run(target, Path(folder), lambda told: injected.start(told, port, _paths(target)), "started", progress)
        try:
            yield port
        finally:
            _run(target, Path(folder), injected.stop, "stopped", progress)


def _run(target: Live, folder: Path, program: Callable[[str], str], wanted: str, progress: Progress) -> None:
    """Put a program into the process and wait for what it tells. NotReadable where that is not what is wanted."""
    told = folder / "answers" / wanted
    source = folder / f"{wanted}.py"
    source.write_text(program(str(told)))
    source.chmod(0o644)
    target.check()
    if _way(target) == "remote-exec":
        remote_exec: Callable[[int, str], None] = vars(sys)["remote_exec"]
        remote_exec(target.pid, str(source))
    else:
        import hypno

        hypno.inject_py(target.pid, f"exec(open({str(source)!r}).read(), {{}})")
    with progress() as step:
        step("waiting until the process has run it")
        answer = _answer(target, told)
    if answer != wanted:
        why = ANSWERS.get(answer, Say("the program ended in it with {error}", error=Word(answer[:40])))
        raise NotReadable(why, Say("qqdiag inspect {pid} needs nothing in it", pid=target.pid))


def _answer(target: Live, told: Path) -> str:
    """What the program tells. NotReadable where it does not in time."""
    end = time.monotonic() + PATIENCE
    while not (answer := _read(told)):
        target.check()
        if time.monotonic() > end:
            raise NotReadable(
                Say("the program has not begun within {limit} s: the main thread runs no Python", limit=PATIENCE),
                Say("see where it stands: qqdiag inspect {pid}", pid=target.pid),
            )
        time.sleep(STEP)
    return answer


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except FileNotFoundError:
        return ""


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
