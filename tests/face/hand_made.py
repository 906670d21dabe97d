"""Snapshots written by hand: small gateways in known states, for what shows them and what judges them."""

from __future__ import annotations

from typing import Any

from qqdiag.finding import Alternative, Confidence, Diagnosis, Evidence, Finding, RuledOut, Severity
from qqdiag.model import (
    Address,
    CodePath,
    FixedText,
    FreeText,
    Id,
    Missing,
    Name,
    Path,
    Percent,
    Say,
    Seconds,
    Secret,
    TaskName,
    User,
    Word,
)
from qqdiag.snapshot import (
    Adapter,
    Attribute,
    Code,
    Frame,
    FrameLocals,
    Gateway,
    Leaf,
    Level,
    Locals,
    LogArgument,
    LogEvent,
    LogFile,
    LogLine,
    Logs,
    LogTemplate,
    Loop,
    Monitor,
    MonitorTask,
    OsThread,
    PlatformState,
    Process,
    Python,
    PyThread,
    Sample,
    Snapshot,
    Socket,
    Sockets,
    StateFile,
    Task,
    TcpInfo,
    Timer,
    Transport,
    Variable,
    WebSocket,
    Witness,
    WitnessFrame,
    WitnessThread,
)

LOOP = 0x7F0000001000
LISTENER, HEARTBEAT = 0x7F0000002000, 0x7F0000003000
FUTURE, SOCKET_OBJECT = 0x7F0000004000, 0x7F0000005000

CODES = [
    Code(
        qualname=Name("QQAdapter._listen"),
        name=Name("_listen"),
        path=CodePath("/opt/venv/lib/python3.12/site-packages/gateway/platforms/qqbot/adapter.py"),
        first_line=600,
    ),
    Code(
        qualname=Name("ClientWebSocketResponse.receive"),
        name=Name("receive"),
        path=CodePath("/opt/venv/lib/python3.12/site-packages/aiohttp/client_ws.py"),
        first_line=300,
    ),
    Code(
        qualname=Name("EpollSelector.select"),
        name=Name("select"),
        path=CodePath("/usr/lib/python3.12/selectors.py"),
        first_line=430,
    ),
    Code(qualname=Name("main"), name=Name("main"), path=CodePath("/home/someone/bots/mine/bot.py"), first_line=1),
]


def level(code: int, line: int, address: int = 0x10) -> Level:
    return Level(kind=Word("coroutine"), address=address, name=CODES[code].qualname, code=code, line=line, offset=10)


def leaf(address: int = FUTURE, kind: str = "future", **more: Any) -> Leaf:
    fields: dict[str, Any] = {"type": Name("_asyncio.Future"), "state": Word("pending"), **more}
    return Leaf(kind=Word(kind), address=address, **fields)


def task(address: int, name: str = "Task-7", state: str = "pending", **more: Any) -> Task:
    fields: dict[str, Any] = {
        "type": Name("_asyncio.Task"),
        "loop": LOOP,
        "coroutine": address + 8,
        "waiter": FUTURE,
        "chain": [level(0, 688), level(1, 322)],
        "leaf": leaf(),
        **more,
    }
    return Task(address=address, name=TaskName(name), state=Word(state), **fields)


def python(tasks: list[Task], taken_at: float = 1000.0, **more: Any) -> Python:
    fields: dict[str, Any] = {
        "version": [3, 12, 1],
        "flavour": [Word("static")],
        "layout": Word("v3_12"),
        "taken_at": taken_at,
        "pause": 0.0004,
        "method": Word("frozen"),
        "late_pages": 0,
        "has_asyncio": True,
        "codes": CODES,
        "threads": [
            PyThread(native_id=4242, frames=[Frame(code=2, line=468, address=0x20, offset=4)], loop=LOOP),
        ],
        "loops": [loop()],
        "tasks": tasks,
        **more,
    }
    return Python(**fields)


def some_locals(tasks: list[Task]) -> Locals:
    return Locals(frames=[frame_locals(task) for task in tasks if task.chain])


def frame_locals(task: Task) -> FrameLocals:
    """Of its outermost level: `self` with attributes, a text, a number that may be somebody's, an enum."""
    token = variable("_token", "str", "text", text=FreeText("tok-77-aa-19"))
    return FrameLocals(
        task=task.address,
        level=task.chain[0].address,
        variables=[
            variable("self", "QQAdapter", attributes=[token]),
            variable("group", "int", "int", digits=Id("7712345678")),
            variable("timeout", "float", "float", number=30.0),
            variable("state", "State", "enum", called=Name("OPEN")),
            variable("session", "ClientSession", fd=9),
        ],
        omitted=2,
    )


def variable(name: str, type_name: str, kind: str = "object", **more: Any) -> Variable:
    return Variable(
        name=Name(name), type=Name(type_name), scope=Word("local"), kind=Word(kind), address=0x7F000000A000, **more
    )


