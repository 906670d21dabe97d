"""Threads: what the kernel says of each, and its Python stack from the frozen copy."""

from __future__ import annotations

from qqdiag.model import Say, Seconds, Word
from qqdiag.report import variables
from qqdiag.report.code import Sources, code_of, sourced, sources
from qqdiag.report.document import Cell, Line, Mark, Section
from qqdiag.snapshot import Frame, OsThread, Process, Python, PyThread, Snapshot

_DEEPEST = 20
_MOST = 40


def thread_section(snapshot: Snapshot) -> Section[Cell] | None:
    """The loops' threads first; threads with equal stacks share one, innermost frame first."""
    last = snapshot.samples[-1]
    kernel = {thread.tid: thread for thread in last.process.threads} if isinstance(last.process, Process) else {}
    python = last.python if isinstance(last.python, Python) else None
    known = {thread.native_id: thread for thread in python.threads if thread.native_id is not None} if python else {}
    stacks: dict[object, list[int]] = {}
    for tid in sorted({*known, *kernel}, key=lambda tid: (tid not in known or known[tid].loop is None, tid)):
        stacks.setdefault(_stack(known.get(tid)), []).append(tid)
    lines: list[Line[Cell]] = []
    texts, locals_ = sources(snapshot), variables.frames_of(python) if python else {}
    for tids in list(stacks.values())[:_MOST]:
        unread = Say("no Python in it") if python else Say("its Python stack could not be read")
        lines += [Line(_heading(tid, kernel.get(tid), known.get(tid), unread)) for tid in tids[:_MOST]]
        lines += _frames(python, known.get(tids[0]), texts, locals_)
    return Section("threads", Say("Threads"), tuple(lines)) if lines else None


def _stack(thread: PyThread | None) -> object:
    return tuple((frame.code, frame.line) for frame in thread.frames) if thread else None


def _frames(
    python: Python | None, thread: PyThread | None, texts: Sources, locals_: variables.Frames
) -> list[Line[Cell]]:
    if thread is None or python is None:
        return []
    lines: list[Line[Cell]] = []
    tasks = {task.address: task for task in python.tasks} if locals_ else {}
    for frame in thread.frames[:_DEEPEST]:
        lines += [_frame(python, frame, texts), *variables.thread_lines(locals_, tasks, frame, 2)]
    hidden = len(thread.frames) - _DEEPEST
    if hidden > 0:
        lines.append(Line(Say("{count} outer frames", count=hidden), 1, Mark.DIM))
    if thread.truncated:
        lines.append(Line(Say("the stack goes on"), 1, Mark.DIM))
    return lines


def _heading(tid: int, kernel: OsThread | None, thread: PyThread | None, role: Say) -> Say:
    if thread is not None:
        role = Say("runs the event loop") if thread.loop is not None else Say("a Python thread")
    named = thread.name if thread is not None and thread.name is not None else kernel and kernel.name
    if kernel is None:
        return (
            Say("{tid} {name}: {role}", tid=tid, name=named, role=role)
            if named
            else Say("{tid}: {role}", tid=tid, role=role)
        )
    return Say(
        "{tid} {name}: {role}; {doing}; CPU {user} user, {system} system",
        tid=tid,
        name=named or kernel.name,
        role=role,
        doing=_doing(kernel),
        user=Seconds(kernel.user_seconds),
        system=Seconds(kernel.system_seconds),
    )


def _doing(kernel: OsThread) -> Say:
    text = Say("state {state}", state=kernel.state)
    call, sleeps = kernel.syscall, kernel.wchan
    if call == Word("running"):
        return Say("{text}, running", text=text)
    if call is not None and call != Word("none"):
        text = Say("{text}, in {call}", text=text, call=call)
    if sleeps is not None and sleeps != Word("0"):
        text = Say("{text}, sleeps in {function}", text=text, function=sleeps)
    return text


def _frame(python: Python, frame: Frame, texts: Sources) -> Line[Cell]:
    code = code_of(python, frame)
    text = Say("{name}", name=code.qualname) if code else Say("a frame without code")
    return Line(text, 1, aside=sourced(python, frame, texts))
