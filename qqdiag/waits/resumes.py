"""Resumes of a session, by the gateway's log and its adapter: which were answered, and what came since."""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.episodes import HEALTHY, events_of
from qqdiag.snapshot import Adapter, Gateway, LogEvent
from qqdiag.waits import View

ENDS = HEALTHY | {"identified"}  # words of a profile's phrases after which an earlier Resume counts no more
LOST = frozenset({"closed", "error", "reconnecting", "disconnected", "gave-up", "fatal"})


@dataclass(frozen=True, slots=True)
class Resumes:
    """The last Resumes that this process sent. Ages in seconds, oldest first."""

    ages: tuple[float, ...]  # those that were not answered since
    moved: int | None  # events between the first and the last of them; None: their numbers are not known
    seq: int | None  # the event from which the last one wants to go on
    lost: bool  # the log says that the connection of the last one is gone
    answered: float | None  # the age of RESUMED, where the last one was answered
    rate: float  # events a second between the two Resumes before; 0: not known


def resumes(view: View) -> Resumes | None:
    """None where there is no log, or none was sent."""
    events = events_of(view.logs)
    sent = [event for event in events if event.event.reveal() == "resume-sent"]
    if not sent:
        return None
    since = _since(events)
    waiting = [event for event in since if event.event.reveal() == "resume-sent"]
    numbers = [_seq(event) for event in waiting]
    after = events[events.index(sent[-1]) + 1 :]
    answers = [event.age for event in after if event.event.reveal() == "resumed"]
    given_up = any(event.event.reveal() in ("identified", "ready") for event in after)
    return Resumes(
        ages=tuple(event.age for event in waiting),
        moved=None if not numbers or None in (numbers[0], numbers[-1]) else (numbers[-1] or 0) - (numbers[0] or 0),
        seq=_seq(sent[-1]),
        lost=any(event.event.reveal() in LOST for event in after),
        answered=answers[0] if answers and not given_up else None,
        rate=_rate(sent[-3:-1]),
    )


def events_since(adapter: Adapter, sent: Resumes) -> int | None:
    """Events that have come since the last Resume, RESUMED among them, by their numbers."""
    numbers = [one.number for one in adapter.attributes if one.name.reveal() == "sequence" and one.number is not None]
    return None if sent.seq is None or not numbers else int(numbers[0]) - sent.seq


def adapters(view: View) -> list[Adapter]:
    """Those whose session may be resumed."""
    gateway = view.last.gateway
    known = gateway.adapters if isinstance(gateway, Gateway) else []
    return [one for one in known if any(each.name.reveal() == "sequence" and each.present for each in one.attributes)]


def _since(events: list[LogEvent]) -> list[LogEvent]:
    ends = [at for at, event in enumerate(events) if event.event.reveal() in ENDS]
    return events[ends[-1] + 1 :] if ends else events


def _seq(event: LogEvent) -> int | None:
    return int(event.numbers[0]) if event.numbers else None


def _rate(sent: list[LogEvent]) -> float:
    if len(sent) < 2 or not (apart := sent[0].age - sent[1].age) > 0:
        return 0.0
    first, last = (_seq(event) for event in sent)
    return max(0.0, (last - first) / apart) if first is not None and last is not None else 0.0
