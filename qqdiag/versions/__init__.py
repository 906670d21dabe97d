"""Which known failures an adapter's own source has, judged by what it does and not by a version number.

A number tells little: a release and a tag of the same number differ, and an installed adapter may be edited. So each
known fault is looked for in the syntax of the methods that it lies in. What is not recognised is `unknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from qqdiag.model import Say
from qqdiag.versions.functions import Function

HAS, FREE, UNKNOWN = "has", "free", "unknown"

Methods = Mapping[str, Function]  # of the adapter, by name; those of its base class as `base.name`


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether the source has a fault, and where that is seen: a method and a line of its file."""

    state: str  # has free unknown
    method: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A known mistake in a source. `failure`: the id of the signature that sees what comes of it."""

    id: str
    failure: str
    title: Say
    judge: Callable[[Methods], Judged]
    fixed_in: str = ""  # the first release without it; "": none so far


@dataclass(frozen=True, slots=True)
class Adapter:
    """What is known of one platform's adapter. `releases`: for each, the oldest first, the faults that it has."""

    profile: str
    platform: str
    program: str  # what is released under those numbers
    methods: tuple[str, ...]
    faults: tuple[Fault, ...]
    releases: Mapping[str, frozenset[str]]


def adapters() -> tuple[Adapter, ...]:
    """Every adapter whose source is known."""
    from qqdiag.versions.hermes_qqbot import QQBOT

    return (QQBOT,)


def known(profile: str, platform: str) -> Adapter | None:
    return next((one for one in adapters() if (one.profile, one.platform) == (profile, platform)), None)


def judged(adapter: Adapter, methods: Methods) -> dict[str, Judged]:
    """Each fault's id, and whether these methods have it."""
    return {fault.id: fault.judge(methods) for fault in adapter.faults}


def like(adapter: Adapter, states: Mapping[str, str]) -> tuple[str, ...]:
    """The releases that have these faults and no others; none when one is unknown, or no release has just these."""
    if UNKNOWN in states.values() or states.keys() != {fault.id for fault in adapter.faults}:
        return ()
    has = {id for id, state in states.items() if state == HAS}
    return tuple(release for release, faults in adapter.releases.items() if faults == has)
