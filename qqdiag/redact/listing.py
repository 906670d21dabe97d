"""The list of known failures, whose ids and titles are our own; what an aiomonitor lists; the processes of `ps`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from qqdiag.finding import Signature
from qqdiag.model import Say, Seconds, Value
from qqdiag.redact.publisher import Public, Publisher
from qqdiag.redact.shown import Shown, show
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


Fields = Mapping[str, Value | None]


def process_cells(processes: Iterable[Fields], *, raw: bool) -> list[dict[str, Shown]]:
    """The processes as a table has them; `-` for what one does not have."""
    publisher = Publisher(raw=raw)
    return [
        {name: publisher.cell(Say("-") if value is None else value) for name, value in fields.items()}
        for fields in processes
    ]


def process_objects(processes: Iterable[Fields], *, raw: bool) -> list[dict[str, Public]]:
    """The processes as a program has them."""
    publisher = Publisher(raw=raw)
    return [{name: publisher.tree(value) for name, value in fields.items()} for fields in processes]
