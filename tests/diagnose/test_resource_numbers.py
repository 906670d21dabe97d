"""The numbers at which memory-growth, disk-stall and startup-stuck turn, each beside its nearest look-alike."""

from __future__ import annotations

from typing import Any

import pytest
from built import ABSENT, NOW, THREAD, sample, snapshot, timer
from matrix_table import grave, words
from msgspec.structs import replace

from qqdiag.diagnose import diagnose
from qqdiag.finding import Finding, Match, NoMatch, Severity, Unknown
from qqdiag.model import FreeText, Path, Word
from qqdiag.signatures import disk_stall, memory_growth, startup_stuck
from qqdiag.snapshot import (
    Growth,
    LogEvent,
    LogFile,
    LogLine,
    Logs,
    PlatformState,
    Process,
    Python,
    Snapshot,
    StateFile,
)
from qqdiag.waits import View

MIB, GIB = 1 << 20, 1 << 30
HANG, DEGRADED, INFO = Severity.HANG, Severity.DEGRADED, Severity.INFO


def changed(seen: Snapshot, *changes: dict[str, Any]) -> Snapshot:
    """With other facts of the process, sample by sample; one change is of all samples."""
    samples = []
    for place, one in enumerate(seen.samples):
        assert isinstance(one.process, Process)
        samples.append(replace(one, process=replace(one.process, **changes[min(place, len(changes) - 1)])))
    return replace(seen, samples=samples)


def two(**values: Any) -> Snapshot:
    return snapshot(sample(at=NOW - 1, **values), sample(**values))


def only(signature: Any, seen: Snapshot) -> Finding:
    answer = signature.match(View(seen))
    assert isinstance(answer, Match), answer
    (finding,) = answer.findings
    assert grave(diagnose(seen)) <= {finding.id}, words(diagnose(seen))
    return finding


def nothing(signature: Any, seen: Snapshot) -> bool:
    return isinstance(signature.match(View(seen)), NoMatch)


# --- memory-growth ---------------------------------------------------------------------------------------------------


def growing(*mib: float, **process: Any) -> Snapshot:
    """Readings, in MiB above 64."""
    private = [64 * MIB + int(one * MIB) for one in mib]
    return replace(changed(two(), process), growth=Growth(step=0.1, private=private))


STEADILY = [number * 0.5 for number in range(11)]


def longer(seen: Snapshot, step: float) -> Snapshot:
    assert isinstance(seen.growth, Growth)
    return replace(seen, growth=replace(seen.growth, step=step))


@pytest.mark.parametrize(
    ("seen", "severity"),
    [
        (growing(*STEADILY), INFO),  # a burst of events does the same for as long
        (growing(*STEADILY, rss=99 * MIB, peak=100 * MIB), INFO),
        (growing(*STEADILY, memory_available=310 * MIB), INFO),  # nothing is left in 62 s
        (growing(*STEADILY, memory_available=290 * MIB), DEGRADED),  # in 58 s
        (growing(*STEADILY, memory_limit=GIB, memory_used=GIB, private=GIB - 200 * MIB), DEGRADED),  # in 40 s
        (longer(growing(*STEADILY), 2.9), INFO),  # for 29 s
        (longer(growing(*STEADILY), 3.0), DEGRADED),  # for 30 s
    ],
)
def test_memory_that_rises_in_each_reading(seen: Snapshot, severity: Severity) -> None:
    finding = only(memory_growth, seen)
    assert (finding.severity, finding.confidence.value) == (severity, "possible")
    assert finding.alternatives