def loop(**more: Any) -> Loop:
    fields: dict[str, Any] = {
        "type": Name("asyncio.unix_events._UnixSelectorEventLoop"),
        "thread": 4242,
        "running": True,
        "current_task": None,
        "ready": 0,
        "timers": [Timer(when_at=1012.5, callback=Name("_set_result_unless_cancelled"), wakes=[HEARTBEAT])],
        "epoll_fd": 3,
        "transports": [transport()],
        **more,
    }
    return Loop(address=LOOP, **fields)


def transport() -> Transport:
    return Transport(
        fd=9,
        address=0x7F0000006000,
        type=Name("asyncio.selector_events._SelectorSocketTransport"),
        protocol=Name("aiohttp.client_proto.ResponseHandler"),
        protocol_address=0x7F0000007000,
        tls=True,
        reading_paused=False,
        writing_paused=False,
        buffered=0,
        closing=False,
        websocket_reader=True,
    )


def process(**more: Any) -> Process:
    fields: dict[str, Any] = {
        "pid": 4242,
        "start_ticks": 123456,
        "state": Word("S"),
        "uptime": 86400.0 * 3 + 7000,
        "user_seconds": 12.5,
        "system_seconds": 1.5,
        "rss": 123_456_789,
        "fds": 23,
        "fd_limit": 1024,
        "uid": 1000,
        "user": User("qianwei"),
        "tracer": 0,
        "executable": Path("/home/qianwei/venv/bin/python3.12"),
        "argv": [Secret("python"), Secret("--token"), Secret("zq83-hunter-secret")],
        "unit": Id("hermes-gateway-qianwei.service"),
        "container": None,
        "threads": [os_thread()],
        **more,
    }
    return Process(**fields)


def os_thread() -> OsThread:
    return OsThread(
        tid=4242,
        name=TaskName("hermes"),
        state=Word("S"),
        wchan=Word("ep_poll"),
        syscall=Word("epoll_wait"),
        syscall_args=[3, 0, 1, 12000],
        user_seconds=12.5,
        system_seconds=1.5,
        voluntary_switches=900,
        involuntary_switches=3,
    )


def tcp(**more: Any) -> TcpInfo:
    fields: dict[str, Any] = {
        "last_data_sent": 2460.0,
        "last_data_received": 2472.0,
        "last_ack_received": 2460.0,
        "rtt": 0.03,
        "rto": 0.23,
        "unacked": 0,
        "retransmits": 0,
        "backoff": 0,
        "total_retransmits": 1,
        "not_sent": 0,
        "bytes_sent": 3000,
        "bytes_acked": 3000,
        "bytes_received": 9000,
        "segments_out": 20,
        "segments_in": 30,
        **more,
    }
    return TcpInfo(**fields)


def socket(fd: int = 9, remote: str = "203.0.113.77", **more: Any) -> Socket:
    fields: dict[str, Any] = {
        "inode": 5000 + fd,
        "family": Word("inet"),
        "protocol": Word("tcp"),
        "state": Word("ESTAB"),
        "local": Address("192.168.31.45"),
        "local_port": 40022,
        "remote": Address(remote),
        "remote_port": 443,
        "receive_queue": 0,
        "send_queue": 0,
        "epoll": 0x2019,
        "epoll_fd": 3,
        "tcp": tcp(),
        **more,
    }
    return Socket(fd=fd, **fields)


def websocket() -> WebSocket:
    return WebSocket(
        address=SOCKET_OBJECT,
        library=Word("aiohttp"),
        type=Name("aiohttp.client_ws.ClientWebSocketResponse"),
        closed=False,
        closing=False,
        close_code=None,
        close_timeout=20.0,
        close_timeout_known=True,
        fd=9,
        transport=0x7F0000006000,
        unread=0,
        holders=[LISTENER],
    )


def gateway() -> Gateway:
    adapter = Adapter(
        profile=Word("hermes"),
        platform=Word("qqbot"),
        type=Name("gateway.platforms.qqbot.adapter.QQAdapter"),
        address=0x7F0000008000,
        attributes=[
            Attribute(name=Word("running"), present=True, truth=True),
            Attribute(name=Word("session"), present=True, truth=True, type=Name("str")),
            Attribute(name=Word("heartbeat_interval"), present=True, number=41.25),
            Attribute(name=Word("token_lock"), present=False),
        ],
        websocket=SOCKET_OBJECT,
        listener=LISTENER,
        heartbeat=HEARTBEAT,
    )
    return Gateway(profile=Word("hermes"), websockets=[websocket()], adapters=[adapter])


