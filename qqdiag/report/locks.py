"""Locks, semaphores, events and queues of asyncio that some task holds or waits at."""

from __future__ import annotations

from qqdiag.model import Say
from qqdiag.report.causes import Causes, causes, names_of
from qqdiag.report.document import Cell, Line, Mark, Row, Section, Table
from qqdiag.snapshot import Lock, Python, Snapshot

_MOST = 40
_HEAD: tuple[Cell, ...] = (Say("what"), Say("state"), Say("held by"), Say("waiting"), Say("who waits"))


def lock_section(snapshot: Snapshot) -> Section[Cell] | None:
    """Those that most tasks wait at first. None where nothing is held or waited at."""
    sample = snapshot.samples[-1]
    if not isinstance(sample.python, Python) or not sample.python.locks:
        return None
    known = causes(sample, sample.python)
    locks = sorted(sample.python.locks, key=lambda lock: -len(lock.waiters))
    rows = tuple(_row(known, lock) for lock in locks[:_MOST])
    blocks: list[Line[Cell] | Table[Cell]] = [Table(_HEAD, rows, frozenset({3}))]
    if len(locks) > _MOST:
        blocks.append(Line(Say("{count} more", count=len(locks) - _MOST), mark=Mark.DIM))
    return Section("locks", Say("Locks ({count})", count=len(locks)), tuple(blocks))


def _row(known: Causes, lock: Lock) -> Row[Cell]:
    names = names_of(known, lock.waiters) if lock.waiters else Say("-")
    cells: tuple[Cell, ...] = lock.type, _state(lock), _holders(known, lock), len(lock.waiters), names
    return Row(cells)


def _state(lock: Lock) -> Say:
    kind = lock.kind.reveal()
    if kind == "queue":
        return Say("items: {count}", count=lock.value or 0)
    if kind == "event":
        return Say("set") if lock.locked is False else Say("not set")
    if lock.locked is None:
        return Say("-")
    if kind == "semaphore" and lock.value:
        return Say("room for {count}", count=lock.value)
    return Say("taken") if lock.locked else Say("free")


def _holders(known: Causes, lock: Lock) -> Say:
    if lock.holders:
        return names_of(known, lock.holders)
    taken = lock.kind.reveal() in ("lock", "semaphore") and lock.locked
    return Say("not known (a plain acquire)") if taken else Say("-")
