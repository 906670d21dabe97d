"""F20: the process's memory grows and grows, or has come close to the limit at which the kernel ends it.

Nearest look-alike: work that takes memory and gives it back, or takes it once. What counts is its own memory, whatever
of it is swapped out: it must rise in nearly every reading of the interval, and not in one step. A peak (VmHWM, or the
`rss=` of hermes' own log line) never falls, so that it proves nothing unless the process is still as large.
"""

from __future__ import annotations

from qqdiag.finding import Alternative, Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Bytes, Missing, Percent, Say, Seconds
from qqdiag.snapshot import Process
from qqdiag.waits import ONE_SAMPLE, View
from qqdiag.waits.memory import MIB, Course, held, in_interval, in_log, room

ID = "memory-growth"
SEVERITY = Severity.DEGRADED
TITLE = "The memory of the process grows without an end"

STARTED = 15.0  # seconds: until then a process grows by what it imports
LEAST = MIB  # bytes that it must grow in the interval
SOON = 60.0  # seconds until nothing is left: then one short look has to be enough
LONG = 30.0  # seconds of an interval that shows more than a burst of work
DAY, WEEK = 86400.0, 7 * 86400.0
NEARLY = 0.9  # of the limit
LOGGED = 1800.0  # seconds that the lines of a log must span
FACTOR = 1.25  # from the first of them to the last
AS_LARGE = 0.9  # of the peak in its log
AT_PEAK = 0.98  # of its peak so far: what grows without an end is at it


def match(view: View) -> Match | NoMatch | Unknown:
    if view.snapshot.origin.reveal() == "core":
        return NoMatch(Say("a core file is of a process that has ended"))
    process = view.last.process
    if not isinstance(process, Process):
        return Unknown(view.lacks("process"))
    found = _near_the_limit(view, process) or _by_log(view, process) or _by_readings(view, process)
    if found is not None:
        return Match((found,))
    if process.private is None:
        return Unknown((_not_told(process.pid),))
    growth, grown = view.snapshot.growth, _between_samples(view, process)
    if growth is None and grown is not None and grown < LEAST:
        return NoMatch(Say("it grew by {grown} from one sample to the other", grown=Bytes(max(0, grown))))
    if growth is None or isinstance(growth, Missing):
        return Unknown((growth or ONE_SAMPLE,))
    return NoMatch(_still(view))


def _between_samples(view: View, process: Process) -> int | None:
    """Bytes, where nobody watched the interval itself: a short look at many processes does not."""
    before = view.earlier.process if view.earlier is not None else None
    if not isinstance(before, Process) or before.private is None or process.private is None:
        return None
    return process.private - before.private


def _not_told(pid: int) -> Missing:
    return Missing(
        Say("how much memory of its own the process has is not told by this kernel"),
        Say("watch it for an hour: ps -o rss=,vsz= -p {pid}", pid=pid),
    )


def _still(view: View) -> Say:
    course = in_interval(view)
    if course is None or course.steps == 0:
        return Say("its memory could be read once only")
    return Say("it rose in {rises} of {steps} readings", rises=course.rises, steps=course.steps)


def _near_the_limit(view: View, process: Process) -> Finding | None:
    if process.memory_limit is None or held(process) < NEARLY * process.memory_limit:
        return None
    share = Percent(100.0 * held(process) / process.memory_limit)
    limit = Bytes(process.memory_limit)
    text = Say("The process holds {share} of the {limit} that it may have.", share=share, limit=limit)
    because = Say("at a group's limit the kernel ends a process of it, at its own it gets no more; it may yet go back")
    return _finding(view, process, Confidence.LIKELY, because, text, in_interval(view), "process")


def _by_log(view: View, process: Process) -> Finding | None:
    course = in_log(view)
    if course is None or course.seconds < LOGGED or course.last < FACTOR * course.first:
        return None
    size = process.rss + (process.swapped or 0)
    if size < AS_LARGE * course.last or course.largest > 0.5 * course.grown:
        return None
    text = _summary(process, course)
    because = Say("its log says so over {time}, and it is still as large as it ever was", time=Seconds(course.seconds))
    severity = SEVERITY if _left(process, course) <= WEEK else Severity.INFO
    return _finding(view, process, Confidence.LIKELY, because, text, course, "logs", severity)


def _by_readings(view: View, process: Process) -> Finding | None:
    course = in_interval(view)
    if course is None or process.uptime < STARTED or course.grown < LEAST or not course.steady:
        return None
    if process.peak is not None and process.rss < AT_PEAK * process.peak:
        return None  # it was larger before, and gave that back
    if _left(process, course) > DAY:
        return None
    because = Say("it is one interval; work that takes memory for as long looks the same")
    enough = course.seconds >= LONG or _left(process, course) <= SOON
    severity = SEVERITY if enough else Severity.INFO
    return _finding(view, process, Confidence.POSSIBLE, because, _summary(process, course), course, "process", severity)


def _left(process: Process, course: Course) -> float:
    """Seconds until nothing is left, if it goes on like this."""
    left = room(process)
    return left / course.rate if left is not None and course.rate > 0 else float("inf")


def _summary(process: Process, course: Course) -> Say:
    grown, time = Bytes(course.grown), Seconds(course.seconds)
    text = Say("The process grew by {grown} in {time}", grown=grown, time=time)
    left = _left(process, course)
    if left > WEEK:
        return Say("{text}.", text=text)
    return Say("{text}; at this rate nothing is left in {left}.", text=text, left=Seconds(left))


def _finding(
    view: View,
    process: Process,
    confidence: Confidence,
    because: Say,
    summary: Say,
    course: Course | None,
    section: str,
    severity: Severity = SEVERITY,
) -> Finding:
    return Finding(
        id=ID,
        severity=severity,
        confidence=confidence,
        because=because,
        summary=summary,
        evidence=tuple(_evidence(view, process, course, section)),
        ruled_out=_ruled_out(process, course),
        alternatives=() if confidence is Confidence.LIKELY else _WORK,
    )


_WORK = (Alternative("work", Say("a longer look (--interval 60): whether it goes on")),)


def _evidence(view: View, process: Process, course: Course | None, section: str) -> list[Evidence]:
    found = [seen("process", Say("{size} of memory of its own", size=Bytes(process.private or process.rss)), "B")]
    if course is not None:
        text = Say("it rose in {rises} of {steps} readings", rises=course.rises, steps=course.steps)
        found.append(seen(section, text, "readings"))
    if (left := room(process)) is not None:
        found.append(seen("process", Say("{left} may still be had", left=Bytes(left)), "B"))
    if process.swapped:
        found.append(seen("process", Say("{size} of it are swapped out", size=Bytes(process.swapped)), "B"))
    found.append(seen("process", Say("threads: {count}", count=len(process.threads)), "threads"))
    before = view.earlier.process if view.earlier else None
    if isinstance(before, Process) and process.major_faults is not None and before.major_faults is not None:
        faults = process.major_faults - before.major_faults
        text = Say("pages that had to be read from a disk in the interval: {count}", count=faults)
        found.append(seen("process", text, "pages"))
    return found


def _ruled_out(process: Process, course: Course | None) -> tuple[RuledOut, ...]:
    fell = [RuledOut("start", Say("it has run for {age}", age=Seconds(process.uptime)))]
    if course is not None and course.grown > 0:
        share = Percent(100.0 * course.largest / course.grown)
        fell.append(RuledOut("burst", Say("its largest step was {share} of the growth", share=share)))
    return tuple(fell)
