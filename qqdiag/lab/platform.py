"""The state of the lab's platform: who is connected, which sessions exist, which faults are on."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from qqdiag.lab.faults import Faults, Seen

LAB_TOKEN = "lab-token"
USER = "labuser"
DISPATCH = 0


@dataclass(eq=False)
class Session:
    """What Resume goes back to: every event since Identify, by `s`."""

    id: str
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass(eq=False)
class Connection:
    """One WebSocket, and the transport below it for what no WebSocket library does."""

    ws: web.WebSocketResponse
    transport: asyncio.Transport
    session: Session | None = None
    deaf: bool = False  # nothing more is read from it, whatever the switch says


@dataclass(eq=False)
class Platform:
    """Everything that the endpoints share."""

    faults: Faults = field(default_factory=Faults)
    seen: Seen = field(default_factory=Seen)
    connections: list[Connection] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)
    rest: set[asyncio.Transport] = field(default_factory=set)  # idle keep-alive connections of REST clients
    changed: asyncio.Event = field(default_factory=asyncio.Event)  # a switch was thrown
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))


async def dispatch(platform: Platform, session: Session, event: str, body: Any) -> None:
    """Send an event to whoever holds `session`, and keep it for a Resume."""
    payload = {"op": DISPATCH, "s": len(session.events) + 1, "t": event, "id": f"{event}:{next(platform.numbers)}"}
    payload["d"] = body
    session.events.append(payload)
    for connection in platform.connections:
        if connection.session is session:
            await send(platform, connection, payload)


async def send(platform: Platform, connection: Connection, payload: dict[str, Any]) -> None:
    """Send a frame, unless the connection is going."""
    if connection.transport.is_closing():
        return
    if payload["op"] == DISPATCH:
        platform.seen.dispatched += 1
    try:
        await connection.ws.send_json(payload)
    except ConnectionError:
        return


def message(
    platform: Platform, content: str, attachments: list[dict[str, str]] | None = None, user: str = USER
) -> dict[str, Any]:
    """The body of C2C_MESSAGE_CREATE (bot-docs `message/send-receive/event.md`)."""
    return {
        "id": f"ROBOT1.0_{next(platform.numbers)}",
        "author": {"id": user, "user_openid": user, "union_openid": user},
        "content": content,
        "timestamp": "2026-01-01T08:00:00+08:00",
        "message_scene": {"source": "default"},
        **({"attachments": attachments} if attachments else {}),
    }
