"""A QQ bot gateway client that has the reference fixes, each of which can be left out.

    Adapter(account, model, without={"bounded-close"})

    start ── listener task ── _connect ── token, /gateway, WebSocket
                 │                └─ on failure: back off, again
                 └─ _read_events ── Hello     -> heartbeat task, Identify or Resume
                                    Dispatch  -> handler task ── model ── REST answer
                                    ACK, op 7, op 9

Protocol: bot-docs `develop/api-v2/dev-prepare/interface-framework` (opcodes, Identify, Resume, close codes).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass, field
from functools import partial

import aiohttp
from aiohttp import WSCloseCode, WSMsgType

from .answers import Answers
from .beating import beat
from .bounded_close import abort, close_within
from .closed_read import Closed, usable
from .heartbeat_ack import Heartbeats
from .listener import TRANSPORT_ERRORS, back_off
from .loop_watchdog import LoopWatchdog
from .open_api import Account, OpenApi
from .protocol import BadPayload, Frame, Incoming, Op, heartbeat_interval, identify, incoming, parse, resume
from .quick_disconnect import QuickDisconnects
from .ready_deadline import ReadyDeadline
from .send_gate import NotConnected, SendGate
from .session_resume import Reaction, Session, reaction
from .supervisor import Supervisor
from .timing import Timing
from .url_cache import UrlCache

log = logging.getLogger(__name__)

# What can be left out.
FIXES = frozenset(
    {
        *("bounded-close", "closed-read", "heartbeat-ack", "listener", "loop-watchdog", "quick-disconnect"),
        *("ready-deadline", "send-gate", "session-resume", "supervisor", "url-cache"),
    }
)

Model = Callable[["Adapter", Incoming], Awaitable[str | None]]  # None: no answer


class Stopped(Exception):
    """A close code after which connecting again is forbidden."""


@dataclass(eq=False)
class Adapter:
    """One bot, connected to the gateway from `begin` to `finish`."""

    account: Account
    model: Model
    without: Set[str] = frozenset()
    timing: Timing = field(default_factory=Timing)
    inline: bool = False  # handlers run in the listener, one after the other, instead of in tasks of their own

    def __post_init__(self) -> None:
        if not self.without <= FIXES:
            raise ValueError(f"no such fix: {', '.join(sorted(self.without - FIXES))}")
        self.api = OpenApi(self.account, self.timing.rest_total)
        self.ws_session: aiohttp.ClientSession | None = None  # of the WebSocket alone, renewed with it
        self.ws: aiohttp.ClientWebSocketResponse | None = None
        self.session = Session() if "session-resume" not in self.without else Session(limit=1 << 31)
        self.heartbeats = Heartbeats()
        self.deadline = ReadyDeadline(self.timing.ready, self._cut)
        self.quick = QuickDisconnects(self.timing.quick, rest=self.timing.quick_rest)
        self.urls = UrlCache(self.api.gateway, self.timing.url_kept)
        self.supervisor = Supervisor("listener", self._listen, self.timing.delays, lambda: not self.stopped)
        self.watchdog: LoopWatchdog | None = None
        self.alone: asyncio.Task[None] | None = None  # the listener, without a supervisor
        self.stopped = False  # for good, by a close code
        self.beating: asyncio.Task[None] | None = None
        self.is_ready = asyncio.Event()
        self.answers = Answers(self.api, partial(self.model, self), self._admitted, self.timing.delays)
        self.handling = self.answers.tasks
        self.gate = SendGate(self.is_ready, lambda: self.listening, self.timing.send_wait)
        self.attempt = 0
        self.pause = 0.0
        self.events = 0

    @property
    def listening(self) -> asyncio.Task[None] | None:
        """The listener's task."""
        return self.alone or self.supervisor.task

    async def begin(self) -> None:
        self.api.begin()
        if "loop-watchdog" not in self.without:
            loop = asyncio.get_running_loop()
            self.watchdog = LoopWatchdog(loop, stall=self.timing.stall, limit=self.timing.stall_limit)
            self.watchdog.begin()
        if "supervisor" not in self.without:
            self.supervisor.begin()
        else:
            self.alone = asyncio.create_task(self._listen())

    async def finish(self) -> None:
        if self.watchdog is not None:
            self.watchdog.finish()
        await self.supervisor.finish()
        tasks = [task for task in (self.alone, self.beating, *self.handling) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._drop_connection()
        await self.api.finish()

    # --- the listener ------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        self.attempt = 0
        try:
            await self._connect()
            while True:
                await self._read_or_reconnect()
        except Stopped as stop:
            log.error("stopped for good: %s", stop)
            self.stopped = True
            await self._drop_connection()
        except asyncio.CancelledError:
            if "listener" in self.without:
                return
            await self._drop_connection()
            raise

    async def _read_or_reconnect(self) -> None:
        try:
            await self._read_events()
            self.attempt = 0
        except TRANSPORT_ERRORS as error:
            log.warning("connection lost: %r", error)
            self._react(error.code if isinstance(error, Closed) else None)
            await self._connect()

    async def _read_events(self) -> None:
        while self.ws is not None and not self.ws.closed:
            frame = await self.ws.receive()
            if frame.type is WSMsgType.TEXT:
                await self._take(frame.data)
            elif frame.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR):
                raise Closed(frame.data if frame.type is WSMsgType.CLOSE else self.ws.close_code)
        if "closed-read" not in self.without:
            usable(self.ws)

    def _react(self, code: int | None) -> None:
        self.is_ready.clear()
        self.deadline.reached()
        right = reaction(code)
        if "session-resume" in self.without:
            right = Reaction.RESUME if code in (None, WSCloseCode.ABNORMAL_CLOSURE) else Reaction.IDENTIFY
        if right is Reaction.STOP:
            raise Stopped(code)
        if right in (Reaction.IDENTIFY, Reaction.NEW_TOKEN):
            self.session.forget()
        if right is Reaction.NEW_TOKEN:
            self.api.forget_token()
        rest = self.quick.lost() if "quick-disconnect" not in self.without else 0.0
        self.pause = max(rest, self.timing.rate_limited if right is Reaction.WAIT else 0.0)

    async def _connect(self) -> None:
        """One attempt. A failed one leaves no WebSocket, or the old one, closed: the next read finds out."""
        if "listener" in self.without and self.attempt >= self.timing.attempts:
            raise ConnectionError("no more attempts")
        if self.attempt or self.ws is not None:
            await asyncio.sleep(self.pause + back_off(self.attempt, self.timing.delays))
        self.attempt += 1
        try:
            await self._open()
        except TRANSPORT_ERRORS as error:
            log.warning("attempt %d failed: %r", self.attempt, error)
            self.urls.forget()

    async def _open(self) -> None:
        limit = None if "ready-deadline" in self.without else self.timing.ready
        async with asyncio.timeout(limit):
            gateway = await (self.urls.get() if "url-cache" not in self.without else self.api.gateway())
        await self._drop_connection()
        self.ws_session = aiohttp.ClientSession()
        async with asyncio.timeout(limit):
            self.ws = await self.ws_session.ws_connect(
                gateway,
                ssl=self.account.tls or True,
                timeout=aiohttp.ClientWSTimeout(ws_close=self.timing.ws_close),
            )
        log.info("connected")
        self.quick.connected()
        if limit is not None:
            self.deadline.begin()

    async def _drop_connection(self) -> None:
        if self.beating is not None:
            self.beating.cancel()
        self.deadline.reached()
        if "bounded-close" not in self.without:
            await close_within(self.ws, self.ws_session, self.timing.close_total)
        else:
            if self.ws is not None and not self.ws.closed:
                await self.ws.close()
            if self.ws_session is not None:
                await self.ws_session.close()
        self.ws = self.ws_session = None

    def _cut(self) -> None:
        if self.ws is not None:
            abort(self.ws)

    # --- frames ------------------------------------------------------------------------------------------------------

    async def _take(self, text: str) -> None:
        frame = parse(text)
        if frame.seq is not None:
            self.session.seq = frame.seq
        if frame.op == Op.HELLO:
            await self._greet(heartbeat_interval(frame.body))
        elif frame.op == Op.HEARTBEAT_ACK:
            self.heartbeats.count_answered()
        elif frame.op == Op.DISPATCH:
            await self._dispatch(frame)
        elif frame.op == Op.RECONNECT:
            self._leave()
        elif frame.op == Op.INVALID_SESSION:
            self.session.forget()
            self._leave()

    def _leave(self) -> None:
        """The server wants us to connect anew."""
        if "bounded-close" not in self.without:
            raise Closed(None)
        # Closed from another task, and so inside the listener's own receive() (aiohttp client_ws.py `receive`).
        if self.ws is not None:
            self.answers.spawn(_close(self.ws))

    async def _greet(self, interval: float) -> None:
        ws = usable(self.ws)
        self.heartbeats = Heartbeats()
        if self.beating is not None:
            self.beating.cancel()
        careful = "heartbeat-ack" not in self.without
        self.beating = asyncio.create_task(beat(ws, interval, self.heartbeats, self.session, careful))
        token, state = await self.api.token(), self.session
        again = state.resumable()
        if again:
            state.resumes += 1
        else:
            state.forget()
        await ws.send_json(resume(token, state.session_id, state.seq) if again else identify(token))
        log.info("%s sent, seq %s", "resume" if again else "identify", state.seq)

    async def _dispatch(self, frame: Frame) -> None:
        self.events += 1
        if frame.event in ("READY", "RESUMED"):
            self._enter(frame)
            return
        self.session.resumes = 0
        if frame.event == "C2C_MESSAGE_CREATE":
            try:
                message = incoming(frame.body)
            except BadPayload as error:  # not a reason to reconnect: a Resume would bring it again
                log.warning("message passed over: %s", error)
                return
            if self.inline:
                await self.answers.answer(message)
            else:
                self.answers.spawn(self.answers.answer(message))

    def _enter(self, frame: Frame) -> None:
        if frame.event == "READY":
            if not isinstance(frame.body, dict) or "session_id" not in frame.body:
                raise BadPayload("READY without a session")
            self.session.session_id = frame.body["session_id"]
        self.attempt = 0
        self.deadline.reached()
        self.is_ready.set()
        log.info("ready by %s", frame.event)

    async def _admitted(self) -> None:
        """Wait for the connection: what is sent right after it broke may be taken by REST and not delivered."""
        if "send-gate" in self.without:
            await asyncio.wait_for(self.is_ready.wait(), self.timing.send_wait)
            return
        try:
            await self.gate.passed()
        except NotConnected as error:
            log.warning("sent all the same: %s", error)


async def _close(ws: aiohttp.ClientWebSocketResponse) -> None:
    await ws.close()
