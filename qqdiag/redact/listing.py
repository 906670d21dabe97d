"""The list of known failures, whose ids and titles are our own; what an aiomonitor lists; records of any kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from qqdiag.finding import Signature
from qqdiag.model import Say, Seconds, Value
from qqdiag.redact.publisher import Public, Publisher
from qqdiag.redact.shown import Shown, show, text_of
from qqdiag.snapshot import Monitor


def listing(signatures: Iterable[Signature]) -> list[dict[str, Shown]]:
    """`id`, `severity` and `title` of each."""
    return [
        {"id": show(signature.ID), "severity": show(signature.SEVERITY), "title": show(signature.TITLE)}
        for signature in signatures
    ]


def monitor_listing(monitor: Monitor) -> list[dict[str, Shown]]:
    """Name, state, coroutine and age of each task that an aiomonitor knows."""
    publisher = Publisher()
    return [
        {
            "name": publisher.text(task.name),
            "state": publisher.text(task.state),
            "coroutine": publisher.text(task.coroutine),
            "since": publisher.cell(Say("?") if task.since is None else Seconds(task.since)),
        }
        for task in monitor.tasks
    ]


Fields = Mapping[str, Say | Value | None]


def cells_of(records: Iterable[Fields], *, raw: bool = False) -> list[dict[str, Shown]]:
    """Records as a table has them; `-` for what one does not have."""
    publisher = Publisher(raw=raw)
    return [
        {name: publisher.cell(Say("-") if value is None else value) for name, value in fields.items()}
        for fields in records
    ]


def objects_of(records: Iterable[Fields], *, raw: bool = False) -> list[dict[str, Public]]:
    """Records as a program has them."""
    publisher = Publisher(raw=raw)
    return [{name: publisher.tree(value) for name, value in fields.items()} for fields in records]


def sentences(found: Iterable[Say]) -> list[str]:
    """Each as text."""
    publisher = Publisher()
    return [text_of(publisher.say(one)) for one in found]


def object_of(struct: msgspec.Struct) -> Public:
    """One record with records in it, as a program has it."""
    return Publisher().tree(struct)
