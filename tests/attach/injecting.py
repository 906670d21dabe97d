"""Gateways without an aiomonitor that say of themselves what is in them, and `attach --inject` in a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

GATEWAY = """
import asyncio, gc, os, sys, threading, time
async def orphan():
    await asyncio.get_running_loop().create_future()  # a collection would destroy the task
async def main():
    asyncio.create_task(orphan(), name="orphan")
    await asyncio.sleep(0)
    loop, wake = asyncio.get_running_loop(), asyncio.Event()
    threading.Thread(target=tell, args=(loop,), daemon=True).start()
    print(flush=True)
    if sys.argv[1] == "blocked":
        while True:
            time.sleep(0.5)  # the loop stands, and its thread runs Python now and then
    if sys.argv[1] == "spinning":
        while True:
            pass
    await asyncio.Event().wait()
def tell(loop):
    for line in sys.stdin:
        if line == "turn\\n":
            loop.call_soon_threadsafe(int)
        told = gc.isenabled(), [t.name for t in threading.enumerate()], "_qqdiag_monitor" in sys.modules
        print(*told, len(sys.path), flush=True)
asyncio.run(main())
"""
TASK = "orphan"  # its name
PATIENCE = 90.0  # seconds for a text to come on the screen


@contextmanager
def gateway(how: str, *python: str, environment: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A gateway that has begun. `python`: the words that run its interpreter."""
    command = [*(python or (sys.executable,)), "-c", GATEWAY, how]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "\n"
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str], line: str = "") -> str:
    """What the process says of itself: its collector, its threads, whether it has a monitor. After `turn` its loop
    runs for a moment."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline()


def until_as(process: subprocess.Popen[str], before: str) -> None:
    """Until it says what it said before: the last thread of what was put in ends a moment after it told so."""
    for _ in range(200):
        now = told(process)
        if now == before:
            return
        time.sleep(0.05)  # it has no event to wait for: the end of a thread in another process
    assert now == before


class Session:
    """A command in a terminal, `qqdiag attach --inject` where none is given."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.child, self.terminal = pty.fork()
        if not self.child:
            os.chdir(folder)
            os.execvpe(command[0], command, {**os.environ, **(environment or {})})
        self.screen = ""

    def until(self, text: str) -> None:
        end = time.monotonic() + PATIENCE
        while text not in self.screen:
            assert time.monotonic() < end, self.screen
            assert select.select([self.terminal], [], [], PATIENCE)[0], self.screen
            self.screen += os.read(self.terminal, 1 << 16).decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self.terminal, f"{text}\r".encode())

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        os.write(self.terminal, b"\x03")

    def end(self) -> int:
        while True:
            try:
                self.screen += os.read(self.terminal, 1 << 16).decode(errors="replace")
            except OSError:
                break
        code = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        os.close(self.terminal)
        return code


def inject(pid: int, folder: Path) -> Session:
    """Begun on the given process, from an interpreter of ours."""
    command = [sys.executable, "-m", "qqdiag", "attach", str(pid), "--inject", "-o", str(folder / "before.qqd")]
    return Session(command, folder)
