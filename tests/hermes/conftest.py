"""Prints the table of cases and signatures at the end of the run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hermes_table import ROW, falls, table

sys.path.insert(0, str(Path(__file__).parents[1] / "diagnose"))  # for `less_evidence`


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [one for outcome in ("passed", "failed") for one in terminalreporter.stats.get(outcome, [])]
    rows = [value for one in reports for key, value in getattr(one, "user_properties", ()) if key == ROW]
    if rows:
        terminalreporter.section("the real gateway: cases and signatures")
        for line in table(rows):
            terminalreporter.line(line)
        terminalreporter.section("the real gateway: which version falls into what, and the time to the verdict")
        for line in falls(rows):
            terminalreporter.line(line)
