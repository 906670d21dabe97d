"""The lab's platform speaks the protocol of failures.md 2."""

from __future__ import annotations

import aiohttp
import pytest
from lab_client import TOKEN, connected, identify, play, told

from qqdiag.lab.control import Server

pytestmark = pytest.mark.lab


def test_token(server: Server) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        async with session.post(server.token_url, json={"appId": "1", "clientSecret": "x"}) as response:
            answer = await response.json()
        assert answer["access_token"]
        assert answer["expires_in"] == "7200"  # text, as in the documents

    play(server, client)


def test_hello_identify_heartbeat_message_answer(server: Server) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        async with connected(server, session) as ws:
            await identify(ws)
            await ws.send_json({"op": 1, "d": None})
            assert await ws.receive_json() == {"op": 11}
            await told(server, "say", "hello")
            event = await ws.receive_json()
            assert (event["op"], event["s"], event["t"]) == (0, 2, "C2C_MESSAGE_CREATE")
            openid = event["d"]["author"]["user_openid"]
            url, body = f"{server.url}/v2/users/{openid}/messages", {"content": "hi", "msg_id": event["d"]["id"]}
            async with session.post(url, json=body, headers={"Authorization": TOKEN}) as response:
                assert response.status == 200
                assert (await response.json())["id"]
        assert server.seen()["contents"] == ["hi"]

    play(server, client)


def test_a_message_without_token_is_refused(server: Server) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        async with session.post(f"{server.url}/v2/users/x/messages", json={"content": "hi"}) as response:
            assert response.status == 401

    play(server, client)


def test_resume_replays_what_was_missed(server: Server) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        async with connected(server, session) as ws:
            session_id = await identify(ws)
            await told(server, "say", "missed", 2)
        async with connected(server, session) as ws:
            await ws.receive_json()
            await ws.send_json({"op": 6, "d": {"token": TOKEN, "session_id": session_id, "seq": 1}})
            events = [await ws.receive_json() for _ in range(3)]
        assert [(event["s"], event["t"]) for event in events] == [
            (2, "C2C_MESSAGE_CREATE"),
            (3, "C2C_MESSAGE_CREATE"),
            (4, "RESUMED"),
        ]

    play(server, client)


def test_an_unknown_session_gets_op_9(server: Server) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        async with connected(server, session) as ws:
            await ws.receive_json()
            await ws.send_json({"op": 6, "d": {"token": TOKEN, "session_id": "nobody", "seq": 1}})
            assert (await ws.receive_json())["op"] == 9

    play(server, client)


def test_a_wrong_token_gets_4004(server: Server) -> None:
    async def client(server: Server, session: aiohttp.ClientSession) -> None:
        async with connected(server, session) as ws:
            await ws.receive_json()
            await ws.send_json({"op": 2, "d": {"token": "QQBot stale", "intents": 0, "shard": [0, 1]}})
            assert (await ws.receive()).data == 4004

    play(server, client)
