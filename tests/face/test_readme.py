"""The README alone leads from a checkout to a report that can be posted: its commands, typed as they are."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from qqdiag.lab.start import start

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
MOST = 5  # commands from nothing, with the one that fetches the checkout


def commands() -> list[str]:
    return README.split("<!-- report -->\n```console\n")[1].split("```")[0].splitlines()


def typed(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The last two, with the interpreter that has qqdiag here; the first two are those of `.ci/run`."""
    words = shlex.split(command)
    assert words[0] == ".venv/bin/qqdiag"
    called = [sys.executable, "-P", "-m", "qqdiag", *words[1:]]
    return subprocess.run(called, cwd=folder, capture_output=True, text=True, timeout=60)


def test_a_report_takes_five_commands() -> None:
    assert 1 + len(commands()) <= MOST
    assert commands()[:2] == ["python3 -m venv .venv", ".venv/bin/pip install -q ."]


@pytest.mark.lab
def test_they_end_with_a_report_that_can_be_posted(tmp_path: Path) -> None:
    listing, reporting = commands()[2:]
    with start("hot-loop") as gateway:
        listed = typed(listing, tmp_path)
        assert re.search(rf"^ *{gateway.pid} ", listed.stdout, re.MULTILINE), listed.stdout + listed.stderr
        done = typed(reporting.replace("PID", str(gateway.pid)), tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "report.md").read_text()
    assert page.startswith("Title: ")
    assert "hot-loop" in page.splitlines()[0]
    assert "private values, none is in it" in page
    assert str(Path.home()) not in page
