"""The gateway's own status file: JSON that it wrote of itself, perhaps long ago, perhaps half.

Fields as hermes-agent 0.13 to 0.19 write them (gateway/status.py): pid, start_time, gateway_state, platforms and their
state, error_code, updated_at.
"""

from __future__ import annotations

import datetime
import os
from typing import Annotated

import msgspec

from qqdiag.collect import rooted
from qqdiag.model import Missing, Path, Say, Word
from qqdiag.profiles import Profile
from qqdiag.snapshot import PlatformState, StateFile

BYTES_MAX = 1 << 18
PLATFORMS_MAX = 100
UNKNOWN = "unknown"

_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]


class _Platform(msgspec.Struct):
    state: str | None = None
    error_code: str | None = None
    updated_at: str | None = None


class _State(msgspec.Struct):
    pid: _Count | None = None
    start_time: _Count | float | None = None
    gateway_state: str | None = None
    platforms: dict[str, _Platform] = {}


def read(fd: int, path: str, profile: Profile, now: float) -> StateFile | Missing:
    """The file open at `fd`. `now` is the wall clock's. A word that the profile does not list is not passed on."""
    status = os.fstat(fd)
    try:
        state = msgspec.json.decode(rooted.read_at(fd, 0, BYTES_MAX), type=_State)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Missing(
            Say("the state file is no valid JSON of its kind: half written, damaged or of another version"),
            Say("qqdiag inspect --raw names it, then: head -c 2000 PATH"),
        )
    return StateFile(
        path=Path(path),
        age=max(0.0, now - status.st_mtime),
        pid=state.pid,
        start_ticks=None if state.start_time is None else int(state.start_time),
        gateway_state=_word(state.gateway_state, profile),
        platforms=[_platform(name, said, profile, now) for name, said in list(state.platforms.items())[:PLATFORMS_MAX]],
    )


def _platform(name: str, said: _Platform, profile: Profile, now: float) -> PlatformState:
    return PlatformState(
        name=_word(name, profile) or Word(UNKNOWN),
        state=_word(said.state, profile) or Word(UNKNOWN),
        error=None if said.error_code is None else _word(said.error_code, profile) or Word(UNKNOWN),
        age=_age(said.updated_at, now),
    )


def _word(text: str | None, profile: Profile) -> Word | None:
    """The words of a state file are anybody's until the profile knows them."""
    known = text in profile.state_words or any(text == adapter.platform for adapter in profile.adapters)
    return Word(text) if text is not None and known else None


def _age(written: str | None, now: float) -> float | None:
    """Of an ISO time; without a zone it is UTC."""
    try:
        time = datetime.datetime.fromisoformat(written or "")
    except ValueError:
        return None
    time = time if time.tzinfo else time.replace(tzinfo=datetime.UTC)
    return max(0.0, now - time.timestamp())
