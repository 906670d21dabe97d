"""Mistakes that forks and maintainers make: a fix that looks as before and does nothing any more.

They are applied to a patched adapter, as those of adapter_edits are; most were judged wrong once.
"""

from __future__ import annotations

from adapter_edits import above, acked, edit, function, method

CB = "_close_bounded"
LOOP_HEAD = r"        while self\._running:\n            try:\n                connect_time"
TIMER = r"(?ms)^    def _begin_ready_deadline.*?(?=^    def _listener_ended)"
ONLY_ERRORS = (
    r"(?m)^( +)if not self\._running or task is not self\._listen_task:",
    r"\1if task.cancelled() or task.exception() is None:",
)

MISTAKES = (
    edit(
        "bounded-close",
        "once more without a deadline",
        (r"(except asyncio\.TimeoutError:\n +)pass(\n +finally)", r"\1await closing.close()\2"),
    ),
    edit(
        "bounded-close", "an infinite time", (r"CLOSE_DEADLINE_SECONDS = 5\.0", "CLOSE_DEADLINE_SECONDS = float('inf')")
    ),
    edit(
        "bounded-close",
        "milliseconds for seconds",
        (r"CLOSE_DEADLINE_SECONDS = 5\.0", "CLOSE_DEADLINE_SECONDS = 5_000.0"),
    ),
    edit(
        "bounded-close",
        "a function inside, awaited as it is",
        function(
            CB,
            """
async def _close_bounded(closing):
    async def shut():
        await closing.close()

    await shut()
""",
        ),
    ),
    edit(
        "bounded-close",
        "the task is awaited after the wait",
        function(
            CB,
            """
async def _close_bounded(closing):
    task = asyncio.ensure_future(closing.close())
    await asyncio.wait({task}, timeout=CLOSE_DEADLINE_SECONDS)
    await task
""",
        ),
    ),
    edit(
        "bounded-close",
        "a decorator that bounds nothing",
        above("""
def logged(function):
    @functools.wraps(function)
    async def inner(*args, **kwargs):
        logger.debug("closing")
        return await function(*args, **kwargs)
    return inner
"""),
        (r"await asyncio\.wait_for\(closing\.close\(\), CLOSE_DEADLINE_SECONDS\)", "await _shut(closing)"),
        above("""
@logged
async def _shut(closing):
    await closing.close()
"""),
    ),
    edit(
        "bounded-close",
        "the context manager of the session",
        method(
            "_cleanup",
            """
async def _cleanup(self) -> None:
    if self._session:
        async with self._session:
            pass
    self._session = self._ws = None
    self._fail_pending("Disconnected")
""",
        ),
    ),
    edit(
        "closed-read",
        "suppressed",
        (
            r"( +)await self\._read_events\(\)\n",
            r"\1with contextlib.suppress(RuntimeError):\n\1    await self._read_events()\n",
        ),
    ),
    edit(
        "listener",
        "while connected",
        (LOOP_HEAD, "        while self.is_connected:\n            try:\n                connect_time"),
    ),
    edit(
        "listener",
        "the reconnect takes one kind of error",
        (
            (
                r"except Exception as exc:\n( +self\._kept_gateway_url = None\n"
                r")?( +logger\.warning\(\"\[%s\] Reconnect failed)"
            ),
            r"except aiohttp.ClientError as exc:\n\1\2",
        ),
    ),
    edit(
        "listener",
        "its last attempt is only noted",
        (
            r"( +)backoff_idx \+= 1\n",
            (
                r"\1backoff_idx += 1\n\1if backoff_idx > 7:\n"
                r"\1    self._set_fatal_error('qq_down', 'gone', retryable=True)\n\1    return\n"
            ),
        ),
    ),
    edit(
        "listener",
        "cancellation swallowed in the reconnect",
        (
            r"( +)except Exception as exc:\n( +self\._kept_gateway_url = None\n)",
            r"\1except asyncio.CancelledError:\n\1    return False\n\1except Exception as exc:\n\2",
        ),
    ),
    edit(
        "heartbeat-ack",
        "set back by every heartbeat",
        (r"( +)stuck\.cancel\(\)\n", r"\1stuck.cancel()\n\1self._unanswered_heartbeats = 0\n"),
    ),
    edit("heartbeat-ack", "the answer counts too", acked("self._unanswered_heartbeats += 1")),
    edit("heartbeat-ack", "the other way round", (r"_unanswered_heartbeats >= 2", "_unanswered_heartbeats < 2")),
    edit(
        "heartbeat-ack",
        "counted for the first only",
        (r"self\._unanswered_heartbeats \+= 1", "self._unanswered_heartbeats = 1"),
    ),
    edit(
        "heartbeat-ack",
        "a step that passes the limit",
        (r"_unanswered_heartbeats >= 2", "_unanswered_heartbeats == 3"),
        (r"self\._unanswered_heartbeats \+= 1", "self._unanswered_heartbeats += 2"),
    ),
    edit("ready-deadline", "Hello ends it", (r"(if op == 10:\n)( +)", r"\1\2self._end_ready_deadline()\n\2")),
    edit(
        "ready-deadline",
        "the timer is ended where it begins",
        (r"( +)self\._begin_ready_deadline\(\)\n", r"\1self._begin_ready_deadline()\n\1self._end_ready_deadline()\n"),
    ),
    edit(
        "ready-deadline",
        "the listener waits for what it has to read itself",
        (
            TIMER,
            """    def _begin_ready_deadline(self):
        self._ready_event.clear()

    def _end_ready_deadline(self):
        self._ready_event.set()

""",
        ),
        (
            r"( +)self\._begin_ready_deadline\(\)\n",
            r"\1self._begin_ready_deadline()\n\1await asyncio.wait_for(self._ready_event.wait(), 30)\n",
        ),
    ),
    edit(
        "session-resume",
        "the count is set back by RESUMED too",
        (r'if t != "RESUMED":\n( +)self\._resumes_in_vain = 0', r"if t:\n\1self._resumes_in_vain = 0"),
    ),
    edit("session-resume", "op 9 drops what may be resumed", (r"if not (resumable|d):\n", "if True:\n")),
    edit(
        "session-resume",
        "op 7 drops the session",
        (r"(?m)^( +)(if op == 7:\n)", r"\1\2\1    self._session_id = None\n"),
    ),
    edit(
        "session-resume",
        "a new connection sets the count back",
        (r"( +)self\._begin_ready_deadline\(\)\n", r"\1self._begin_ready_deadline()\n\1self._resumes_in_vain = 0\n"),
    ),
    edit(
        "session-resume",
        "the number of the last event stays",
        (r"(4913,\n(?:.|\n)*?self\._session_id = None\n) +self\._last_seq = None\n", r"\1"),
    ),
    edit(
        "send-gate",
        "an event with a time",
        method(
            "_wait_for_reconnection",
            """
async def _wait_for_reconnection(self):
    try:
        await asyncio.wait_for(self._connected.wait(), 15)
    except asyncio.TimeoutError:
        return False
    return True
""",
        ),
    ),
    edit(
        "quick-disconnect",
        "set back before each turn",
        (
            r"( +)connect_time = time\.monotonic\(\)\n",
            r"\1connect_time = time.monotonic()\n\1quick_disconnect_count = 0\n",
        ),
    ),
    edit(
        "supervisor",
        "it starts the wrong one",
        (
            (
                r"(?m)(self\._listen_task = asyncio\.create_task\(self\.)_listen_loop(\(\)\)\n"
                r" +self\._listen_task\.add_done_callback\(self\._listener_ended\)\n\n    @)"
            ),
            r"\1_heartbeat_loop\2",
        ),
    ),
    edit(
        "supervisor",
        "the callback is of the other task",
        (
            r" +self\._listen_task\.add_done_callback\(self\._listener_ended\)\n( +self\._heartbeat_task = [^\n]*\n)",
            r"\1            self._heartbeat_task.add_done_callback(self._listener_ended)\n",
        ),
    ),
    edit(
        "supervisor",
        "it returns first",
        (r"(?m)^( +)if not self\._running or task is not self\._listen_task:", r"\1if task.done():"),
    ),
    edit(
        "supervisor",
        "only when it ran no more",
        (
            r"(?m)^( +)if not self\._running or task is not self\._listen_task:",
            r"\1if self._running or task is not self._listen_task:",
        ),
    ),
    edit(
        "url-cache",
        "forgotten by what works",
        (
            r"( +)self\._begin_ready_deadline\(\)\n",
            r"\1self._begin_ready_deadline()\n\1self._kept_gateway_url = None\n",
        ),
    ),
    edit(
        "url-cache",
        "forgotten for one error only",
        (
            r"( +)except Exception as exc:\n( +)self\._kept_gateway_url = None\n",
            r"\1except Exception as exc:\n\2if isinstance(exc, ValueError):\n\2    self._kept_gateway_url = None\n",
        ),
    ),
    edit("supervisor", "only errors, and a listener that swallows its cancellation", ONLY_ERRORS),
)
