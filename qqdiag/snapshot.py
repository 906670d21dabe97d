"""What was seen: frozen facts, raw numbers, flat tables by id; each section is there or is `Missing`.

A field is a number, a bool, a `Text` (model.py) or one of the structs below: never a bare `str`, so that redaction
knows each value by its type. Addresses are addresses in the target's memory and serve as ids: `Task.address` is what
`Level.address`, `Leaf.address` and `Timer.wakes` refer to. Times called `…_at` are CLOCK_MONOTONIC seconds of the
target's machine, the clock of `loop.time()`; durations are seconds.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from qqdiag.model import Address, CodePath, FreeText, Id, Missing, Name, Path, Say, Secret, TaskName, User, Word

# --- process ---------------------------------------------------------------------------------------------------------


class OsThread(msgspec.Struct, frozen=True, kw_only=True):
    """A thread as the kernel knows it (/proc/PID/task/TID), read before any pause."""

    tid: int
    name: TaskName
    state: Word  # R S D T t Z X
    wchan: Word | None  # kernel function it sleeps in; None: hidden from this user
    syscall: Word | None  # name; "running"; "none": asleep outside of a system call; None: hidden
    syscall_args: list[int] = []  # unsigned registers, the first six; epoll_wait: epfd, events, maxevents, ms (32 bits)
    user_seconds: float
    system_seconds: float
    voluntary_switches: int
    involuntary_switches: int
    namespace_tid: int | None = None  # its id in its own pid namespace, which the interpreter knows; None: not told


class Process(msgspec.Struct, frozen=True, kw_only=True, tag="process"):
    """The target as the kernel knows it."""

    pid: int
    namespace_pid: int | None = None  # its pid in its own pid namespace, which it writes to its own files
    start_ticks: int  # field 22 of /proc/PID/stat: with the pid, its identity
    state: Word
    uptime: float
    user_seconds: float
    system_seconds: float
    rss: int  # bytes
    fds: int | None
    fd_limit: int | None
    uid: int | None
    user: User | None
    tracer: int  # pid of another tracer, 0: none
    executable: Path | None
    argv: list[Secret] = []
    unit: Id | None  # systemd unit
    container: Id | None  # container id when its cgroup or namespaces say so
    namespaces_differ: list[Word] | None = []  # which of pid, net, mnt, user, time are not ours; None: hidden
    clock_ahead: float = 0.0  # seconds: its own CLOCK_MONOTONIC less ours; the times of a sample are by ours
    threads: list[OsThread] = []


# --- sockets ---------------------------------------------------------------------------------------------------------


class TcpInfo(msgspec.Struct, frozen=True, kw_only=True, tag="tcp"):
    """struct tcp_info (linux/tcp.h); times in seconds ago, fields that an older kernel lacks are None.

    A side that never sent or received anything counts from the connection's start; in SYN-SENT the ages are 0.
    """

    last_data_sent: float
    last_data_received: float
    last_ack_received: float
    rtt: float
    rto: float
    unacked: int
    retransmits: int  # of the segment now in flight
    backoff: int
    total_retransmits: int
    not_sent: int | None  # bytes queued, not yet sent once
    bytes_sent: int | None
    bytes_acked: int | None
    bytes_received: int | None
    segments_out: int | None  # with data
    segments_in: int | None  # with data
    receive_window_limited: bool = False


class Socket(msgspec.Struct, frozen=True, kw_only=True):
    """One socket of the target."""

    fd: int
    inode: int
    family: Word  # inet inet6 unix netlink …
    protocol: Word  # tcp udp unix …
    state: Word  # ESTAB CLOSE-WAIT SYN-SENT LISTEN … as ss prints them
    local: Address | None
    local_port: int | None
    remote: Address | None
    remote_port: int | None
    receive_queue: int | None  # bytes unread
    send_queue: int | None  # bytes unacknowledged or unsent
    epoll: int | None  # event mask in an epoll of the target (0x19 = IN|ERR|HUP); None: not registered
    epoll_fd: int | None = None
    timer: Word | None = None  # on keepalive timewait persist
    timer_expires: float | None = None
    tcp: TcpInfo | Missing | None = None


class Sockets(msgspec.Struct, frozen=True, kw_only=True, tag="sockets"):
    rows: list[Socket] = []
    same_network_namespace: bool = True


# --- Python: threads, loops, tasks (one frozen copy) -----------------------------------------------------------------


# Names that code calls to read a WebSocket or to send on it: aiohttp's ClientWebSocketResponse, websockets' Connection.
RECEIVES = frozenset({"receive", "receive_str", "receive_bytes", "receive_json", "recv", "recv_streaming"})
SENDS = frozenset({"send", "send_str", "send_bytes", "send_json", "ping"})


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """A code object, once; levels and frames refer to it by index."""

    qualname: Name
    name: Name
    path: CodePath
    first_line: int
    calls: list[Word] = []  # of its co_names, those of a known list: receive, recv, send_json, drain …


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One frame of a thread's stack."""

    code: int
    line: int | None
    address: int
    offset: int | None  # of the current instruction, in bytes


