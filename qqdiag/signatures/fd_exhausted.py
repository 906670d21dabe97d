"""F14: the process has no file descriptor left, or nearly none: no connection can be opened, no file, no database.

Nearest look-alike: a process with many descriptors, sockets in CLOSE-WAIT among them. What counts is how many are
still to be had below its limit.
"""

from __future__ import annotations

from qqdiag.finding import Confidence, Evidence, Finding, Match, NoMatch, RuledOut, Severity, Unknown, seen
from qqdiag.model import Missing, Percent, Say, Word
from qqdiag.snapshot import Process, Sockets
from qqdiag.waits import View

ID = "fd-exhausted"
SEVERITY = Severity.HANG
TITLE = "The process has no file descriptor left"

NEARLY = 0.9  # of the limit
HIDDEN = Missing(
    Say("how many descriptors the process has is hidden from this user"),
    Say('run it as root, as in: sudo "$(command -v qqdiag)" inspect'),
)


def match(view: View) -> Match | NoMatch | Unknown:
    if view.snapshot.origin == Word("core"):
        return NoMatch(Say("a core file is of a process that has ended"))
    process = view.last.process
    if not isinstance(process, Process):
        return Unknown(view.lacks("process"))
    if process.fds is None:
        return Unknown((HIDDEN,))
    if process.fd_limit is None:
        return NoMatch(Say("it has {count} descriptors open, and no limit", count=process.fds))
    if process.fds < NEARLY * process.fd_limit:
        return NoMatch(Say("{free} more descriptors may be opened", free=process.fd_limit - process.fds))
    return Match((_finding(view, process.fds, process.fd_limit),))


def _finding(view: View, count: int, limit: int) -> Finding:
    full = count >= limit
    return Finding(
        id=ID,
        severity=SEVERITY if full else Severity.DEGRADED,
        confidence=Confidence.CERTAIN if full else Confidence.LIKELY,
        because=_because(full),
        summary=Say("{count} of {limit} file descriptors are in use.", count=count, limit=limit),
        evidence=tuple(_evidence(view, count, limit)),
        ruled_out=(RuledOut("idle-pool", Say("{free} descriptors are left", free=max(0, limit - count))),),
    )


def _because(full: bool) -> Say:
    if full:
        return Say("the kernel refuses the next one (EMFILE)")
    return Say("it is close to its limit, and has not reached it")


def _evidence(view: View, count: int, limit: int) -> list[Evidence]:
    share = Percent(100.0 * count / limit) if limit else Percent(100.0)
    found = [seen("process", Say("{share} of its descriptors are in use", share=share), "%")]
    sockets = view.last.sockets
    if isinstance(sockets, Sockets):
        left = [row for row in sockets.rows if row.state.reveal() == "CLOSE-WAIT" and row.epoll is None]
        found.append(seen("sockets", Say("sockets among them: {count}", count=len(sockets.rows)), "sockets"))
        text = Say("connections among them that the peer closed and no loop watches: {count}", count=len(left))
        found.append(seen("sockets", text, "sockets"))
    before = view.earlier.process if view.earlier else None
    if isinstance(before, Process) and before.fds is not None:
        found.append(
            seen("process", Say("{more} more than in the first sample", more=count - before.fds), "descriptors")
        )
    return found
