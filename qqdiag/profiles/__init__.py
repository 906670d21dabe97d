"""What is particular to one gateway, as plain data: one module a gateway, each with a `PROFILE`."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """How to recognise and read one platform adapter of a gateway.

    `attributes` maps our words (running, websocket, session, listener, heartbeat, heartbeat_interval, token_lock …)
    to the adapter's attribute names.
    """

    platform: str
    type_name: str  # __qualname__ of its class
    module: str  # __module__ of its class
    attributes: dict[str, str]
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
    phrases: tuple[Phrase, ...] = ()
    state_file: str = ""
    state_words: frozenset[str] = frozenset()  # all that it may hold: states, platforms, errors


def profiles() -> tuple[Profile, ...]:
    """Every profile in this folder: a module with a `PROFILE`."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(importlib.import_module(f"{__name__}.{name}").PROFILE for name in names)
