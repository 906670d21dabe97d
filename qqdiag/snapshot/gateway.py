"""The gateway's own objects: its WebSockets and adapters."""

from __future__ import annotations

import msgspec

from qqdiag.model import CodePath, Name, Word


class WebSocket(msgspec.Struct, frozen=True, kw_only=True):
    """A WebSocket object (aiohttp, websockets), of a client or of a server, followed to its fd."""

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
    ping_sent_at: float | None = None  # when the first of those was sent
    pings: int | None = None  # how many of those there are
    pong_timeout: float | None = None  # seconds that the library waits for a PONG; None: for ever (if known)
    pong_timeout_known: bool = False
    server: bool = False  # it is the end that was called
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


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """A method of an adapter's class, where its code says that its source lies."""

    name: Name  # in the class; of a base class behind `base.`
    function: Name  # of the code itself: another one where the class names it anew
    path: CodePath
    line: int  # its first, decorators included


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
    methods: list[Method] = []  # those in which known faults of its source would lie


class KnownFault(msgspec.Struct, frozen=True, kw_only=True):
    """A known mistake that was looked for in the source of an adapter."""

    adapter: int  # Adapter.address
    profile: Word
    platform: Word
    fault: Word
    failure: Word  # id of the signature that sees what comes of it
    state: Word  # has free unknown
    path: CodePath | None = None  # where that is seen
    line: int | None = None
    fixed_in: Word | None = None  # the first release without it; None: none so far


class Gateway(msgspec.Struct, frozen=True, kw_only=True, tag="gateway"):
    profile: Word | None  # None: no profile fits, only what every library shows
    websockets: list[WebSocket] = []
    adapters: list[Adapter] = []
    listeners: list[int] = []  # of the tasks that run or failed unnoticed: those whose code receives from a WebSocket
    truncated: bool = False  # the search for holders was ended before its end
