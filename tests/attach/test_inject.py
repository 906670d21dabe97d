"""An aiomonitor put into gateways that were not made for it, and taken out: nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import interpreters
import pytest
from injecting import TASK, gateway, inject, told, until_as

pytestmark = pytest.mark.skipif(find_spec("hypno") is None, reason="no hypno: pip install 'qqdiag[inject]'")


@pytest.mark.parametrize("how", ["idle", "blocked", "spinning"])
def test_it_is_put_in_and_taken_out_and_what_hung_hangs_still(how: str, tmp_path: Path) -> None:
    with gateway(how) as process:
        before = told(process)
        session = inject(process.pid, tmp_path)
        session.until("do it?")
        assert told(process) == before
        session.type("y")
        session.until("available commands")
        assert "_qqdiag_monitor" not in before
        assert told(process) != before
        session.type("ps")
        session.until(TASK)
        session.type("exit")
        assert session.end() == 0, session.screen
        until_as(process, before)
        assert "before.qqd" in os.listdir(tmp_path)
        assert "it was taken out again" in session.screen


def test_no_is_no(tmp_path: Path) -> None:
    with gateway("idle") as process:
        before = told(process)
        session = inject(process.pid, tmp_path)
        session.until("do it?")
        session.type("n")
        assert session.end() == 0
        assert told(process) == before
    assert os.listdir(tmp_path) == []


def test_a_gateway_that_cannot_import_it_is_left_as_it_was(tmp_path: Path) -> None:
    other = interpreters.find("3.9")
    if other is None:
        pytest.skip(interpreters.CURE["3.9"])
    with gateway("idle", str(other.path)) as process:
        before = told(process)
        command = [sys.executable, "-m", "qqdiag", "attach", str(process.pid), "--inject", "--yes"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
        assert done.returncode == 2
        assert "aiomonitor cannot be imported in it" in done.stderr
        assert told(process) == before


def test_without_a_terminal_nothing_is_put_in(tmp_path: Path) -> None:
    with gateway("idle") as process:
        command = [sys.executable, "-m", "qqdiag", "attach", str(process.pid), "--inject"]
        done = subprocess.run(command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0
        assert "there is no terminal to ask on" in done.stderr
    assert os.listdir(tmp_path) == []


def test_it_is_taken_out_when_qqdiag_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # what it cannot remove any more
    with gateway("idle") as process:
        before = told(process)
        session = inject(process.pid, tmp_path)
        session.until("do it?")
        session.type("y")
        session.until("available commands")
        assert told(process) != before
        os.kill(session.child, signal.SIGKILL)
        assert session.end() == -signal.SIGKILL
        until_as(process, before)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces take root: sudo pytest")
def test_a_private_folder_for_temporary_files_is_gone_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As systemd's PrivateTmp= makes it: ours is there, and is another one."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    hide = 'mount -t tmpfs none "$0" && exec "$@"'
    with gateway("idle", "unshare", "--mount", "sh", "-c", hide, str(tmp_path), sys.executable) as process:
        before = told(process)
        session = inject(process.pid, tmp_path)
        session.until("do it?")
        session.type("y")
        session.until("available commands")
        session.type("exit")
        assert session.end() == 0, session.screen
        until_as(process, before)
    assert os.listdir(tmp_path) == ["before.qqd"]
