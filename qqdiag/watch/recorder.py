"""Watch, confirm, keep, act, follow: what happens is told as events, one after the other.

While all is well there are probes (probe.py) and, every now and then, a whole look without a pause. A failure must be
seen in several looks before anything is done about it. Then it is kept, and only then the command runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from qqdiag.diagnose import diagnose
from qqdiag.errors import QqdiagError, TargetGone
from qqdiag.finding import Diagnosis, Finding, Severity
from qqdiag.model import Moment, Say, Seconds, Value, Word
from qqdiag.recording import Recording
from qqdiag.run import record
from qqdiag.target import Live
from qqdiag.watch import act, systemd
from qqdiag.watch.alone import Alone
from qqdiag.watch.follow import Followed
from qqdiag.watch.keep import Bounds, Kept, keep
from qqdiag.watch.looks import Looks, Seen, loop_threads, worst
from qqdiag.watch.probe import Probe, probe, suspicion
from qqdiag.watch.storm import Storm

SHORTEST, LONGEST = 1.0, 5.0  # seconds between the two samples that are kept
YOUNG = 12  # looks at what stands, after which it is no hurry to see whether it grows worse
UNTOLD = Bounds()


@dataclass(frozen=True, slots=True)
class Plan:
    """What the user asked for. Seconds."""

    folder: Path
    interval: float = 5.0  # between two probes, and between two looks at a failure that is not confirmed yet
    every: float = 30.0  # between two looks while all is well
    confirm: int = 3  # looks that must show the same failure
    severity: Severity = Severity.HANG  # the least that is kept and acted upon
    then: str = ""
    then_limit: float = 60.0
    backoff: float = 60.0
    bounds: Bounds = UNTOLD


class Event(NamedTuple):
    """Something that happened: a word, and its typed values."""

    name: Word
    values: dict[str, Say | Value | None]


Observer = Callable[[Seen], None]


def watch(followed: Followed, plan: Plan, observe: Observer = lambda seen: None) -> Iterator[Event]:
    """The events of a gateway, for as long as it is asked for them. Raises what `Followed.first` raises.

    `observe` is shown each look, for figures that are not worth an event.
    """
    target: Live | None = followed.first()
    backoff, storm, restarts = act.Backoff(plan.backoff), Storm(), 0
    while True:
        while target is None:
            _rest(storm.pause(plan.interval))
            target = followed.next()
            if target is not None:
                restarts += 1
                yield _event("restarted", pid=target.pid, restarts=restarts)
        begun = time.monotonic()
        with Alone(target.pid, target.start_ticks):
            yield _event("watching", pid=target.pid)
            systemd.tell("READY=1")
            yield from _life(target, plan, backoff, observe, first=restarts == 0)
        yield _event("gone", pid=target.pid)
        target = None
        if storm.ended(time.monotonic() - begun):
            yield _event("storm", restarts=restarts, pause=Seconds(storm.pause(plan.interval)))


def _event(name: str, **values: Say | Value | None) -> Event:
    return Event(Word(name), {"time": Moment(time.time()), **values})


def _rest(seconds: float) -> None:
    systemd.tell("WATCHDOG=1")
    time.sleep(seconds)


@dataclass(slots=True)
class _Evidence:
    """What is kept of a failure that still stands."""

    failure: str  # fingerprint
    id: str
    kept: Kept
    held_back: bool = False  # and that was told


@dataclass(slots=True)
class _Round:
    """What is remembered from one look to the next at the same process."""

    looks: Looks = field(default_factory=Looks)
    due: float = 0.0  # CLOCK_MONOTONIC seconds of the next look
    failure: str = ""  # the fingerprint of what the last look showed; "" for none
    rounds: int = 0  # looks in a row that showed it
    kept: _Evidence | None = None
    unfounded: Word | None = None  # the suspicion for which a look found nothing: a busy gateway is no hurry
    told: tuple[str, str] = ("", "")  # verdict and failure of the last event


def _life(target: Live, plan: Plan, backoff: act.Backoff, observe: Observer, first: bool) -> Iterator[Event]:
    """The events of one process, until it is gone. `first`: what cannot be read at once is the user's to mend."""
    state, loops = _Round(), list[int]()
    last = _probed(target, loops)
    while last is not None:
        now = _probed(target, loops)
        doubt = suspicion(last, now) if now is not None else None
        heeded = doubt is not None and doubt != state.unfounded
        state.unfounded = state.unfounded if doubt is not None else None
        if now is not None and (heeded or time.monotonic() >= state.due):
            try:
                seen = state.looks.at(target)
                observe(seen)
                loops = loop_threads(seen.snapshot)
                yield from _judged(target, plan, backoff, state, seen, doubt)
            except TargetGone:  # while it was looked at, or while its evidence was taken
                return
            except QqdiagError as error:
                if first and state.looks.count == 1:
                    raise
                yield from _unreadable(target, plan, state, error)
        last = now
        if now is not None:
            _rest(plan.interval)


