"""What the gateway says of itself beside what was seen. The real one is in tests/hermes; here what it never does."""

from __future__ import annotations

import msgspec
from hand_made import LISTENER, gateway, logs, process, python, sample, task, websocket

from qqdiag.model import Word
from qqdiag.report.claims import contradictions, episode_lines
from qqdiag.report.document import Cell, Line
from qqdiag.snapshot import LogEvent, LogFile, Logs, Sample, StateFile

NOW_CONNECTED = logs().state
assert isinstance(NOW_CONNECTED, StateFile)


def told(lines: list[Line[Cell]]) -> list[str]:
    return [line.text.template for line in lines]  # type: ignore[union-attr]


def log(*events: tuple[str, float]) -> Logs:
    rows = [LogEvent(event=Word(event), age=age, level=Word("INFO")) for event, age in events]
    return msgspec.structs.replace(logs(), files=[msgspec.structs.replace(logs().files[0], events=rows)])


def state(**more: object) -> StateFile:
    return msgspec.structs.replace(NOW_CONNECTED, **more)


def seen(state_of_listener: str = "pending", closed: bool = False) -> Sample:
    tasks = [task(LISTENER, state=state_of_listener)]
    websockets = [msgspec.structs.replace(websocket(), closed=closed)]
    return sample(tasks=tasks, gateway=msgspec.structs.replace(gateway(), websockets=websockets))


def test_a_session_that_stands() -> None:
    assert (
        "its session is up" in told(episode_lines(log(("connected", 9.0), ("ready", 8.0), ("token-refreshed", 1.0))))[0]
    )


def test_where_a_reconnect_broke_off() -> None:
    (line,) = episode_lines(log(("ready", 90.0), ("closed", 80.0), ("reconnecting", 79.0), ("memory", 1.0)))
    assert line.text.values["event"] == Word("reconnecting")  # type: ignore[union-attr]
    assert line.text.values["age"] == 79.0  # type: ignore[union-attr]


def test_a_log_without_events_says_nothing() -> None:
    empty = msgspec.structs.replace(logs(), files=[msgspec.structs.replace(logs().files[0], events=[])])
    assert isinstance(empty.files[0], LogFile)
    assert episode_lines(empty) == []


def test_connected_and_it_is() -> None:
    assert contradictions(state(), seen()) == []


def test_connected_and_the_listener_is_finished() -> None:
    assert told(contradictions(state(), seen("finished"))) == ["but: its listener is {state}"]


def test_connected_and_the_websocket_is_closed() -> None:
    assert told(contradictions(state(), seen(closed=True))) == ["but: its WebSocket is closed"]


def test_a_file_of_another_process() -> None:
    assert "another process" in told(contradictions(state(pid=7), seen()))[0]
    earlier = state(pid=process().pid, start_ticks=process().start_ticks - 1)
    assert "earlier process" in told(contradictions(earlier, seen()))[0]


def test_without_memory_nothing_is_contradicted() -> None:
    assert python([]).tasks == []
    assert contradictions(state(), msgspec.structs.replace(seen(), gateway=sample().process)) == []
