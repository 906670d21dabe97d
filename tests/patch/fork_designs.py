"""Designs that forks and maintainers choose for the connection: other ways to the same fix.

They are applied to a patched adapter, as those of adapter_edits are; most were judged wrong once.
"""

from __future__ import annotations

from adapter_edits import GUARD, WAITS, above, added, edit, function, method, reads

CB = "_close_bounded"
END = r"(?ms)^    def _listener_ended.*?(?=^    @property)"
ONLY_ERRORS = (
    r"(?m)^( +)if not self\._running or task is not self\._listen_task:",
    r"\1if task.cancelled() or task.exception() is None:",
)

OF_CONNECTION = (
    edit(
        "bounded-close",
        "a task that is waited for",
        function(
            CB,
            """
async def _close_bounded(closing):
    task = asyncio.ensure_future(closing.close())
    done, pending = await asyncio.wait({task}, timeout=CLOSE_DEADLINE_SECONDS)
    if pending:
        task.cancel()
""",
        ),
    ),
    edit(
        "bounded-close",
        "a function inside",
        function(
            CB,
            """
async def _close_bounded(closing):
    async def shut():
        try:
            await closing.close()
        except Exception:
            logger.debug("close failed", exc_info=True)

    try:
        await asyncio.wait_for(shut(), timeout=CLOSE_DEADLINE_SECONDS)
    except asyncio.TimeoutError:
        logger.warning("gave up on a close")
""",
        ),
    ),
    edit(
        "bounded-close",
        "a task group inside a timeout",
        method(
            "_cleanup",
            """
async def _cleanup(self) -> None:
    try:
        async with asyncio.timeout(8):
            async with asyncio.TaskGroup() as group:
                if self._ws:
                    group.create_task(self._ws.close())
                if self._session:
                    group.create_task(self._session.close())
    except* TimeoutError:
        logger.warning("cleanup was cut short")
    self._ws = self._session = None
    if self._http_client:
        await self._http_client.aclose()
        self._http_client = None
    self._fail_pending("Disconnected")
""",
        ),
    ),
    edit(
        "bounded-close",
        "a decorator sets the deadline",
        above("""
def within(seconds):
    def decorate(function):
        @functools.wraps(function)
        async def bounded(*args, **kwargs):
            return await asyncio.wait_for(function(*args, **kwargs), seconds)
        return bounded
    return decorate
"""),
        (r"await asyncio\.wait_for\(closing\.close\(\), CLOSE_DEADLINE_SECONDS\)", "await _shut(closing)"),
        above("""
@within(5.0)
async def _shut(closing):
    await closing.close()
"""),
    ),
    edit(
        "bounded-close",
        "a partial of wait_for",
        function(
            CB,
            """
async def _close_bounded(closing):
    bounded = functools.partial(asyncio.wait_for, timeout=CLOSE_DEADLINE_SECONDS)
    try:
        await bounded(closing.close())
    except asyncio.TimeoutError:
        pass
""",
        ),
    ),
    edit(
        "closed-read",
        "match",
        reads("""
async def _read_events(self) -> None:
    ws = self._ws
    if ws is None or ws.closed:
        raise RuntimeError("not connected")
    while self._running:
        match (await ws.receive()):
            case aiohttp.WSMessage(type=aiohttp.WSMsgType.TEXT, data=data):
                payload = self._parse_json(data)
                if payload:
                    self._dispatch_payload(payload)
            case aiohttp.WSMessage(type=aiohttp.WSMsgType.CLOSE, data=code, extra=reason):
                raise QQCloseError(code, reason)
            case aiohttp.WSMessage(type=aiohttp.WSMsgType.CLOSED | aiohttp.WSMsgType.ERROR):
                raise RuntimeError("WebSocket closed")
"""),
    ),
    edit(
        "closed-read",
        "a decorator asks",
        (GUARD, ""),
        above("""
def connected(function):
    @functools.wraps(function)
    async def asked(self, *args, **kwargs):
        if self._ws is None or self._ws.closed:
            raise RuntimeError("WebSocket closed")
        return await function(self, *args, **kwargs)
    return asked
"""),
        (r"(?m)^    async def _read_events", "    @connected\n    async def _read_events"),
    ),
    edit(
        "listener",
        "an outer loop starts it again",
        added("""
async def _listen_for_ever(self):
    while self._running:
        try:
            await self._listen_loop()
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("the listener failed")
        await asyncio.sleep(5)
"""),
        (r"(except asyncio\.CancelledError:\n +)return", r"\1raise"),
        (r"create_task\(self\._listen_loop\(\)\)", "create_task(self._listen_for_ever())"),
        (r"( +)backoff_idx \+= 1\n", r"\1backoff_idx += 1\n\1if backoff_idx > 7:\n\1    return\n"),
    ),
    edit(
        "listener",
        "errors by their names",
        above("TRANSPORT = (aiohttp.ClientError, OSError, EOFError, RuntimeError, httpx.HTTPError)"),
        (r"except Exception as exc:\n( +if not self)", r"except TRANSPORT as exc:\n\1"),
    ),
    edit(
        "send-gate",
        "an error of its own",
        (
            WAITS + r"[^\n]*\n +return False\n",
            (
                r"\1if self._listen_task is None or self._listen_task.done():\n"
                r"\1    raise ConnectionError('nobody reconnects')\n"
            ),
        ),
    ),
    edit(
        "quick-disconnect",
        "it tells the gateway",
        (
            r"await asyncio\.sleep\(RATE_LIMIT_DELAY\)\n( +)else",
            (
                r"self._set_fatal_error('qq_quick', 'x', retryable=True)\n"
                r"                        await self._notify_fatal_error()\n"
                r"                        return\n\1else"
            ),
        ),
    ),
    edit(
        "supervisor",
        "a wrapper around the coroutine",
        (
            END,
            """    async def _supervised(self):
        while self._running:
            try:
                await self._listen_loop()
            except asyncio.CancelledError:
                raise
            except Exception:
                logger.exception("listener failed")
            await asyncio.sleep(5)

""",
        ),
        (
            (
                r"create_task\(self\._listen_loop\(\)\)\n"
                r" +self\._listen_task\.add_done_callback\(self\._listener_ended\)\n"
            ),
            "create_task(self._supervised())\n",
        ),
    ),
    edit(
        "supervisor",
        "a lambda",
        (r"add_done_callback\(self\._listener_ended\)", "add_done_callback(lambda task: self._listener_ended(task))"),
    ),
    edit(
        "supervisor",
        "a partial",
        (r"add_done_callback\(self\._listener_ended\)", "add_done_callback(functools.partial(self._listener_ended))"),
    ),
    edit(
        "supervisor",
        "a helper that starts tasks",
        (
            (
                r"self\._listen_task = asyncio\.create_task\(self\._listen_loop\(\)\)\n"
                r" +self\._listen_task\.add_done_callback\(self\._listener_ended\)\n"
            ),
            "self._listen_task = self._watched(self._listen_loop())\n",
        ),
        added("""
def _watched(self, coro):
    task = asyncio.create_task(coro)
    task.add_done_callback(self._listener_ended)
    return task
"""),
    ),
    edit(
        "supervisor",
        "it tells the gateway",
        (
            END,
            """    def _listener_ended(self, task):
        if not self._running or task.cancelled():
            return
        logger.error("listener ended")
        self._set_fatal_error("qq_listener", "ended", retryable=True)
        asyncio.get_running_loop().create_task(self._notify_fatal_error())

""",
        ),
    ),
    edit(
        "url-cache",
        "asked by the reconnect",
        (r" +if self\._kept_gateway_url:\n +return self\._kept_gateway_url\n", ""),
        (
            r"gateway_url = await asyncio\.wait_for\(self\._get_gateway_url\(\), READY_DEADLINE_SECONDS\)",
            (
                "gateway_url = self._kept_gateway_url or await asyncio.wait_for("
                "self._get_gateway_url(), READY_DEADLINE_SECONDS)"
            ),
        ),
    ),
    edit(
        "supervisor",
        "only errors, and the listener ends by no other way",
        ONLY_ERRORS,
        (r"(except asyncio\.CancelledError:\n +)return", r"\1raise"),
    ),
)
