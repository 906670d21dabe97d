"""A gateway that is started again and again, a pid that another program gets, and what lies between namespaces."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from contained import called_here, contained
from watching import HANGING, QUICK, gateway, next_pid, watcher

from qqdiag.watch.storm import LONGEST, MANY, SHORT, Storm

REUSED = Path(__file__).with_name("reused.py")
INSIDE = Path(__file__).with_name("inside.py")


def test_a_gateway_that_ends_at_once_is_one_event_and_looked_for_less_often(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    with gateway(tmp_path / "hang", hangs=False) as supervisor:
        pid = next_pid(supervisor)
        with watcher(str(pid), "--folder", str(folder), *QUICK) as seen:
            for _ in range(MANY):
                os.kill(int(str(seen.until("watching")["pid"])), signal.SIGKILL)
            storm = seen.until("storm")
            assert (storm["restarts"], storm["pause"]) == (MANY - 1, 0.4)  # twice the interval
            os.kill(int(str(seen.until("watching")["pid"])), signal.SIGKILL)
            last = seen.until("watching")
            assert seen.names().count("storm") == 1
            # It is followed as before: what hangs now is kept.
            os.kill(int(str(last["pid"])), signal.SIGSTOP)
            assert seen.until("kept")["failure"] == "process-stopped"
    assert len(list(folder.glob("*.qqd"))) == 1


def test_a_command_that_does_not_help_runs_less_and_less_often_and_the_folder_stays_small(tmp_path: Path) -> None:
    """The gateway hangs as soon as it was started again."""
    folder, first = tmp_path / "kept", 0.5
    limits = ("--then", "kill -9 $QQDIAG_PID", "--backoff", str(first), "--keep", "2")
    with gateway(tmp_path / "hang") as supervisor:
        pid = str(next_pid(supervisor))
        with watcher(pid, "--folder", str(folder), *limits, *QUICK) as seen:
            begun = [float(str(seen.until("acting")["time"])) for _ in range(4)]
    pauses = [later - before for before, later in itertools.pairwise(begun)]
    assert all(pause >= first * 2**number - 0.1 for number, pause in enumerate(pauses))  # 0.5, 1, 2 s
    assert seen.names().count("kept") == 4
    assert len(list(folder.glob("*.qqd"))) == 2


def test_the_pauses_of_a_storm_are_bounded_and_a_long_life_ends_it() -> None:
    storm = Storm()
    told = [storm.ended(0.0) for _ in range(100)]
    assert told == [number == MANY for number in range(1, 101)]
    assert storm.pause(5.0) == LONGEST
    assert storm.pause(600.0) == 600.0
    assert not storm.ended(SHORT)
    assert storm.pause(5.0) == 5.0


@pytest.mark.root
def test_another_program_with_the_same_pid_is_not_the_gateway(tmp_path: Path) -> None:
    """In a pid namespace of its own, where the next pid can be chosen (ns_last_pid, pid_namespaces(7))."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, str(REUSED), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["other"] == said["first"]
    assert [event["event"] for event in said["events"]][:2] == ["gone", "restarted"]
    assert said["events"][1]["pid"] == said["second"] != said["first"]


@pytest.mark.root
def test_a_gateway_in_a_container_is_watched_from_the_host_and_followed(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    flag, then = tmp_path / "hang", f"rm {tmp_path}/hang && kill -9 $QQDIAG_PID"
    flag.touch()
    with contained([sys.executable, INSIDE, HANGING, flag], tmp_path / "root") as there:
        pid, inside = there.pid, there.truth["pid"]
        with watcher(str(pid), "--folder", str(tmp_path / "kept"), "--then", then, *QUICK) as seen:
            kept = seen.until("kept")
            assert (kept["failure"], kept["pid"]) == ("loop-blocked", pid)
            assert pid != inside
            again = json.loads(there.ask())["pid"]
            assert seen.until("restarted")["pid"] == called_here(there.process.pid, again)
            assert seen.until("seen")["failure"] is None


@pytest.mark.root
def test_a_watcher_beside_the_container_needs_its_pid_namespace_alone(tmp_path: Path) -> None:
    """As `docker run --pid=container:NAME --cap-add SYS_PTRACE` starts it: its files are not the gateway's."""
    (tmp_path / "root").mkdir()
    flag, folder = tmp_path / "hang", tmp_path / "kept"
    flag.touch()
    then = f"rm {flag} && kill -9 $QQDIAG_PID"
    with contained([sys.executable, INSIDE, HANGING, flag], tmp_path / "root") as there:
        inside = there.truth["pid"]
        beside = ("nsenter", "--target", str(there.pid), "--pid", "unshare", "--mount", "--fork", "--mount-proc")
        command = [*beside, "--kill-child", sys.executable, "-m", "qqdiag"]
        told = subprocess.run([*command, "inspect", str(inside), "--json"], capture_output=True, text=True, timeout=60)
        assert json.loads(told.stdout)["findings"][0]["id"] == "loop-blocked", told.stderr
        arguments = (str(inside), "--folder", str(folder), "--then", then, *QUICK)
        with watcher(*arguments, before=(*beside, "--kill-child")) as seen:
            assert (seen.until("kept")["pid"], seen.until("acted")["exit_code"]) == (inside, 0)
            again = json.loads(there.ask())["pid"]
            assert seen.until("restarted")["pid"] == again
            assert seen.until("seen")["failure"] is None
    assert len(list(folder.glob("*.qqd"))) == 1
