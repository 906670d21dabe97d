"""Logs that were put aside: rotated, packed, huge, damaged, of another hour; what is told of them, and what is not."""

from __future__ import annotations

import datetime
import gzip
import logging
import os
import subprocess
import time
import tracemalloc
import zoneinfo
from collections.abc import Iterator
from contextlib import closing
from logging.handlers import RotatingFileHandler
from pathlib import Path

import pytest
from collect_patients import patient
from test_logs import IDLE, LOGGER, PROFILE, record, stamp

from qqdiag.collect import localtime, logs
from qqdiag.collect.logs import logfile, rotated
from qqdiag.collect.logs.history import EVENTS_KEPT
from qqdiag.collect.logs.scan import BLOCK, Budget, Scan
from qqdiag.snapshot import LogFile, Logs

HERE = datetime.datetime.now().astimezone().tzinfo
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
CLOSED, RESUMED = "WebSocket closed: code=4009", "Session resumed"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


def agent(folder: Path, **environment: str) -> LogFile:
    """What a process that has this home is said to have written."""
    with patient(IDLE, environment={**os.environ, "BOT_HOME": str(folder.parent), **environment}) as there:
        seen = logs.collect(there.pid, PROFILE)
    assert isinstance(seen, Logs)
    return seen.files[0]


def ages(seen: LogFile) -> list[float]:
    return [event.age for event in seen.events]


def about(*ages: float) -> object:
    """The lines are written some time before they are looked at, on a busy machine seconds."""
    return pytest.approx(list(ages), abs=8)


def test_what_was_put_aside_is_read_in_order(folder: Path) -> None:
    (folder / "agent.log").write_text(record(10, RESUMED))
    (folder / "agent.log.1").write_text(record(30, CLOSED) + record(20, RESUMED))
    (folder / "agent.log.2.gz").write_bytes(gzip.compress((record(50, CLOSED) + record(40, RESUMED)).encode()))
    (folder / "agent.log.10").write_text(record(60, CLOSED))
    (folder / "errors.log.1").write_text(record(35, CLOSED))
    seen = agent(folder)
    assert ages(seen) == about(60, 50, 40, 30, 20, 10)
    assert [os.path.basename(part.path.reveal()) for part in seen.older] == [
        "agent.log", "agent.log.1", "agent.log.2.gz", "agent.log.10",
    ]  # fmt: skip
    assert [(part.events, part.unread, part.packed) for part in seen.older] == [
        (0, 0, False), (2, 0, False), (2, 0, True), (1, 0, False),
    ]  # fmt: skip


def test_logs_with_a_date_are_read_newest_first(folder: Path) -> None:
    (folder / "agent.log").write_text(record(10, RESUMED))
    (folder / "agent.log-20261120.gz").write_bytes(gzip.compress(record(300, CLOSED).encode()))
    (folder / "agent.log-20261121").write_text(record(200, CLOSED))
    (folder / "agent.log.bak").write_text(record(250, CLOSED))
    assert ages(agent(folder)) == about(300, 200, 10)


def test_a_handler_that_rotates_loses_no_event(folder: Path) -> None:
    handler = RotatingFileHandler(folder / "agent.log", maxBytes=3000, backupCount=20)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    with closing(handler):
        for number in range(200):
            text = f"[QQBot:1] Reconnecting in {number}s (attempt 1)..."
            handler.handle(logging.LogRecord(LOGGER, logging.INFO, "", 1, text, None, None))
    seen = agent(folder)
    assert [event.numbers[0] for event in seen.events] == list(range(200))
    assert len(seen.older) == len(list(folder.iterdir())) > 5


def test_a_file_met_twice_counts_once(folder: Path) -> None:
    """As when the log was put aside between two of our looks."""
    (folder / "agent.log").write_text(record(10, CLOSED))
    os.link(folder / "agent.log", folder / "agent.log.1")
    assert ages(agent(folder)) == about(10)


