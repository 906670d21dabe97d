"""One task of a gateway that runs aiomonitor: shown, and ended by it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from qqdiag.attach.inject import free_ports

MONITORED = """
import aiomonitor, asyncio, json, sys, time
async def inner():
    await asyncio.get_running_loop().create_future()
async def handle():
    try:
        await inner()
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise
async def main():
    ports = json.loads(sys.argv[1])
    with aiomonitor.start_monitor(asyncio.get_running_loop(), **ports):
        task = asyncio.create_task(handle(), name="handler-42")
        await asyncio.sleep(0)
        print(id(task), flush=True)
        if sys.argv[2] == "blocked":
            time.sleep(3600)  # the loop stands: that is the case
        await asyncio.wait([task])
        await asyncio.Event().wait()
asyncio.run(main())
"""


@contextmanager
def gateway(how: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the id of its task."""
    port = free_ports()
    ports = json.dumps({"port": port, "webui_port": port + 1, "console_enabled": False})
    with subprocess.Popen([sys.executable, "-c", MONITORED, ports, how], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def attach(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "qqdiag", "attach", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)


def test_a_task_is_shown_by_its_name_and_by_its_id() -> None:
    with gateway("turning") as (process, task):
        by_id = attach(str(process.pid), "--where", task)
        assert attach(str(process.pid), "--where", "handler-42").stdout == by_id.stdout
    head, *chain = by_id.stdout.splitlines()
    assert f"pending, id {task}" in head
    assert [line.split(",")[0].strip() for line in chain][:2] == ["handle", "inner"]


def test_a_task_is_cancelled_after_its_chain_was_shown() -> None:
    with gateway("turning") as (process, _):
        done = attach(str(process.pid), "--cancel", "handler-42", "--yes")
        assert done.returncode == 0, done.stderr
        assert process.stdout is not None
        assert process.stdout.readline() == "cancelled\n"
    assert "inner" in done.stdout


def test_without_a_terminal_nothing_is_cancelled() -> None:
    with gateway("turning") as (process, task):
        done = attach(str(process.pid), "--cancel", task)
        assert "nothing was done" in done.stderr
        assert task in attach(str(process.pid), "--where", task).stdout


def test_a_loop_that_stands_ends_no_task_and_that_is_said() -> None:
    with gateway("blocked") as (process, task):
        done = attach(str(process.pid), "--cancel", task, "--yes")
    assert done.returncode == 2
    assert "a loop that stands ends none" in done.stderr


@pytest.mark.parametrize("name", ["nobody", "7"])
def test_a_task_that_is_none_is_said(name: str) -> None:
    with gateway("turning") as (process, _):
        done = attach(str(process.pid), "--where", name)
    assert done.returncode == 2
    assert "no task of that name or id" in done.stderr
