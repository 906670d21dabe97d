"""Designs that forks and maintainers choose for heartbeats, deadlines and the session.

They are applied to a patched adapter, as those of adapter_edits are; most were judged wrong once.
"""

from __future__ import annotations

from adapter_edits import above, acked, beats, edit, hello, method

SEND = 'await self._ws.send_json({"op": 1, "d": self._last_seq})'
CODES14 = r"code in \{\n +4006,[^}]*\}"
TIMER = r"(?ms)^    def _begin_ready_deadline.*?(?=^    def _listener_ended)"

OF_SESSION = (
    edit(
        "heartbeat-ack",
        "an event",
        beats(f"""
self._acked.clear()
{SEND}
try:
    await asyncio.wait_for(self._acked.wait(), timeout=self._heartbeat_interval)
except asyncio.TimeoutError:
    logger.warning("no answer")
    await _close_bounded(self._ws)
"""),
        acked("self._acked.set()"),
        hello("pass"),
        (
            r"self\._token_lock = asyncio\.Lock\(\)",
            "self._token_lock = asyncio.Lock()\n        self._acked = asyncio.Event()",
        ),
    ),
    edit(
        "heartbeat-ack",
        "the time of the last answer",
        beats(f"""
if time.monotonic() - self._answered_at > 2.5 * self._heartbeat_interval:
    _cut_connection(self._ws)
    continue
{SEND}
"""),
        acked("self._answered_at = time.monotonic()"),
        hello("self._answered_at = time.monotonic()"),
        (r"_unanswered_heartbeats = 0\n    _ready", "_answered_at = 0.0\n    _ready"),
    ),
    edit("heartbeat-ack", "exactly the second", (r"_unanswered_heartbeats >= 2", "_unanswered_heartbeats == 2")),
    edit(
        "heartbeat-ack",
        "a table of handlers",
        method(
            "_dispatch_payload",
            """
def _dispatch_payload(self, payload):
    seq = payload.get("s")
    if isinstance(seq, int) and (self._last_seq is None or seq > self._last_seq):
        self._last_seq = seq
    handlers = {10: self._on_hello, 0: self._on_dispatch, 11: self._on_ack}
    handler = handlers.get(payload.get("op"))
    if handler is not None:
        handler(payload)

def _on_ack(self, payload):
    self._unanswered_heartbeats = 0

def _on_hello(self, payload):
    self._unanswered_heartbeats = 0
    self._create_task(self._send_identify())

def _on_dispatch(self, payload):
    if payload.get("t") == "READY":
        self._handle_ready(payload.get("d"))
""",
        ),
    ),
    edit(
        "heartbeat-ack",
        "state in a dataclass",
        above("""
@dataclass
class Beats:
    unanswered: int = 0
"""),
        (r"self\._unanswered_heartbeats", "self._beats.unanswered"),
        (r"(?m)^    _unanswered_heartbeats = 0\n", ""),
        (r"self\._token_lock = asyncio\.Lock\(\)", "self._token_lock = asyncio.Lock()\n        self._beats = Beats()"),
    ),
    edit(
        "ready-deadline",
        "a flag that the timer looks at",
        (
            TIMER,
            """    def _begin_ready_deadline(self):
        self._is_ready = False
        asyncio.get_running_loop().call_later(READY_DEADLINE_SECONDS, self._cut_unless_ready, self._ws)

    def _cut_unless_ready(self, ws):
        if self._is_ready or ws is not self._ws:
            return
        logger.warning("no READY in time")
        _cut_connection(ws)

    def _end_ready_deadline(self):
        self._is_ready = True

""",
        ),
    ),
    edit(
        "ready-deadline",
        "each receive has what is left of it",
        (
            TIMER,
            """    def _begin_ready_deadline(self):
        self._ready_by = time.monotonic() + READY_DEADLINE_SECONDS

    def _end_ready_deadline(self):
        self._ready_by = None

""",
        ),
        (
            r"msg = await self\._ws\.receive\(\)",
            """left = None if self._ready_by is None else max(0.0, self._ready_by - time.monotonic())
            msg = await asyncio.wait_for(self._ws.receive(), left)""",
        ),
    ),
    edit(
        "ready-deadline",
        "a timeout that READY takes away",
        (
            TIMER,
            """    def _end_ready_deadline(self):
        if self._ready_timeout is not None:
            self._ready_timeout.reschedule(None)

""",
        ),
        (r" +self\._begin_ready_deadline\(\)\n", ""),
        (
            r"(?m)^    async def _read_events\(self\)",
            """    async def _read_events(self):
        async with asyncio.timeout(READY_DEADLINE_SECONDS) as self._ready_timeout:
            await self._read_frames()

    async def _read_frames(self)""",
        ),
    ),
    edit(
        "session-resume",
        "a set of the module",
        above("OVER = frozenset({4006, 4007}) | frozenset(range(4900, 4914))"),
        (CODES14, "code in OVER"),
    ),
    edit(
        "session-resume",
        "a set of the class",
        (
            r"(?m)^    _unanswered_heartbeats = 0\n",
            "    _OVER = {4006, 4007, *range(4900, 4914)}\n    _unanswered_heartbeats = 0\n",
        ),
        (CODES14, "code in self._OVER"),
    ),
    edit(
        "session-resume",
        "a table of reactions",
        above("REACTIONS = {4006: 'identify', 4007: 'identify', **dict.fromkeys(range(4900, 4914), 'identify')}"),
        (CODES14, "REACTIONS.get(code) == 'identify'"),
    ),
    edit(
        "session-resume",
        "a function that tells",
        above("""
def _ends_session(code):
    match code:
        case 4006 | 4007:
            return True
        case int() if 4900 <= code <= 4913:
            return True
        case _:
            return False
"""),
        (CODES14, "_ends_session(code)"),
    ),
)
