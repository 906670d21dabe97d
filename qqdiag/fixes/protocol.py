"""Words of the QQ gateway protocol (bot-docs `interface-framework/opcode.md`, `event-emit.md`)."""

from __future__ import annotations

from dataclasses import dataclass

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
