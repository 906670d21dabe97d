"""The WebSocket of the lab's platform: Hello, Identify, Resume, heartbeats, and the faults among them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import WSMsgType, web

from qqdiag.lab.platform import LAB_TOKEN, Connection, Platform, Session, dispatch, message, send

HEARTBEAT, IDENTIFY, RESUME, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 1, 2, 6, 9, 10, 11
PING = b"\x89\x7d" + b"." * 125  # the longest control frame (RFC 6455 5.5)
# Many in one write: the kernel keeps house badly over a flood of tiny segments, and drops and retransmits them.
PINGS = PING * 64
ROOM = 65536  # bytes of the write buffer that pings may fill


async def websocket(platform: Platform, request: web.Request) -> web.StreamResponse:
    """GET /websocket: one conversation, until either side leaves."""
    if platform.faults.upgrade == "fail":
        return web.Response(status=503)
    swallowed = platform.faults.upgrade == "swallow"
    while (swallowed or platform.faults.upgrade == "hang") and not _closing(request):
        await asyncio.sleep(0.1)
    ws = web.WebSocketResponse(autoclose=False, timeout=1.0, max_msg_size=0)
    await ws.prepare(request)
    assert isinstance(request.transport, asyncio.Transport)
    connection = Connection(ws, request.transport)
    platform.connections.append(connection)
    platform.seen.connections += 1
    nuisance = [asyncio.create_task(_pester(platform, connection)), asyncio.create_task(_read(platform, connection))]
    try:
        await _converse(platform, connection)
    finally:
        platform.connections.remove(connection)
        for task in nuisance:
            task.cancel()
    return ws


async def _converse(platform: Platform, connection: Connection) -> None:
    if platform.faults.hello:
        await send(platform, connection, {"op": HELLO, "d": {"heartbeat_interval": platform.faults.heartbeat_interval}})
    while True:
        frame = await connection.ws.receive()
        if frame.type is WSMsgType.TEXT:
            await _take(platform, connection, json.loads(frame.data))
        elif frame.type is WSMsgType.BINARY:
            continue  # not of this protocol
        elif frame.type is WSMsgType.CLOSE:
            platform.seen.closes += 1
            if platform.faults.answer_close:
                await connection.ws.close(code=frame.data or 1000)
                return
        elif connection.transport.is_closing() or connection.ws.closed:
            return
        else:
            # CLOSE was not answered: receive() returns CLOSING from now on, and the client waits.
            await asyncio.sleep(0.1)


async def _take(platform: Platform, connection: Connection, payload: dict[str, Any]) -> None:
    op, body = payload["op"], payload.get("d")
    if op == HEARTBEAT:
        await _heartbeat(platform, connection, body)
    elif op == IDENTIFY and _allowed(platform, body):
        platform.seen.identifies += 1
        platform.seen.identified_with = body or {}
        if platform.faults.identify:
            await _identify(platform, connection)
    elif op == RESUME and _allowed(platform, body):
        platform.seen.resumes += 1
        if platform.faults.identify:
            await _resume(platform, connection, body)
    else:
        await connection.ws.close(code=4004 if op in (IDENTIFY, RESUME) else 4001)


def _allowed(platform: Platform, body: Any) -> bool:
    return isinstance(body, dict) and body.get("token") == f"QQBot {LAB_TOKEN}"


async def _heartbeat(platform: Platform, connection: Connection, seq: int | None) -> None:
    platform.seen.heartbeats += 1
    platform.seen.last_seq = seq
    if platform.faults.ack:
        platform.seen.unanswered = 0
        await send(platform, connection, {"op": HEARTBEAT_ACK})
    else:
        platform.seen.unanswered += 1


async def _identify(platform: Platform, connection: Connection) -> None:
    session = Session(f"lab-session-{next(platform.numbers)}")
    platform.sessions[session.id] = session
    connection.session = session
    user = {"id": "1", "username": "lab", "bot": True}
    body = {"version": 1, "session_id": session.id, "user": user, "shard": [0, 1]}
    await dispatch(platform, session, "READY", body)


async def _resume(platform: Platform, connection: Connection, body: Any) -> None:
    """Replay what the client has not seen, then RESUMED; an unknown session gets op 9."""
    if platform.faults.resume != "ok":
        if platform.faults.resume == "cut":
            connection.transport.close()
        return
    session = platform.sessions.get(str(body.get("session_id")))
    if session is None:
        await send(platform, connection, {"op": INVALID_SESSION, "d": False})
        return
    for payload in session.events[body.get("seq") or 0 :]:
        await send(platform, connection, payload)
    connection.session = session
    await dispatch(platform, session, "RESUMED", "")


async def _pester(platform: Platform, connection: Connection) -> None:
    """Frames that nobody asked for, while a switch wants them."""
    while not connection.transport.is_closing():
        faults = platform.faults
        try:
            if faults.pings:
                if connection.transport.get_write_buffer_size() < ROOM:
                    connection.transport.write(PINGS)
                await asyncio.sleep(0.001)
            elif faults.events and connection.session is not None:
                await dispatch(platform, connection.session, "C2C_MESSAGE_CREATE", message(platform, "more"))
                await asyncio.sleep(faults.events)
            elif faults.chatter:
                await connection.ws.send_json({"op": HEARTBEAT_ACK})
                await asyncio.sleep(faults.chatter)
            else:
                await platform.changed.wait()
        except ConnectionError:
            return


async def _read(platform: Platform, connection: Connection) -> None:
    """Hold the transport's reading back, while a switch wants it.

    By the transport itself: aiohttp's own flow control would resume at the next message that is consumed.
    """
    while not connection.transport.is_closing():
        how = "nothing" if connection.deaf else platform.faults.read
        if how == "all":
            connection.transport.resume_reading()
            await platform.changed.wait()
        elif how == "nothing":
            connection.transport.pause_reading()
            await platform.changed.wait()
        else:
            connection.transport.resume_reading()
            await asyncio.sleep(0.001)
            connection.transport.pause_reading()
            await asyncio.sleep(0.05)


def _closing(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
