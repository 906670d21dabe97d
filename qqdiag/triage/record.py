"""What was done, as a section of the report: the commands as the runbook has them, so nothing of this machine."""

from __future__ import annotations

import time

from qqdiag.triage.journal import Done


def record(done: list[Done]) -> str:
    """Markdown; "" where nothing was done."""
    if not done:
        return ""
    rows = [f"| {_moment(one.at)} | `{_cell(one.command)}` | {_end(one.exit_code)} |" for one in done]
    head = ["", "## What was done", "", "| when | command | ended with |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _cell(command: str) -> str:
    return command.replace("|", "\\|")


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))


def _end(code: int | None) -> str:
    return "killed when its time was over" if code is None else str(code)
