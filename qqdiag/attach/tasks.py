"""One task of a gateway with an aiomonitor: where it stands, as our own reader sees it, and its end.

aiomonitor names a task by `id()`, which is its address (Python/bltinmodule.c, `builtin_id`): both speak of the same.
"""

from __future__ import annotations

import http.client
import json
import socket
from urllib.parse import urlencode

from qqdiag.collect import monitor as collector
from qqdiag.collect import netns
from qqdiag.cpython.known import Known
from qqdiag.errors import NoSuchTarget, NotReadable, UsageError
from qqdiag.model import Missing, Say
from qqdiag.run import look
from qqdiag.snapshot import Monitor, Task
from qqdiag.target import Live

PATIENCE = 10.0  # seconds for the gateway's loop to end a task


def where(target: Live, text: str) -> Task:
    """The task with this name, or this id. NoSuchTarget where there is none, UsageError where several have the name."""
    python = look(target, Known()).python
    if isinstance(python, Missing):
        raise NotReadable(python.reason, python.hint)
    found = [task for task in python.tasks if text in (task.name.reveal(), str(task.address))]
    if not found:
        raise NoSuchTarget(
            Say("it has no task of that name or id"), Say("see them: qqdiag attach {pid} --ps", pid=target.pid)
        )
    if len(found) > 1:
        raise UsageError(
            Say("{count} tasks have that name", count=len(found)),
            Say("give the id of one: {id}", id=found[0].address),
        )
    return found[0]


def lines(task: Task) -> list[Say]:
    """A task and its chain, outermost first."""
    head = Say("{name}, {state}, id {id}", name=task.name, state=task.state, id=task.address)
    levels = [
        Say("  {name}", name=level.name)
        if level.line is None
        else Say("  {name}, line {line}", name=level.name, line=level.line)
        for level in task.chain
    ]
    return [head, *levels]


def cancel(pid: int, monitor: Monitor, task: Task) -> None:
    """Have the aiomonitor cancel the task on its own loop. NotReadable where it does not, or knows no such task."""
    body = urlencode({"task_id": task.address})
    connection = http.client.HTTPConnection("127.0.0.1", monitor.web_port, timeout=PATIENCE)
    try:
        connection.sock = netns.socket_in(pid, socket.AF_INET, socket.SOCK_STREAM)
        connection.sock.settimeout(PATIENCE)
        connection.sock.connect(("127.0.0.1", monitor.web_port))
        connection.request("DELETE", f"/api/task?{body}")
        response = connection.getresponse()
        response.read(collector.BODY_BYTES_MAX)
    except TimeoutError:
        raise NotReadable(
            Say("its aiomonitor did not end the task within {limit} s: a loop that stands ends none", limit=PATIENCE),
            Say("qqdiag inspect {pid}", pid=pid),
        ) from None
    except (OSError, http.client.HTTPException, json.JSONDecodeError):
        raise NotReadable(Say("its aiomonitor did not answer"), Say("qqdiag inspect {pid}", pid=pid)) from None
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise NotReadable(
            Say("its aiomonitor refused ({status}): it knows no such task", status=response.status),
            Say("see them: qqdiag attach {pid} --ps", pid=pid),
        )
