"""From the failure to its end: a gateway hangs, `watch` keeps the evidence, `triage` ends it and names what ends its
cause, and `watch` sees the gateway that has taken its place.

One lab gateway for each runbook whose steps end the failure on one machine. Not here: `disk-stall` (its file system is
to be mended), `flapping` and `connect-broken` (their cause is outside), `session-zombie` (its log alone shows it).
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from terminal import answer, terminal, until
from watching import Watcher, next_pid, watcher

from qqdiag.explain import load

FAILURES = {  # the lab's case, and the runbook
    "half-open-dead-path": "half-open",
    "never-completes": "never-completes",
    "reconnect-stuck": "reconnect-stuck",
    "write-stuck": "write-stuck",
    "close-hang-chatter": "close-hang",
    "memory-growth": "memory-growth",
    "dead-listener-cancelled": "dead-listener",
    "fd-exhausted": "fd-exhausted",
    "executor-starved": "executor-starved",
    "await-deadlock": "await-deadlock",
    "loop-spinning": "loop-spinning",
    "missing-ack": "missing-ack",
    "log-blocked": "log-blocked",
    "startup-stuck": "startup-stuck",
    "loop-blocked-pipe": "loop-blocked",
    "process-stopped": "process-stopped",
    "hot-loop": "hot-loop",
}
AT_ONCE = 4
# Seconds, which no other gateway of a lab has, nor one of another run: they tell their command lines apart.
BOUNDS = (float(f"571.{os.getpid():07}{number:02}") for number in itertools.count())
PATIENCE = 180.0  # seconds
WATCH = ("--interval", "0.4", "--every", "1", "--confirm", "2", "--degraded")
SUPERVISED = Path(__file__).with_name("supervised.py")


@dataclass
class Story:
    """What was seen of one failure, in the order of its telling."""

    pid: int
    kept: dict[str, object]
    report: str  # watch's
    triage: subprocess.CompletedProcess[str]
    record: str  # triage's report
    next: int | None  # the pid that the supervisor said next; None where the process stayed
    after: list[dict[str, object]]  # events from `kept` until all is well


@contextmanager
def supervised(case: str, bound: float) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(SUPERVISED), case, str(bound)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as supervisor:
        try:
            yield supervisor
        finally:
            os.killpg(supervisor.pid, signal.SIGKILL)


def well(seen: Watcher) -> None:
    while seen.until("seen")["failure"] is not None:
        pass


def story(case: str, bound: float, folder: Path) -> Story:
    folder.mkdir()
    with supervised(case, bound) as supervisor:
        pid = next_pid(supervisor)
        with watcher(str(pid), "--folder", str(folder / "kept"), *WATCH, patience=PATIENCE) as seen:
            kept = seen.until("kept")
            begin = len(seen.events)
            done = subprocess.run(
                [sys.executable, "-m", "qqdiag", "triage", str(pid), "--yes", "-o", "report.md"],
                cwd=folder,
                env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
            ended = not Path(f"/proc/{pid}").exists()
            if ended:
                seen.until("restarted")
            well(seen)
            after = seen.events[begin:]
        report = (folder / "kept" / f"{kept['files']}.md").read_text()
        record = (folder / "report.md").read_text()
        return Story(pid, kept, report, done, record, next_pid(supervisor) if ended else None, after)


@pytest.mark.root
@pytest.mark.lab
@pytest.mark.usefixtures("stories")  # which go on meanwhile
@pytest.mark.skipif(not shutil.which("tmux"), reason="no tmux: apt-get install tmux")
@pytest.mark.parametrize(("case", "failure"), [("hot-loop", "hot-loop"), ("close-hang-chatter", "close-hang")])
def test_in_a_terminal_each_step_is_answered(case: str, failure: str, tmp_path: Path) -> None:
    with supervised(case, next(BOUNDS)) as supervisor:
        pid = next_pid(supervisor)
        with watcher(str(pid), "--folder", str(tmp_path / "kept"), *WATCH, patience=PATIENCE) as seen:
            seen.until("kept")
            command = f"XDG_STATE_HOME={tmp_path}/state {sys.executable} -m qqdiag triage {pid}"
            with terminal(command, tmp_path) as tmux:
                answer(tmux, "run it?", 1, "y")  # keep the evidence
                assert Path(f"/proc/{pid}").exists()
                answer(tmux, "run it?", 2, "y")  # end it
                screen = until(tmux, "ended with 0\n")
            assert f"over: {failure} is not there any more" in screen
            assert (tmp_path / "hang.qqd").exists()
            assert seen.until("restarted")["pid"] == next_pid(supervisor)


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Story]]]:
    folder = tmp_path_factory.mktemp("stories")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {case: pool.submit(story, case, next(BOUNDS), folder / case) for case in FAILURES}
        pool.shutdown(cancel_futures=True)


@pytest.mark.root
@pytest.mark.lab
@pytest.mark.parametrize(("case", "failure"), FAILURES.items(), ids=FAILURES)
def test_a_failure_is_kept_ended_and_over(case: str, failure: str, stories: dict[str, Future[Story]]) -> None:
    seen = stories[case].result()
    assert (seen.kept["failure"], seen.kept["pid"]) == (failure, seen.pid)
    assert failure in seen.report
    said = seen.triage.stdout
    assert seen.triage.returncode == 0, said + seen.triage.stderr
    assert said.startswith(f"{failure}: ")
    assert f"over: {failure} is not there any more" in said
    assert [fix for fix in load(failure).fixes if f"to end its cause: qqdiag fixes show {fix}\n" not in said] == []
    assert "## What was done" in seen.record
    restarted = [event["pid"] for event in seen.after if event["event"] == "restarted"]
    assert restarted == ([] if seen.next is None else [seen.next])
    assert seen.after[-1] | {"failure": None, "pid": seen.next or seen.pid} == seen.after[-1]
