"""Prints the matrix of lab gateways and signatures at the end of the run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))  # for `renamed`


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    from matrix_table import ROW, table

    reports = [one for outcome in ("passed", "failed") for one in terminalreporter.stats.get(outcome, [])]
    rows = sorted(value for one in reports for key, value in getattr(one, "user_properties", ()) if key == ROW)
    if rows:
        terminalreporter.section("the lab's gateways and signatures")
        for line in table(rows):
            terminalreporter.line(line)