class PyThread(msgspec.Struct, frozen=True, kw_only=True):
    """A thread as the interpreter knows it; frames innermost first."""

    native_id: int | None
    frames: list[Frame] = []
    loop: int | None = None  # the event loop that runs in it
    name: TaskName | None = None  # of its threading.Thread; the kernel knows it since 3.14
    truncated: bool = False


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an await chain."""

    kind: Word  # coroutine generator async-generator cython wrapper future task awaitable
    address: int
    name: Name  # its own qualname, or its type
    code: int | None = None
    line: int | None = None
    offset: int | None = None  # of the current instruction, in bytes
    suspended: bool = True


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """What the innermost level waits for."""

    # future task gather shield wait timer lock event condition semaphore queue executor process unknown nothing
    kind: Word
    address: int
    type: Name
    state: Word  # pending cancelled finished unknown
    task: int | None = None  # the task, where the leaf is one or a lock's holder is known
    children: list[int] = []  # of a gather: the tasks and futures it waits for
    fd: int | None = None
    writable: bool | None = None  # it waits until the fd takes (True) or has (False) bytes; None: not known, or no fd
    deadline_at: float | None = None  # the timer that will complete it
    began_at: float | None = None  # when the wait began: the timer's time less the delay that it was set with
    lock: int | None = None  # the Lock of `Python.locks` that it waits at
    thread: int | None = None  # native id of the thread whose frames work on it
    job: Word | None = None  # of an executor: pending (no thread has begun it), running …
    process: int | None = None  # pid of the child whose end it waits for, in the target's own pid namespace


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """A synchronizer of asyncio that a task holds or waits at. None keeps its owner: see cpython/held.py."""

    address: int
    kind: Word  # lock semaphore condition event queue
    type: Name
    locked: bool | None  # whether who comes now must wait; None: depends on what it does (condition, queue)
    value: int | None = None  # semaphore: how many may still enter; queue: items in it
    holders: list[int] = []  # the tasks inside an `async with` of it
    holder_known: bool = False  # False: somebody may hold it by a plain `await lock.acquire()`
    waiters: list[int] = []  # tasks, in the order in which they will be let in


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A line of code."""

    path: CodePath
    line: int
    name: Name  # of the function, without its class


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One asyncio task."""

    address: int
    name: TaskName
    type: Name
    state: Word  # pending running finished cancelled failed
    loop: int
    coroutine: int
    waiter: int | None  # task_fut_waiter
    chain: list[Level] = []  # outermost first
    leaf: Leaf | None = None
    exception: Name | None = None  # its type, when failed
    exception_fetched: bool | None = None  # None: not failed, or not known
    awaiters: list[int] = []  # the tasks that wait for it
    cancelling: int = 0  # cancel requests counted (3.11+), at least 1 when one must still be delivered
    awaited_by: list[int] | None = None  # tasks and futures, as the interpreter itself keeps them; None before 3.14
    started: list[int] = []  # tasks in its open TaskGroups, and (3.14+) what else it awaits beside what it stands at
    created: Place | None = None  # who called create_task and the like: kept in debug mode or by an aiomonitor
    creator: int | None = None  # the task that did, and created_at when: kept by an aiomonitor alone
    created_at: float | None = None
    truncated: bool = False
    doubts: list[Say] = []


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """A pending call_at; cancelled ones are left out."""

    when_at: float
    callback: Name
    wakes: list[int] = []  # tasks and futures that it completes or cancels


class Transport(msgspec.Struct, frozen=True, kw_only=True):
    """A transport of a selector loop (`loop._transports`), and what sits on it."""

    fd: int
    address: int
    type: Name
    protocol: Name  # the innermost application protocol's type, through TLS
    protocol_address: int
    tls: bool
    reading_paused: bool | None
    writing_paused: bool | None  # the protocol was told to pause
    buffered: int | None  # bytes in its write buffer
    closing: bool | None
    websocket_reader: bool | None  # its protocol parses WebSocket frames (aiohttp)


class Loop(msgspec.Struct, frozen=True, kw_only=True):
    """One event loop."""

    address: int
    type: Name
    thread: int | None  # native id of the thread that runs it
    running: bool
    current_task: int | None
    ready: int | None  # callbacks in the ready queue; None: opaque (uvloop)
    timers: list[Timer] = []
    epoll_fd: int | None
    transports: list[Transport] = []
    opaque: bool = False


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A local or an attribute, as far as memory alone tells what it is."""

    name: Name
    type: Name
    scope: Word  # local cell free attribute
    kind: Word  # none bool int float enum text bytes container callable class object unreadable
    address: int
    number: int | float | None = None  # below a million; a float to three digits
    truth: bool | None = None
    length: int | None = None  # of a container; of a text or bytes where there are more than 128
    text: FreeText | None = None  # the first 200 characters, or bytes
    digits: Id | None = None  # a number from a million on
    called: Name | None = None  # an enum's member, a function or method, a class
    fd: int | None = None  # of a socket, transport, stream or WebSocket
    attributes: list[Variable] = []  # of `self`, where it is first met in a chain from the inside
    omitted: int = 0  # attributes beyond the bound


