"""The adapter that a running gateway has loaded: its file, as the code objects in its memory name it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from qqdiag.collect import rooted
from qqdiag.errors import NotReadable
from qqdiag.model import CodePath, Missing, Say
from qqdiag.patch.source import LARGEST
from qqdiag.run import take
from qqdiag.snapshot import Sample
from qqdiag.target import Live

ROUNDED = 2.0  # seconds by which a file may seem younger than the process: clock ticks, file systems


@dataclass(frozen=True)
class Loaded:
    """A file, and whether it was changed after the process that loaded it began."""

    path: CodePath
    text: bytes
    newer: bool


def loaded(target: Live) -> Loaded:
    """:raises NotReadable: no adapter of a known gateway is in the process, or its file cannot be read"""
    snapshot = take(target, interval=0.0)
    sample = snapshot.samples[-1]
    path = _path(sample)
    hint = Say("give the path of gateway/platforms/qqbot/adapter.py")
    if path is None or isinstance(sample.process, Missing):
        raise NotReadable(Say("no adapter for the QQ gateway was found in process {pid}", pid=target.pid), hint)
    try:
        fd = rooted.open_file(rooted.root_of(target.pid), path)
    except (OSError, ValueError) as error:
        raise NotReadable(Say("the adapter's file of process {pid} cannot be read", pid=target.pid), hint) from error
    try:
        began = snapshot.wall_time - sample.process.uptime
        return Loaded(CodePath(path), rooted.read_at(fd, 0, LARGEST), os.fstat(fd).st_mtime > began + ROUNDED)
    finally:
        os.close(fd)


def _path(sample: Sample) -> str | None:
    if isinstance(sample.gateway, Missing) or sample.gateway is None:
        return None
    for adapter in sample.gateway.adapters:
        for method in adapter.methods:
            if not method.name.reveal().startswith("base."):
                return method.path.reveal()
    return None