@pytest.mark.parametrize(
    "seen",
    [
        growing(*STEADILY, uptime=14.0),  # it imports
        growing(*STEADILY, rss=97 * MIB, peak=100 * MIB),  # it was larger before: the same work again
        growing(*[0.0] * 10, 5.0),  # one step: it makes an answer
        growing(*[0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0.5]),  # taken and given back
        growing(*[number * 0.05 for number in range(11)]),  # half a MiB
        growing(*[0.5 * (number // 2) for number in range(11)]),  # every second reading is the one before
        growing(*STEADILY, memory_available=1 << 50),  # it would take years to matter
    ],
)
def test_memory_that_does_not_grow_without_an_end(seen: Snapshot) -> None:
    assert nothing(memory_growth, seen)


def test_close_to_the_limit_of_its_group() -> None:
    limit = {"memory_limit": GIB, "memory_used": GIB}
    assert only(memory_growth, changed(two(), {**limit, "private": int(0.91 * GIB)})).confidence.value == "likely"
    assert nothing(memory_growth, changed(two(), {**limit, "private": int(0.89 * GIB)}))  # the rest are caches
    assert nothing(memory_growth, changed(two(), {"private": GIB}))  # no limit
    own = {"memory_limit": GIB, "memory_limit_own": True, "private": MIB}
    assert only(memory_growth, changed(two(), {**own, "memory_used": int(0.91 * GIB)})).severity is DEGRADED
    assert nothing(memory_growth, changed(two(), {**own, "memory_used": int(0.89 * GIB)}))


def logged(rss: float, *peaks: int, every: float = 600.0) -> Snapshot:
    """hermes' own lines, the newest a minute old, and how large the process is now, in MiB."""
    ages = [60.0 + every * (len(peaks) - 1 - place) for place in range(len(peaks))]
    events = [
        LogEvent(event=Word("memory"), age=age, level=Word("INFO"), numbers=[float(peak)])
        for age, peak in zip(ages, peaks, strict=True)
    ]
    line = LogLine(age=60.0, level=None, logger=None, text=FreeText("…"))
    file = LogFile(name=Word("agent"), path=Path("/log"), size=1, age=60.0, last=[line], events=events)
    now = {"rss": int(rss * MIB), "uptime": 1e6, "private": int(rss * MIB)}
    return replace(changed(two(), now), logs=Logs(profile=Word("hermes"), files=[file]))


def test_memory_that_its_log_says_has_grown_for_an_hour() -> None:
    assert only(memory_growth, logged(200.0, 100, 120, 140, 160, 180, 200)).confidence.value == "likely"


@pytest.mark.parametrize(
    "seen",
    [
        logged(150.0, 100, 120, 140, 160, 180, 200),  # the peak is past: a quarter was given back
        logged(200.0, 100, 200, 200, 200, 200, 200),  # it rose once
        logged(200.0, 170, 180, 185, 190, 195, 200),  # by a fifth
        logged(200.0, 100, 120, 140, 160, 180, 200, every=300.0),  # within 25 minutes
    ],
)
def test_a_peak_that_is_no_growth(seen: Snapshot) -> None:
    assert nothing(memory_growth, seen)


def test_what_is_not_told_is_unknown() -> None:
    for seen in (snapshot(sample()), changed(two(), {"private": None}), replace(two(), growth=ABSENT)):
        assert isinstance(memory_growth.match(View(seen)), Unknown)


# --- disk-stall ------------------------------------------------------------------------------------------------------


def stalled(state: str = "D", wchan: str | None = "folio_wait_bit_common", ran: int = 0, **thread: Any) -> Snapshot:
    """The loop's thread in a read, in both samples; how often it ran in between."""
    call: dict[str, Any] = {"state": Word(state), "wchan": Word(wchan) if wchan else None, "syscall": Word("read")}
    samples = []
    for place, one in enumerate(two().samples):
        assert isinstance(one.process, Process)
        threads = [
            replace(each, **{**call, "voluntary_switches": 9 + ran * place, "syscall_args": [3], **thread})
            for each in one.process.threads
        ]
        samples.append(replace(one, process=replace(one.process, threads=threads)))
    return replace(two(), samples=samples)


@pytest.mark.parametrize(
    ("seen", "confidence"),
    [
        (stalled(), "certain"),
        (stalled("S", "request_wait_answer"), "likely"),  # a signal would wake it
        (stalled(wchan="rpc_wait_bit_killable"), "certain"),
        (stalled(wchan="percpu_rwsem_wait", ran=4), "certain"),  # it was stopped for a copy of its memory
        (stalled(wchan=None, syscall=None, syscall_args=[]), "possible"),  # hidden from this user
        (stalled(wchan="a_driver_of_somebody"), "possible"),
        (stalled(wchan="rwsem_down_write_slowpath", file_system=Word("nfs4")), "certain"),  # of a file's own lock
    ],
)
def test_a_thread_that_waits_for_a_file_system(seen: Snapshot, confidence: str) -> None:
    finding = only(disk_stall, seen)
    assert (finding.severity, finding.confidence.value) == (DEGRADED, confidence)


@pytest.mark.parametrize(
    "seen",
    [
        stalled(ran=5),  # a busy disk: each answer lets it run
        stalled("S", "pipe_write"),  # a full pipe is of no file system
        stalled("S", "do_epoll_wait"),
        stalled(wchan="__refrigerator"),  # a frozen container
        stalled(wchan="kernel_clone"),  # vfork() waits for its child
        stalled(wchan="rwsem_down_write_slowpath"),  # a lock of its address space
        stalled("R", "0"),
    ],
)
def test_a_thread_that_waits_for_no_file_system(seen: Snapshot) -> None:
    assert nothing(disk_stall, seen)


def test_another_call_in_the_second_sample_is_no_stall() -> None:
    seen = stalled()
    before = stalled(syscall_args=[4]).samples[0]
    assert nothing(disk_stall, replace(seen, samples=[before, seen.samples[1]]))


def test_a_stall_off_the_loop_is_no_hang() -> None:
    aside = stalled(tid=THREAD + 1)
    assert only(disk_stall, aside).severity is DEGRADED


def test_a_loop_that_stands_for_long_hangs() -> None:
    seen = stalled()
    late = [replace(one, python=sample(timers=[timer(NOW - 60)]).python) for one in seen.samples]
    answer = disk_stall.match(View(replace(seen, samples=late)))
    assert isinstance(answer, Match)
    assert [finding.severity for finding in answer.findings] == [HANG]


def test_one_look_at_a_stall_is_not_enough() -> None:
    assert isinstance(disk_stall.match(View(replace(stalled(), samples=stalled().samples[1:]))), Unknown)
    assert nothing(disk_stall, snapshot(sample()))


# --- startup-stuck ---------------------------------------------------------------------------------------------------


def locked(uptime: float = 100.0, **values: Any) -> Snapshot:
    """A process that waits for a lock of process 77, and in which no loop runs."""
    seen = changed(two(), {"lock_holder": 77, "uptime": uptime, "pid": THREAD, **values})
    samples = []
    for one in seen.samples:
        assert isinstance(one.python, Python)
        samples.append(replace(one, python=replace(one.python, loops=[], tasks=[])))
    return replace(seen, samples=samples, pid=THREAD)


def test_a_lock_before_there_is_a_loop() -> None:
    assert only(startup_stuck, locked()).severity is HANG
    assert only(startup_stuck, locked(uptime=59.0)).severity is DEGRADED  # its predecessor may be ending
    assert only(startup_stuck, locked()).confidence.value == "likely"
    assert nothing(startup_stuck, locked(lock_holder=None))


def test_a_program_without_asyncio_comes_up_without_a_loop() -> None:
    seen = locked()
    samples = []
    for one in seen.samples:
        assert isinstance(one.python, Python)
        samples.append(replace(one, python=replace(one.python, has_asyncio=False)))
    assert nothing(startup_stuck, replace(seen, samples=samples))


def test_a_lock_that_a_loop_waits_for_is_no_start() -> None:
    assert nothing(startup_stuck, replace(changed(two(), {"lock_holder": 77, "pid": THREAD}), pid=THREAD))


def told(state: str, *platforms: tuple[str, str, str | None], uptime: float = 300.0, said: str = "") -> Snapshot:
    """What a gateway's state file says, and a word of its log."""
    process = two().samples[-1].process
    assert isinstance(process, Process)
    file = StateFile(
        path=Path("/state"),
        age=1.0,
        pid=process.pid,
        start_ticks=process.start_ticks,
        gateway_state=Word(state),
        platforms=[
            PlatformState(name=Word(name), state=Word(how), error=Word(why) if why else None, age=1.0)
            for name, how, why in platforms
        ],
    )
    events = [LogEvent(event=Word(said), age=100.0, level=Word("INFO"))] if said else []
    log = LogFile(name=Word("agent"), path=Path("/log"), size=1, age=1.0, events=events)
    logs = Logs(profile=Word("hermes"), files=[log], state=file)
    return replace(changed(two(), {"uptime": uptime}), logs=logs)


@pytest.mark.parametrize(
    ("seen", "severity"),
    [
        (told("running", ("qqbot", "fatal", "qqbot-appid_lock"), ("telegram", "connected", None)), HANG),
        (told("starting", ("qqbot", "connecting", None)), DEGRADED),
        (told("starting", ("qqbot", "connecting", None), uptime=601.0), HANG),
        (told("running", ("qqbot", "retrying", "qq_connect_error")), DEGRADED),
    ],
)
def test_a_gateway_that_says_that_it_did_not_come_up(seen: Snapshot, severity: Severity) -> None:
    assert only(startup_stuck, seen).severity is severity


@pytest.mark.parametrize(
    "seen",
    [
        told("starting", ("qqbot", "connecting", None), uptime=59.0),  # a slow start
        told("running", ("qqbot", "retrying", None), said="connected"),  # it was up before
        told("running", ("qqbot", "connected", None)),
        told("running", ("qqbot", "fatal", "qq_banned"), said="ready"),  # stopped on purpose, later
        told("running", ("qqbot", "retrying", None), said="connect-refused"),  # which connect-broken explains
        told("running"),
    ],
)
def test_a_gateway_that_came_up_or_may_yet(seen: Snapshot) -> None:
    assert nothing(startup_stuck, seen)


def test_without_the_word_of_the_gateway_it_is_unknown() -> None:
    seen = told("running", ("qqbot", "connected", None))
    assert isinstance(seen.logs, Logs)
    for logs in (ABSENT, replace(seen.logs, state=ABSENT)):
        assert isinstance(startup_stuck.match(View(replace(seen, logs=logs))), Unknown)


def test_the_state_file_of_another_process_says_nothing() -> None:
    seen = told("running", ("qqbot", "fatal", "qqbot-appid_lock"))
    assert nothing(startup_stuck, changed(seen, {"start_ticks": 2}))
