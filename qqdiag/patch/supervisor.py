"""supervisor: somebody notices when the listener's task ends, and starts it again."""

from __future__ import annotations

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.code import Function, nodes
from qqdiag.patch.constants import dotted
from qqdiag.patch.edits import Editor, inner
from qqdiag.patch.finding import everywhere, statement_of
from qqdiag.patch.judged import HAS, Adapter, Judged, Place, Refused, lacks
from qqdiag.patch.situations import TELLS

ID = "supervisor"
STARTS = ("create_task", "ensure_future")


def judge(adapter: Adapter) -> Judged:
    """A callback for the end of its task that starts it anew, or tells the gateway that it failed."""
    line = 0
    for function in adapter.code.everything():
        for node in nodes(function.node.body):
            if isinstance(node, cst.Call) and _starts(adapter, node):
                line = adapter.code.line(node)
                if any(_restarts(adapter, name) for name in _callbacks(function)):
                    return HAS
    line = line or adapter.code.line(adapter.roles.listener.node)
    return lacks(Place(line, Say("when this task ends, nobody is told and nothing starts it again")))


def _starts(adapter: Adapter, node: cst.Call) -> bool:
    """`create_task(self.<listener>())`."""
    made = node.args[0].value if node.args else None
    return (
        dotted(node.func).rpartition(".")[2] in STARTS
        and isinstance(made, cst.Call)
        and dotted(made.func).rpartition(".")[2] == adapter.roles.listener.name
    )


def _callbacks(function: Function) -> list[str]:
    """Names of what the function has called at the end of a task."""
    return [
        dotted(node.args[0].value).rpartition(".")[2]
        for node in nodes(function.node.body)
        if isinstance(node, cst.Call)
        and isinstance(node.func, cst.Attribute)
        and node.func.attr.value == "add_done_callback"
        and node.args
    ]


def _restarts(adapter: Adapter, name: str) -> bool:
    return bool(adapter.code.reach.get(name, frozenset()) & {*STARTS, TELLS, adapter.roles.listener.name})


ENDED, START = "_listener_ended", "_start_listener"


def change(adapter: Adapter, edit: Editor) -> None:
    """A callback at the end of the task: logged with its traceback, and started again after a pause."""
    roles = adapter.roles
    task, running = roles.listen_task, next(iter(sorted(roles.running)), None)
    begun = [(function, node) for function, node in everywhere(adapter.code)
             if isinstance(node, cst.Call) and _starts(adapter, node)]  # fmt: skip
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
