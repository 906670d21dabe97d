"""Words of the QQ gateway protocol (bot-docs `interface-framework/opcode.md`, `event-emit.md`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Op(IntEnum):
    """What a frame is."""

    DISPATCH = 0  # an event, from the server
    HEARTBEAT = 1  # from the client, with the latest `s`
    IDENTIFY = 2
    RESUME = 6
    RECONNECT = 7  # the server wants the client to connect anew
    INVALID_SESSION = 9
    HELLO = 10  # the first frame of the server, with `heartbeat_interval` in milliseconds
    HEARTBEAT_ACK = 11


GROUP_AND_C2C = 1 << 25  # intent: messages in groups and from single users


class BadPayload(ConnectionError):
    """A frame or an answer that is not what the protocol says."""


@dataclass(frozen=True)
class Incoming:
    """A message from a user."""

    openid: str
    content: str
    message_id: str


@dataclass(frozen=True)
class Frame:
    """One frame of the server."""

    op: int
    body: Any
    event: str | None = None
    seq: int | None = None


def parse(text: str) -> Frame:
    """A frame from its JSON.

    :raises BadPayload: it is not one
    """
    try:
        payload = json.loads(text)
        return Frame(payload["op"], payload.get("d"), payload.get("t"), payload.get("s"))
    except (ValueError, KeyError, TypeError) as error:
        raise BadPayload(repr(error)) from error


def heartbeat_interval(body: Any) -> float:
    """Seconds, from the body of Hello.

    :raises BadPayload: it holds no duration; one of zero would be a flood
    """
    interval = body.get("heartbeat_interval") if isinstance(body, dict) else None
    if not isinstance(interval, int | float) or not interval > 0:
        raise BadPayload("Hello without a heartbeat_interval")
    return interval / 1000


def incoming(body: Any) -> Incoming:
    """A message, from the body of C2C_MESSAGE_CREATE.

    :raises BadPayload: it is not one
    """
    try:
        return Incoming(body["author"]["user_openid"], body["content"], body["id"])
    except (KeyError, TypeError) as error:
        raise BadPayload(repr(error)) from error


def identify(token: str) -> dict[str, Any]:
    """A frame that begins a session."""
    return {"op": Op.IDENTIFY, "d": {"token": f"QQBot {token}", "intents": GROUP_AND_C2C, "shard": [0, 1]}}


def resume(token: str, session_id: str | None, seq: int | None) -> dict[str, Any]:
    """A frame that goes on with a session after the event `seq`."""
    return {"op": Op.RESUME, "d": {"token": f"QQBot {token}", "session_id": session_id, "seq": seq}}
