"""How the QQ adapter reads, closes and opens its connection anew: one rule a known mistake.

A rule that finds the place, but in it nothing that it knows, answers `unknown`.
"""

from __future__ import annotations

import ast

from qqdiag.versions import FREE, HAS, UNKNOWN, Judged, Methods
from qqdiag.versions.functions import (
    Function,
    assigned,
    called,
    calls,
    constants,
    delegated,
    is_constant,
    limited,
    names,
    within,
)

NOT_THERE = Judged(UNKNOWN)
BANNED = 4914  # close code; every release takes it for fatal
NOT_ALLOWED = 4014  # close code of an intent that the bot may not have
RECONNECT, INVALID_SESSION = 7, 9  # opcodes


def has(method: Function, node: ast.AST) -> Judged:
    return Judged(HAS, method.name, getattr(node, "lineno", method.line))


def free(method: Function, node: ast.AST | None = None) -> Judged:
    return Judged(FREE, method.name, getattr(node, "lineno", method.line))


def spins(methods: Methods) -> Judged:
    """A loop over `not closed` is left at once when the WebSocket is closed, and who calls it calls again."""
    read, listen = methods.get("_read_events"), methods.get("_listen_loop")
    loops = [loop for loop in read.all(ast.While) if "closed" in names(loop.test)] if read else []
    if read is None or listen is None or not loops or not calls(loops[0], "receive") or read.node.decorator_list:
        return NOT_THERE
    guards = [_guard(read, loops[0]), _last_raise(read), _forgotten(methods), _paused(listen)]
    found = next((guard for guard in guards if guard is not None), None)
    return has(read, loops[0]) if found is None else found


def _guard(read: Function, loop: ast.While) -> Judged | None:
    """An `if … closed: raise` before the loop, or after it."""
    inside = set(within(loop, ast.If))
    beside = [one for one in within(read.body, ast.If) if one not in inside and "closed" in names(one.test)]
    found = next((one for one in beside if isinstance(one.body[-1], ast.Raise)), None)
    return free(read, found) if found else None


def _last_raise(read: Function) -> Judged | None:
    last = read.body[-1]
    return free(read, last) if isinstance(last, ast.Raise) else None


def _forgotten(methods: Methods) -> Judged | None:
    """A failed attempt that forgets the closed WebSocket."""
    reconnect = methods.get("_reconnect")
    for handler in reconnect.all(ast.ExceptHandler) if reconnect else ():
        if reconnect and any(is_constant(value, None) for value in assigned(handler.body, "_ws")):
            return free(reconnect, handler)
    return None


def _paused(listen: Function) -> Judged | None:
    """A raise or a sleep of some length after the read; what else may stand around it is not understood."""
    for block in listen.all(ast.Try):
        at = next((number for number, one in enumerate(block.body) if calls(one, "_read_events")), None)
        for statement in block.body[at + 1 :] if at is not None else ():
            slept = [call for call in calls(statement, "sleep") if call.args and not _is_zero(call.args[0])]
            if isinstance(statement, ast.Raise) or (slept and isinstance(statement, ast.Expr)):
                return free(listen, statement)
            if not isinstance(statement, ast.Assign):
                return Judged(UNKNOWN, listen.name, statement.lineno)
    return NOT_THERE if "closed" in names(listen.body) else None


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def stops_running(methods: Methods) -> tuple[Function, ast.AST] | None:
    """Where a drop that should be mended says that the adapter no longer runs; None where none does."""
    listen, mark = methods.get("_listen_loop"), methods.get("_mark_transport_disconnected")
    if mark is not None:
        ends = [one for one in assigned(mark.body, "_running") if is_constant(one, False)]
        if ends or mark.name == "_mark_disconnected" or calls(mark.body, "_mark_disconnected"):
            return mark, ends[0] if ends else mark.node
    for handler in listen.all(ast.ExceptHandler) if listen else ():
        for block in _blocks(handler):
            for one, after in zip(block, [*block[1:], None], strict=True):
                if isinstance(one, ast.Expr) and calls(one, "_mark_disconnected") and not isinstance(after, ast.Return):
                    assert listen is not None
                    return listen, one
    return None


def _blocks(node: ast.AST) -> list[list[ast.stmt]]:
    """The lists of statements in it, its own first."""
    found = [getattr(one, part, []) for one in ast.walk(node) for part in ("body", "orelse", "finalbody")]
    return [block for block in found if isinstance(block, list) and block]


def silent_exit(methods: Methods) -> Judged:
    """`while self._running`, and a drop sets that to false before it is tried to mend."""
    listen = methods.get("_listen_loop")
    loops = [loop for loop in listen.all(ast.While) if "_running" in names(loop.test)] if listen else []
    if listen is None or not calls(listen.body, "_reconnect"):
        return NOT_THERE
    stop = stops_running(methods)
    if not loops or stop is None:
        return free(listen, loops[0] if loops else None)
    return has(*stop)


