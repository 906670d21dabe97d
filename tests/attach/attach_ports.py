"""Ports for an aiomonitor: its terminal's and its web's lie side by side."""

from __future__ import annotations

import contextlib
import socket


def free_ports() -> int:
    """The first of two neighbours that nobody has."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port: int = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError), socket.create_server(("127.0.0.1", port + 1)):
                return port
