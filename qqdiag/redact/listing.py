"""The list of known failures, whose ids and titles are our own; and what an aiomonitor lists."""

from __future__ import annotations

from collections.abc import Iterable

from qqdiag.finding import Signature
from qqdiag.model import Say, Seconds
from qqdiag.redact.publisher import Publisher
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
