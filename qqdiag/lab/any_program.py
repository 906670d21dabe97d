"""Cases that any asyncio program may fall into, each with its nearest look-alike; the gateway's connection is well."""

from __future__ import annotations

import os
import signal
from typing import Any

from qqdiag.lab import outside
from qqdiag.lab.case import Case, Lab
from qqdiag.lab.outside import until

READY = ("ready", 0.0)
SETTLED = 16.0  # seconds: a start takes less
REAL = 41250  # ms between heartbeats, as the platform says


def process_stopped(lab: Lab) -> dict[str, Any]:
    """Stopped by SIGSTOP, as by Ctrl-Z in its terminal."""
    os.kill(lab.gateway.pid, signal.SIGSTOP)
    return until("stopped", lambda: outside.in_state(lab.gateway.pid, "T"))


def continued(lab: Lab) -> dict[str, Any]:
    """Stopped, and continued."""
    process_stopped(lab)
    os.kill(lab.gateway.pid, signal.SIGCONT)
    return polling(lab)


def on_message(lab: Lab) -> dict[str, Any]:
    """A message sets its handler going; afterwards the loop waits in its selector."""
    lab.server.say("now")
    lab.fact("as-told")
    return polling(lab)


def on_message_runs(lab: Lab) -> dict[str, Any]:
    """The same, and it does not rest afterwards."""
    lab.server.say("now")
    lab.fact("as-told")
    return until("running", lambda: outside.in_state(lab.gateway.pid, "R"))


def on_message_full(lab: Lab) -> dict[str, Any]:
    """The same, and the kernel knows of its descriptors."""
    return {**on_message(lab), "descriptors": outside.descriptors(lab.gateway.pid)}


def on_message_stalls(lab: Lab) -> dict[str, Any]:
    """A message sets its handler going, and the loop's thread waits for a file system."""
    lab.server.say("now")
    lab.fact("standing")
    return until("stalled", lambda: outside.asleep(lab.gateway.pid, "folio_wait", "wait_on_page", "request_wait"))


def on_message_grows(lab: Lab) -> dict[str, Any]:
    """Once it is older than a start takes, a message makes it grow."""
    age = until("old enough", lambda: outside.older(lab.gateway.pid, SETTLED), SETTLED + 20)
    return {**on_message(lab), **age}


def locked_out(lab: Lab) -> dict[str, Any]:
    """It waits for a lock before it has a loop."""
    return until("waiting for its lock", lambda: outside.asleep(lab.gateway.pid, "lock"))


def let_in(lab: Lab) -> dict[str, Any]:
    """It waited for a lock, got it, and came up."""
    seen = locked_out(lab)
    assert lab.lock is not None
    lab.lock.close()
    lab.fact("ready")
    return seen


def polling(lab: Lab) -> dict[str, Any]:
    return until("polling", lambda: outside.polling(lab.gateway.pid))


def _fails(id: str, title: str, **values: Any) -> Case:
    shape: dict[str, Any] = {"steps": on_message, "facts": (READY, ("as-told", 0.2))}
    return Case(id, title, **{**shape, **_SHAPE, **values})


def _healthy(id: str, title: str, **values: Any) -> Case:
    return _fails(id, title, healthy=True, **values)


_SHAPE: dict[str, Any] = {
    "any_program": True,
    "transports": ("plain",),
    "faults": {"heartbeat_interval": REAL},
}

STALLED: dict[str, Any] = {"steps": on_message_stalls, "facts": (READY, ("standing", 1.0)), "stalled": True}

ANY_PROGRAM: tuple[Case, ...] = (
    _fails("process-stopped", "the process was stopped by a signal", steps=process_stopped, facts=(READY,)),
    _healthy("continued", "the process was stopped, and goes on", steps=continued, facts=(READY,)),
    _fails("await-deadlock", "a task waits for one that waits at its lock", model="deadlocking"),
    _healthy("lock-queue", "tasks wait at a lock whose holder is slow", model="queueing"),
    _fails("never-completes", "a task waits for a future that nobody has", model="losing"),
    _healthy("future-kept", "a task waits for a future that somebody keeps", model="keeping"),
    _fails("executor-starved", "jobs wait for a thread of a full pool", model="filling"),
    _healthy("pool-in-use", "as many jobs run as a pool has threads", model="using"),
    _fails("fd-exhausted", "no file descriptor is left", model="opening", steps=on_message_full),
    _healthy("many-descriptors", "most file descriptors are in use", model="sharing", steps=on_message_full),
    _fails("loop-spinning", "a task yields and is ready again at once", model="spinning", steps=on_message_runs),
    _fails("memory-growth", "a list that nobody empties grows", model="hoarding", steps=on_message_grows),
    _healthy("memory-reused", "much memory is taken and given back", model="reusing", steps=on_message_grows),
    _fails("disk-stall", "a handler reads a file that does not answer", model="reading-stalled", **STALLED),
    _fails("disk-stall-sync", "a handler syncs a file that does not answer", model="syncing-stalled", **STALLED),
    _fails(
        "disk-stall-thread",
        "a thread reads a file that does not answer, and the loop goes on",
        model="reading-stalled-aside",
        stalled=True,
    ),
    _healthy("disk-busy", "a thread syncs a file again and again", model="syncing"),
    _fails("startup-stuck", "another process holds its lock", steps=locked_out, locked=True, facts=()),
    _healthy("startup-locked", "another process held its lock", steps=let_in, locked=True, facts=(READY,)),
    _fails("log-blocked", "the thread that writes the log stands in a full pipe", model="logging-to-pipe"),
    _healthy("log-read", "the thread that writes the log has nothing to do", model="logging-read"),
)
