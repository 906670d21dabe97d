"""Tasks that have ended and that something still refers to.

Since 3.14 asyncio forgets a task when it ends (Modules/_asynciomodule.c, `unregister_task`): a listener that failed
unnoticed is then known to nobody but the object that started it.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from qqdiag.cpython import futures, tasks
from qqdiag.cpython.causes import Causes
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable
from qqdiag.snapshot import Python

MAX_ENDED = 1_000


def added(runtime: Runtime, python: Python, met: Iterable[int]) -> Python:
    """The same Python with those of the tasks at `met` that have ended and that no registry has."""
    listed = {task.address for task in python.tasks}
    unlisted = [address for address in dict.fromkeys(met) if address not in listed]
    found = [fields for address in unlisted[:MAX_ENDED] if (fields := _ended(runtime, address)) is not None]
    if not found:
        return python
    return replace(python, tasks=[*python.tasks, *tasks.read(runtime, found, Causes(runtime, {}, [], []))])


def _ended(runtime: Runtime, address: int) -> futures.Fields | None:
    try:
        found = futures.fields(runtime, address)
    except Unreadable:
        return None
    return found if found.info.is_task and found.state in (futures.FINISHED, futures.CANCELLED) else None
