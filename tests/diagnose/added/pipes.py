"""A WebSocket library of one file: the connections of `unheard_of.py`."""

from __future__ import annotations

from qqdiag.profiles import WebSocketShape

WEBSOCKETS = (
    WebSocketShape(
        library="pipes",
        type_name="__main__.Pipe",
        code="unheard_of.py",
        receives=("receive",),
        transport=("below",),
        closed=("over",),
        opened=("below",),
        messages=("box",),
    ),
)
