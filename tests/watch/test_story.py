"""From the failure to its end: a gateway hangs, `watch` keeps the evidence, `triage` ends it and names what ends its
cause, and `watch` sees the gateway that has taken its place.

One story for each failure that is known. In most of them triage ends it, by a restart or by less. Where the cause is
not in the process, triage says what is to be done and changes nothing; the test does that, as the operator would.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
from terminal import answer, terminal, until
from watching import Watcher, next_pid, watcher

from qqdiag.explain import load
from qqdiag.signatures import signatures

ENDED = {  # by triage: the lab's case, and the runbook
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
    "session-zombie": "session-zombie",
    "not-ready": "not-ready",
    "heartbeat-dead": "heartbeat-dead",
}


class Outside(NamedTuple):
    """A failure whose cause triage cannot end: what it says of that, and what is then done."""

    says: str
    mend: Callable[[Path, float], None]  # with the story's folder and bound
    restart: bool = False  # and whether the gateway is then started again


def the_service_is_well(folder: Path, bound: float) -> None:
    (folder / "failure").write_text("")


def the_storm_ends(folder: Path, bound: float) -> None:
    (folder / "failing").unlink()


def the_file_system_answers(folder: Path, bound: float) -> None:
    """With an error: its daemon is ended."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if {b"qqdiag.lab.stalled_files", str(bound).encode()} <= set(process.read_bytes().split(b"\0")):
                os.kill(int(process.parent.name), signal.SIGKILL)


def what_fits_is_installed(folder: Path, bound: float) -> None:
    """The supervisor starts another gateway than the one before."""


MENDED = {  # by the operator: case and runbook
    "reconnecting": Outside("A restart only makes the attempt come sooner", the_service_is_well, restart=True),
    "disk-stall": Outside("Mend what it waits for: the server, the network to it, the daemon", the_file_system_answers),
    "flapping": Outside("Mend intents or secret in the console, then start it", the_storm_ends),
    "connect-broken": Outside("Install versions that fit", what_fits_is_installed, restart=True),
    "fatal-close": Outside("A restart alone ends the same way", the_service_is_well, restart=True),
    "send-waiting": Outside("Mend the cause that the verdict names first", the_service_is_well),
    "events-lost": Outside("upstream: hermes-agent 0.15.0", the_service_is_well, restart=True),
}
OF_A_SERVICE = {"not-ready", "heartbeat-dead", "fatal-close", "reconnecting", "send-waiting", "events-lost"}
CASES = {**ENDED, **{case: case for case in MENDED}}
AT_ONCE = 4
# Seconds, which no other gateway of a lab has, nor one of another run: they tell their command lines apart.
BOUNDS = (float(f"571.{os.getpid():07}{number:02}") for number in itertools.count())
PATIENCE = 180.0  # seconds
WATCH = ("--interval", "0.4", "--every", "1", "--confirm", "2", "--degraded")
SUPERVISED, SERVICE = (Path(__file__).with_name(name) for name in ("supervised.py", "qq_service.py"))


@dataclass
class Story:
    """What was seen of one failure, in the order of its telling."""

    pid: int
    kept: dict[str, object]
    report: str  # watch's
    triage: subprocess.CompletedProcess[str]
    record: str  # triage's report
    stayed: bool  # whether the process was still there after triage
    checked: subprocess.CompletedProcess[str] | None  # the runbook's own check, after what was done by hand
    next: int | None  # the pid that the supervisor said next; None where the process stayed
    after: list[dict[str, object]]  # events from `kept` until all is well


@contextmanager
def supervised(case: str, bound: float, folder: Path) -> Iterator[subprocess.Popen[str]]:
    (folder / "failing").touch()
    (folder / "failure").write_text(case)
    command = [sys.executable, str(SUPERVISED), case, str(bound), str(folder)]
    if case in OF_A_SERVICE:
        command = [sys.executable, str(SERVICE), str(folder)]
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
    outside = MENDED.get(case)
    with supervised(case, bound, folder) as supervisor:
        pid = next_pid(supervisor)
        with watcher(str(pid), "--folder", str(folder / "kept"), *WATCH, patience=PATIENCE) as seen:
            kept = seen.until("kept")
            begin = len(seen.events)
            done = ours(folder, "triage", str(pid), "-o", "report.md", *([] if outside else ["--yes"]))
            stayed = Path(f"/proc/{pid}").exists()
            if outside:
                outside.mend(folder, bound)
            if outside and outside.restart:
                os.kill(pid, signal.SIGTERM)
            ended = not stayed or (outside is not None and outside.restart)
            if ended:
                seen.until("restarted")
            well(seen)
            after = seen.events[begin:]
        follower = next_pid(supervisor) if ended else None
        checked = ours(folder, "inspect", str(follower or pid), "--interval", "0.3") if outside else None
        report = (folder / "kept" / f"{kept['files']}.md").read_text()
        record = (folder / "report.md").read_text()
        return Story(pid, kept, report, done, record, stayed, checked, follower, after)


def ours(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qqdiag", *arguments],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.root
@pytest.mark.lab
@pytest.mark.usefixtures("stories")  # which go on meanwhile
@pytest.mark.skipif(not shutil.which("tmux"), reason="no tmux: apt-get install tmux")
@pytest.mark.parametrize(("case", "failure"), [("hot-loop", "hot-loop"), ("close-hang-chatter", "close-hang")])
def test_in_a_terminal_each_step_is_answered(case: str, failure: str, tmp_path: Path) -> None:
    with supervised(case, next(BOUNDS), tmp_path) as supervisor:
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
        yield {case: pool.submit(story, case, next(BOUNDS), folder / case) for case in CASES}
        pool.shutdown(cancel_futures=True)


def test_each_known_failure_has_a_story() -> None:
    assert sorted(CASES.values()) == sorted(one.ID for one in signatures())


@pytest.mark.root
@pytest.mark.lab
@pytest.mark.parametrize("case", CASES)
def test_a_failure_is_kept_ended_and_over(case: str, stories: dict[str, Future[Story]]) -> None:
    seen, failure = stories[case].result(), CASES[case]
    assert (seen.kept["failure"], seen.kept["pid"]) == (failure, seen.pid)
    assert failure in seen.report
    said = seen.triage.stdout
    assert said.startswith(f"{failure}: ")
    if case in ENDED:
        assert seen.triage.returncode == 0, said + seen.triage.stderr
        assert f"over: {failure} is not there any more" in said
        assert "## What was done" in seen.record
    else:
        assert (seen.triage.returncode, seen.stayed) == (1, True), said + seen.triage.stderr
        assert MENDED[case].says in said
        assert seen.checked is not None
        assert seen.checked.returncode == 0, seen.checked.stdout
    assert [fix for fix in load(failure).fixes if f"to end its cause: qqdiag fixes show {fix}\n" not in said] == []
    restarted = [event["pid"] for event in seen.after if event["event"] == "restarted"]
    assert restarted == ([] if seen.next is None else [seen.next])
    assert seen.after[-1] | {"failure": None, "pid": seen.next or seen.pid} == seen.after[-1]
