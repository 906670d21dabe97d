"""heartbeat-ack: heartbeats that were not answered are counted, and two end the connection.

A counter and no clock: a stalled event loop delays heartbeat and answer alike, so that the time since the last answer
would blame a healthy peer (the QQ gateway answers each op 1 with op 11).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Heartbeats:
    """Heartbeats sent and not yet answered."""

    limit: int = 2
    outstanding: int = 0
    sent: int = 0

    def count_sent(self) -> None:
        """To be called before the send: a heartbeat that is stuck in the writer is unanswered too."""
        self.outstanding += 1
        self.sent += 1

    def count_answered(self) -> None:
        """To be called at each answer. One answer shows that the peer lives, so it settles all that are open."""
        self.outstanding = 0

    def overdue(self) -> bool:
        """Whether so many are unanswered that the connection has to be given up."""
        return self.outstanding >= self.limit