class FrameLocals(msgspec.Struct, frozen=True, kw_only=True):
    """The locals of one level of a task's chain, or of a thread's frame, that are set, by the order of their names."""

    task: int  # 0: of a thread
    level: int  # the level's address, of a thread the frame's
    variables: list[Variable] = []
    omitted: int = 0  # locals beyond the bound
    readable: bool = True


class Locals(msgspec.Struct, frozen=True, kw_only=True, tag="locals"):
    """Locals of the innermost levels of the chains, and how many levels there were no room for."""

    frames: list[FrameLocals] = []
    omitted: int = 0


class Python(msgspec.Struct, frozen=True, kw_only=True, tag="python"):
    """Interpreter state from one frozen copy of the target's memory."""

    version: list[int]  # 3, 12, 1
    flavour: list[Word] = []  # debug free-threaded static …
    layout: Word  # which layout was used, and whether the target published it
    taken_at: float
    pause: float  # seconds the target stood still, 0 without a pause
    method: Word  # asleep (no thread ran while it was read), stopped, frozen, double-read, unpaused
    late_pages: int
    has_asyncio: bool
    complete: bool = True  # False: parts were torn, or changed while they were read; what is absent may have been there
    codes: list[Code] = []
    threads: list[PyThread] = []
    loops: list[Loop] = []
    tasks: list[Task] = []
    locks: list[Lock] = []
    unreachable: list[int] | None = None  # tasks whose future has no reference but their own wait's; None: not counted
    locals: Locals | Missing | None = None  # None: not asked for
    doubts: list[Say] = []


class Orphan(msgspec.Struct, frozen=True, kw_only=True):
    """A task that asyncio's registry does not have, or coroutines and async generators at one place that are in no
    task's chain."""

    kind: Word  # task coroutine async-generator
    state: Word  # pending; created (never begun) suspended; of a generator also yielded: it stands at a `yield`
    address: int  # of the first
    name: Name  # of the coroutine
    path: CodePath | None = None
    line: int | None = None
    count: int = 1
    task: TaskName | None = None
    chain: list[Place] = []  # what it awaits, outermost first
    waits: Name | None = None  # the type of what the chain ends in


class Deep(msgspec.Struct, frozen=True, kw_only=True, tag="deep"):
    """What a walk over the whole heap found: everything that the garbage collector tracks."""

    objects: int
    seconds: float
    pause: float = 0.0  # seconds the target stood still for it
    complete: bool  # False: cut short, or the lists of objects were torn
    orphans: list[Orphan] = []
    unreachable: list[int] = []  # tasks that wait for a future which nothing but the wait itself holds
    endless: list[int] = []  # tasks that wait for nothing but such futures and tasks


class WitnessFrame(msgspec.Struct, frozen=True, kw_only=True):
    name: Name
    path: CodePath
    line: int


class WitnessThread(msgspec.Struct, frozen=True, kw_only=True):
    tid: int | None
    frames: list[WitnessFrame] = []  # innermost first


class Witness(msgspec.Struct, frozen=True, kw_only=True, tag="witness"):
    """Thread stacks by py-spy, taken a moment apart from ours."""

    version: Word
    threads: list[WitnessThread] = []


# --- gateway ---------------------------------------------------------------------------------------------------------


