"""What comes at a bad moment: an end in the midst of writing, a clock that is set, two watchers with one folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from watching import QUICK, gateway, next_pid, watcher

PRELOADED = Path(__file__).with_name("preloaded.c")
DAY = 86400
FILES = 3  # of one failure, in this order: the report for people, the one for programs, the capture


def half_written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.startswith(".")} if folder.exists() else set()


def assert_whole(folder: Path) -> None:
    """Whatever has a name of its own was written to its end."""
    for path in folder.glob("qqdiag-*"):
        if path.suffix == ".qqd":
            command = [sys.executable, "-m", "qqdiag", "inspect", str(path), "--json"]
            told = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert json.loads(told.stdout)["findings"][0]["id"] == "process-stopped", told.stderr
        elif path.suffix == ".json":
            json.loads(path.read_text())


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> str:
    library = tmp_path_factory.mktemp("preloaded") / "preloaded.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(PRELOADED)], check=True)
    return str(library)


@pytest.mark.parametrize("file", [1, FILES])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_half_file_is_taken_for_a_whole_one(how: signal.Signals, file: int, preloaded: str, tmp_path: Path) -> None:
    folder, errors = tmp_path / "kept", tmp_path / "errors"
    moved = {"LD_PRELOAD": preloaded, "STOP_AT_FSYNC": str(file)}
    with gateway(tmp_path / "hang", hangs=False) as supervisor:
        pid = next_pid(supervisor)
        os.kill(pid, signal.SIGSTOP)
        with watcher(str(pid), "--folder", str(folder), *QUICK, errors=errors, **moved) as seen:
            stopped = os.waitid(os.P_PID, seen.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            assert stopped is not None
            assert stopped.si_code == os.CLD_STOPPED
            left = half_written(folder)
            assert (len(left), len(list(folder.glob("qqdiag-*")))) == (1, file - 1)
            seen.process.send_signal(how)
            seen.process.send_signal(signal.SIGCONT)
            assert seen.process.wait() == (-how if how is signal.SIGKILL else 0)
        assert errors.read_text() == ""
        assert half_written(folder) == (left if how is signal.SIGKILL else set())
        assert_whole(folder)
        with watcher(str(pid), "--folder", str(folder), *QUICK) as seen:
            seen.until("watching")
            assert half_written(folder) == set()


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_ends_when_it_is_told_to(how: signal.Signals, code: int, tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    with gateway(tmp_path / "hang", hangs=False) as supervisor:
        pid = str(next_pid(supervisor))
        with watcher(pid, "--folder", str(tmp_path / "kept"), *QUICK, errors=errors) as seen:
            seen.until("seen")
            seen.process.send_signal(how)
            assert seen.process.wait() == code
            assert seen.process.stdout is not None
            assert [json.loads(line) for line in seen.process.stdout] == []
        assert Path(f"/proc/{pid}").exists()  # the gateway goes on
    assert errors.read_text().strip() == ""  # a new line behind ^C


def test_two_watchers_have_one_folder(tmp_path: Path) -> None:
    """Each keeps its own, and neither takes the other's half-written file for one that was left behind."""
    folder = tmp_path / "kept"
    with gateway(tmp_path / "hang", hangs=False) as one, gateway(tmp_path / "hang", hangs=False) as other:
        pids = [next_pid(one), next_pid(other)]
        with (
            watcher(str(pids[0]), "--folder", str(folder), *QUICK) as first,
            watcher(str(pids[1]), "--folder", str(folder), *QUICK) as second,
        ):
            for seen in (first, second):
                seen.until("seen")
            for _ in range(2):
                for pid in pids:
                    os.kill(pid, signal.SIGSTOP)
                assert [seen.until("kept")["pid"] for seen in (first, second)] == pids
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
                for seen in (first, second):
                    seen.until("seen")
            assert "not-kept" not in [*first.names(), *second.names()]
    assert len(list(folder.glob("*.qqd"))) == 4
    assert not half_written(folder)


def test_a_clock_that_was_ahead_is_set_right(preloaded: str, tmp_path: Path) -> None:
    """By a day, as by the first answer of a time server: no command waits so long, and the newest evidence is kept."""
    folder, ahead = tmp_path / "kept", tmp_path / "ahead"
    ahead.write_text(str(DAY))
    moved = {"LD_PRELOAD": preloaded, "CLOCK_AHEAD": str(ahead)}
    limits = ("--then", "exit 0", "--backoff", "100", "--keep", "2")
    with gateway(tmp_path / "hang", hangs=False) as supervisor:
        pid = next_pid(supervisor)
        with watcher(str(pid), "--folder", str(folder), *limits, *QUICK, **moved) as seen:
            seen.until("seen")
            kept = []
            for number in range(3):
                os.kill(pid, signal.SIGSTOP)
                kept.append(seen.until("kept"))
                if number:
                    assert 0 < float(str(seen.until("held-back")["left"])) <= 100
                else:
                    seen.until("acted")
                    ahead.write_text("0")
                os.kill(pid, signal.SIGCONT)
                while seen.until("seen")["failure"] is not None:
                    pass
    assert float(str(kept[0]["time"])) - float(str(kept[1]["time"])) > DAY / 2
    assert {path.stem for path in folder.glob("*.qqd")} == {str(one["files"]) for one in kept[1:]}


@pytest.mark.root
def test_a_watcher_in_a_time_namespace_of_its_own(tmp_path: Path) -> None:
    """As in a container that was moved from another machine: its clocks since the boot differ (time_namespaces(7))."""
    beside = ("unshare", "--time", "--boottime", str(100 * DAY), "--monotonic", str(50 * DAY), "--fork", "--kill-child")
    folder = tmp_path / "kept"
    with gateway(tmp_path / "hang", hangs=False) as supervisor:
        pid = next_pid(supervisor)
        with watcher(str(pid), "--folder", str(folder), *QUICK, before=beside) as seen:
            seen.until("seen")
            os.kill(pid, signal.SIGSTOP)
            kept = seen.until("kept")
            assert kept["failure"] == "process-stopped"
            os.kill(pid, signal.SIGKILL)
            assert seen.until("restarted")["pid"] == next_pid(supervisor)
    report = json.loads((folder / f"{kept['files']}.json").read_text())
    assert report["snapshot"]["samples"][-1]["process"]["uptime"] < DAY
