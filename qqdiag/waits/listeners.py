"""Which tasks read a WebSocket."""

from __future__ import annotations

from qqdiag.snapshot import Task, WebSocket
from qqdiag.waits import View, function


def calls(view: View, task: Task, words: frozenset[str]) -> bool:
    """Whether the code of one of the task's levels calls one of `words`."""
    codes = [view.code(level) for level in task.chain]
    return any(code is not None and words & {call.reveal() for call in code.calls} for code in codes)


def unfinished(task: Task) -> bool:
    return task.state.reveal() in ("pending", "running")


def readers(view: View, websocket: WebSocket) -> list[Task]:
    """The unfinished tasks that receive from it, now or after what they do now."""
    tasks = [view.tasks[address] for address in websocket.readers if address in view.tasks]
    return [task for task in tasks if unfinished(task)]


def in_library_receive(view: View, task: Task) -> bool:
    """Whether the task waits inside a WebSocket library's own receive, not in what handles a message."""
    for level in task.chain:
        path, name = function(view, level)
        last = name.rsplit(".", 1)[-1]
        if last in ("receive", "recv") and ("aiohttp/" in path or "websockets/" in path):
            return True
    return False


def is_open(websocket: WebSocket) -> bool:
    return websocket.closed is False and not websocket.closing
