"""What the report says, in sections of typed cells; `redact` makes it public, `render` gives it a form."""

from __future__ import annotations

from qqdiag.finding import Diagnosis
from qqdiag.report.deep import deep_section
from qqdiag.report.document import Cell, Report, Section
from qqdiag.report.gateway import adapter_section
from qqdiag.report.locks import lock_section
from qqdiag.report.missing import coverage_section, missing_section
from qqdiag.report.process import process_section
from qqdiag.report.reconnects import reconnect_plot
from qqdiag.report.settings import settings_section
from qqdiag.report.sockets import socket_section
from qqdiag.report.tasks import task_section
from qqdiag.report.threads import thread_section
from qqdiag.report.timeline import timeline_section
from qqdiag.report.verdict import evidence_section, headline, verdict_line
from qqdiag.report.wait_graph import wait_graph
from qqdiag.snapshot import Snapshot


def build(snapshot: Snapshot, diagnosis: Diagnosis) -> Report[Cell]:
    """The whole report of one diagnosis, the most important first."""
    sections = (
        evidence_section(snapshot, diagnosis),
        task_section(snapshot, diagnosis),
        deep_section(snapshot),
        lock_section(snapshot),
        thread_section(snapshot),
        socket_section(snapshot, diagnosis),
        adapter_section(snapshot),
        timeline_section(snapshot),
        process_section(snapshot),
        settings_section(snapshot),
        coverage_section(diagnosis),
        missing_section(snapshot, diagnosis),
    )
    return Report(
        verdict_line(snapshot, diagnosis),
        tuple(section for section in sections if section is not None),
        headline(diagnosis),
        wait_graph(snapshot, diagnosis),
        reconnect_plot(snapshot, diagnosis),
    )


__all__ = ["Section", "build"]
