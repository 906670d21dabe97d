"""The change for session-resume: close codes, op 7 and op 9, and a session that is resumed in vain."""

from __future__ import annotations

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.code import Function, nodes
from qqdiag.patch.edits import Editor, inner
from qqdiag.patch.finding import around, asks, chain_top, equals, named
from qqdiag.patch.heartbeat_ack import CUT, CUT_TEXT
from qqdiag.patch.judged import Adapter, Refused
from qqdiag.patch.roles import number
from qqdiag.patch.session_resume import STOP, by_code, by_op, in_vain, seq_field, session_field

FIELD = "_resumes_in_vain"
MOST = 3


def change(adapter: Adapter, edit: Editor) -> None:
    """What lacks of it, each part by itself."""
    kept, seq = session_field(adapter), seq_field(adapter)
    if kept is None or seq is None:
        raise Refused(Say("the attributes that keep the session were not found"))
    forget = f"self.{kept} = None\nself.{seq} = None"
    templates = {place.text.template for place in by_code(adapter, kept)}
    if any("4009" in template for template in templates):
        _keep_after(adapter, edit, 4009)
    if any("forbids" in template for template in templates):
        _stop(adapter, edit)
    if by_op(adapter, kept):
        _take_ops(adapter, edit, forget)
    if in_vain(adapter, kept):
        _count_resumes(adapter, edit, forget)


def _keep_after(adapter: Adapter, edit: Editor, code: int) -> None:
    """The code is taken out of the set that drops the session."""
    found = [
        (node, element)
        for node in nodes(adapter.roles.listener.node.body)
        if isinstance(node, cst.Set | cst.Tuple | cst.List)
        for element in node.elements
        if number(adapter.code, element.value) == code
    ]
    if len(found) != 1 or len(found[0][0].elements) < 2:
        raise Refused(Say("the one place where it drops the session after {code} was not found", code=code))
    node, element = found[0]
    place = list(node.elements).index(element)
    if place + 1 < len(node.elements):
        start, end = edit.span(element.value)[0], edit.span(node.elements[place + 1].value)[0]
    else:
        start, end = edit.span(node.elements[place - 1].value)[1], edit.span(element.value)[1]
    edit.cut(start, end)


def _stop(adapter: Adapter, edit: Editor) -> None:
    """Before the test for the codes that it stops at, one for those that it does not."""
    code, listener = adapter.code, adapter.roles.listener
    stops = [node for node in nodes(listener.node.body) if isinstance(node, cst.If) and _codes(adapter, node.test)]
    if not stops or not isinstance(stops[0].test, cst.Comparison):
        raise Refused(Say("where it stops for good after a close code was not found"))
    name = edit.source_of(stops[0].test.left)
    lacking = ", ".join(str(one) for one in STOP if one not in _codes(adapter, stops[0].test))
    edit.before(
        stops[0],
        f"""# Connecting again is of no use after these: what is asked for is wrong, or not granted.
if {name} in {{{lacking}}}:
    {inner(edit.log("error", "Close code %s: connecting again is of no use", name))}
    self._set_fatal_error(
        f"qq_close_{{{name}}}", f"QQ closed the connection with {{{name}}}", retryable=False
    )
    return

""",
    )
    if "_set_fatal_error" not in {name for function in code.everything() for name in function.marks}:
        raise Refused(Say("how it stops for good after a close code is not understood"))


def _codes(adapter: Adapter, test: cst.BaseExpression) -> set[int]:
    """The codes of a test for those that stop it, 4914 among them."""
    found = {number(adapter.code, node) for node in nodes(test) if isinstance(node, cst.Integer | cst.Name)}
    return {one for one in found if one is not None} if 4914 in found else set()


def _take_ops(adapter: Adapter, edit: Editor, forget: str) -> None:
    """Before the first op that the dispatching function asks for: op 7 and op 9."""
    function, hello = asks(adapter, 10)
    if function is adapter.roles.read or any(isinstance(one, cst.While | cst.For) for one in around(function, hello)):
        raise Refused(Say("frames are not taken in a function of their own"))
    assert isinstance(hello.test, cst.Comparison | cst.BooleanOperation)
    op = next(edit.source_of(part.left) for part in nodes(hello.test)
              if isinstance(part, cst.Comparison) and equals(adapter.code, part, 10))  # fmt: skip
    body = _body_of_frame(edit, function)
    ws = f"self.{adapter.roles.ws}"
    indented = forget.replace("\n", "\n        ")
    edit.before(
        chain_top(function, hello),
        f"""# op 7, Reconnect: the server renews the connection, and the session is resumed on the next.
if {op} == 7:
    {CUT}({ws})
    return

# op 9, Invalid Session: unless its d is true, the session is over.
if {op} == 9:
    if not {body}:
        {indented}
    {CUT}({ws})
    return

""",
    )
    edit.added[CUT] = CUT_TEXT


def _body_of_frame(edit: Editor, function: Function) -> str:
    """The variable that holds `d` of a frame."""
    for node in nodes(function.node.body):
        if isinstance(node, cst.Assign) and isinstance(node.targets[0].target, cst.Name):
            value = node.value
            asked = value.args[0].value if isinstance(value, cst.Call) and value.args else None
            if isinstance(value, cst.Subscript) and isinstance(value.slice[0].slice, cst.Index):
                asked = value.slice[0].slice.value
            if isinstance(asked, cst.SimpleString) and asked.evaluated_value == "d":
                return node.targets[0].target.value
    raise Refused(Say("the variable that holds d of a frame was not found"))


def _count_resumes(adapter: Adapter, edit: Editor, forget: str) -> None:
    """Counted at Hello, set back by every event but RESUMED."""
    _, hello = asks(adapter, 10)
    indented = forget.replace("\n", "\n    ")
    edit.at_top(
        hello.body,
        f"""self.{FIELD} += 1
if self.{FIELD} > {MOST}:
    # Resumed again and again without one event: the session is dead, whatever the server answers.
    {indented}
    self.{FIELD} = 0""",
    )
    function, ready, test = named(adapter.code, "READY")
    edit.before(chain_top(function, ready), f'if {edit.source_of(test.left)} != "RESUMED":\n    self.{FIELD} = 0')
    edit.fields[FIELD] = "0"
