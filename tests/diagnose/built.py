"""Snapshots made by hand, for the numbers at which a verdict turns; what can be run is run in the other tests."""

from __future__ import annotations

from typing import Any

from qqdiag.model import CodePath, Missing, Name, Say, TaskName, Word
from qqdiag.snapshot import (
    Code,
    Frame,
    Gateway,
    Growth,
    Leaf,
    Level,
    Loop,
    OsThread,
    Process,
    Python,
    PyThread,
    Sample,
    Snapshot,
    Socket,
    Sockets,
    Task,
    TcpInfo,
    Timer,
    WebSocket,
)

LOOP, LISTENER, SOCKET, FD, THREAD = 1, 10, 100, 7, 5
NOW = 1000.0
ABSENT = Missing(Say("not here"), Say("look elsewhere"))
RECEIVING = Code(
    qualname=Name("ClientWebSocketResponse.receive"),
    name=Name("receive"),
    path=CodePath("/lib/aiohttp/client_ws.py"),
    first_line=1,
)
CLOSING = Code(
    qualname=Name("ClientWebSocketResponse.close"),
    name=Name("close"),
    path=CodePath("/lib/aiohttp/client_ws.py"),
    first_line=1,
)
SELECTING = Code(
    qualname=Name("EpollSelector.select"),
    name=Name("select"),
    path=CodePath("/lib/python3.12/selectors.py"),
    first_line=1,
)
CONNECTING = Code(
    qualname=Name("ClientSession._ws_connect"),
    name=Name("_ws_connect"),
    path=CodePath("/lib/aiohttp/client.py"),
    first_line=1,
)
SLEEPING = Code(
    qualname=Name("sleep"), name=Name("sleep"), path=CodePath("/lib/python3.12/asyncio/tasks.py"), first_line=1
)
OWN = Code(qualname=Name("Bot.run"), name=Name("run"), path=CodePath("/srv/bot.py"), first_line=1)
CODES = [RECEIVING, CLOSING, SELECTING, CONNECTING, SLEEPING, OWN]


def tcp(**values: Any) -> TcpInfo:
    """A healthy connection: 20 ms, everything acknowledged."""
    healthy: dict[str, Any] = {
        "last_data_sent": 1.0,
        "last_data_received": 0.98,
        "last_ack_received": 0.98,
        "rtt": 0.02,
        "rto": 0.22,
        "unacked": 0,
        "retransmits": 0,
        "backoff": 0,
        "total_retransmits": 0,
        "not_sent": 0,
        "bytes_sent": 1000,
        "bytes_acked": 1000,
        "bytes_received": 1000,
        "segments_out": 10,
        "segments_in": 10,
    }
    return TcpInfo(**{**healthy, **values})


def row(info: TcpInfo, **values: Any) -> Socket:
    shape: dict[str, Any] = {
        "fd": FD,
        "inode": 1,
        "family": Word("inet"),
        "protocol": Word("tcp"),
        "state": Word("ESTAB"),
        "local": None,
        "local_port": None,
        "remote": None,
        "remote_port": None,
        "receive_queue": 0,
        "send_queue": 0,
        "epoll": 25,
        "tcp": info,
    }
    return Socket(**{**shape, **values})


def websocket(**values: Any) -> WebSocket:
    shape: dict[str, Any] = {
        "address": SOCKET,
        "library": Word("aiohttp"),
        "type": Name("ClientWebSocketResponse"),
        "closed": False,
        "closing": False,
        "close_code": None,
        "close_timeout": 10.0,
        "fd": FD,
        "transport": 200,
        "unread": 0,
        "holders": [LISTENER],
        "readers": [LISTENER],
    }
    return WebSocket(**{**shape, **values})


def level(code: int, address: int = 1000) -> Level:
    return Level(kind=Word("coroutine"), address=address, name=CODES[code].qualname, code=code, line=1, offset=2)


def task(address: int = LISTENER, **values: Any) -> Task:
    shape: dict[str, Any] = {
        "address": address,
        "name": TaskName(f"Task-{address}"),
        "type": Name("Task"),
        "state": Word("pending"),
        "loop": LOOP,
        "coroutine": address + 1,
        "waiter": address + 2,
        "chain": [level(0)],
        "leaf": leaf(address + 2),
    }
    return Task(**{**shape, **values})


def leaf(address: int, **values: Any) -> Leaf:
    shape: dict[str, Any] = {"kind": Word("future"), "type": Name("Future"), "state": Word("pending"), "fd": FD}
    return Leaf(**{**shape, "address": address, **values})


def timer(when_at: float, *wakes: int) -> Timer:
    return Timer(when_at=when_at, callback=Name("Timeout._on_timeout"), wakes=list(wakes))


def sample(
    info: TcpInfo | None = None,
    *,
    at: float = NOW,
    tasks: list[Task] | None = None,
    timers: list[Timer] | None = None,
    socket: Socket | None = None,
    ws: WebSocket | None = None,
    state: str = "S",
) -> Sample:
    """One look at a gateway with one WebSocket and its listener."""
    loop = Loop(
        address=LOOP,
        type=Name("_UnixSelectorEventLoop"),
        thread=THREAD,
        running=True,
        current_task=None,
        ready=0,
        timers=timers or [],
        epoll_fd=4,
    )
    python = Python(
        version=[3, 12, 1],
        layout=Word("measured-3.12"),
        taken_at=at,
        pause=0.0,
        method=Word("frozen"),
        late_pages=0,
        has_asyncio=True,
        codes=CODES,
        threads=[PyThread(native_id=THREAD, frames=[Frame(code=2, line=1, address=500, offset=0)], loop=LOOP)],
        loops=[loop],
        tasks=[task()] if tasks is None else tasks,
    )
    return Sample(
        taken_at=at,
        process=process(state),
        sockets=Sockets(rows=[socket or row(info or tcp())]),
        python=python,
        gateway=Gateway(profile=None, websockets=[ws or websocket()]),
    )


def process(state: str) -> Process:
    return Process(
        pid=1,
        start_ticks=1,
        state=Word(state),
        uptime=100.0,
        user_seconds=1.0,
        system_seconds=1.0,
        rss=1,
        fds=8,
        fd_limit=1024,
        uid=0,
        user=None,
        tracer=0,
        executable=None,
        unit=None,
        container=None,
        threads=[
            OsThread(
                tid=THREAD,
                name=TaskName("python"),
                state=Word(state),
                wchan=Word("do_epoll_wait"),
                syscall=Word("epoll_wait"),
                user_seconds=1.0,
                system_seconds=1.0,
                voluntary_switches=9,
                involuntary_switches=9,
            )
        ],
        private=1 << 26,
        memory_available=1 << 30,
    )


def snapshot(*samples: Sample) -> Snapshot:
    return Snapshot(
        origin=Word("live"),
        pid=1,
        wall_time=0.0,
        samples=list(samples),
        witness=ABSENT,
        logs=None,
        monitor=None,
        growth=Growth(step=0.1, private=[1 << 26] * 11) if len(samples) > 1 else None,
    )
