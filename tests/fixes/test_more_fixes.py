"""Supervisor, send gate, loop watchdog, quick disconnects and address cache: each by what it is for."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from qqdiag.fixes.loop_watchdog import notify
from qqdiag.fixes.quick_disconnect import QuickDisconnects
from qqdiag.fixes.send_gate import NotConnected, SendGate
from qqdiag.fixes.supervisor import Supervisor
from qqdiag.fixes.url_cache import UrlCache

SOON = 10.0  # seconds until a test gives up


# --- supervisor ------------------------------------------------------------------------------------------------------


async def until(happened: asyncio.Event) -> None:
    async with asyncio.timeout(SOON):
        await happened.wait()


@pytest.mark.parametrize("end", ["fails", "returns", "is cancelled"])
def test_a_task_that_ends_is_logged_and_started_again(end: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> int:
        runs, third = [], asyncio.Event()

        async def work() -> None:
            runs.append(1)
            if len(runs) == 3:
                third.set()
                await asyncio.Event().wait()
            if end == "fails":
                raise ConnectionError("no more attempts")
            if end == "is cancelled":
                raise asyncio.CancelledError

        supervisor = Supervisor("listener", work, (0.001,))
        supervisor.begin()
        await until(third)
        await supervisor.finish()
        assert supervisor.task is not None
        assert supervisor.task.cancelled()
        return supervisor.restarts

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(main()) == 2
    said = {"fails": "failed", "returns": "returned", "is cancelled": "was cancelled"}[end]
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [f"listener {said}"] * 2
    assert (caplog.records[0].exc_info is not None) is (end == "fails"), "the traceback is in the log"


def test_a_task_that_ended_on_purpose_stays_ended() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def work() -> None:
            ended.set()

        supervisor = Supervisor("listener", work, (0.0,), goes_on=lambda: False)
        supervisor.begin()
        await until(ended)
        assert supervisor.task is not None
        await supervisor.task
        await asyncio.sleep(0)
        assert (supervisor.over, supervisor.restarts, supervisor.timer) == (True, 0, None)
        await supervisor.finish()

    asyncio.run(main())


def test_pauses_grow_and_a_steady_run_ends_the_row() -> None:
    async def main() -> list[int]:
        delays: list[int] = []

        async def work() -> None:
            raise OSError

        supervisor = Supervisor("listener", work, (10.0, 20.0, 30.0))
        loop = asyncio.get_running_loop()
        for steady in (60.0, 60.0, 60.0, 60.0, 0.0, 60.0):
            supervisor.steady = steady
            supervisor.begin()
            assert supervisor.task is not None
            await asyncio.wait({supervisor.task})
            await asyncio.sleep(0)
            assert supervisor.timer is not None
            delays.append(round(supervisor.timer.when() - loop.time()))
            supervisor.timer.cancel()
        return delays

    assert asyncio.run(main()) == [10, 20, 30, 30, 10, 10]


# --- send gate -------------------------------------------------------------------------------------------------------


def gated(ready: bool, listener: str, then: str = "") -> float | str:
    """Seconds that the gate took, or why it did not let pass."""

    async def main() -> float | str:
        event, end = asyncio.Event(), asyncio.Event()

        async def listen() -> None:
            await end.wait()

        task = asyncio.create_task(listen()) if listener != "none" else None
        if listener == "ended":
            end.set()
            assert task is not None
            await task
        if ready:
            event.set()
        loop = asyncio.get_running_loop()
        if then:
            loop.call_later(0.01, {"ready": event.set, "ends": end.set}[then])
        began = loop.time()
        try:
            await SendGate(event, lambda: task, 0.05 if not then else SOON).passed()
            return loop.time() - began
        except NotConnected as error:
            assert loop.time() - began < SOON
            return str(error)
        finally:
            end.set()
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) <= 2, "its own task does not outlive it"

    return asyncio.run(main())


def test_gate_is_open_when_ready() -> None:
    assert isinstance(gated(True, "runs"), float)
    assert isinstance(gated(True, "ended"), float), "what can be sent is sent"


def test_gate_fails_at_once_without_a_listener() -> None:
    assert gated(False, "none") == gated(False, "ended") == "the listener has ended: nobody reconnects"


def test_gate_waits_for_the_reconnect_and_no_longer() -> None:
    assert isinstance(gated(False, "runs", then="ready"), float)
    assert gated(False, "runs", then="ends") == "the listener has ended"
    assert gated(False, "runs") == "no connection in 0.05 s"


# --- loop watchdog ---------------------------------------------------------------------------------------------------

WATCHED = """
import asyncio, os, sys, time
from qqdiag.fixes.loop_watchdog import LoopWatchdog

def blocks_the_loop():
    os.read(0, 1)  # until the test has seen enough

async def main(limit):
    dog = LoopWatchdog(asyncio.get_running_loop(), stall=0.3, limit=limit, every=0.05)
    dog.begin()
    await asyncio.sleep(0.2)
    print("runs", flush=True)
    blocks_the_loop()
    while dog.is_stalled:
        await asyncio.sleep(0.02)
    dog.finish()
    print(dog.stalls, flush=True)

