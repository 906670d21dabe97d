"""What a service of systemd tells its manager (sd_notify(3)): that it is there, and that it still is."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def tell(state: str) -> None:
    """Send `state`, such as READY=1 or WATCHDOG=1; nothing where no manager listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        manager.setblocking(False)  # one that does not read must not hold us up
        manager.sendto(state.encode(), address)
