"""What is particular to one gateway or to one WebSocket library, as plain data: one module each.

A gateway's module has a `PROFILE`, a library's has `WEBSOCKETS`. The folder is the registry.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, field
from functools import lru_cache
from types import ModuleType


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """How to recognise and read one platform adapter of a gateway.

    `attributes` maps our words (running, websocket, session, listener, heartbeat, heartbeat_interval, token_lock …)
    to the adapter's attribute names, or paths of them, as in `connection.ws`.
    """

    platform: str
    type_name: str  # __qualname__ of its class
    module: str  # __module__ of its class
    attributes: dict[str, str]
    base: str = ""  # or by its name alone below this class, whatever its module; without a name any class below it
    heartbeat_answered: bool = False  # its protocol answers each heartbeat
    send_waits: str = ""  # its method in which a send waits for the connection


@dataclass(frozen=True, slots=True)
class Phrase:
    """A log line that means something. `pattern` is a regular expression over the message; its groups are numbers."""

    event: str
    pattern: str
    logger: str = ""  # prefix of the logger's name


@dataclass(frozen=True, slots=True)
class Profile:
    """One gateway program."""

    id: str
    argv: tuple[str, ...]  # words, any of which in argv makes it a candidate
    home_variable: str  # environment variable of its home
    default_home: str  # below the target user's home
    adapters: tuple[AdapterShape, ...]
    log_files: dict[str, str] = field(default_factory=dict)  # our word: path below its home
    line: str = ""  # regular expression of a log line, groups time, level, logger, message
    time_format: str = ""
    console: tuple[str, ...] = ()  # as `line`, of what it writes to its stderr; `time` may lack
    phrases: tuple[Phrase, ...] = ()
    state_file: str = ""
    state_words: frozenset[str] = frozenset()  # all that it may hold: states, platforms, errors


@dataclass(frozen=True, slots=True)
class WebSocketShape:
    """How to recognise and read the WebSockets of one class of a library, and of those that derive from it.

    An attribute is named by its path from the object, as in `_writer.transport`. Of several paths the first counts that
    is there.
    """

    library: str
    type_name: str  # its __module__ and __qualname__
    code: str  # what the path of its library's files holds
    receives: tuple[str, ...]  # its methods that wait for a message
    transport: tuple[str, ...]
    server: bool = False  # it is the end that was called
    closed: tuple[str, ...] = ()  # a bool; where it is not there, it is open if `opened` is
    closing: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()  # not None since its connection stands
    state: tuple[str, ...] = ()  # or a number instead of both
    closing_from: int = 0
    closed_from: int = 0
    close_code: tuple[str, ...] = ()
    close_timeout: tuple[str, ...] = ()
    receive_timeout: tuple[str, ...] = ()
    queued: tuple[str, ...] = ()  # bytes that were read from the socket and not consumed
    queue: tuple[str, ...] = ()  # or an object of Cython that counts them, just before its pointer to a `queue_before`
    queue_before: str = ""
    messages: tuple[str, ...] = ()  # or the messages themselves
    message: str = ""  # the attribute of one that is its payload, if it is not the payload itself
    ping_interval: tuple[str, ...] = ()
    pong_timeout: tuple[str, ...] = ()  # seconds that it waits for a PONG
    pong_timer: tuple[str, ...] = ()  # an asyncio.TimerHandle while a PING is not answered
    pings: tuple[str, ...] = ()  # or a dict of those that are not, each a tuple of a future and its time by the loop


def profiles() -> tuple[Profile, ...]:
    """The profile of every gateway."""
    return tuple(module.PROFILE for module in _modules(tuple(__path__)) if hasattr(module, "PROFILE"))


def websocket_shapes() -> tuple[WebSocketShape, ...]:
    """Those of every library."""
    known = [getattr(module, "WEBSOCKETS", ()) for module in _modules(tuple(__path__))]
    return tuple(shape for shapes in known for shape in shapes)


@lru_cache
def _modules(folders: tuple[str, ...]) -> tuple[ModuleType, ...]:
    names = sorted(module.name for module in pkgutil.iter_modules(folders))
    return tuple(importlib.import_module(f"{__name__}.{name}") for name in names)
