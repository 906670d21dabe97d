"""How a gateway came up, by its own word: its state file, and what its log says since the process began."""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.snapshot import Logs, PlatformState, Process, StateFile
from qqdiag.waits import View

CONNECTED = frozenset({"connected", "started", "identified", "ready", "resumed", "reconnected"})  # words of profiles
REFUSED = "connect-refused"  # word of a profile's phrase: the interpreter refused the call, and never will take it
UP = "connected"  # of a platform in the state file


@dataclass(frozen=True, slots=True)
class Start:
    """What is said of one start."""

    age: float  # seconds since the process began
    state: str  # of the gateway; empty where the file does not say
    platforms: list[PlatformState]
    connected: bool  # by the log or by the file, some platform was connected since it began
    refused: bool  # by the log, no attempt to connect can succeed: `connect-broken`


def own_start(view: View) -> Start | None:
    """None where there is no state file, or it is of another process."""
    process, logs = view.last.process, view.logs
    if not isinstance(process, Process) or not isinstance(logs, Logs) or not isinstance(logs.state, StateFile):
        return None
    state = logs.state
    if state.pid not in (process.pid, process.namespace_pid) or state.start_ticks not in (None, process.start_ticks):
        return None
    words = {event.event.reveal() for file in logs.files for event in file.events}
    up = any(platform.state.reveal() == UP for platform in state.platforms)
    return Start(
        age=process.uptime,
        state=state.gateway_state.reveal() if state.gateway_state else "",
        platforms=state.platforms,
        connected=bool(words & CONNECTED) or up,
        refused=REFUSED in words,
    )
