"""Prints the matrix of lab gateways and signatures at the end of the run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

LAB = Path(__file__).parents[1] / "lab"
sys.path.insert(0, str(LAB))  # for `renamed`


def lab_conftest() -> ModuleType:
    """The lab tests' own conftest, whose interpreters with aiohttp are used here as well."""
    spec = importlib.util.spec_from_file_location("lab_conftest", LAB / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gateway_python = lab_conftest().gateway_python


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    from matrix_table import LESS_ROW, ROW, less_table, summary, table

    for key, title, printed in (
        (ROW, "the lab's gateways and signatures", table),
        (LESS_ROW, "the lab's gateways with a part of the evidence taken away", less_table),
        (ROW, "the signatures: found where the fault is, and where it is not", summary),
    ):
        rows = rows_of(terminalreporter, key)
        if rows:
            terminalreporter.section(title)
            for line in printed(rows):
                terminalreporter.line(line)


def rows_of(reporter: pytest.TerminalReporter, name: str) -> list[list[str]]:
    reports = [one for outcome in ("passed", "failed") for one in reporter.stats.get(outcome, [])]
    return sorted(value for one in reports for key, value in getattr(one, "user_properties", ()) if key == name)
