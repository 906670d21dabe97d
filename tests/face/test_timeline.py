"""What the page says of a log: losses, what was put aside, what was left unread, and lines by their calls."""

from __future__ import annotations

import hand_made
import msgspec
import pytest

from qqdiag.model import FixedText, FreeText, Id, Missing, Name, Path, Say, Word
from qqdiag.redact.selfcheck import rendered
from qqdiag.render import jsonout, markdown, terminal
from qqdiag.snapshot import LogArgument, LogEvent, LogFile, LogLine, LogPart, Logs, Snapshot

DIAGNOSIS = hand_made.diagnosis()


def events(period: float, count: int, *, gap: float = 2.0) -> list[LogEvent]:
    rows = []
    for number in range(count, 0, -1):
        age = number * period
        rows.append(LogEvent(event=Word("closed"), age=age, level=Word("WARNING"), numbers=[4009.0], template=0))
        rows.append(LogEvent(event=Word("reconnecting"), age=age - 0.1, level=Word("INFO"), numbers=[2.0, 1.0]))
        rows.append(LogEvent(event=Word("resumed"), age=age - gap, level=Word("INFO")))
    return rows


def seen(**more: object) -> Snapshot:
    logs = hand_made.logs()
    file = msgspec.structs.replace(logs.files[0], **more)
    return hand_made.snapshot(logs=msgspec.structs.replace(logs, files=[file]))


def page(snapshot: Snapshot) -> str:
    return rendered(terminal.text, snapshot, DIAGNOSIS)


def test_a_cycle_has_its_period_and_spread() -> None:
    text = page(seen(events=events(1800.0, 20)))
    assert "connections lost, by the agent log: 20 in 10 h 00 m" in text
    assert (
        "the last 12 came every 30 m 00 s (half of them 30 m 00 s to 30 m 00 s apart), the last one 30 m 00 s ago"
        in text
    )
    rows = [line for line in text.splitlines() if "code 4009" in line]
    assert len(rows) == 12
    assert " ".join(rows[-1].split()[2:]) == "30 m 00 s code 4009 29 m 58 s 1 2.0 s resumed"


def test_a_log_without_losses_speaks_of_none() -> None:
    assert "connections lost" not in page(seen(events=[]))
    assert "connections lost" not in page(seen(events=[LogEvent(event=Word("ready"), age=5.0, level=Word("INFO"))]))


def test_where_an_earlier_run_broke_off_is_not_said_of_this_one() -> None:
    """Its losses are listed all the same: they are what the log holds."""
    lost = seen(events=events(60.0, 5)[:-1])
    assert isinstance(lost.logs, Logs)
    assert "its last reconnect came as far as reconnecting" in page(lost)
    text = page(msgspec.structs.replace(lost, logs=msgspec.structs.replace(lost.logs, process_age=10.0)))
    assert "its last reconnect" not in text
    assert "connections lost, by the agent log: 5" in text


def part(**more: object) -> LogPart:
    return msgspec.structs.replace(LogPart(path=Path("/home/weimin88/agent.log.1"), size=5_000_000, age=9000.0), **more)


def test_what_was_put_aside_and_what_was_not_looked_at() -> None:
    lack = Missing(Say("a packed log is damaged or not complete"), Say("gzip -t"))
    older = [part(), part(events=7), part(events=5, packed=True, unread=4_200_000, lack=lack)]
    text = page(seen(older=older))
    assert "older logs of it: 2, with events: 12" in text
    assert "4.2 MB before that were not looked at" in text
    assert "a packed log is damaged or not complete" in text
    assert "weimin88" not in text
    assert "older logs" not in page(seen(older=[part()]))


def line(**more: object) -> LogLine:
    return msgspec.structs.replace(hand_made.known_line(), **more)


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        (LogArgument(id=Id("weimin88")), "[<id-1>]"),
        (LogArgument(number=1.5), "[1.5]"),
        (LogArgument(number=4009.0), "[4009]"),
        (LogArgument(word=Word("connected")), "[connected]"),
        (LogArgument(fixed=FixedText("WebSocket closed")), "[WebSocket closed]"),
        (LogArgument(fixed=FixedText("key sk1aB2cD3eF4gH5iJ6kL7mN8")), "[<text>]"),
        (LogArgument(), "[]"),
    ],
)
def test_an_argument_is_shown_by_its_kind(argument: LogArgument, shown: str) -> None:
    arguments = [argument, *hand_made.known_line().arguments[1:]]
    text = page(seen(last=[line(arguments=arguments, text=FreeText(""))]))
    assert f"{shown} Reconnecting in 2s (attempt 1)...  gateway/platforms/qqbot/adapter.py:634" in text


def test_a_traceback_is_told_by_its_type() -> None:
    text = page(seen(last=[line(exception=Name("aiohttp.client_exceptions.ClientError"))]))
    assert "(traceback: aiohttp.client_exceptions.ClientError)" in text


def test_a_number_that_is_no_template_is_none() -> None:
    """As in a capture by somebody else."""
    snapshot = seen(last=[line(template=77), line(template=-1)], events=[])
    assert page(snapshot).count("<text 33-128>") == 2


def test_text_of_any_alphabet_is_legible() -> None:
    logs = hand_made.logs()
    fixed = [FixedText("\u2713 \u65ad\u5f00 \u2014 waiting"), FixedText("")]
    template = msgspec.structs.replace(logs.templates[0], fixed=fixed)
    shown = line(arguments=[LogArgument(number=1.0)], text=FreeText("x"))
    file = LogFile(name=Word("agent"), path=Path("x"), size=1, age=1.0, last=[shown])
    logs = msgspec.structs.replace(logs, files=[file], templates=[template])
    for form in (terminal.text, markdown.text, jsonout.text):
        text = rendered(form, hand_made.snapshot(logs=logs), DIAGNOSIS, facts=form is jsonout.text)
        assert "? ?? - waiting" in text


def test_without_logs_there_is_no_timeline() -> None:
    for logs in (None, Missing(Say("gone"), Say("look")), Logs(profile=Word("hermes"))):
        assert "connections lost" not in page(hand_made.snapshot(logs=logs))