def huge(folder: Path, lines: int) -> Path:
    path = folder / "agent.log"
    with path.open("w") as file:
        file.write(record(9000, CLOSED))
        for start in range(0, lines, 1000):
            file.write(record(8000 - start / lines, "x" * 900, logger="other") * 1000)
        file.write(record(5, RESUMED))
    return path


def test_a_hundred_megabytes_are_read_in_little_memory(folder: Path) -> None:
    path = huge(folder, 115_000)
    assert path.stat().st_size > 100 << 20
    tracemalloc.start()
    try:
        seen = own(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    oldest, newest = ages(seen)
    assert 8990 < oldest < 9200  # it takes a while to write
    assert newest < 60
    assert seen.older[0].unread == 0
    assert peak < 16 << 20


def own(path: Path, budget: Budget | None = None) -> LogFile:
    fd = os.open(path, os.O_RDONLY)
    try:
        return logfile.read(fd, "agent", str(path), PROFILE, HERE, time.time(), (), budget)
    finally:
        os.close(fd)


def test_what_the_budget_leaves_is_said_and_is_the_oldest(folder: Path) -> None:
    path = huge(folder, 4000)
    for budget in (Budget(bytes=2 << 20), Budget(bytes=1), Budget(cpu_until=0.0), Budget(lines=0)):
        limit = budget.bytes if budget.lines and budget.cpu_until else 0
        seen = own(path, budget)
        assert len(seen.events) == 1
        assert path.stat().st_size - seen.older[0].unread - logfile.TAIL_BYTES == pytest.approx(limit, abs=1000)


def test_the_newest_events_are_kept(folder: Path) -> None:
    count = 3 * EVENTS_KEPT
    (folder / "agent.log").write_text("".join(record(count - number, CLOSED) for number in range(count)))
    (folder / "agent.log.1").write_text(record(count + 9, CLOSED))
    seen = agent(folder)
    assert ages(seen)[-1] < 8
    assert EVENTS_KEPT <= len(seen.events) <= EVENTS_KEPT + logfile.TAIL_BYTES // len(record(1, CLOSED))
    assert seen.older[1].unread > 0


def test_behind_a_log_that_was_not_read_none_is(folder: Path) -> None:
    """A hole would pass for a session without trouble."""
    (folder / "agent.log").write_text(record(10, RESUMED))
    (folder / "agent.log.1").mkdir()
    (folder / "agent.log.2").write_text(record(50, CLOSED))
    seen = agent(folder)
    assert ages(seen) == about(10)
    assert [part.lack is None for part in seen.older] == [True, False, True]
    assert seen.older[2].unread == (folder / "agent.log.2").stat().st_size


PACKED = gzip.compress(b"".join(record(100 - number, CLOSED).encode() for number in range(50)))


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (PACKED, 50),
        (PACKED + b"\0" * 100, 50),
        (gzip.compress(record(70, CLOSED).encode()) + gzip.compress(record(60, CLOSED).encode()), 2),
        (PACKED[: len(PACKED) * 3 // 4], None),
        (PACKED[:-8] + b"\xff" * 8, 0),
        (b"", 0),
        (b"no gzip at all", 0),
        (gzip.compress(b"\0" * (rotated.UNPACKED_MAX + 1)), 0),
        (gzip.compress(b"") * 5000, 0),
    ],
    ids=["whole", "padded", "two", "cut", "sum", "empty", "text", "bomb", "many"],
)
def test_packed_logs(folder: Path, data: bytes, events: int | None) -> None:
    (folder / "agent.log").write_text(record(10, RESUMED))
    (folder / "agent.log.1.gz").write_bytes(data)
    (folder / "agent.log.2").write_text(record(5000, CLOSED))
    seen = agent(folder)
    part = seen.older[1]
    assert part.events == events if events is not None else 0 < part.events < 50
    sound = part.lack is None and part.unread == 0
    assert sound == (events in (50, 2))
    assert (max(ages(seen)) > 4000) == sound


def at(moment: datetime.datetime, message: str) -> str:
    local = moment.astimezone(NEW_YORK)
    return f"{local:%Y-%m-%d %H:%M:%S},000 INFO {LOGGER}: [QQBot:1] {message}\n"


def test_the_hour_that_comes_twice(folder: Path) -> None:
    """On 1 November 2026 the clocks of New York went from 01:59:59 back to 01:00:00."""
    back = datetime.datetime(2026, 11, 1, 6, tzinfo=datetime.UTC)
    moments = [back + datetime.timedelta(minutes=30 * step) for step in range(-5, 6)]
    text = "".join(at(moment, CLOSED) for moment in moments)
    assert text.count(" 01:30:00") == 2
    path = folder / "agent.log"
    path.write_text(text)
    os.utime(path, (moments[-1].timestamp(),) * 2)
    now = moments[-1].timestamp() + 100
    fd = os.open(path, os.O_RDONLY)
    try:
        seen = logfile.read(fd, "agent", str(path), PROFILE, NEW_YORK, now)
    finally:
        os.close(fd)
    assert ages(seen) == pytest.approx([now - moment.timestamp() for moment in moments])


def test_the_hour_that_never_was_is_some_moment() -> None:
    gap = datetime.datetime(2026, 3, 8, 2, 30)  # New York: from 01:59:59 to 03:00:00
    moment = localtime.moment(gap, NEW_YORK, 2e9)
    assert abs(moment - datetime.datetime(2026, 3, 8, 7, tzinfo=datetime.UTC).timestamp()) <= 3600


def test_each_log_has_the_zone_that_its_own_end_tells(folder: Path) -> None:
    """The machine was moved to another zone between the two, and only the files know."""
    for name, age, hours in (("agent.log", 10, 8), ("agent.log.1", 3000, -5)):
        zone = datetime.timezone(datetime.timedelta(hours=hours))
        path = folder / name
        written = stamp(age, zone)
        path.write_text(f"{written} INFO {LOGGER}: Session resumed\n")
        moment = datetime.datetime.strptime(written, PROFILE.time_format).replace(tzinfo=zone)
        os.utime(path, (moment.timestamp(),) * 2)
    assert ages(agent(folder, TZ="Asia/Shanghai")) == about(3000, 10)


# --- the walk itself -------------------------------------------------------------------------------------------------


def walked(data: bytes, budget: Budget) -> Iterator[bytes]:
    yield from Scan(lambda offset, size: data[offset : offset + size], len(data), [b"want"], budget).lines()


@pytest.mark.parametrize("width", [20, 100, 4000, BLOCK - 1, BLOCK, BLOCK + 1])
def test_lines_are_whole_wherever_a_block_ends(width: int) -> None:
    lines = [b"%d want %s" % (number, b"x" * width) for number in range(max(3, 3 * BLOCK // (width + 8)))]
    found = list(walked(b"\n".join(lines) + b"\n", Budget(lines=1 << 20)))
    assert len(found) == len(lines)
    assert all(line.startswith(seen[:4000]) for seen, line in zip(found, reversed(lines), strict=True))


def test_a_line_without_an_end_is_found_by_its_beginning() -> None:
    data = b"first\n5 want it " + b"y" * (5 * BLOCK)
    assert [line[:9] for line in walked(data, Budget())] == [b"5 want it"]
    assert list(walked(b"z" * (3 * BLOCK), Budget())) == []


def test_a_log_that_another_program_packs_is_the_same(folder: Path) -> None:
    (folder / "agent.log").write_text(record(10, RESUMED))
    (folder / "agent.log.1").write_text(record(90, CLOSED))
    subprocess.run(["gzip", str(folder / "agent.log.1")], check=True)
    assert ages(agent(folder)) == about(90, 10)
