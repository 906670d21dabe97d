"""The cases in which the lab's gateway is well, and looks as if it were not."""

from __future__ import annotations

from qqdiag.lab import outside
from qqdiag.lab.case import Case, Lab
from qqdiag.lab.outside import until


def idle(lab: Lab) -> dict[str, object]:
    """Connected, with nothing to do until the next heartbeat, half a minute away."""
    return until("polling", lambda: outside.polling(lab.gateway.pid))


HEALTHY: tuple[Case, ...] = (
    Case(
        "idle",
        "connected, and nobody writes",
        idle,
        healthy=True,
        facts=(("ready", 0.5),),
        faults={"heartbeat_interval": 41250},
    ),
)
