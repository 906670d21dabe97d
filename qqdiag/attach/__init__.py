"""A console in a gateway that runs aiomonitor: list its tasks, open its terminal."""

from __future__ import annotations

from qqdiag.collect import monitor as collector
from qqdiag.collect import netns, proc, sockets
from qqdiag.errors import NotReadable
from qqdiag.model import Missing, Say
from qqdiag.snapshot import Monitor


def find(pid: int) -> Monitor:
    """The aiomonitor that the process runs, with its tasks, on whatever port.

    NotReadable where it runs none or none that answers; NotPermitted, NoSuchTarget as from the sockets.
    """
    proc.start_ticks(pid)
    rows = sockets.collect(pid)
    found = rows if isinstance(rows, Missing) else collector.collect(pid, rows, everywhere=True)
    if found is None:
        raise NotReadable(
            Say("process {pid} runs no aiomonitor", pid=pid),
            Say("see its tasks without one: qqdiag inspect {pid}", pid=pid),
        )
    if isinstance(found, Missing):
        raise NotReadable(found.reason, found.hint)
    return found


def open_console(pid: int, monitor: Monitor) -> None:
    """Connect this terminal to the monitor's; returns when the session ends.

    NotReadable where no terminal was found beside the web port, or it does not take the connection.
    """
    if monitor.terminal_port is None:
        raise NotReadable(
            Say("its aiomonitor answers on port {port}, but no terminal listens beside it", port=monitor.web_port),
            Say("python -m aiomonitor.cli -H 127.0.0.1 -p PORT"),
        )
    from aiomonitor.cli import monitor_client  # 0.3 s: prompt_toolkit, aiohttp

    if not proc.same_namespace(pid, "net"):
        netns.enter(pid)
    try:
        monitor_client("127.0.0.1", monitor.terminal_port)
    except ConnectionError:
        raise NotReadable(
            Say("port {port} takes no connection", port=monitor.terminal_port),
            Say("qqdiag inspect {pid}", pid=pid),
        ) from None
