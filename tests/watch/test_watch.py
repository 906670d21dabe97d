"""The flight recorder on gateways that really hang: what is kept, in which order, and what happens after."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from watching import OLD, QUICK, gateway, next_pid, watcher

from qqdiag.lab.start import start


def files(folder: Path, ending: str) -> list[Path]:
    return sorted(folder.glob(f"qqdiag-*{ending}"))


def test_the_evidence_is_kept_before_the_command_runs_and_the_next_process_is_followed(tmp_path: Path) -> None:
    flag, folder = tmp_path / "hang", tmp_path / "kept"
    copy = f'cp "$QQDIAG_CAPTURE" {tmp_path}/capture && cp "$QQDIAG_REPORT" {tmp_path}/report'
    then = f"{copy} && rm {flag} && kill $QQDIAG_PID"
    with gateway(flag) as supervisor:
        pid = next_pid(supervisor)
        with watcher(str(pid), "--folder", str(folder), "--then", then, *OLD) as seen:
            kept = seen.until("kept")
            assert (kept["failure"], kept["pid"]) == ("loop-blocked", pid)
            assert seen.until("acted")["exit_code"] == 0
            seen.until("gone")
            second = next_pid(supervisor)
            assert seen.until("restarted") | {"time": 0} == {
                "event": "restarted", "time": 0, "pid": second, "restarts": 1
            }  # fmt: skip
            assert seen.until("seen")["failure"] is None
    assert [path.name for path in files(folder, ".qqd")] == [f"{kept['files']}.qqd"]
    assert (tmp_path / "capture").read_bytes() == files(folder, ".qqd")[0].read_bytes()
    assert "loop-blocked" in (tmp_path / "report").read_text()
    told = subprocess.run(
        [sys.executable, "-m", "qqdiag", "inspect", str(tmp_path / "capture"), "--json"], capture_output=True, text=True
    )
    assert json.loads(told.stdout)["findings"][0]["id"] == "loop-blocked"
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_command_that_hangs_is_killed_and_tried_again_after_the_back_off(tmp_path: Path) -> None:
    with gateway(tmp_path / "hang") as supervisor:
        pid = str(next_pid(supervisor))
        limits = ("--then", "sleep 3600 & sleep 3600", "--then-limit", "1", "--backoff", "2")
        with watcher(pid, "--folder", str(tmp_path / "kept"), *limits, *QUICK) as seen:
            acted = seen.until("acted")
            assert (acted["exit_code"], acted["ended"]) == (None, False)
            seen.until("held-back")
            seen.until("acted")
            assert seen.names().count("kept") == 1
            assert seen.names().count("held-back") == 1


@pytest.mark.parametrize(("then", "code"), [("exit 7", 7), ("/nonexistent/restart", 127)])
def test_a_command_that_fails_is_told(then: str, code: int, tmp_path: Path) -> None:
    with gateway(tmp_path / "hang") as supervisor:
        pid = str(next_pid(supervisor))
        with watcher(pid, "--folder", str(tmp_path / "kept"), "--then", then, *QUICK) as seen:
            assert seen.until("acted")["exit_code"] == code


@pytest.mark.root
def test_a_full_disk_loses_nothing_that_is_there_and_does_not_keep_the_command_from_running(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "none", str(folder)], check=True)
    try:
        (folder / "qqdiag-1700000000-1-hot-loop.md").write_text("older")
        with gateway(tmp_path / "hang") as supervisor:
            pid = str(next_pid(supervisor))
            with watcher(pid, "--folder", str(folder), "--then", "exit 0", *QUICK) as seen:
                lost = seen.until("not-kept")
                assert lost["failure"] == "loop-blocked"
                assert "cannot be written" in str(lost["why"])
                assert "hanging.py" in str(lost["summary"])
                assert seen.until("acted")["exit_code"] == 0
        assert (folder / "qqdiag-1700000000-1-hot-loop.md").read_text() == "older"
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    with gateway(tmp_path / "hang", hangs=False) as supervisor:
        pid = str(next_pid(supervisor))
        with watcher(pid, "--folder", str(folder), *QUICK) as seen:
            seen.until("seen")
            shutil.rmtree(folder)
            os.kill(int(pid), signal.SIGSTOP)
            assert seen.until("kept")["failure"] == "process-stopped"
    assert files(folder, ".qqd")


@pytest.mark.lab
def test_what_only_the_log_tells_is_kept_too(tmp_path: Path) -> None:
    kept = str(tmp_path / "kept")
    with start("session-zombie", bound=100) as running, watcher(str(running.pid), "--folder", kept, *QUICK) as seen:
        assert seen.until("kept")["failure"] == "session-zombie"


def test_a_process_has_one_watcher(tmp_path: Path) -> None:
    with gateway(tmp_path / "hang", hangs=False) as supervisor:
        pid = str(next_pid(supervisor))
        with watcher(pid, "--folder", str(tmp_path / "one"), *QUICK) as seen:
            seen.until("watching")
            command = [sys.executable, "-m", "qqdiag", "watch", pid, "--folder", str(tmp_path / "two")]
            second = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert second.returncode == 2
            assert f"process {pid} is being watched already" in second.stderr


def test_the_manager_is_told_and_the_figures_are_served(tmp_path: Path) -> None:
    address = str(tmp_path / "manager")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, socket.create_server(("127.0.0.1", 0)) as taken:
        manager.bind(address)
        manager.settimeout(60)
        port = taken.getsockname()[1]
        taken.close()
        with gateway(tmp_path / "hang") as supervisor:
            pid = str(next_pid(supervisor))
            arguments = (pid, "--folder", str(tmp_path / "kept"), "--metrics", str(port), *QUICK)
            with watcher(*arguments, NOTIFY_SOCKET=address) as seen:
                assert manager.recv(100) == b"READY=1"
                assert manager.recv(100) == b"WATCHDOG=1"
                seen.until("kept")
                figures = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30).read().decode()
    assert 'qqdiag_finding{id="loop-blocked",severity="degraded"} 1.0' in figures
    assert 'qqdiag_verdict{verdict="matched"} 1.0' in figures
    assert 'qqdiag_events_total{event="kept"} 1.0' in figures
    assert "qqdiag_tasks 1.0" in figures


@pytest.mark.parametrize("metrics", ["no-port", "70000", "[::1]:x"])
def test_a_port_that_is_none_is_refused(metrics: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "qqdiag", "watch", str(os.getpid()), "--metrics", metrics]
    done = subprocess.run([*command, "--folder", str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "--metrics" in done.stderr
