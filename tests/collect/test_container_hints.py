"""A hint can be typed: sudo finds the program in its virtual environment, and no path of the target is in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from collect_patients import patient
from test_logs import IDLE, PROFILE

import qqdiag
from qqdiag import as_root
from qqdiag.collect import logs, threads
from qqdiag.model import Missing, Say, Word
from qqdiag.snapshot import Logs

# As sudo is: it searches its own PATH and not the caller's.
SUDO = """#!/bin/sh
case $1 in */*) ;; *) PATH=/usr/sbin:/usr/bin:/sbin:/bin; command -v "$1" >/dev/null || exit 127 ;; esac
exec "$@"
"""
ECHO = '#!/bin/sh\necho "$(basename "$0") $*"\n'


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A virtual environment first on PATH, with programs that say what they are called with."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def make(*programs: str) -> Path:
        for name, text in {"sudo": SUDO, **dict.fromkeys(programs, ECHO)}.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return folder

    return make


@pytest.fixture(autouse=True)
def as_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65534)


def said(hint: Say) -> str:
    """What the shell runs for it."""
    values = {name: value.reveal() if isinstance(value, Word) else value for name, value in hint.values.items()}
    command = hint.template.format(**values).split(", or")[0]
    assert not re.search(r"/(?!py-spy)\w+/", command), "a path of this machine"
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True).stdout.strip()


def test_sudo_finds_qqdiag(environment: Callable[..., Path]) -> None:
    environment("qqdiag")
    assert said(as_root.inspect(7)) == "qqdiag inspect 7"
    assert said(Say("sudo qqdiag inspect 7")) == "", "by its name alone it does not"


def test_without_a_script_the_interpreter_is_named(
    environment: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = environment("python3.99")
    monkeypatch.setattr(sys, "executable", str(folder / "python3.99"))
    assert said(as_root.inspect(7)) == "python3.99 -m qqdiag inspect 7"
    monkeypatch.setattr(sys, "executable", "/elsewhere/python3.99")
    assert "whole path" in as_root.inspect(7).template


@pytest.mark.parametrize("program", ["py-spy", "qqdiag"])
def test_py_spy_by_hand(environment: Callable[..., Path], program: str, tmp_path: Path) -> None:
    """On PATH itself, or beside a qqdiag that PATH has by a link, as pipx makes it."""
    folder = environment(program)
    if program == "qqdiag":
        inside = tmp_path / "venv"
        inside.mkdir()
        (folder / "qqdiag").rename(inside / "qqdiag")
        (folder / "qqdiag").symlink_to(inside / "qqdiag")
        (inside / "py-spy").write_text(ECHO)
        (inside / "py-spy").chmod(0o755)
    assert said(threads._by_hand(7)) == "py-spy dump --nonblocking --pid 7"


def test_no_hint_holds_a_path(tmp_path: Path) -> None:
    """A link to a file of somebody's, a folder instead of a file, a state file that is none, and no file at all."""
    home = tmp_path / "home"
    (home / "logs" / "agent.log").mkdir(parents=True)
    (home / "gateway_state.json").write_text("{")
    with patient(IDLE, environment={**os.environ, "BOT_HOME": str(home)}) as there:
        seen = logs.collect(there.pid, PROFILE)
        assert isinstance(seen, Logs)
        assert isinstance(seen.state, Missing)
        found = [*seen.missing, seen.state, logs._nothing(there.pid, str(home))]
        assert len(found) == 3
        for missing in found:
            assert all(isinstance(value, int) for value in missing.hint.values.values())
            assert "inspect" in missing.hint.template or "/proc/" in missing.hint.template


def test_no_sentence_calls_sudo_by_name() -> None:
    """sudo does not find what is in a virtual environment."""
    sources = sorted(Path(qqdiag.__file__).parent.rglob("*.py"))
    wrong = [path.name for path in sources if re.search(r"Say\(\s*[^)]*sudo qqdiag (?!.{0,3}is not)", path.read_text())]
    assert wrong == []
