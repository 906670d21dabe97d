"""The Python processes of this machine that have an event loop, each at a glance.

Most processes are no Python, and most Pythons have no loop: what can be left out early costs a few file reads. What is
left is looked at twice, and while the interval of one passes the others are looked at. Only what needs no look of its
own is asked: no logs, no second reader, no monitor.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from qqdiag import find
from qqdiag.collect import proc
from qqdiag.cpython import frames, registry
from qqdiag.cpython.known import Known
from qqdiag.cpython.runtime import attach
from qqdiag.diagnose import diagnose
from qqdiag.errors import NotPermitted, QqdiagError
from qqdiag.finding import Diagnosis
from qqdiag.memory.live import LiveMemory
from qqdiag.memory.source import Unreadable
from qqdiag.model import Id, Missing, Say, Seconds, User, Word
from qqdiag.run import look
from qqdiag.snapshot import Gateway, Logs, Process, Python, Sample, Snapshot
from qqdiag.target import Live, live
from qqdiag.waits import View
from qqdiag.waits.loop_thread import Doing, loop_threads

INTERVAL = 0.5  # seconds between the two looks at one process, at least
LIMIT = 3.0  # seconds for one look
WORST_LAST = (Doing.TURNING, Doing.UNKNOWN, Doing.STOPPED, Doing.BLOCKED, Doing.SPINNING)
UNKNOWN = Word("unknown")
DENIED = Word("no-permission")


class Row(NamedTuple):
    """One process. None: it has none, or it could not be had."""

    pid: int
    user: User | None = None
    python: Word | None = None  # its version
    unit: Id | None = None  # systemd unit or container
    uptime: Seconds | None = None
    tasks: int | None = None
    loop: Word = UNKNOWN  # what the busiest thread of a loop does: turning spinning blocked stopped, none
    gateway: Word | None = None  # profile
    failure: Word | None = None  # the id of the first finding
    health: Word = UNKNOWN  # hang degraded info clear unknown; "no-permission" where it could not be looked at


class Glimpse(NamedTuple):
    """A process that has a loop, after the first look at it."""

    target: Live
    known: Known
    sample: Sample


def survey(progress: Callable[[str], None], *, every: bool = False) -> list[Row]:
    """A row for each process with an event loop, in the order of pids; `every`: for each Python process.

    What ends while it is looked at has no row.
    """
    rows, glimpses = list[Row](), list[Glimpse]()
    for pid in _pythons():
        progress(f"process {pid}")
        first = _first(pid)
        if isinstance(first, Glimpse):
            glimpses.append(first)
        elif first is not None and (every or first.health == DENIED):
            rows.append(first)
    for glimpse in glimpses:
        progress(f"process {glimpse.target.pid}, a second look")
        row = _second(glimpse)
        if row is not None:
            rows.append(row)
    return sorted(rows)


def _pythons() -> list[int]:
    own = set(find.ancestors(os.getpid()))
    return sorted(pid for pid in find.pids() if pid not in own and is_python(pid))


def _first(pid: int) -> Glimpse | Row | None:
    try:
        known = Known()
        if not has_loop(pid, known):
            return Row(pid, loop=Word("none"), health=Word("no-asyncio"))
        target = live(pid)
        return Glimpse(target, known, _look(target, known))
    except NotPermitted:
        return Row(pid, health=DENIED)
    except QqdiagError:
        return None


def _look(target: Live, known: Known) -> Sample:
    """Without a pause, which costs a process of ours for each of theirs; with one where no two readings agreed."""
    sample = look(target, known, LIMIT, pause=False)
    agreed = not isinstance(sample.python, Python) or sample.python.complete
    return sample if agreed else look(target, known, LIMIT)


def _second(glimpse: Glimpse) -> Row | None:
    time.sleep(max(0.0, glimpse.sample.taken_at + INTERVAL - time.monotonic()))
    try:
        sample = _look(glimpse.target, glimpse.known)
    except QqdiagError:
        return None
    snapshot = snapshot_of(glimpse.target.pid, [glimpse.sample, sample])
    return _seen(glimpse.target.pid, snapshot, diagnose(snapshot))


def snapshot_of(pid: int, samples: list[Sample], logs: Logs | Missing | None = None) -> Snapshot:
    """What one or two looks show, without what `run.take` asks beside them."""
    pauses = [sample.python.pause for sample in samples if isinstance(sample.python, Python)]
    return Snapshot(
        origin=Word("live"),
        pid=pid,
        wall_time=time.time(),
        samples=samples,
        witness=Missing(Say("not asked at a glance"), Say("qqdiag inspect {pid}", pid=pid)),
        logs=logs,
        monitor=None,
        pause=sum(pauses),
    )


def is_python(pid: int) -> bool:
    """Whether it runs an interpreter, or has one as a library, as far as this user can see."""
    try:
        words = proc.text(proc.read(f"/proc/{pid}/cmdline")).split("\0")
    except OSError:
        return False
    return "python" in os.path.basename(words[0]) or any("python" in name for name in _mapped(pid))


def _mapped(pid: int) -> Iterator[str]:
    """The base names of its executable and libraries, none where they may not be seen."""
    try:
        yield os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
            yield from {os.path.basename(line.rstrip("\n")) for line in maps if ".so" in line}
    except OSError:
        return


def has_loop(pid: int, known: Known) -> bool:
    """Whether an event loop runs in it or a task exists. Raises as LiveMemory does; not Python is no loop.

    `known` learns what it took to find out.
    """
    with LiveMemory(pid) as memory:
        try:
            runtime = attach(memory, known)
            books = registry.read(runtime, frames.threads(runtime, []))
        except NotPermitted:
            raise
        except (QqdiagError, Unreadable):
            return False
    return bool(books.running or books.tasks)


def _seen(pid: int, snapshot: Snapshot, diagnosis: Diagnosis) -> Row:
    sample = snapshot.samples[-1]
    process, python, gateway = sample.process, sample.python, sample.gateway
    finding = diagnosis.findings[0] if diagnosis.findings else None
    row = Row(pid, health=_health(diagnosis), failure=Word(finding.id) if finding else None)
    if isinstance(process, Process):
        unit = process.unit or process.container
        row = row._replace(user=process.user, unit=unit, uptime=Seconds(process.uptime))
    if isinstance(python, Python):
        version = Word(".".join(map(str, python.version)))
        row = row._replace(python=version, tasks=len(python.tasks), loop=_doing(snapshot))
    return row._replace(gateway=gateway.profile) if isinstance(gateway, Gateway) else row


def _doing(snapshot: Snapshot) -> Word:
    """What the thread of its loop does; of several, of the one that is worst off."""
    doing = [thread.doing for thread in loop_threads(View(snapshot))]
    return Word(max(doing, key=WORST_LAST.index).value) if doing else Word("none")


def _health(diagnosis: Diagnosis) -> Word:
    worst = diagnosis.findings[0] if diagnosis.verdict == "matched" else None
    return Word(worst.severity.name.lower() if worst else diagnosis.verdict)


def worst(rows: list[Row]) -> int:
    """The pid of the process that is worth the first look."""
    order = ("hang", "degraded", "unknown", "no-permission")
    known = [row for row in rows if row.health.reveal() in order]
    return min(known, key=lambda row: order.index(row.health.reveal()), default=rows[0]).pid
