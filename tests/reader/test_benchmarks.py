"""The programs of the benchmarks still start, and qqdiag sees all that the table of neighbours asks for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_hot_tasks_are_what_their_ledger_says() -> None:
    """Few dumps: benchmarks/hot.py makes 200."""
    command = [sys.executable, BENCHMARKS / "hot.py", "--dumps", "12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 wrong tasks" in done.stdout


def test_qqdiag_shows_of_a_stuck_process_what_the_table_asks_for() -> None:
    command = [sys.executable, BENCHMARKS / "neighbours.py", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in done.stdout.splitlines() if line[:1] == "|"]
    assert len(rows) > 10
    assert [row for row, shown in rows[2:] if shown != "yes"] == ["native (C) frames"]


def test_what_a_heap_costs_is_still_measured() -> None:
    command = [sys.executable, BENCHMARKS / "resident.py", "--megabytes", "0", "1", "--tasks", "10", "--runs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    rows = {line[:18].strip(): line[18:].split() for line in done.stdout.splitlines()}
    assert rows["tasks"] == ["11", "11"]
    assert {"pages", "reads", "CPU, s", "peak memory, MB"} <= rows.keys()
