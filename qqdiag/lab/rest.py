"""REST endpoints of the lab's platform: token, `/gateway`, messages, and a stand-in for a model API."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from qqdiag.lab.platform import LAB_TOKEN, Platform

KEPT = 100  # contents of messages that are remembered


async def token(platform: Platform, request: web.Request) -> web.StreamResponse:
    """POST /app/getAppAccessToken. `expires_in` is text, as in the documents."""
    platform.seen.tokens += 1
    return await _answer(platform, request, platform.faults.token, {"access_token": LAB_TOKEN, "expires_in": "7200"})


async def gateway(platform: Platform, request: web.Request) -> web.StreamResponse:
    """GET /gateway and /gateway/bot: the address of the WebSocket, on this very port."""
    platform.seen.gateways += 1
    scheme = "wss" if request.secure else "ws"
    limit = {"total": 1000, "remaining": 999, "reset_after": 86400000, "max_concurrency": 1}
    body: dict[str, Any] = {"url": f"{scheme}://{request.host}/websocket/"}
    if request.path.endswith("/bot"):
        body |= {"shards": 1, "session_start_limit": limit}
    return await _answer(platform, request, platform.faults.gateway, body)


async def messages(platform: Platform, request: web.Request) -> web.StreamResponse:
    """POST /v2/users/{openid}/messages and /v2/groups/{openid}/messages."""
    if request.headers.get("Authorization") != f"QQBot {LAB_TOKEN}":
        return web.json_response({"code": 11243, "message": "invalid token"}, status=401)
    posted = await request.json()
    platform.seen.answers += 1
    platform.seen.contents.append(str(posted.get("content") or posted.get("markdown")))
    del platform.seen.contents[:-KEPT]
    body = {"id": f"ROBOT1.0_{next(platform.numbers)}", "timestamp": 1767225600}
    return await _answer(platform, request, "ok", body)


async def model(platform: Platform, request: web.Request) -> web.StreamResponse:
    """POST /model: answers, or takes its time."""
    platform.seen.models += 1
    return await _answer(platform, request, platform.faults.model, {"answer": "pong"})


async def idle(platform: Platform, request: web.Request) -> web.StreamResponse:
    """GET /idle: answers, that its connection may lie in the client's pool."""
    return await _answer(platform, request, "ok", {})


async def _answer(platform: Platform, request: web.Request, how: str, body: Any) -> web.StreamResponse:
    if isinstance(request.transport, asyncio.Transport):
        platform.rest.add(request.transport)  # to be closed by the server while the client keeps it in a pool
    await asyncio.sleep(platform.faults.delay)
    if how == "hang":
        await _gone(request)
    if how == "fail":
        return web.json_response({"code": 500, "message": "internal error"}, status=500)
    if how == "dribble":
        return await _dribble(request, json.dumps(body).encode())
    return web.json_response(body)


async def _gone(request: web.Request) -> None:
    """Return once the client has left."""
    while request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(0.1)


async def _dribble(request: web.Request, body: bytes) -> web.StreamResponse:
    """A byte per half second: every read of the client is in time, the whole is not."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    for byte in body:
        await response.write(bytes([byte]))
        await asyncio.sleep(0.5)
    return response