def gives_up(methods: Methods) -> Judged:
    """A number of attempts after which the listener returns, and nobody is told."""
    listen = methods.get("_listen_loop")
    if listen is None or not calls(listen.body, "_reconnect"):
        return NOT_THERE
    ends = [one for one in listen.all(ast.If) if "MAX_RECONNECT_ATTEMPTS" in names(one.test)]
    ends = [one for one in ends if list(within(one.body, ast.Return))]
    if ends and _watched(methods):
        return NOT_THERE
    if not ends or calls(listen.body, "_notify_fatal_error"):
        return free(listen)
    return has(listen, max(ends, key=lambda one: one.lineno))


def nobody_is_told(methods: Methods) -> Judged:
    listen = methods.get("_listen_loop")
    fatal = calls(listen.body, "_set_fatal_error") if listen else []
    if listen is None or not fatal or _watched(methods):
        return NOT_THERE
    return free(listen) if calls(listen.body, "_notify_fatal_error") else has(listen, fatal[-1])


def _watched(methods: Methods) -> bool:
    """Whether somebody is told, or may be, of the listener's end: what he does then is not looked at."""
    connect = methods.get("connect")
    if connect is None or calls(connect.body, "add_done_callback"):
        return connect is not None
    started = [one for call in calls(connect.body, "create_task") for one in call.args if isinstance(one, ast.Call)]
    return not any(called(one) == "_listen_loop" for one in started)  # it runs in a wrapper, or is started elsewhere


def counter_is_reset(methods: Methods) -> Judged:
    """A reconnect that worked sets the count of quick disconnects back, so that it never reaches its limit."""
    listen = methods.get("_listen_loop")
    if listen is None or "quick_disconnect_count" not in names(listen.body):
        return NOT_THERE
    for one in listen.all(ast.If):
        if calls(one.test, "_reconnect") and assigned(one.body, "quick_disconnect_count"):
            return has(listen, one)
    return free(listen)


def fatal_is_retried(methods: Methods) -> Judged:
    """Which close codes end the listener: the platform names more of them than its two bans."""
    listen = methods.get("_listen_loop")
    tests = [one for one in listen.all(ast.If) if "code" in names(one.test)] if listen else []
    stopping = [one for one in tests if constants(one.test) & {BANNED, NOT_ALLOWED}]
    wider = next((one for one in stopping if NOT_ALLOWED in constants(one.test)), None)
    if listen is None or not stopping or (wider is None and any(names(one.test) - {"code"} for one in tests)):
        return NOT_THERE  # or codes that have a name, or a function that tells
    return free(listen, wider) if wider else has(listen, stopping[0])


def close_on_reopen(methods: Methods) -> Judged:
    """The old WebSocket is closed before a new one is opened, for as long as its peer likes."""
    return _closes(methods, "_open_ws")


def close_on_request(methods: Methods) -> Judged:
    """The server asks for a new connection, and the close that follows waits for the server."""
    dispatch = methods.get("_dispatch_payload")
    if dispatch is not None and not {RECONNECT, INVALID_SESSION} & constants(dispatch.body):
        return free(dispatch)
    return _closes(methods, "_dispatch_payload")


def _closes(methods: Methods, name: str) -> Judged:
    method = methods.get(name)
    own = [call for call in calls(method.body, "close") if "_ws" in names(call.func)] if method else []
    if method is None or not own:
        return NOT_THERE
    endless = [call for call in own if not limited(method, call)]
    if any(delegated(method, call) for call in endless):
        return NOT_THERE
    return has(method, endless[0]) if endless else free(method, own[0])


def no_limit_on_silence(methods: Methods) -> Judged:
    """No PING of the library, and a receive without a limit: a peer that says nothing is waited for."""
    opens, read = methods.get("_open_ws"), methods.get("_read_events")
    connects = calls(opens.body, "ws_connect") if opens else []
    receives = calls(read.body, "receive") if read else []
    if opens is None or read is None or not connects or not receives:
        return NOT_THERE
    for given in connects[0].keywords:
        if given.arg == "heartbeat" and not is_constant(given.value, None):
            return free(opens, given.value)
        if given.arg is None or (given.arg == "timeout" and "ws_receive" in _keywords(given.value)):
            return Judged(UNKNOWN, opens.name, connects[0].lineno)
    limit = limited(read, receives[0]) or receives[0].args or receives[0].keywords
    return free(read, receives[0]) if limit else has(read, receives[0])


def _keywords(node: ast.expr) -> set[str]:
    return {given.arg or "" for call in within(node, ast.Call) for given in call.keywords}
