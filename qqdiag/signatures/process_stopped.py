"""The whole process was stopped, by a signal or by a tracer: nothing in it runs, and nothing in it is at fault.

Nearest look-alike: an idle process. It sleeps in state S, and the kernel would let it run; a stopped one is in state T
(by a signal) or t (by a tracer), and its threads gave up the CPU not once more between the samples.
"""

from __future__ import annotations

from qqdiag.finding import Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Say, Seconds, Word, times
from qqdiag.snapshot import Process, Sample
from qqdiag.waits import View

ID = "process-stopped"
SEVERITY = Severity.HANG
TITLE = "The process is stopped by a signal or a tracer"

STOPPED = ("T", "t")  # TASK_STOPPED, TASK_TRACED (fs/proc/array.c, task_state_array)


def match(view: View) -> Match | NoMatch | Unknown:
    if view.snapshot.origin == Word("core"):
        return NoMatch(Say("a core file is of a process that has ended"))
    process = view.last.process
    if not isinstance(process, Process):
        return Unknown(view.lacks("process"))
    if process.state.reveal() not in STOPPED:
        return NoMatch(Say("the kernel lets the process run: its state is {state}", state=process.state))
    return Match((_finding(view, process),))


def _finding(view: View, process: Process) -> Finding:
    before = _process(view.earlier)
    severity, confidence, because = _grade(process, before)
    return Finding(
        id=ID,
        severity=severity,
        confidence=confidence,
        because=because,
        summary=_summary(process),
        evidence=tuple(_evidence(view, process, before)),
        ruled_out=(
            RuledOut("idle", Say("an idle process is in state S, this one in {state}", state=process.state)),
            RuledOut("loop-blocked", Say("no thread of the process may run, not the event loop's alone")),
        ),
    )


def _process(sample: Sample | None) -> Process | None:
    return sample.process if sample is not None and isinstance(sample.process, Process) else None


def _grade(process: Process, before: Process | None) -> tuple[Severity, Confidence, Say]:
    if before is None:
        because = Say("only one look was taken; a tracer may let it go at once")
        return SEVERITY if process.state.reveal() == "T" else Severity.DEGRADED, Confidence.LIKELY, because
    if before.state.reveal() not in STOPPED or _switches(process) != _switches(before):
        because = Say("it ran between the looks, and is stopped in the last one")
        return Severity.DEGRADED, Confidence.POSSIBLE, because
    return SEVERITY, Confidence.CERTAIN, Say("it was stopped in both looks, and no thread of it ran in between")


def _switches(process: Process) -> int:
    """How often its threads were given the CPU and gave it up: it grows with each run, however short."""
    return sum(thread.voluntary_switches + thread.involuntary_switches for thread in process.threads)


def _summary(process: Process) -> Say:
    if process.state.reveal() == "t" and process.tracer:
        return Say("The process is held by a tracer (process {tracer}): nothing in it runs.", tracer=process.tracer)
    return Say("The process was stopped by a signal: nothing in it runs until SIGCONT.")


def _evidence(view: View, process: Process, before: Process | None) -> list[Evidence]:
    halted = [thread for thread in process.threads if thread.state.reveal() in STOPPED]
    text = Say("stopped threads: {halted} of {count}", halted=len(halted), count=len(process.threads))
    found = [seen("process", Say("state {state}", state=process.state)), seen("process", text, "threads")]
    if process.tracer:
        found.append(seen("process", Say("process {tracer} traces it", tracer=process.tracer), "pid"))
    if before is not None:
        runs = _switches(process) - _switches(before)
        interval = Seconds(view.last.taken_at - view.earlier.taken_at if view.earlier else 0.0)
        found.append(
            seen(
                "process", Say("its threads ran {runs} in {interval}", runs=times(runs), interval=interval), "switches"
            )
        )
    return found
