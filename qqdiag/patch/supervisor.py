"""supervisor: somebody notices when the listener's task ends, and starts it again."""

from __future__ import annotations

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.code import Function, dotted, nodes
from qqdiag.patch.judged import HAS, Adapter, Judged, Place, lacks
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
