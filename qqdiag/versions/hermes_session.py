"""What the QQ adapter makes of the platform's protocol: heartbeats, sessions, sends. One rule a known mistake."""

from __future__ import annotations

import ast

from qqdiag.versions import FREE, Judged, Methods
from qqdiag.versions.functions import Function, calls, constants, names, within
from qqdiag.versions.hermes_connection import NOT_THERE, RECONNECT, free, has, stops_running

ACK = 11  # opcode
RENEWED, SESSION_GONE = 4009, 4006  # close codes


def heartbeat_exits(methods: Methods) -> Judged:
    """It ends when the adapter does not run for a moment, as during a reconnect, and nobody starts another."""
    beat = methods.get("_heartbeat_loop")
    if beat is None:
        return NOT_THERE
    loops = [loop for loop in beat.all(ast.While) if "_running" in names(loop.test)]
    anew = [
        one for name in ("_reconnect", "_open_ws") if name in methods for one in calls(methods[name].body, beat.name)
    ]
    if not loops or anew or stops_running(methods) is None:
        return free(beat, loops[0] if loops else None)
    return has(beat, loops[0])


def answers_uncounted(methods: Methods) -> Judged:
    """op 11 arrives, and nothing is done with it."""
    dispatch = methods.get("_dispatch_payload")
    for one in dispatch.all(ast.If) if dispatch else ():
        if dispatch is not None and _asks(one.test, "op", ACK):
            idle = all(isinstance(part, ast.Return | ast.Pass) or _is_log(part) for part in one.body)
            if idle and _watches(methods.get("_heartbeat_loop")):
                return NOT_THERE
            return has(dispatch, one) if idle else free(dispatch, one)
    return NOT_THERE


def _watches(beat: Function | None) -> bool:
    """Whether the heartbeat does more than beat: it may end a connection by something else than op 11."""
    return beat is not None and bool(calls(beat.body, "close") or list(within(beat.body, ast.Raise)))


def _is_log(statement: ast.stmt) -> bool:
    """`logger.debug(…)`, or a text that stands by itself."""
    if not isinstance(statement, ast.Expr):
        return False
    call = statement.value
    return isinstance(call, ast.Constant) or (isinstance(call, ast.Call) and "logger" in names(call.func))


def requests_ignored(methods: Methods) -> Judged:
    dispatch = methods.get("_dispatch_payload")
    if dispatch is None or ACK not in constants(dispatch.body):
        return NOT_THERE
    found = next((one for one in dispatch.all(ast.If) if _asks(one.test, "op", RECONNECT)), None)
    if found is None and RECONNECT in constants(dispatch.body):
        return NOT_THERE
    return has(dispatch, dispatch.body[-1]) if found is None else free(dispatch, found)


def renewal_drops_session(methods: Methods) -> Judged:
    """4009 allows a Resume; here it stands among the codes after which the session is gone."""
    listen = methods.get("_listen_loop")
    for one in listen.all(ast.If) if listen else ():
        if listen is not None and SESSION_GONE in constants(one.test):
            codes = [node for node in within(one.test, ast.Constant) if node.value == RENEWED]
            return has(listen, codes[0]) if codes else free(listen, one)
    return NOT_THERE


def token_unguarded(methods: Methods) -> Judged:
    """The token is asked for in a task of its own, outside of the try that would close the connection."""
    send = methods.get("_send_identify")
    asked = calls(send.body, "_ensure_token") if send else []
    if send is None or not asked:
        return NOT_THERE
    guarded = [call for block in send.all(ast.Try) for call in calls(block.body, "_ensure_token")]
    return free(send, asked[0]) if guarded else has(send, asked[0])


def reconnect_argument(methods: Methods) -> Judged:
    """The gateway passes `is_reconnect`, as its base class has it, to a connect that does not take it."""
    connect, base = methods.get("connect"), methods.get("base.connect")
    if connect is None or base is None:
        return NOT_THERE
    if not _takes(base) or _takes(connect):
        return Judged(FREE, connect.name, connect.line)
    return has(connect, connect.node)


def _takes(connect: Function) -> bool:
    arguments = connect.node.args
    named = {one.arg for one in [*arguments.args, *arguments.kwonlyargs]}
    return "is_reconnect" in named or arguments.kwarg is not None


# What a poll may ask for that tells nothing of the listener; more than this is not understood.
POLLED = {"self", "_running", "_ws", "closed", "is_connected", "waited", "_RECONNECT_WAIT_SECONDS"}


def send_waits(methods: Methods) -> Judged:
    """A poll for a connection that does not ask whether anybody is there to make one."""
    wait = methods.get("_wait_for_reconnection")
    if wait is None or not calls(wait.body, "sleep"):
        return NOT_THERE
    if names(wait.body) & {"_listen_task", "done", "has_fatal_error"}:
        return free(wait)
    tests = [one.test for one in wait.all(ast.If)] + [one.test for one in wait.all(ast.While)]
    return has(wait, wait.node) if all(names(test) <= POLLED for test in tests) else NOT_THERE


def _asks(test: ast.expr, name: str, value: int) -> bool:
    """`name == value`, or `name in (…, value, …)`."""
    return isinstance(test, ast.Compare) and name in names(test.left) and value in constants(test)
