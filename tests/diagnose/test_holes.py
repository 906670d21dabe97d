"""Every number that may be missing, missing: an answer comes, whatever it is."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from built import ABSENT, LISTENER, NOW, level, row, sample, snapshot, task, tcp, timer, websocket

from qqdiag.diagnose import diagnose
from qqdiag.model import Missing
from qqdiag.snapshot import Snapshot

CLOSED = websocket(closed=True, closing=True)
STATES = {
    "closing": {"tasks": [task(chain=[level(1)])], "ws": CLOSED, "timers": [timer(NOW + 5, LISTENER)]},
    "silent": {"info": tcp(last_data_sent=2.0, last_data_received=90.0), "ws": websocket(send_period=10.0)},
    "dead path": {"socket": row(tcp(unacked=1, retransmits=4, backoff=4, rto=3.2), send_queue=5)},
    "unread": {"ws": websocket(readers=[], unread=100)},
    "spinning": {"tasks": [task(state=task().state)], "timers": [timer(NOW - 60)], "state": "R"},
}


def may_be_missing(annotation: Any) -> bool:
    return isinstance(annotation, types.UnionType) and type(None) in typing.get_args(annotation)


def holes(value: Any) -> Iterator[Any]:
    """Copies of a struct, each with one optional field taken out, or one list emptied, anywhere below it."""
    if isinstance(value, list):
        yield from ([*value[:at], inner, *value[at + 1 :]] for at, one in enumerate(value) for inner in holes(one))
        yield []
    if not isinstance(value, msgspec.Struct) or isinstance(value, Missing):
        return
    for name, annotation in typing.get_type_hints(type(value)).items():
        if name not in value.__struct_fields__:
            continue
        if may_be_missing(annotation) and getattr(value, name) is not None:
            yield msgspec.structs.replace(value, **{name: None})
        if "Missing" in str(annotation):
            yield msgspec.structs.replace(value, **{name: ABSENT})
        for inner in holes(getattr(value, name)):
            if not (name == "samples" and inner == []):
                yield msgspec.structs.replace(value, **{name: inner})


@pytest.mark.parametrize("name", STATES)
def test_an_answer_comes_with_any_hole(name: str) -> None:
    whole = snapshot(*(sample(at=at, **STATES[name]) for at in (NOW - 1, NOW)))
    copies: list[Snapshot] = list(holes(whole))
    assert len(copies) > 100
    for copy in copies:
        assert diagnose(copy).verdict in ("matched", "clear", "unknown")
