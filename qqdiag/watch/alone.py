"""One watcher a process. The kernel keeps the mark, and lets it go with the watcher, however that ends."""

from __future__ import annotations

import errno
import socket
from types import TracebackType

from qqdiag.errors import UsageError
from qqdiag.model import Say


class Alone:
    """A name in the abstract namespace of unix sockets (unix(7)), which belongs to the network namespace we are in."""

    def __init__(self, pid: int, start_ticks: int) -> None:
        """UsageError when another watcher has the process."""
        self._mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._mark.bind(f"\0qqdiag-watch-{pid}-{start_ticks}")
        except OSError as error:
            self._mark.close()
            if error.errno != errno.EADDRINUSE:
                raise
            raise UsageError(
                Say("process {pid} is being watched already", pid=pid),
                Say("find who does: pgrep -af 'qqdiag watch'"),
            ) from None

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mark.close()