def _probed(target: Live, loops: list[int]) -> Probe | None:
    """A probe; None when the process is gone."""
    try:
        found = probe(target.pid, loops)
        target.check()
    except (TargetGone, OSError):
        return None
    return found


def _unreadable(target: Live, plan: Plan, state: _Round, error: QqdiagError) -> Iterator[Event]:
    """It may be starting, or ending."""
    state.due = time.monotonic() + plan.interval
    if state.told[0] != "unreadable":
        state.told = "unreadable", ""
        yield _event("unreadable", pid=target.pid, why=error.message)


def _judged(
    target: Live, plan: Plan, backoff: act.Backoff, state: _Round, seen: Seen, doubt: Word | None
) -> Iterator[Event]:
    """What one look leads to."""
    if state.looks.unclear:  # as on a busy machine, where its memory changes while it is read
        state.due = time.monotonic() + plan.interval
        return
    finding = worst(seen.diagnosis, plan.severity)
    failure = finding.fingerprint if finding else ""
    state.rounds = state.rounds + 1 if failure and failure == state.failure else int(bool(failure))
    state.failure = failure
    soon = 0 < state.looks.times < YOUNG or (finding is not None and (state.kept is None or bool(plan.then)))
    state.due = time.monotonic() + (plan.interval if soon else plan.every)
    state.unfounded = None if state.looks.standing else doubt
    yield from _told(target, state, seen.diagnosis, doubt)
    if finding is None:
        backoff.well()
        state.kept = None
    elif state.rounds >= plan.confirm:
        if state.kept is None or state.kept.failure != failure:
            yield from _keep(target, plan, state)
        if plan.then and state.kept is not None:
            yield from _act(target, plan, backoff, state.kept)


def _told(target: Live, state: _Round, diagnosis: Diagnosis, doubt: Word | None) -> Iterator[Event]:
    """What a look shows, where that is not what the one before it showed."""
    finding = worst(diagnosis, Severity.DEGRADED)
    now = diagnosis.verdict, finding.id if finding else ""
    if now != state.told:
        state.told = now
        failure, severity = (Word(finding.id), Word(finding.severity.value)) if finding else (None, None)
        verdict = Word(diagnosis.verdict)
        yield _event("seen", pid=target.pid, verdict=verdict, failure=failure, severity=severity, suspicion=doubt)


def _keep(target: Live, plan: Plan, state: _Round) -> Iterator[Event]:
    """Keep what a whole look shows; what has passed by then is not kept."""
    recording = record(target, min(max(plan.interval, SHORTEST), LONGEST))
    diagnosis = diagnose(recording.snapshot)
    finding = worst(diagnosis, Severity.DEGRADED)  # it may be young by what these two samples alone show
    if finding is None:
        state.rounds = 0
        yield _event("passed", pid=target.pid, verdict=Word(diagnosis.verdict))
        return
    kept = keep(plan.folder, recording, diagnosis, plan.bounds)
    state.kept = _Evidence(state.failure, finding.id, kept)
    yield _kept(recording, finding, kept)


def _kept(recording: Recording, finding: Finding, kept: Kept) -> Event:
    """The event has the verdict in full: where nothing could be written, it is the evidence that is left."""
    return _event(
        "kept" if kept.capture and kept.report else "not-kept",
        pid=recording.snapshot.pid,
        failure=Word(finding.id),
        severity=Word(finding.severity.value),
        confidence=Word(finding.confidence.value),
        summary=finding.summary,
        pause=Seconds(recording.snapshot.pause),
        files=kept.name,
        why=kept.why,
    )


def _act(target: Live, plan: Plan, backoff: act.Backoff, evidence: _Evidence) -> Iterator[Event]:
    """Run the command, unless it ran too short a time ago: then at a later look, if the failure still stands."""
    what = Word(evidence.id)
    if backoff.left():
        if not evidence.held_back:
            yield _event("held-back", pid=target.pid, failure=what, left=Seconds(backoff.left()))
        evidence.held_back = True
        return
    environment = {"QQDIAG_PID": str(target.pid), "QQDIAG_FAILURE": evidence.id}
    for name, path in (("QQDIAG_CAPTURE", evidence.kept.capture), ("QQDIAG_REPORT", evidence.kept.report)):
        environment |= {} if path is None else {name: str(path)}
    yield _event("acting", pid=target.pid, failure=what)
    backoff.ran()
    evidence.held_back = False
    code = act.run(plan.then, environment, plan.then_limit)
    yield _event("acted", pid=target.pid, failure=what, exit_code=code, ended=code is not None)
