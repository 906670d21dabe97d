"""An aiomonitor put into gateways that were not made for it, and taken out: nothing of it is left."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import interpreters
import pytest

pytestmark = pytest.mark.skipif(find_spec("hypno") is None, reason="no hypno: pip install 'qqdiag[inject]'")

GATEWAY = """
import asyncio, gc, os, sys, threading, time
async def orphan():
    await asyncio.get_running_loop().create_future()  # a collection would destroy the task
async def main():
    asyncio.create_task(orphan(), name="orphan")
    await asyncio.sleep(0)
    threading.Thread(target=tell, daemon=True).start()
    print(flush=True)
    if sys.argv[1] == "blocked":
        while True:
            time.sleep(0.5)  # the loop stands, and its thread runs Python now and then
    if sys.argv[1] == "spinning":
        while True:
            pass
    await asyncio.Event().wait()
def tell():
    for _ in sys.stdin:
        told = gc.isenabled(), [t.name for t in threading.enumerate()], "_qqdiag_monitor" in sys.modules
        print(*told, len(sys.path), flush=True)
asyncio.run(main())
"""
OF_ALL = "orphan"


@contextmanager
def gateway(how: str, python: str = sys.executable) -> Iterator[subprocess.Popen[str]]:
    command = [python, "-c", GATEWAY, how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "\n"
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str]) -> str:
    """What the process says of itself: its collector, its threads, whether it has a monitor."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
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
    """`qqdiag attach --inject` in a terminal."""

    def __init__(self, pid: int, folder: Path) -> None:
        command = [sys.executable, "-m", "qqdiag", "attach", str(pid), "--inject", "-o", str(folder / "before.qqd")]
        self.child, self.terminal = pty.fork()
        if not self.child:
            os.chdir(folder)
            os.execv(sys.executable, command)
        self.screen = ""

    def until(self, text: str) -> None:
        end = time.monotonic() + 90
        while text not in self.screen:
            assert time.monotonic() < end, self.screen
            assert select.select([self.terminal], [], [], 90)[0], self.screen
            self.screen += os.read(self.terminal, 1 << 16).decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self.terminal, f"{text}\r".encode())

    def end(self) -> int:
        while True:
            try:
                self.screen += os.read(self.terminal, 1 << 16).decode(errors="replace")
            except OSError:
                break
        code = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        os.close(self.terminal)
        return code


@pytest.mark.parametrize("how", ["idle", "blocked", "spinning"])
def test_it_is_put_in_and_taken_out_and_what_hung_hangs_still(how: str, tmp_path: Path) -> None:
    with gateway(how) as process:
        before = told(process)
        session = Session(process.pid, tmp_path)
        session.until("do it?")
        assert told(process) == before
        session.type("y")
        session.until("available commands")
        assert "_qqdiag_monitor" not in before
        assert told(process) != before
        session.type("ps")
        session.until(OF_ALL)
        session.type("exit")
        assert session.end() == 0, session.screen
        until_as(process, before)
        assert "before.qqd" in os.listdir(tmp_path)
        assert "it was taken out again" in session.screen


def test_no_is_no(tmp_path: Path) -> None:
    with gateway("idle") as process:
        before = told(process)
        session = Session(process.pid, tmp_path)
        session.until("do it?")
        session.type("n")
        assert session.end() == 0
        assert told(process) == before
    assert os.listdir(tmp_path) == []


def test_a_gateway_that_cannot_import_it_is_left_as_it_was(tmp_path: Path) -> None:
    other = interpreters.find("3.9")
    if other is None:
        pytest.skip(interpreters.CURE["3.9"])
    with gateway("idle", str(other.path)) as process:
        before = told(process)
        command = [sys.executable, "-m", "qqdiag", "attach", str(process.pid), "--inject", "--yes"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
        assert done.returncode == 2
        assert "aiomonitor cannot be imported in it" in done.stderr
        assert told(process) == before


def test_without_a_terminal_nothing_is_put_in(tmp_path: Path) -> None:
    with gateway("idle") as process:
        command = [sys.executable, "-m", "qqdiag", "attach", str(process.pid), "--inject"]
        done = subprocess.run(command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0
        assert "there is no terminal to ask on" in done.stderr
    assert os.listdir(tmp_path) == []
