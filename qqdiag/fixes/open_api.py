"""The REST side of the platform: access token, address of the gateway, answers."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from typing import Any

import aiohttp

from .protocol import BadPayload, Incoming


@dataclass(frozen=True)
class Account:
    """Who the bot is and where its platform is."""

    app_id: str
    secret: str
    token_url: str
    api: str
    tls: ssl.SSLContext | None = None


class OpenApi:
    """REST calls for one account, each bounded by `seconds` in total: a limit per read lets a drip last for ever."""

    def __init__(self, account: Account, seconds: float) -> None:
        self.account = account
        self.seconds = seconds
        self.rest: aiohttp.ClientSession | None = None
        self.access_token = ""
        self.token_ends = 0.0  # time.monotonic()

    def begin(self) -> None:
        self.rest = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.seconds))

    async def finish(self) -> None:
        if self.rest is not None:
            await self.rest.close()

    def forget_token(self) -> None:
        self.token_ends = 0.0

    async def token(self) -> str:
        """The access token; a new one in the last minute of the old, which stays valid for that minute."""
        if time.monotonic() > self.token_ends - 60:
            body = {"appId": self.account.app_id, "clientSecret": self.account.secret}
            answer = await self._request("POST", self.account.token_url, "", body)
            self.access_token = _text(answer, "access_token")
            self.token_ends = time.monotonic() + float(_text(answer, "expires_in"))
        return self.access_token

    async def gateway(self) -> str:
        """The address of the WebSocket."""
        return _text(await self._request("GET", f"{self.account.api}/gateway", await self.token()), "url")

    async def reply(self, message: Incoming, content: str) -> None:
        """Answer `message` passively, within the minutes that the platform grants."""
        body = {"content": content, "msg_type": 0, "msg_id": message.message_id, "msg_seq": 1}
        url = f"{self.account.api}/v2/users/{message.openid}/messages"
        await self._request("POST", url, await self.token(), body)

    async def _request(self, method: str, url: str, token: str, body: Any = None) -> Any:
        assert self.rest is not None, "begin() comes first"
        headers = {"Authorization": f"QQBot {token}"} if token else {}
        async with self.rest.request(
            method, url, json=body, headers=headers, ssl=self.account.tls or True, raise_for_status=True
        ) as response:
            try:
                return await response.json(content_type=None)
            except ValueError as error:
                raise BadPayload("an answer that is not JSON") from error


def _text(answer: Any, key: str) -> str:
    """A field of an answer; numbers come as text or as numbers (`expires_in` is text in the documents)."""
    if not isinstance(answer, dict) or not isinstance(answer.get(key), str | int | float):
        raise BadPayload(f"an answer without {key}")
    return str(answer[key])
