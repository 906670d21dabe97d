"""The walk itself: the checks, then each mitigation after a question, and after each change another look.

It tells and asks through two functions, so that it knows nothing of a terminal.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple, Protocol

from qqdiag.diagnose import diagnose
from qqdiag.errors import QqdiagError
from qqdiag.explain import Runbook, load
from qqdiag.finding import Diagnosis, Finding, Severity
from qqdiag.model import Moment, Say, Word
from qqdiag.run import take
from qqdiag.snapshot import Snapshot
from qqdiag.target import Live
from qqdiag.triage import fill
from qqdiag.triage.costs import cost
from qqdiag.triage.journal import Journal
from qqdiag.triage.run import Outcome, run
from qqdiag.triage.steps import Command, Step, steps
from qqdiag.watch.follow import Followed

BACK = 30.0  # seconds that a gateway has after a change to be there again, and well
SETTLED = 5.0  # seconds that a process has which was changed and has not ended
LOOK_EVERY = 1.0  # seconds


class Answer(Enum):
    YES = "yes"
    NO = "no"
    QUIT = "quit"


class Way(Protocol):
    """How to tell and to ask. `own` is text of ours, a runbook's, that comes behind the sentence."""

    def tell(self, sentence: Say, own: str = "") -> None: ...

    def show(self, output: bytes) -> None:
        """The output of a command, which may hold anything."""
        ...

    def ask(self, sentence: Say, own: str) -> Answer: ...


class Case(NamedTuple):
    """The failure, its runbook, what fills the places of its commands, and what of that is shown."""

    target: Live
    snapshot: Snapshot
    finding: Finding
    book: Runbook
    known: Mapping[str, str]
    shown: Mapping[str, str]
    journal: Journal

    def text(self, text: str) -> str:
        """A text of the runbook, as it is shown here."""
        return fill.shown(text, self.shown)


def case(snapshot: Snapshot, finding: Finding, target: Live, raw: bool = False) -> Case:
    """`raw`: whether names are shown too. Raises UsageError where there is no runbook."""
    known = fill.values(snapshot, finding)
    shown = {place: value for place, value in known.items() if raw or place in fill.PUBLIC}
    journal = Journal(target.pid, target.start_ticks, finding.id)
    return Case(target, snapshot, finding, load(finding.id), known, shown, journal)


def worst(diagnosis: Diagnosis) -> Finding | None:
    """The finding to begin with: it has no cause among the others."""
    return next((finding for finding in diagnosis.findings if finding.severity is not Severity.INFO), None)


def walk(case: Case, followed: Followed, way: Way) -> bool:
    """Whether the failure is over. `way.ask` decides of each change. At the end, what ends the cause."""
    _tell_found(case, way)
    for step in steps(case.book.text, "Diagnosis"):
        _look(case, step, way)
    over = _mitigate(case, followed, way)
    if over:
        _tell_confirm(case, way)
    _tell_fixes(case, way)
    return over


def _mitigate(case: Case, followed: Followed, way: Way) -> bool:
    for number, step in enumerate(steps(case.book.text, "Mitigation"), 1):
        way.tell(Say("step {number}:", number=number), case.text(step.text))
        for command in [fill.here(command, case.known) for command in step.commands]:
            answer = _offer(case, command, way)
            if answer is Answer.QUIT:
                return False
            if answer is Answer.YES and command.changes and _over(case, followed, way):
                return True
    return False


def _tell_found(case: Case, way: Way) -> None:
    way.tell(Say("{id}: {summary}", id=Word(case.finding.id), summary=case.finding.summary))
    for evidence in case.finding.evidence:
        way.tell(Say("  found: {text}", text=evidence.text))
    hidden = [f"{{{place}}}" for place in case.known if place not in case.shown]
    if hidden:
        way.tell(Say("  known, and shown with --raw, for it may name somebody:"), " ".join(hidden))


def _look(case: Case, step: Step, way: Way) -> None:
    """A check: what is to be expected, and what its commands give. An `inspect` is what was done to get here."""
    way.tell(Say("  expected:"), case.text(step.text))
    for command in step.commands:
        filled = fill.filled(command.text, case.known)
        if filled is not None and not command.changes and "qqdiag" not in command.text:
            _tell_outcome(case, command, run(filled), way)


def _offer(case: Case, command: Command, way: Way) -> Answer:
    """Run one command of a mitigation, if that is wanted."""
    filled = fill.filled(command.text, case.known)
    before = case.journal.before(command.text)
    if filled is None:
        way.tell(Say("  cannot be filled in here:"), case.text(command.text))
        return Answer.NO
    if before is not None:
        way.tell(Say("  done already, {at}:", at=Moment(before.at)), case.text(command.text))
        return Answer.NO
    price = cost(command.text) if command.changes else Say("changes nothing")
    answer = way.ask(Say("  it {price}:", price=price), case.text(command.text))
    if answer is Answer.YES:
        outcome = run(filled)
        case.journal.add(command.text, outcome.at, outcome.exit_code)
        _tell_outcome(case, command, outcome, way)
    return answer


def _tell_outcome(case: Case, command: Command, outcome: Outcome, way: Way) -> None:
    lines = outcome.output.count(b"\n")
    if outcome.exit_code is None:
        way.tell(Say("  had to be killed:"), case.text(command.text))
    else:
        way.tell(
            Say("  ended with {code}, lines: {lines}:", code=outcome.exit_code, lines=lines), case.text(command.text)
        )
    way.show(outcome.output)


def _over(case: Case, followed: Followed, way: Way) -> bool:
    """Whether the failure is gone from the process, or from the one that has taken its place."""
    begun, found = time.monotonic(), None
    while time.monotonic() < begun + BACK:
        time.sleep(LOOK_EVERY)
        target = followed.again(case.target.pid)
        found = _now(target)
        if found is not None and worst(found) is None:
            break
        # The one that was changed shows it soon; one that was started anew has to connect first.
        if found is not None and target == case.target and time.monotonic() > begun + SETTLED:
            break
    if found is None:
        way.tell(Say("  the gateway has not come back within {seconds} s", seconds=int(BACK)))
        return False
    finding = worst(found)
    if finding is not None:
        way.tell(Say("  it is not over: {summary}", summary=finding.summary))
        return False
    way.tell(Say("  over: {id} is not there any more", id=Word(case.finding.id)))
    return True


def _now(target: Live | None) -> Diagnosis | None:
    """What is to be seen now; None while there is no process, or none that can be read yet."""
    if target is None:
        return None
    try:
        return diagnose(take(target, 1.0))
    except QqdiagError:
        return None


def _tell_confirm(case: Case, way: Way) -> None:
    for step in steps(case.book.text, "Confirm"):
        way.tell(Say("  to confirm:"), case.text(step.text))


def _tell_fixes(case: Case, way: Way) -> None:
    """A restart ends the failure, not its cause."""
    for fix in case.book.fixes:
        way.tell(Say("  to end its cause:"), f"qqdiag fixes show {fix}")
    way.tell(Say("  upstream:"), case.book.fixed_in)
