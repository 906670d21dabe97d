"""supervisor: somebody notices when the listener's task ends, and starts it again."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.calls import TASKS
from qqdiag.patch.code import Function
from qqdiag.patch.constants import dotted
from qqdiag.patch.edits import Editor, inner
from qqdiag.patch.endings import Call, Outcome
from qqdiag.patch.finding import everywhere, statement_of
from qqdiag.patch.judged import HAS, Adapter, Judged, Place, Refused, lacks
from qqdiag.patch.listener import CANCELLED, ERRORS
from qqdiag.patch.situations import STOPS, TASK, TELLS, Library, begin, closed, follow
from qqdiag.patch.values import NONE, SELF, Known, Raised, Thing, Value

ID = "supervisor"


def judge(adapter: Adapter) -> Judged:
    """A callback for the end of its task that starts it anew, or tells the gateway that it failed."""
    code, listener = adapter.code, adapter.roles.listener
    starting = [(function, node) for function, node in everywhere(code) if _starts(adapter, node)]
    line = next((code.line(node) for _, node in starting), code.line(listener.node))
    if _goes_round(adapter):
        return HAS
    after = [any(_after(adapter, function, error) for function, _ in starting) for error in (True, False)]
    if not after[0]:
        return lacks(Place(line, Say("when this task ends, nobody is told and nothing starts it again")))
    if not after[1]:
        return _unless_it_returns(adapter, line)
    return HAS


def _unless_it_returns(adapter: Adapter, line: int) -> Judged:
    """Only an exception of the task is looked at: is there a way on which it ends without one?"""
    roles = adapter.roles
    state = closed(begin(roles), is_closed=False)
    marks = {"receive", "ws_connect", roles.ws}
    for library in (Library(receive_error=CANCELLED), *(Library(receive_error=Raised(one)) for one in ERRORS[:1])):
        for ending in follow(adapter.code, roles.listener, library, state, marks, {"self"}):
            if ending.how in ("return", "on") and not {one.detail for one in ending.state.events} & {STOPS, TELLS}:
                at = ending.line or line
                return lacks(Place(at, Say("the task ends here as if all were well, and nothing starts it again")))
    return HAS


def _starts(adapter: Adapter, node: cst.CSTNode) -> bool:
    """`create_task(self.<listener>())`, also where a function of this module makes the task of it."""
    return (
        isinstance(node, cst.Call)
        and any(isinstance(one.value, cst.Call) and _is_listener(adapter, one.value) for one in node.args)
        and dotted(node.func).rpartition(".")[2] not in ("wait_for", "gather", "shield", "wait")
    )


def _is_listener(adapter: Adapter, node: cst.Call) -> bool:
    return dotted(node.func).rpartition(".")[2] == adapter.roles.listener.name


@dataclass(frozen=True)
class Ended(Library):
    """The listener's task has ended, with an error or without one."""

    listener: str = ""
    error: bool = False

    def __call__(self, call: Call) -> list[Outcome] | None:
        last = call.name.rpartition(".")[2]
        if call.of == SELF and last == self.listener:
            return [(LISTENING, call.state.happened("listens", last, call.line))]
        if last in TASKS and LISTENING in call.arguments:
            return [(TASK, call.state)]
        if call.of == TASK and last in ("done", "cancelled", "exception", "result"):
            error: Value = Thing("RuntimeError#task") if self.error else NONE
            told = {"done": Known(True), "cancelled": Known(False), "exception": error}
            return [(told.get(last, NONE), call.state)]
        if last == "add_done_callback" and call.of != TASK:
            return [(NONE, call.state)]
        return super().__call__(call)


LISTENING = Thing("coroutine of the listener")


def _after(adapter: Adapter, function: Function, error: bool) -> bool:
    """Whether the end of the task leads to a second start, or to a word to the gateway."""
    roles = adapter.roles
    library = Ended(listener=roles.listener.name, error=error, listener_done=True)
    marks = {*TASKS, "add_done_callback", roles.listener.name, roles.listen_task or roles.listener.name}
    for ending in follow(adapter.code, function, library, closed(begin(roles), is_closed=False), marks):
        started = [event for event in ending.state.events if event.kind == "listens"]
        told = any(event.detail == TELLS and event.late for event in ending.state.events if event.kind == "self")
        if any(event.late for event in started) or (told and started):
            return True
    return False


def _goes_round(adapter: Adapter) -> bool:
    """Whether the task is a loop around one that reads and connects: it starts that again, however it ended."""
    code, roles = adapter.code, adapter.roles
    inner = {
        one.name
        for one in code.everything()
        if one is not roles.listener
        and one.name in roles.listener.calls
        and {"receive", "ws_connect"} <= code.reach[one.name]
    }
    if not inner:
        return False
    return all(_all_again(adapter, inner, error) for error in (None, Raised(ERRORS[0])))


@dataclass(frozen=True)
class InnerEnded(Library):
    """What the loop goes round has ended."""

    inner: frozenset[str] = frozenset()
    error: Raised | None = None

    def __call__(self, call: Call) -> list[Outcome] | None:
        if call.of == SELF and call.name.rpartition(".")[2] in self.inner:
            return [(self.error or NONE, call.state)]
        return super().__call__(call)


def _all_again(adapter: Adapter, inner: set[str], error: Raised | None) -> bool:
    library = InnerEnded(inner=frozenset(inner), error=error)
    state = closed(begin(adapter.roles), is_closed=False)
    endings = follow(adapter.code, adapter.roles.listener, library, state)
    return bool(endings) and all(ending.how == "again" for ending in endings)


ENDED, START = "_listener_ended", "_start_listener"


def change(adapter: Adapter, edit: Editor) -> None:
    """A callback at the end of the task: logged with its traceback, and started again after a pause."""
    roles = adapter.roles
    task, running = roles.listen_task, next(iter(sorted(roles.running)), None)
    begun = [(function, node) for function, node in everywhere(adapter.code) if _starts(adapter, node)]
    if task is None or running is None or len(begun) != 1:
        raise Refused(Say("the one place where the listener's task is started was not found"))
    asyncio = edit.name_of("asyncio")
    edit.after(statement_of(*begun[0]), f"self.{task}.add_done_callback(self.{ENDED})")
    said = inner(edit.log("error", "The listener ended, starting it again", "exc_info=error"))
    edit.methods[ENDED] = f'''def {ENDED}(self, task):
    """Start the listener again when it ended though the adapter goes on."""
    if not self.{running} or task is not self.{task}:
        return
    error = None if task.cancelled() else task.exception()
    {said}
    {asyncio}.get_running_loop().call_later(5.0, self.{START})'''
    edit.methods[START] = f'''def {START}(self):
    """A new task for the listener, unless there is one."""
    if self.{running} and self.{task} is not None and self.{task}.done():
        self.{task} = {asyncio}.create_task(self.{roles.listener.name}())
        self.{task}.add_done_callback(self.{ENDED})'''