def logs() -> Logs:
    line = LogLine(
        age=2470.0,
        level=Word("WARNING"),
        logger=Name("gateway.platforms.qqbot.adapter"),
        text=FreeText("[QQBot:1903695542] message from weimin88: meet me at the old harbour"),
    )
    events = [
        LogEvent(event=Word("connected"), age=2500.0, level=Word("INFO")),
        LogEvent(event=Word("closed"), age=2470.0, level=Word("WARNING"), numbers=[4009.0]),
        LogEvent(event=Word("ready"), age=2460.0, level=Word("INFO")),
    ]
    state = StateFile(
        path=Path("/home/qianwei/.hermes/gateway_state.json"),
        age=2460.0,
        pid=4242,
        start_ticks=123456,
        gateway_state=Word("running"),
        platforms=[PlatformState(name=Word("qqbot"), state=Word("connected"), error=None, age=2460.0)],
    )
    path = Path("/home/qianwei/.hermes/logs/agent.log")
    file = LogFile(name=Word("agent"), path=path, size=48_213, age=2460.0, last=[line, known_line()], events=events)
    return Logs(profile=Word("hermes"), files=[file], state=state, templates=[template()])


def template() -> LogTemplate:
    """The log call that wrote `known_line`."""
    return LogTemplate(
        logger=Name("gateway.platforms.qqbot.adapter"),
        path=CODES[0].path,
        line=634,
        fixed=[FixedText("["), FixedText("] Reconnecting in "), FixedText("s (attempt "), FixedText(")...")],
    )


def known_line() -> LogLine:
    return LogLine(
        age=2468.0,
        level=Word("INFO"),
        logger=Name("gateway.platforms.qqbot.adapter"),
        text=FreeText("[QQBot:1903695542] Reconnecting in 2s (attempt 1)..."),
        template=0,
        arguments=[LogArgument(id=Id("QQBot:1903695542")), LogArgument(number=2.0), LogArgument(number=1.0)],
    )


def monitor() -> Monitor:
    known = MonitorTask(
        task=LISTENER,
        name=TaskName("agent:main:qqbot:dm:OPENID8813377"),
        state=Word("PENDING"),
        coroutine=Name("QQAdapter._listen"),
        since=2460.0,
        created_at=FreeText("<home>/OPENID8813377/bot.py:12"),
        created_path=CodePath("OPENID8813377/bot.py"),
        created_line=12,
    )
    return Monitor(version=Word("0.7.1"), terminal_port=20101, web_port=20102, console_port=20103, tasks=[known])


def witness() -> Witness:
    frame = WitnessFrame(name=Name("select"), path=CodePath("/usr/lib/python3.12/selectors.py"), line=468)
    return Witness(version=Word("0.4.1"), threads=[WitnessThread(tid=4242, frames=[frame])])


def sample(taken_at: float = 1000.0, tasks: list[Task] | None = None, **more: Any) -> Sample:
    heartbeat = task(HEARTBEAT, "agent:main:qqbot:dm:OPENID8813377", chain=[level(3, 12)], leaf=leaf(kind="timer"))
    fields: dict[str, Any] = {
        "process": process(),
        "sockets": Sockets(rows=[socket(), socket(fd=11, remote="::ffff:127.0.0.1")]),
        "python": python([task(LISTENER), heartbeat] if tasks is None else tasks, taken_at),
        "gateway": gateway(),
        **more,
    }
    return Sample(taken_at=taken_at, **fields)


def snapshot(**more: Any) -> Snapshot:
    fields: dict[str, Any] = {
        "origin": Word("live"),
        "pid": 4242,
        "wall_time": 1_795_000_000.0,
        "samples": [sample(999.0), sample(1000.0)],
        "witness": witness(),
        "logs": logs(),
        "monitor": monitor(),
        "pause": 0.0008,
        **more,
    }
    return Snapshot(**fields)


def finding(**more: Any) -> Finding:
    fields: dict[str, Any] = {
        "id": "missing-ack",
        "severity": Severity.HANG,
        "confidence": Confidence.LIKELY,
        "because": Say("the peer acknowledges at the TCP level and sends nothing"),
        "summary": Say(
            "{task} has waited {wait} for a message on a connection that still takes heartbeats",
            task=TaskName("Task-7"),
            wait=Seconds(2472.0),
        ),
        "evidence": (
            Evidence(
                Say("last data received {age} ago, from {peer}", age=Seconds(2472.0), peer=Address("203.0.113.77")),
                "sockets",
                Seconds(2472.0),
                "s",
            ),
            Evidence(Say("CPU {share}", share=Percent(0.2)), "process", Percent(0.2), "%"),
        ),
        "ruled_out": (RuledOut("loop-blocked", Say("the loop sleeps in its selector")),),
        "alternatives": (
            Alternative(
                "half-open",
                Say("whether the peer still acknowledges data"),
            ),
        ),
        "tasks": (LISTENER,),
        "sockets": (9,),
        "fingerprint": "missing-ack-0a1b2c3d",
        **more,
    }
    return Finding(**fields)


def diagnosis(*findings: Finding, **more: Any) -> Diagnosis:
    fields: dict[str, Any] = {
        "verdict": "matched" if findings else "clear",
        "clear": (("hot-loop", Say("{share} of a core used", share=Percent(0.2))),),
        "missing": (
            (
                "half-open",
                Missing(Say("only one sample was taken"), Say("qqdiag inspect {pid} --interval 1", pid=4242)),
            ),
        ),
        **more,
    }
    return Diagnosis(findings=findings, **fields)
