"""The source text of the lines that a process stands at: its own, for the operator's eyes alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qqdiag.collect import process, sources, tasks
from qqdiag.model import Missing
from qqdiag.snapshot import Sample

PROGRAM = """
import asyncio, os, sys

async def stands(secret):
    await asyncio.get_running_loop().create_future()  # said to {word}

async def main():
    task = asyncio.get_running_loop().create_task(stands(1))
    await asyncio.sleep(0)
    print(os.getpid(), flush=True)
    sys.stdin.readline()

asyncio.run(main())
"""
WORD = "zanzibar"
ANYBODY = 65534


@contextmanager
def running(command: list[str]) -> Iterator[int]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            yield int(program.stdout.readline())
        finally:
            program.kill()


def texts(pid: int) -> dict[tuple[str, int], str]:
    read = tasks.collect(pid, deadline=1e12)
    about = process.collect(pid)
    assert not isinstance(read.python, Missing)
    sample = Sample(taken_at=0.0, process=about, sockets=read.gateway, python=read.python, gateway=read.gateway)  # type: ignore[arg-type]
    return {(row.path.reveal(), row.line): row.text.reveal() for row in sources.collect(pid, sample)}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.format(word=WORD))
    return path


def test_the_line_where_each_frame_stands(program: Path) -> None:
    with running([sys.executable, str(program)]) as pid:
        found = texts(pid)
        command = [sys.executable, "-m", "qqdiag", "inspect", str(pid), "--interval", "0"]
        public = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
        raw = subprocess.run([*command, "--raw"], capture_output=True, text=True, check=False, timeout=60).stdout
    rows = program.read_text().split("\n")
    own = {line: text for (path, line), text in found.items() if path == str(program)}
    assert own == {line: rows[line - 1].strip() for line in (5, 11, 13)}
    assert WORD in raw
    assert "sys.stdin.readline()" in raw
    assert "stands" in public
    assert WORD not in public


def test_a_file_that_was_changed_since_is_no_source(program: Path) -> None:
    with running([sys.executable, str(program)]) as pid:
        later = os.stat(f"/proc/{pid}").st_mtime + 60
        os.utime(program, (later, later))
        assert not [path for path, _ in texts(pid) if path == str(program)]


@pytest.mark.root
@pytest.mark.parametrize("name", ["kept.py", "link.py", "pipe.py", "folder.py", "notes.txt"])
def test_what_is_not_the_process_own_to_read_is_not_read(tmp_path: Path, name: str) -> None:
    """A code object says whatever file it likes."""
    if os.geteuid() != 0:
        pytest.skip("other users take root: sudo pytest")
    kept = tmp_path / "kept.py"
    kept.write_text(f"{WORD}\n" * 20)
    kept.chmod(0o600)
    (tmp_path / "notes.txt").write_text(f"{WORD}\n" * 20)
    (tmp_path / "link.py").symlink_to(kept)
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    become = f"import asyncio, os; os.setuid({ANYBODY})"
    code = f"{become}\nexec(compile({PROGRAM!r}, {str(tmp_path / name)!r}, 'exec'))"
    with running([sys.executable, "-c", code]) as pid:
        found = texts(pid)
    assert WORD not in "".join(found.values())
    assert found
