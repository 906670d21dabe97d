"""From outside only: a user who may not read the memory looks at a real gateway of another user, or of its own.

What the kernel tells everybody is enough for some failures, and is said with less confidence. For the others it is
not, and then the verdict is unknown, with the reason.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from built import ABSENT, NOW, row, sample, snapshot, tcp
from matrix_table import grave, words
from msgspec.structs import replace

from qqdiag.collect.process import collect
from qqdiag.diagnose import diagnose
from qqdiag.finding import Confidence
from qqdiag.lab.start import start
from qqdiag.model import FreeText, Secret, TaskName, Word
from qqdiag.model import Path as PathText
from qqdiag.run import take
from qqdiag.snapshot import LogEvent, LogFile, LogLine, Logs, OsThread, Process, Sample, Snapshot, Sockets
from qqdiag.target import resolve

NOBODY = (sys.executable, str(Path(__file__).parents[1] / "collect" / "limited.py"), "nobody")
CLOSED = Path(__file__).with_name("closed.py")

# By the lab's case: what a user who may see nothing of the process but what everybody sees is told, and how surely.
TOLD = {
    "process-stopped": ("process-stopped", "certain"),
    "fd-exhausted": ("fd-exhausted", "certain"),
    "loop-spinning": ("loop-spinning", "possible"),
    "hot-loop": ("loop-spinning", "possible"),  # the code that spins is not to be seen
    "disk-stall": ("disk-stall", "possible"),
    "startup-stuck": ("startup-stuck", "possible"),
}
# What everybody sees of these is what an idle process looks like, or half of it.
NOT_TOLD = ("idle", "close-hang", "loop-blocked", "disk-stall-sync")
# What the owner is told where a rule of the kernel (ptrace_scope) closes the memory alone: system calls and sockets.
OWNER_TOLD = {"loop-blocked": "loop-blocked", "disk-stall-sync": "disk-stall"}


def asked(pid: int, **environment: str) -> tuple[dict[str, Any], int]:
    command = [*NOBODY, "inspect", str(pid), "--interval", "0.5", "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment}
    )
    assert "Traceback" not in done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer, done.returncode


def reasons(answer: dict[str, Any]) -> dict[str, str]:
    return {one["section"]: one["reason"] for one in answer["missing"]}


@pytest.fixture(autouse=True)
def _as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("giving up a right takes one: sudo pytest")


@pytest.mark.lab
@pytest.mark.parametrize("id", [*TOLD, *NOT_TOLD])
def test_another_user(id: str) -> None:
    with start(id) as running:
        answer, code = asked(running.pid)
        owner = diagnose(without_memory(take(resolve(str(running.pid)), 0.5))) if id in OWNER_TOLD else None
    assert "another user" in reasons(answer)["python"]
    said = [(one["id"], one["confidence"]) for one in answer["findings"] if one["severity"] != "info"]
    if id in TOLD:
        assert (said, answer["verdict"], code) == ([TOLD[id]], "matched", 1)
    else:
        assert (said, answer["verdict"], code) == ([], "unknown", 3)
    if owner is not None:
        assert grave(owner) == {OWNER_TOLD[id]}, words(owner)
        assert all(finding.confidence is not Confidence.CERTAIN for finding in owner.findings), words(owner)


def without_memory(seen: Snapshot) -> Snapshot:
    samples = [replace(one, python=ABSENT, gateway=ABSENT) for one in seen.samples]
    return replace(seen, samples=samples, witness=ABSENT)


@pytest.mark.parametrize(("what", "said"), [("waits", []), ("computes", ["loop-spinning"])])
def test_a_process_of_our_own_that_is_not_dumpable(what: str, said: list[str]) -> None:
    command = [sys.executable, str(CLOSED), what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            answer, _ = asked(process.pid)
            root = collect(process.pid)
        finally:
            process.kill()
    assert "PR_SET_DUMPABLE" in reasons(answer)["python"]
    assert [one["id"] for one in answer["findings"]] == said
    seen = answer["snapshot"]["samples"][-1]["process"]
    assert (seen["fds"], seen["fd_limit"], seen["start_ticks"]) == (root.fds, root.fd_limit, root.start_ticks)
    assert seen["private"] == pytest.approx(root.private, rel=0.2)
    assert len(answer["snapshot"]["growth"]["private"]) > 3


# --- the log's last word ---------------------------------------------------------------------------------------------


def logged(*events: tuple[str, float], behind: float = 0.0, uptime: float = 1e6) -> Snapshot:
    """Nothing but what everybody sees, and a log; its last line seems to be `behind` older than its file."""
    told = [LogEvent(event=Word(name), age=age, level=Word("INFO")) for name, age in events]
    last = min(age for _, age in events)
    line = LogLine(age=last, level=None, logger=None, text=FreeText("…"))
    file = LogFile(
        name=Word("agent"), path=PathText("/log"), size=1, age=max(0.0, last - behind), last=[line], events=told
    )
    samples = [closed(sample(at=at), uptime) for at in (NOW - 1, NOW)]
    return replace(snapshot(*samples), logs=Logs(profile=Word("hermes"), files=[file]))


def closed(seen: Sample, uptime: float = 1e6, **thread: Any) -> Sample:
    assert isinstance(seen.process, Process)
    threads = [replace(one, tid=seen.process.pid, **thread) for one in seen.process.threads]
    process = replace(seen.process, uptime=uptime, argv=[Secret("python3")], threads=threads)
    return replace(seen, process=process, python=ABSENT, gateway=ABSENT)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([("ready", 9000.0), ("reconnecting", 400.0)], set()),  # each step of an attempt may take its time
        ([("ready", 9000.0), ("reconnecting", 500.0)], {"reconnect-stuck"}),
        ([("reconnecting", 500.0), ("ready", 499.0)], set()),
        ([("ready", 9000.0), ("gave-up", 1.0)], {"dead-listener"}),
        ([("gave-up", 9000.0), ("ready", 8000.0)], set()),
        ([("ready", 9000.0), ("reconnected", 10.0)], set()),  # READY may be on its way
        ([("ready", 9000.0), ("reconnected", 30.0)], {"not-ready"}),
        ([("ready", 9000.0), ("identified", 30.0)], {"not-ready"}),
        ([("ready", 9000.0), ("server-reconnect", 25.0)], set()),  # a close that its limit ends
        ([("ready", 9000.0), ("server-reconnect", 40.0)], {"close-hang"}),
        ([("ready", 9000.0), ("reconnect-failed", 500.0)], set()),  # nothing computes
    ],
)
def test_the_last_word_of_a_log(events: list[tuple[str, float]], said: set[str]) -> None:
    diagnosis = diagnose(logged(*events))
    assert grave(diagnosis) == said, words(diagnosis)
    assert all(finding.confidence is not Confidence.CERTAIN for finding in diagnosis.findings)
    assert diagnosis.verdict == ("matched" if said else "unknown")


def test_a_log_in_another_zone_says_nothing() -> None:
    assert grave(diagnose(logged(("ready", 99000.0), ("reconnecting", 29000.0), behind=28800.0))) == set()


def test_a_log_of_an_earlier_process_says_nothing() -> None:
    assert grave(diagnose(logged(("ready", 9000.0), ("gave-up", 500.0), uptime=60.0))) == set()


# --- the first thread ------------------------------------------------------------------------------------------------


def standing(**values: Any) -> Snapshot:
    """A first thread asleep in a write to a pipe, and one connection that an epoll watches."""
    call = {"syscall": Word("write"), "wchan": Word("pipe_write"), **values}
    return snapshot(*(closed(sample(at=at), **call) for at in (NOW - 1, NOW)))


def test_a_thread_elsewhere_than_in_a_selector() -> None:
    assert grave(diagnose(standing())) == {"loop-blocked"}
    assert grave(diagnose(standing(syscall=Word("epoll_wait"), wchan=Word("ep_poll")))) == set()
    assert grave(diagnose(standing(syscall=None, wchan=None))) == set(), "hidden is not elsewhere"


def test_a_thread_that_goes_on_blocks_nothing() -> None:
    seen = standing()
    before = closed(sample(at=NOW - 1), syscall=Word("write"), wchan=Word("pipe_write"), voluntary_switches=1)
    assert grave(diagnose(replace(seen, samples=[before, seen.samples[-1]]))) == set()


@pytest.mark.parametrize("doing", ["selects", "computes"])
def test_a_loop_may_be_in_another_thread(doing: str) -> None:
    seen = standing()
    other = OsThread(
        tid=77,
        name=TaskName("loop"),
        state=Word("S"),
        wchan=Word("ep_poll"),
        syscall=Word("epoll_wait"),
        user_seconds=0.0,
        system_seconds=0.0,
        voluntary_switches=1,
        involuntary_switches=1,
    )
    samples = []
    for place, one in enumerate(seen.samples):
        assert isinstance(one.process, Process)
        if doing == "computes":
            other = replace(other, user_seconds=0.5 * place, state=Word("R"), wchan=Word("0"), syscall=Word("running"))
        samples.append(replace(one, process=replace(one.process, threads=[*one.process.threads, other])))
    assert grave(diagnose(replace(seen, samples=samples))) == set()


def test_a_program_without_an_epoll_has_no_loop_to_block() -> None:
    samples = [replace(one, sockets=Sockets(rows=[])) for one in standing().samples]
    assert grave(diagnose(replace(standing(), samples=samples))) == set()


def test_unread_bytes_make_it_likely_and_tell_its_age() -> None:
    full = row(tcp(last_data_received=40.0), receive_queue=22, epoll=0x19)
    samples = [replace(one, sockets=Sockets(rows=[full])) for one in standing().samples]
    (finding,) = diagnose(replace(standing(), samples=samples)).findings
    assert (finding.id, finding.severity.value, finding.confidence.value) == ("loop-blocked", "hang", "likely")


def spinning(cpu: float = 1.0, rests: int = 0, said: str = "ready") -> Snapshot:
    """A first thread that used so many seconds of CPU in one second."""
    seen = logged(("ready", 9000.0), (said, 50.0))
    running = {"state": Word("R"), "syscall": Word("running"), "wchan": Word("0")}
    samples = [
        closed(sample(at=NOW - 1), **running),
        closed(sample(at=NOW), **running, user_seconds=1.0 + cpu, voluntary_switches=9 + rests),
    ]
    return replace(seen, samples=samples)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (spinning(), {"loop-spinning"}),
        (spinning(said="reconnect-failed"), {"hot-loop"}),  # what follows a failed reconnect is an attempt, or this
        (spinning(cpu=0.5), {"loop-spinning"}),  # others had the rest of the core
        (spinning(cpu=0.05), {"loop-spinning"}),  # nearly all of it
        (spinning(cpu=0.1, rests=2), set()),  # it may have slept most of the time
        (spinning(rests=20), set()),  # it went to sleep between its messages
    ],
)
def test_a_thread_that_computes(seen: Snapshot, said: set[str]) -> None:
    diagnosis = diagnose(seen)
    assert grave(diagnosis) == said, words(diagnosis)


def test_bytes_that_move_are_work() -> None:
    seen = spinning()
    moved = row(tcp(bytes_received=2000, bytes_acked=2000))
    samples = [seen.samples[0], replace(seen.samples[1], sockets=Sockets(rows=[moved]))]
    assert grave(diagnose(replace(seen, samples=samples))) == set()


# --- its log, found by the state file that names it ------------------------------------------------------------------

LINES = (
    (90.0, "INFO", "WebSocket connected to wss://service"),
    (89.0, "INFO", "Ready, session_id=lab"),
    (60.0, "WARNING", "WebSocket error: WebSocket closed"),
    (1.0, "ERROR", "Max reconnect attempts reached"),
)


@pytest.fixture
def hermes_home() -> Iterator[Path]:
    """A folder that every user may read."""
    with tempfile.TemporaryDirectory(prefix="qqdiag-home-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def write_log(home: Path, now: float) -> None:
    lines = [
        f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(now - age))},000 {level} "
        f"gateway.platforms.qqbot.adapter: [QQBot:1] {text}\n"
        for age, level, text in LINES
    ]
    (home / "logs").mkdir()
    (home / "logs" / "agent.log").write_text("".join(lines))


@pytest.mark.parametrize("named", [True, False])
def test_a_log_of_a_process_that_is_closed(hermes_home: Path, named: bool) -> None:
    """By the state file in a home of this user's own, if it names this very process."""
    program = hermes_home / "hermes"
    program.write_text(CLOSED.read_text())
    with subprocess.Popen([sys.executable, program, "waits"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            began = collect(process.pid).start_ticks if named else 1
            state = {"pid": process.pid, "start_time": began, "gateway_state": "running", "platforms": {}}
            (hermes_home / "gateway_state.json").write_text(json.dumps(state))
            while collect(process.pid).uptime < 2.0:  # its log's last line is of this run
                time.sleep(0.05)
            write_log(hermes_home, time.time())
            answer, _ = asked(process.pid, HERMES_HOME=str(hermes_home))
        finally:
            process.kill()
    said = [(one["id"], one["confidence"]) for one in answer["findings"]]
    assert said == ([("dead-listener", "likely")] if named else []), reasons(answer)
