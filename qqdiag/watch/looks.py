"""A look at the gateway without a pause, beside the one before it.

The logs are read with every tenth look, and as long as what they showed stands: what only they show is no hurry.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import NamedTuple

from qqdiag.collect import guarded, logs
from qqdiag.cpython.known import Known
from qqdiag.diagnose import diagnose
from qqdiag.finding import Diagnosis, Finding, Severity
from qqdiag.model import Missing
from qqdiag.run import look, profile_of
from qqdiag.snapshot import Logs, Sample, Snapshot
from qqdiag.survey import snapshot_of
from qqdiag.target import Live

LIMIT = 5.0  # seconds for one look
WITH_LOGS = 10  # looks, of which one reads the logs
FORGET = 1_000  # looks, after which what was learned of the target is learned anew
UNCLEAR = 3  # looks in a row that lack evidence: so many say neither that a failure stands nor that it ended


class Seen(NamedTuple):
    """One look and what it says."""

    snapshot: Snapshot
    diagnosis: Diagnosis


@dataclass(slots=True)
class Looks:
    """What is remembered from one look to the next at the same process."""

    known: Known = field(default_factory=Known)
    before: Sample | None = None  # to compare the next look with
    count: int = 0
    standing: str = ""  # the fingerprint of what stands since `before`, however bad it is; "" for nothing
    times: int = 0  # looks in a row that showed it
    by_logs: bool = False  # whether the last look read the logs
    unclear: int = 0  # looks in a row that found nothing and lacked evidence, while something stood

    def at(self, target: Live) -> Seen:
        """Look now. Raises as `run.look`."""
        self.count += 1
        if self.count % FORGET == 0:
            self.known = Known()
        sample = look(target, self.known, LIMIT, pause=False)
        self.by_logs = self.count % WITH_LOGS == 1 or (self.by_logs and bool(self.standing))
        snapshot = snapshot_of(
            target.pid, [sample] if self.before is None else [self.before, sample], self._logs(target, sample)
        )
        seen = Seen(snapshot, diagnose(snapshot))
        self.remember(sample, seen.diagnosis)
        return seen

    def _logs(self, target: Live, sample: Sample) -> Logs | Missing | None:
        profile = profile_of(target.pid, sample) if self.by_logs else None
        if profile is None:
            return None
        return guarded("logs", time.monotonic() + LIMIT, logs.collect, target.pid, profile)

    def remember(self, sample: Sample, diagnosis: Diagnosis) -> None:
        """As long as the same stands, looks are compared with the first that showed it: that is how long it stands."""
        finding = worst(diagnosis, Severity.DEGRADED)
        if self.standing and finding is None and diagnosis.verdict == "unknown" and self.unclear < UNCLEAR:
            self.unclear += 1
            return
        self.unclear = 0
        standing = finding.fingerprint if finding else ""
        if standing and standing == self.standing:
            self.times += 1
        else:
            self.before, self.times = sample, int(bool(standing))
        self.standing = standing


def worst(diagnosis: Diagnosis, least: Severity) -> Finding | None:
    """The first finding, which has no cause among the others, if it is bad enough."""
    wanted = (Severity.HANG,) if least is Severity.HANG else (Severity.HANG, Severity.DEGRADED)
    return next((finding for finding in diagnosis.findings if finding.severity in wanted), None)


def loop_threads(snapshot: Snapshot) -> list[int]:
    """The threads of the loops, as the last look saw them."""
    python = snapshot.samples[-1].python
    return [] if isinstance(python, Missing) else [loop.thread for loop in python.loops if loop.thread is not None]
