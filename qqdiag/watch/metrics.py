"""Figures for Prometheus, for those with many gateways: one watcher a gateway, one port a watcher."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from qqdiag.errors import UsageError
from qqdiag.model import Missing, Say
from qqdiag.snapshot import Sample, TcpInfo
from qqdiag.waits import View
from qqdiag.waits.loop_thread import loop_threads
from qqdiag.watch.looks import Seen
from qqdiag.watch.recorder import Event

VERDICTS = ("matched", "clear", "unknown")


class Figures:
    """What the last look showed, and how often what happened. Nothing in it is the target's text."""

    def __init__(self, address: str, port: int) -> None:
        """UsageError where the port cannot be had."""
        self.registry = registry = CollectorRegistry()
        self._verdict = Gauge("qqdiag_verdict", "1 for the verdict of the last look", ["verdict"], registry=registry)
        self._finding = Gauge("qqdiag_finding", "1 for each failure seen", ["id", "severity"], registry=registry)
        self._tasks = Gauge("qqdiag_tasks", "asyncio tasks", registry=registry)
        self._lag = Gauge("qqdiag_loop_lag_seconds", "how late the earliest timer is", registry=registry)
        self._close_wait = Gauge("qqdiag_close_wait_sockets", "sockets in CLOSE-WAIT", registry=registry)
        self._received = Gauge("qqdiag_last_received_seconds", "since any connection received data", registry=registry)
        self._looks = Counter("qqdiag_looks", "looks at the gateway", registry=registry)
        self._events = Counter("qqdiag_events", "what happened", ["event"], registry=registry)
        for name in ("restarted", "storm", "kept", "not-kept", "acted"):
            self._events.labels(name)
        try:
            start_http_server(port, address, registry)
        except OSError as error:
            raise UsageError(
                Say("port {port} cannot be had (error {number})", port=port, number=error.errno or 0),
                Say("give --metrics another one: ss -ltn shows which are taken"),
            ) from error

    def look(self, seen: Seen) -> None:
        """The figures of a look."""
        self._looks.inc()
        for verdict in VERDICTS:
            self._verdict.labels(verdict).set(seen.diagnosis.verdict == verdict)
        self._finding.clear()
        for finding in seen.diagnosis.findings:
            self._finding.labels(finding.id, finding.severity.value).set(1)
        sample = seen.snapshot.samples[-1]
        if not isinstance(sample.python, Missing):
            self._tasks.set(len(sample.python.tasks))
        self._lag.set(max((thread.overdue for thread in loop_threads(View(seen.snapshot))), default=0.0))
        self._sockets(sample)

    def _sockets(self, sample: Sample) -> None:
        if isinstance(sample.sockets, Missing):
            return
        rows = sample.sockets.rows
        self._close_wait.set(sum(row.state.reveal() == "CLOSE-WAIT" for row in rows))
        ages = [row.tcp.last_data_received for row in rows if isinstance(row.tcp, TcpInfo)]
        self._received.set(min(ages, default=float("nan")))

    def event(self, event: Event) -> None:
        self._events.labels(event.name.reveal()).inc()
