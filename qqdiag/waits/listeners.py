"""Which tasks read a WebSocket, and what waits in it unread."""

from __future__ import annotations

from qqdiag.profiles import websocket_shapes
from qqdiag.snapshot import Gateway, Task, WebSocket
from qqdiag.waits import View, function


def unfinished(task: Task) -> bool:
    return task.state.reveal() in ("pending", "running")


def readers(view: View, websocket: WebSocket) -> list[Task]:
    """The unfinished tasks that receive from it, now or after what they do now."""
    tasks = [view.tasks[address] for address in websocket.readers if address in view.tasks]
    return [task for task in tasks if unfinished(task)]


def in_library_receive(view: View, task: Task) -> bool:
    """Whether the task waits inside a WebSocket library's own receive, not in what handles a message."""
    receives = {(shape.code, name) for shape in websocket_shapes() for name in shape.receives}
    places = [(path, name.rpartition(".")[2]) for path, name in (function(view, level) for level in task.chain)]
    return any(last == name and code in path for path, last in places for code, name in receives)


def is_open(websocket: WebSocket) -> bool:
    return websocket.closed is False and not websocket.closing


def unread(view: View, websocket: WebSocket) -> int | None:
    """Bytes that came and that nobody took, in the library's queue and in the kernel's; None: neither is known."""
    row = view.sockets.get(websocket.fd) if websocket.fd is not None else None
    if row is None and websocket.unread is None:
        return None
    return (websocket.unread or 0) + ((row.receive_queue or 0) if row is not None else 0)


def unread_before(view: View, websocket: WebSocket) -> bool:
    """Whether it was there in the earlier sample, with bytes unread and without a reader."""
    gateway = view.earlier.gateway if view.earlier else None
    known = gateway.websockets if isinstance(gateway, Gateway) else []
    old = next((ws for ws in known if ws.address == websocket.address), None)
    if old is None or old.fd is None:
        return False
    row = view.sockets_before.get(old.fd)
    waiting = (old.unread or 0) + ((row.receive_queue or 0) if row is not None else 0)
    return waiting > 0 and not any(
        address in view.tasks_before and unfinished(view.tasks_before[address]) for address in old.readers
    )


def failed_listeners(view: View) -> list[Task]:
    """Listeners that ended by an exception which nobody fetched, and whose coroutine no unfinished task runs."""
    gateway = view.last.gateway
    listeners = gateway.listeners if isinstance(gateway, Gateway) else []
    names = {task.chain[0].name for task in view.tasks.values() if unfinished(task) and task.chain}
    ended = [view.tasks[address] for address in listeners if address in view.tasks]
    return [task for task in ended if not unfinished(task) and task.chain and task.chain[0].name not in names]


def listens_to_closed(view: View, task: Task) -> bool:
    """Whether the running task is a listener, and each WebSocket that it holds is closed: receive returns at once."""
    gateway = view.last.gateway
    if not isinstance(gateway, Gateway):
        return False
    held = [ws for ws in gateway.websockets if task.address in ws.holders]
    named = any(adapter.listener == task.address for adapter in gateway.adapters)
    listens = named or task.address in gateway.listeners or any(task.address in ws.readers for ws in held)
    return listens and bool(held) and all(ws.closed for ws in held)
