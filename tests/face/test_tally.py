"""A folder of captures and reports of processes that really hang, summed up; and folders that hold anything else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BLOCKED = """
import asyncio, time
async def outer():
    time.sleep(3600)
async def main():
    print(flush=True)
    await outer()
asyncio.run(main())
"""


def qqdiag(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "qqdiag", *arguments], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two captures of one process, each on a host of its own; one of them with its report beside it."""
    found = tmp_path_factory.mktemp("fleet")
    program = found.parent / "blocked_gateway.py"
    program.write_text(BLOCKED)
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        for host in ("a", "b"):
            (found / host).mkdir()
            assert qqdiag("capture", str(process.pid), "-o", str(found / host / "one.qqd")).returncode == 0
        process.kill()
    written = qqdiag("report", str(found / "a" / "one.qqd"), "--format", "json", "-o", str(found / "a" / "one.json"))
    assert written.returncode == 0
    return found


def test_the_same_failure_at_the_same_place_is_one_row(folder: Path) -> None:
    done = qqdiag("report", str(folder), "--format", "json")
    (row,) = json.loads(done.stdout)
    assert (row["failure"], row["times"]) == ("loop-blocked", 2)
    assert row["where"] == "outer, line 4"
    assert row["first"] < row["last"]
    assert "2 files were read" in done.stderr


def test_it_is_a_table_for_a_person(folder: Path, tmp_path: Path) -> None:
    done = qqdiag("report", str(folder), "-o", str(tmp_path / "all.md"))
    assert (done.returncode, done.stdout) == (0, "")
    head, row = (tmp_path / "all.md").read_text().strip("`\n").splitlines()
    assert head.split() == ["failure", "severity", "where", "times", "first", "last"]
    assert row.startswith("loop-blocked")


HOSTILE = {
    "text": b"\x1b]0;title\x07 no JSON",
    "deep": b"[" * 100_000,
    "half": b'{"verdict": "matched", "findings": [{"id": "hot-lo',
    "moment": b'{"verdict": "clear", "findings": [], "snapshot": {"wall_time": 1e300}}',
    "names": json.dumps(
        {
            "verdict": "matched",
            "findings": [
                {"id": "\x1b[31m@everyone", "severity": "<script>", "fingerprint": "0", "tasks": [1]},
            ],
            "snapshot": {
                "wall_time": 1.0,
                "samples": [
                    {"python": {"tasks": [{"address": 1, "chain": [{"name": "a secret\n# text", "line": 7}]}]}}
                ],
            },
        }
    ).encode(),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("form", ["md", "json"])
def test_a_file_that_holds_anything_costs_itself_alone(kind: str, form: str, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "fleet")
    (tmp_path / "fleet" / "other.json").write_bytes(HOSTILE[kind])
    done = qqdiag("report", str(tmp_path / "fleet"), "--format", form)
    assert done.returncode == 0
    assert "loop-blocked" in done.stdout
    assert "fault" not in done.stderr
    assert not {"\x1b", "@", "script", "secret"} & {
        word for word in ("\x1b", "@", "script", "secret") if word in done.stdout
    }


def test_a_pipe_in_it_is_left_alone(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "fleet")
    for name in ("pipe.json", "pipe.qqd"):
        os.mkfifo(tmp_path / "fleet" / name)
    assert "2 files were read" in qqdiag("report", str(tmp_path / "fleet")).stderr


def test_it_is_no_page_for_a_browser(folder: Path) -> None:
    done = qqdiag("report", str(folder), "--format", "html")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--format md, text or json" in done.stderr


def test_a_folder_without_any_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    done = qqdiag("report", str(tmp_path))
    assert done.returncode == 2
    assert "no capture and no report" in done.stderr