class WebSocket(msgspec.Struct, frozen=True, kw_only=True):
    """A WebSocket client object (aiohttp, websockets), followed to its fd."""

    address: int
    library: Word  # aiohttp websockets
    type: Name
    closed: bool | None
    closing: bool | None
    close_code: int | None
    close_timeout: float | None  # seconds a close waits for one message of the peer; None: for ever (if known)
    close_timeout_known: bool = False
    receive_timeout: float | None = None
    fd: int | None
    transport: int | None
    unread: int | None  # bytes in its own queue, read from the socket and not consumed
    ping_interval: float | None = None  # the library's own PING, None: off
    ping_outstanding: bool | None = None  # a PING of the library was sent and not answered
    holders: list[int] = []  # tasks whose frames hold it, directly or by an attribute of a local
    readers: list[int] = []  # of these, the ones with a frame that receives from it, now or after what it does now
    maybe_readers: list[int] = []  # where there are none: holders whose code receives in a method that it calls
    send_period: float | None = None  # seconds that a task which sends on it sleeps in between


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """An attribute of an adapter that the profile names."""

    name: Word  # the profile's word for it: running, session, listener, heartbeat, websocket …
    present: bool
    truth: bool | None = None
    number: float | None = None
    address: int | None = None  # of the object it holds
    type: Name | None = None


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """One platform adapter that a profile recognised."""

    profile: Word
    platform: Word
    type: Name
    address: int
    attributes: list[Attribute] = []
    websocket: int | None = None  # WebSocket.address
    listener: int | None = None  # Task.address
    heartbeat: int | None = None  # Task.address


class Gateway(msgspec.Struct, frozen=True, kw_only=True, tag="gateway"):
    profile: Word | None  # None: no profile fits, only what every library shows
    websockets: list[WebSocket] = []
    adapters: list[Adapter] = []
    listeners: list[int] = []  # of the tasks that run or failed unnoticed: those whose code receives from a WebSocket
    truncated: bool = False  # the search for holders was ended before its end


# --- logs, state file, monitor ---------------------------------------------------------------------------------------


class LogEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A log line that the profile knows."""

    event: Word  # connected ready resumed closed reconnecting reconnect-failed gave-up …
    age: float  # seconds before the snapshot, by the wall clock
    level: Word
    numbers: list[float] = []  # close code, delay, attempt: in the order of the profile's phrase
    line: int | None = None


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """A log line as written."""

    age: float | None
    level: Word | None
    logger: Name | None
    text: FreeText


class LogFile(msgspec.Struct, frozen=True, kw_only=True):
    name: Word  # the profile's word: agent, gateway, errors
    path: Path
    size: int
    age: float  # since its last write
    last: list[LogLine] = []
    events: list[LogEvent] = []


class PlatformState(msgspec.Struct, frozen=True, kw_only=True):
    name: Word
    state: Word
    error: Word | None
    age: float | None


class StateFile(msgspec.Struct, frozen=True, kw_only=True, tag="state"):
    """The gateway's own status file: what it last said of itself, which is not what is."""

    path: Path
    age: float
    pid: int | None
    start_ticks: int | None
    gateway_state: Word | None
    platforms: list[PlatformState] = []


class Logs(msgspec.Struct, frozen=True, kw_only=True, tag="logs"):
    profile: Word
    files: list[LogFile] = []
    missing: list[Missing] = []  # files that are there and were not read
    state: StateFile | Missing | None = None


class MonitorTask(msgspec.Struct, frozen=True, kw_only=True):
    task: int  # id() in the target: an address
    name: TaskName
    state: Word
    coroutine: Name
    since: float | None  # seconds since it was created
    created_at: FreeText | None = None  # as written by the monitor
    created_path: CodePath | None = None  # the same, taken apart
    created_line: int | None = None


class Monitor(msgspec.Struct, frozen=True, kw_only=True, tag="monitor"):
    """An aiomonitor that the gateway runs."""

    version: Word
    terminal_port: int | None
    web_port: int
    console_port: int | None
    tasks: list[MonitorTask] = []


# --- the whole -------------------------------------------------------------------------------------------------------


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the target. `taken_at` is when its kernel part was read."""

    taken_at: float
    process: Process | Missing
    sockets: Sockets | Missing
    python: Python | Missing
    gateway: Gateway | Missing


class SourceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a source file of the target."""

    path: CodePath
    line: int
    text: FreeText  # without what surrounds it


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One or two samples, and what needs only one look."""

    SCHEMA: ClassVar[int] = 1

    schema: int = SCHEMA
    origin: Word  # live core capture
    pid: int
    wall_time: float  # seconds since 1970, at the last sample
    samples: list[Sample]  # one or two, oldest first
    witness: Witness | Missing
    logs: Logs | Missing | None  # None: no profile names any
    monitor: Monitor | Missing | None  # None: the target runs none
    deep: Deep | Missing | None = None  # None: not asked for
    sources: list[SourceLine] = []  # of what the tasks and threads of the last sample stand at, where asked for
    pause: float = 0.0  # seconds, over all collectors and samples
