"""The body of `qqdiag lab start`: data to print, and the wait until it is over."""

from __future__ import annotations

import subprocess
from typing import Any

from qqdiag.lab.start import Running, cases


def announcement(running: Running) -> dict[str, Any]:
    """What is printed once the state is reached, as JSON."""
    return {
        "id": running.id,
        "pid": running.pid,
        "ports": {"server": running.server_port},
        "server_pid": running.server.pid,
        "tls": running.tls,
        "python": running.python,
        "aiohttp": running.aiohttp,
        "reached_after": running.reached_after,
        "state": running.state,
    }


def listing() -> list[dict[str, Any]]:
    """Every case: id, title, whether it is healthy, and over which transports it happens."""
    return [
        {"id": case.id, "title": case.title, "healthy": case.healthy, "transports": list(case.transports)}
        for case in cases()
    ]


def remain(running: Running, seconds: float) -> bool:
    """Keep it for `seconds`; False when the gateway ended before."""
    try:
        running.gateway.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False
