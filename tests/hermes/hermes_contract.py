"""What every adapter owes the platform, whatever else it does: connect, beat, dispatch, send, resume, identify, leave.

Told from the platform's side alone, so that it holds for the reference adapter, for the installed one and for its
patched copy alike. What one of them is known to fail at (test_hermes_cases) is not asked here.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qqdiag.fixes.protocol import GROUP_AND_C2C
from qqdiag.lab.control import Server

SOON = 30.0  # seconds until a clause is broken


@dataclass(frozen=True)
class Subject:
    """A process that runs an adapter whose model answers each message with `pong`, and its platform.

    `asks`: what is answered without a model, and `told`: what is then sent, to whom it was that asked.
    """

    process: subprocess.Popen[bytes]
    server: Server
    asks: str = "hello"
    told: str = "pong"

    def says(self, text: str, answer: str) -> Said:
        """A user says `text`. Each time another one: an adapter is not done with a turn when its answer has arrived,
        and the next message of the same user would interrupt it."""
        before = self.server.seen()
        user = f"user-{before['dispatched']}"
        self.server.say(text, user=user)
        return Said(before, answer.format(user=user))

    def asked(self) -> Said:
        return self.says(self.asks, self.told)

    def until(self, what: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        return self.server.until(what, holds, SOON)


@dataclass(frozen=True)
class Said:
    """What the server had seen before a message, and what is sent in answer."""

    before: dict[str, Any]
    answer: str

    def answers(self, seen: dict[str, Any]) -> int:
        """How often it was sent since."""
        return count(self.answer, seen) - count(self.answer, self.before)


def count(answer: str, seen: dict[str, Any]) -> int:
    return sum(answer in content for content in seen["contents"])


def connects(subject: Subject) -> None:
    """One WebSocket, one session, asked for with the intent for messages and as the only shard."""
    seen = subject.until("READY", lambda seen: seen["dispatched"] == 1)
    assert (seen["open"], seen["connections"], seen["identifies"], seen["resumes"]) == (1, 1, 1, 0)
    assert seen["tokens"] >= 1
    assert seen["identified_with"]["intents"] & GROUP_AND_C2C
    assert seen["identified_with"]["shard"] == [0, 1]


def dispatches_and_sends(subject: Subject) -> None:
    """A message is answered by the model, once, on the connection that there is."""
    is_answered(subject, subject.says("hello", "pong"))


def goes_on(subject: Subject) -> None:
    """The same after all that, and without the model."""
    is_answered(subject, subject.asked())


def is_answered(subject: Subject, said: Said) -> None:
    subject.until("an answer", lambda seen: said.answers(seen) > 0)
    after = subject.server.seen()
    assert said.answers(after) == 1
    assert (after["connections"], after["open"]) == (said.before["connections"], 1)


def beats(subject: Subject) -> None:
    """Op 1 with the number of the latest event."""
    before = subject.server.seen()
    subject.until(
        "two heartbeats with the latest number",
        lambda seen: seen["heartbeats"] >= before["heartbeats"] + 2 and seen["last_seq"] == before["dispatched"],
    )


def passes_over_what_it_does_not_know(subject: Subject) -> None:
    """An op that is not in the documents is not a reason to leave."""
    before = subject.server.seen()
    subject.server.frame('{"op": 99, "d": {"new": true}}')
    beats(subject)
    assert subject.server.seen()["connections"] == before["connections"]


def resumes(how: str) -> Callable[[Subject], None]:
    def clause(subject: Subject) -> None:
        """A lost connection is resumed, and a message from right before it is answered."""
        said = subject.asked()
        before = said.before
        subject.server.cut(how)
        subject.until("RESUMED", lambda seen: seen["dispatched"] >= before["dispatched"] + 2)  # the message, and it
        subject.until("the answer", lambda seen: said.answers(seen) > 0)
        after = subject.server.seen()
        assert (after["resumes"], after["identifies"]) == (before["resumes"] + 1, before["identifies"])

    clause.__name__ = f"resumes after {how}"
    return clause


def identifies_anew(subject: Subject) -> None:
    """4006: the session is gone."""
    before = subject.server.seen()
    subject.server.close(4006)
    after = subject.until("READY", lambda seen: seen["dispatched"] > before["dispatched"])
    assert (after["resumes"], after["identifies"]) == (before["resumes"], before["identifies"] + 1)


def takes_a_new_token(subject: Subject) -> None:
    """4004: the token is no longer valid."""
    before = subject.server.seen()
    subject.server.close(4004)
    after = subject.until("READY or RESUMED", lambda seen: seen["dispatched"] > before["dispatched"])
    assert after["tokens"] > before["tokens"]


def leaves(subject: Subject) -> None:
    """SIGTERM: CLOSE is said, nothing stays open, the process ends."""
    before = subject.server.seen()
    subject.process.send_signal(signal.SIGTERM)
    subject.until("CLOSE", lambda seen: seen["closes"] == before["closes"] + 1 and seen["open"] == 0)
    subject.process.wait(SOON)


CONTRACT: tuple[Callable[[Subject], None], ...] = (
    connects,
    dispatches_and_sends,
    passes_over_what_it_does_not_know,
    resumes("fin"),
    resumes("rst"),
    identifies_anew,
    takes_a_new_token,
    goes_on,
)


def keeps_the_contract(subject: Subject) -> None:
    """All but `leaves`, which is the end of it."""
    for clause in CONTRACT:
        try:
            clause(subject)
        except Exception as error:
            error.add_note(f"clause: {clause.__name__}; seen: {subject.server.seen()}")
            raise
