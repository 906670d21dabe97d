"""How the connection went by the log: how often it is lost, why, for how long, and how far back the log tells of it."""

from __future__ import annotations

from qqdiag.episodes import FEWEST, Cycle, Episode, Timeline, timeline
from qqdiag.model import Bytes, Moment, Say, Seconds
from qqdiag.report.document import Block, Cell, Line, Mark, Row, Table
from qqdiag.snapshot import LogFile, Logs

_MOST = 12
_RENEWED = 4009


def loss_blocks(logs: Logs, now: float) -> list[Block[Cell]]:
    """Nothing where the log tells of no loss. `now`: seconds since 1970."""
    known = timeline(logs)
    if known is None or not known.episodes:
        return []
    return [Line(_summary(known), mark=Mark.STRONG), _table(known.episodes[-_MOST:], now)]


def older_lines(file: LogFile) -> list[Line[Cell]]:
    """What was put aside of a log, and what of it all was not looked at."""
    lines: list[Line[Cell]] = []
    if aside := file.older[1:]:
        events = sum(part.events for part in aside)
        text = Say("older logs of it: {count}, with events: {events}", count=len(aside), events=events)
        lines.append(Line(text, 1, Mark.DIM))
    if unread := sum(part.unread for part in file.older):
        text = Say("{size} before that were not looked at", size=Bytes(unread))
        lines.append(Line(text, 1, Mark.WARN))
    for lack in [part.lack for part in file.older if part.lack][:3]:
        lines.append(Line(Say("{reason}", reason=lack.reason), 1, Mark.WARN))
    return lines


def _summary(known: Timeline) -> Say:
    count, reach = len(known.episodes), Seconds(known.reaches)
    if known.cycle is None or count <= FEWEST:
        return Say("connections lost, by the {log} log: {count} in {reach}", log=known.log, count=count, reach=reach)
    return Say(
        "connections lost, by the {log} log: {count} in {reach}; {cycle}",
        log=known.log,
        count=count,
        reach=reach,
        cycle=_cycle(known.cycle),
    )


def _cycle(cycle: Cycle) -> Say:
    return Say(
        "the last {count} came every {period} (half of them {lower} to {upper} apart), the last one {age} ago",
        count=len(cycle.ages),
        period=Seconds(cycle.period),
        lower=Seconds(cycle.lower),
        upper=Seconds(cycle.upper),
        age=Seconds(cycle.ages[-1]),
    )


def _table(episodes: list[Episode], now: float) -> Table[Cell]:
    head = (Say("lost (UTC)"), Say("ago"), Say("by"), Say("was open"), Say("attempts"), Say("back after"), Say("as"))
    rows = tuple(Row(_cells(episode, now), _mark(episode)) for episode in episodes)
    return Table(head, rows, frozenset({1, 3, 4, 5}))


def _cells(episode: Episode, now: float) -> tuple[Cell, ...]:
    return (
        Moment(now - episode.age),
        Seconds(episode.age),
        _cause(episode),
        _or_unknown(episode.held),
        episode.attempts,
        _or_unknown(episode.gap),
        episode.back if episode.back is not None else Say("no session"),
    )


def _or_unknown(seconds: float | None) -> Cell:
    return Say("?") if seconds is None else Seconds(seconds)


def _cause(episode: Episode) -> Say:
    text = Say("{cause}", cause=episode.cause) if episode.code is None else Say("code {code}", code=episode.code)
    return Say("{text}, asked for by the platform", text=text) if episode.asked else text


def _mark(episode: Episode) -> Mark:
    """A renewal that ended in a session is none to look at."""
    if episode.gap is None:
        return Mark.BAD
    return Mark.DIM if episode.asked or episode.code == _RENEWED else Mark.WARN
