"""An aiomonitor that the gateway already runs: found by its ports, read through its HTTP API (aiomonitor 0.6 and 0.7).

It answers from a thread of its own, so also while the loop is blocked. Its answer is made inside the gateway and may
set off a garbage collection there, which has been seen to destroy the very task that hangs (task registries are weak):
read it after everything else. For the same reason only its usual ports are asked; all of the target's listeners on
loopback are asked where the user named the monitor (`qqdiag attach`).
"""

from __future__ import annotations

import re
import socket
from typing import TypeVar

import msgspec

from qqdiag.collect import netns
from qqdiag.cpython.strings import printable
from qqdiag.model import CodePath, FreeText, Missing, Name, Say, Seconds, TaskName, Word
from qqdiag.snapshot import Monitor, MonitorTask, Socket, Sockets

T = TypeVar("T")

TERMINAL_PORT, WEB_PORT, CONSOLE_PORT = 20101, 20102, 20103  # aiomonitor.monitor's defaults
REACHED_AT = {"127.0.0.1": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::1": "::1", "::": "::1"}  # by what it is bound to
TIMEOUT = 1.0  # seconds without a byte; beside a spinning loop it waits for the interpreter lock
BODY_BYTES_MAX = 1 << 23
TASKS_MAX = 20_000
TEXT_MAX = 300
STATES = {"PENDING": "pending", "CANCELLED": "cancelled", "FINISHED": "finished"}  # asyncio.Future._state
_VERSION = re.compile(r"\d{1,4}(?:\.\w{1,12}){1,4}")
_LOCATION = re.compile(
    r"(?:<(?:cwd|home|stdlib|sitepkg)>/)?([^<>]{1,250}):(\d{1,7})"
)  # aiomonitor.utils._format_filename
_SINCE = re.compile(r"(?:(\d{1,9})y)?(?:(\d\d?)m)?(?:(\d\d?)d)?(?:(\d\d?)h)?(\d\d):(\d\d)(\.\d{3})")
_SINCE_SECONDS = (365 * 86400, 30 * 86400, 86400, 3600, 60, 1, 1)  # aiomonitor.utils._format_timedelta


class _Version(msgspec.Struct):
    value: str


class _Task(msgspec.Struct):
    task_id: str
    state: str
    name: str
    coro: str
    created_location: str
    since: str


class _Tasks(msgspec.Struct):
    tasks: list[_Task]


class Silent(Exception):
    """It took the connection and gave no answer, or none in time."""


def collect(pid: int, sockets: Sockets, everywhere: bool = False) -> Monitor | Missing | None:
    """The monitor and its tasks; None where the target runs none, Missing where one does not answer."""
    listeners = [row for row in sockets.rows if _listens_here(row)]
    ports = {row.local_port for row in listeners}
    for row in sorted(listeners, key=lambda row: row.local_port != WEB_PORT):
        if row.local_port != WEB_PORT and not everywhere:
            break
        try:
            version = _version(pid, row)
            if version:
                return _monitor(pid, row, version, ports)
        except (Silent, OSError):
            if row.local_port == WEB_PORT:
                return _silent(WEB_PORT)
    return None


def web_address(row: Socket) -> str:
    """Where a listener on loopback is reached."""
    return REACHED_AT[row.local.reveal() if row.local else "127.0.0.1"]


def _listens_here(row: Socket) -> bool:
    here = row.local is not None and row.local.reveal() in REACHED_AT
    return here and row.protocol.reveal() == "tcp" and row.state.reveal() == "LISTEN" and row.local_port is not None


def _version(pid: int, row: Socket) -> str | None:
    """Its version; None where something else answers."""
    answer = _ask(pid, row, "GET", "/api/version", _Version)
    return answer.value if answer and _VERSION.fullmatch(answer.value) else None


def _monitor(pid: int, row: Socket, version: str, ports: set[int | None]) -> Monitor | Missing:
    answer = _ask(pid, row, "POST", "/api/live-tasks", _Tasks)
    web_port = row.local_port or WEB_PORT
    if answer is None:
        return _silent(web_port)
    # It tells its terminal's port to nobody: the usual one, or the one before the web's.
    terminals = [port for port in (TERMINAL_PORT, web_port - 1) if port in ports]
    return Monitor(
        version=Word(version),
        terminal_port=terminals[0] if terminals else None,
        web_port=web_port,
        console_port=CONSOLE_PORT if CONSOLE_PORT in ports else None,
        tasks=[_task(task) for task in answer.tasks[:TASKS_MAX] if task.task_id.isdecimal()],
    )


def _task(task: _Task) -> MonitorTask:
    """A field that it does not know is `-`: without its task factory, the age and the place of creation."""
    place = _LOCATION.fullmatch(task.created_location[:TEXT_MAX])
    return MonitorTask(
        task=int(task.task_id[:20]),
        name=TaskName(task.name[:TEXT_MAX]),
        state=Word(STATES.get(task.state, "unknown")),
        coroutine=Name(task.coro[:TEXT_MAX].removesuffix("()")),
        since=since(task.since),
        created_at=None if task.created_location == "-" else FreeText(task.created_location[:TEXT_MAX]),
        created_path=CodePath(printable(place[1])) if place else None,
        created_line=int(place[2]) if place else None,
    )


def since(written: str) -> float | None:
    """`1d2h03:04.158` in seconds; its month has 30 days."""
    if not (found := _SINCE.fullmatch(written)):
        return None
    return sum(float(part or 0) * unit for part, unit in zip(found.groups(), _SINCE_SECONDS, strict=True))


def _ask(pid: int, row: Socket, method: str, path: str, kind: type[T]) -> T | None:
    """One request in the target's network namespace; None where the answer is not `kind` in JSON."""
    import http.client  # 20 ms, and hardly any gateway runs a monitor

    host = web_address(row)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    connection = http.client.HTTPConnection(host, row.local_port or 0)
    try:
        connection.sock = netns.socket_in(pid, family, socket.SOCK_STREAM)
        connection.sock.settimeout(TIMEOUT)
        connection.sock.connect((host, row.local_port))
        connection.request(method, path, headers={"Content-Length": "0"} if method == "POST" else {})
        response = connection.getresponse()
        body = response.read(BODY_BYTES_MAX)
        return msgspec.json.decode(body, type=kind) if response.status == 200 else None
    except TimeoutError:
        raise Silent from None
    except (http.client.HTTPException, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    finally:
        connection.close()


def _silent(port: int) -> Missing:
    return Missing(
        Say(
            "port {port} listens like aiomonitor, but gave no answer within {limit}", port=port, limit=Seconds(TIMEOUT)
        ),
        Say("curl --max-time 5 http://127.0.0.1:{port}/api/version", port=port),
    )
