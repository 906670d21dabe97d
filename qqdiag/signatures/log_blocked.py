"""F18: a thread stands in the writing of a log line: nobody reads its pipe, its disk is full or its file system gone.

Nearest look-alike: a log that is silent because nothing is to be said. Its writer sleeps at its queue; here it stands
inside of a handler, at the same instruction in both samples.
"""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.finding import Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Name, Say, Seconds, Word, times
from qqdiag.snapshot import OsThread, Process, PyThread
from qqdiag.waits import ONE_SAMPLE, View
from qqdiag.waits.loop_thread import loop_threads, spots

ID = "log-blocked"
SEVERITY = Severity.HANG
TITLE = "A thread stands in the writing of a log line"

# Methods of a handler that write, or wait for its lock (Lib/logging/__init__.py, Lib/logging/handlers.py).
WRITING = frozenset({"emit", "flush", "handle", "doRollover", "rotate", "acquire"})
FILES = ("logging/__init__.py", "logging/handlers.py")
RESTS = 20  # voluntary context switches: each stop for a copy is one or two; who writes rests at each line
STOPS = 100  # the same, in one and the same call: a reading of a busy process may take dozens of copies
HANG = 5.0  # seconds that the loop stands


@dataclass(frozen=True, slots=True)
class Writer:
    """A thread with a log handler on its stack."""

    thread: PyThread
    place: int  # depth of the handler's frame
    kernel: OsThread | None
    rests: int | None  # voluntary context switches in the interval
    same_call: bool = False  # in both samples, with the same arguments


def match(view: View) -> Match | NoMatch | Unknown:
    if lacks := view.lacks("python"):
        return Unknown(lacks)
    writers = [writer for thread in (view.python.threads if view.python else []) if (writer := _writer(view, thread))]
    standing = [writer for writer in writers if _same(view, writer.thread)]
    if writers and view.before is None:
        return Unknown((ONE_SAMPLE,))
    if standing and (lacks := view.lacks("process")):
        return Unknown(lacks)
    if found := [_finding(view, writer) for writer in standing if _asleep(writer)]:
        return Match(tuple(found))
    return NoMatch(Say("no thread stands in a log handler"))


def _writer(view: View, thread: PyThread) -> Writer | None:
    places = [depth for depth in range(len(thread.frames)) if _writes(view, thread, depth)]
    if not places:
        return None
    kernel = _kernel(view.last.process, thread)
    before = _kernel(view.earlier.process, thread) if view.earlier else None
    rests = kernel.voluntary_switches - before.voluntary_switches if kernel and before else None
    return Writer(thread, places[0], kernel, rests, _call(kernel) is not None and _call(kernel) == _call(before))


def _writes(view: View, thread: PyThread, depth: int) -> bool:
    code = view.code(thread.frames[depth])
    return code is not None and code.name.reveal() in WRITING and code.path.reveal().endswith(FILES)


def _kernel(process: object, thread: PyThread) -> OsThread | None:
    threads = process.threads if isinstance(process, Process) else []
    return next((one for one in threads if one.tid == thread.native_id), None)


def _call(kernel: OsThread | None) -> tuple[Word | None, list[int]] | None:
    """Its system call and the arguments; None where they are hidden."""
    return (kernel.syscall, kernel.syscall_args) if kernel is not None and kernel.syscall_args else None


def _same(view: View, thread: PyThread) -> bool:
    """Whether its stack stands at the same instructions in both samples."""
    old = next((one for one in (view.before.threads if view.before else []) if one.native_id == thread.native_id), None)
    return old is not None and spots(old.frames) == spots(thread.frames)


def _asleep(writer: Writer) -> bool:
    state = writer.kernel.state.reveal() if writer.kernel is not None else ""
    return state in ("S", "D") and writer.rests is not None and writer.rests <= (STOPS if writer.same_call else RESTS)


def _finding(view: View, writer: Writer) -> Finding:
    loops = [one for one in loop_threads(view) if one.loop.thread == writer.thread.native_id]
    late = max([view.interval, *(one.overdue for one in loops)])
    code = view.code(writer.thread.frames[writer.place])
    where = code.qualname if code is not None else Name("?")
    age = Seconds(late)
    standing = Say("A thread of the log stands in {where} for at least {age}.", where=where, age=age)
    stopped = Say("The event loop stands in {where} for at least {age}: the log takes no line.", where=where, age=age)
    return Finding(
        id=ID,
        severity=SEVERITY if loops and late >= HANG else Severity.DEGRADED,
        confidence=Confidence.CERTAIN,
        because=Say("its stack stands at the same instruction in both samples, inside of a log handler"),
        summary=stopped if loops else standing,
        evidence=tuple(_evidence(view, writer)),
        ruled_out=(RuledOut("silent-log", Say("the writer is not at its queue, it is in the midst of a line")),),
        tasks=tuple(one.loop.current_task for one in loops if one.loop.current_task),
    )


def _evidence(view: View, writer: Writer) -> list[Evidence]:
    found = []
    kernel = writer.kernel
    if kernel is not None:
        call, wchan = kernel.syscall or Word("?"), kernel.wchan or Word("?")
        text = Say("thread {tid}: system call {call}, kernel function {wchan}", tid=kernel.tid, call=call, wchan=wchan)
        found.append(seen("process", text))
    if writer.rests is not None:
        apart = Seconds(view.interval)
        text = Say("it gave up the CPU {times} in {interval}", times=times(writer.rests), interval=apart)
        found.append(seen("process", text, "switches"))
    for frame in writer.thread.frames[writer.place : writer.place + 3]:
        code = view.code(frame)
        if code is not None:
            line = frame.line or code.first_line
            text = Say("in {where} ({path}:{line})", where=code.qualname, path=code.path, line=line)
            found.append(seen("python", text))
    return found
