"""`qqdiag fixes`: every fix is listed, and what is shown can be copied and runs by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from qqdiag.explain import load, runbooks
from qqdiag.fixes.adapter import FIXES
from qqdiag.remedies import remedies, remedy


def qqdiag(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "qqdiag", "fixes", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_all_that_the_adapter_can_leave_out_and_nothing_else() -> None:
    assert {one.id for one in remedies()} == FIXES
    assert [one["id"] for one in json.loads(qqdiag("list", "--json").stdout)] == sorted(FIXES)
    assert [line.split()[0] for line in qqdiag("list").stdout.splitlines()] == sorted(FIXES)


def test_every_fix_that_a_runbook_names_is_there() -> None:
    for id in runbooks():
        for fix in load(id).fixes:
            assert id in remedy(fix).ends


@pytest.mark.parametrize("id", sorted(FIXES))
def test_a_fix_is_shown_and_its_file_runs_by_itself(id: str, tmp_path: Path) -> None:
    shown = qqdiag("show", id)
    assert shown.stdout.startswith(f"{id}: ")
    assert f"--source > {id.replace('-', '_')}.py" in shown.stdout
    for failure in remedy(id).ends:
        assert failure in shown.stdout
    file = tmp_path / "copied.py"
    file.write_text(qqdiag("show", id, "--source").stdout, "utf-8")
    subprocess.run([sys.executable, "-I", str(file)], check=True, timeout=60)


def test_one_that_is_not_there() -> None:
    done = qqdiag("show", "bounded-clse")
    assert (done.returncode, done.stdout) == (2, "")
    assert "qqdiag fixes list" in done.stderr