asyncio.run(main(eval(sys.argv[1])))
"""


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What systemd is to a service: a datagram socket."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"{folder}/notify")
        receiver.settimeout(SOON)
        monkeypatch.setenv("NOTIFY_SOCKET", f"{folder}/notify")
        yield receiver


def watched(limit: str, **options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WATCHED, limit]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env={**os.environ, **options})


def test_a_stalled_loop_leaves_its_stacks_and_is_not_fed(manager: socket.socket) -> None:
    with watched("None") as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "runs\n"
        assert manager.recv(100) == b"WATCHDOG=1"
        assert process.stderr.readline().startswith("the event loop has not answered for 0.")
        stacks = iter(process.stderr.readline, "")
        assert any("in blocks_the_loop" in line for line in stacks)
        while select.select([manager], [], [], 0)[0]:
            manager.recv(100)
        assert not select.select([manager], [], [], 0.3)[0], "no word while the loop stands"
        process.stdin.write("go on")
        process.stdin.flush()
        assert manager.recv(100) == b"WATCHDOG=1"
        assert process.stdout.readline() == "1\n"
        assert process.wait(SOON) == 0


def test_a_loop_that_never_answers_ends_the_process(manager: socket.socket) -> None:
    with watched("0.6") as process:
        assert process.wait(SOON) == 75
        assert process.stderr
        assert "exit 75" in process.stderr.read()


def test_a_watchdog_whose_own_output_nobody_reads_ends_the_process() -> None:
    """stderr is the pipe that the loop is stuck in: what it writes is lost, its code is not."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while True:
            os.write(write, bytes(4096))
    os.set_blocking(write, True)
    with os.fdopen(read, "rb"), os.fdopen(write, "wb") as stderr:
        command = [sys.executable, "-c", WATCHED, "0.6"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr) as process:
            try:
                assert process.wait(SOON) == 75
            finally:
                process.kill()


WELL = """
import asyncio, os, sys
from qqdiag.fixes.loop_watchdog import LoopWatchdog

async def main():
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    dog = LoopWatchdog(loop, stall=0.5, limit=None, every=0.02)
    dog.begin()
    loop.add_reader(0, told.set)
    print("runs", flush=True)
    await told.wait()
    answered = dog.answered_at
    while dog.answered_at == answered:
        await asyncio.sleep(0.01)
    dog.finish()
    print(dog.stalls, flush=True)

asyncio.run(main())
"""


def test_a_process_that_stood_still_as_a_whole_is_not_blamed() -> None:
    """A debugger, or a laptop's lid: the thread slept as long as the loop."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", WELL], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "runs\n"
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        time.sleep(1)  # twice as long as a stall
        process.send_signal(signal.SIGCONT)
        said, error = process.communicate("go on", SOON)
    assert (said, error) == ("0\n", "")


def test_without_a_service_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert notify("WATCHDOG=1") is False
    monkeypatch.setenv("NOTIFY_SOCKET", str(Path("/nonexistent/notify")))
    assert notify("WATCHDOG=1") is False


def test_an_abstract_address_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"qqdiag-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        assert notify("READY=1")
        receiver.settimeout(SOON)
        assert receiver.recv(100) == b"READY=1"


# --- quick disconnects and the address -------------------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_quick_disconnects_in_a_row_cost_a_rest() -> None:
    clock = Clock()
    quick = QuickDisconnects(quick=5.0, limit=3, rest=60.0, clock=clock)

    def lived(seconds: float) -> float:
        quick.connected()
        clock.now += seconds
        return quick.lost()

    assert [lived(2.0) for _ in range(4)] == [0.0, 0.0, 60.0, 60.0]
    assert lived(1800.0) == 0.0, "the platform's own half hour ends the row"
    assert [lived(2.0) for _ in range(3)] == [0.0, 0.0, 60.0]
    assert quick.lost() == 0.0, "an attempt that failed is the back-off's"


def test_the_address_is_kept_until_it_is_old_or_fails() -> None:
    clock, asked = Clock(), []

    async def fetch() -> str:
        asked.append(1)
        return f"wss://gateway-{len(asked)}"

    async def main() -> list[str]:
        urls = UrlCache(fetch, 100.0, clock)
        found = [await urls.get(), await urls.get()]
        clock.now = 101.0
        found.append(await urls.get())
        urls.forget()
        return [*found, await urls.get()]

    assert [url[-1] for url in asyncio.run(main())] == ["1", "1", "2", "3"]


def test_an_address_that_could_not_be_had_is_asked_for_again() -> None:
    asked = []

    async def fetch() -> str:
        asked.append(1)
        if len(asked) == 1:
            raise OSError("refused")
        return "wss://gateway"

    async def main() -> str:
        urls = UrlCache(fetch)
        with pytest.raises(OSError, match="refused"):
            await urls.get()
        return await urls.get()

    assert asyncio.run(main()) == "wss://gateway"
