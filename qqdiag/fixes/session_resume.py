"""session-resume: what must resume resumes, what must identify identifies, what must stop stops.

Close codes of the QQ gateway (bot-docs `error-trace/websocket.md`, botgo `errs/err.go`). 4009, sent every half hour
or so after op 7, lets the client resume: a client that identifies instead loses the events in between. A session that
is resumed again and again without one event is a zombie and is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Reaction(Enum):
    """What a close code asks for."""

    RESUME = "resume"
    IDENTIFY = "identify"
    NEW_TOKEN = "new token, then identify"
    WAIT = "wait, then resume"
    STOP = "stop"


STOP_CODES = frozenset({4001, 4002, 4010, 4011, 4012, 4013, 4014, 4914, 4915})
IDENTIFY_CODES = frozenset({4000, 4003, 4005, 4006, 4007, *range(4900, 4914)})


def reaction(code: int | None) -> Reaction:
    """The right reaction to a close code; None, no code, is a broken connection and resumes."""
    if code in STOP_CODES:
        return Reaction.STOP
    if code in IDENTIFY_CODES:
        return Reaction.IDENTIFY
    if code == 4004:
        return Reaction.NEW_TOKEN
    return Reaction.WAIT if code == 4008 else Reaction.RESUME


@dataclass
class Session:
    """What Resume needs, and how often it was used in vain."""

    session_id: str | None = None
    seq: int | None = None
    resumes: int = 0  # since the last event
    limit: int = 3

    def resumable(self) -> bool:
        return self.session_id is not None and self.resumes < self.limit

    def forget(self) -> None:
        self.session_id, self.seq, self.resumes = None, None, 0
