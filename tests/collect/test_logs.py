"""Logs and state file of real processes, with what a disk can hold against us."""

from __future__ import annotations

import datetime
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from collect_patients import NOBODY, as_nobody, patient
from hypothesis import given, settings
from hypothesis.strategies import binary, text

from qqdiag.collect import logs, rooted, statefile
from qqdiag.collect.logs import logfile, records
from qqdiag.episodes import last_episode
from qqdiag.model import Missing
from qqdiag.profiles import Phrase, Profile
from qqdiag.snapshot import LogFile, Logs, StateFile

PROFILE = Profile(
    id="bot",
    argv=("bot",),
    home_variable="BOT_HOME",
    default_home=".bot",
    adapters=(),
    log_files={"agent": "logs/agent.log", "errors": "logs/errors.log"},
    line=(
        r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (?P<level>[A-Z]+)(?: \[[^\]]*\])? "
        r"(?P<logger>[\w.]+): (?P<message>.*)"
    ),
    time_format="%Y-%m-%d %H:%M:%S,%f",
    phrases=(
        Phrase("closed", r"WebSocket closed: code=(\S+)", "gateway."),
        Phrase("reconnecting", r"Reconnecting in (\d+)s \(attempt (\d+)\)", "gateway."),
        Phrase("reconnect-failed", r"Reconnect failed:", "gateway."),
        Phrase("resumed", r"Session resumed$", "gateway."),
    ),
    state_file="gateway_state.json",
    state_words=frozenset({"running", "connected", "qqbot", "qq_banned"}),
)
LOGGER = "gateway.platforms.qqbot.adapter"
IDLE = "say(1)\nserve()"


def stamp(age: float, zone: datetime.tzinfo | None = None) -> str:
    time_then = datetime.datetime.fromtimestamp(time.time() - age, zone)
    return time_then.strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]


def record(age: float, message: str, level: str = "INFO", logger: str = LOGGER) -> str:
    return f"{stamp(age)} {level} {logger}: [QQBot:1903695542] {message}\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path


def collected(home: Path, **environment: str) -> Logs | Missing:
    with patient(IDLE, environment={**os.environ, "BOT_HOME": str(home), **environment}) as there:
        return logs.collect(there.pid, PROFILE)


def agent(home: Path, text: str | bytes, **environment: str) -> LogFile:
    data = text.encode() if isinstance(text, str) else text
    (home / "logs" / "agent.log").write_bytes(data)
    seen = collected(home, **environment)
    assert isinstance(seen, Logs)
    return seen.files[0]


def test_records_events_and_their_ages(home: Path) -> None:
    text = (
        record(100, "Session resumed")
        + record(60, "WebSocket closed: code=4009 reason=Session timed out", "WARNING")
        + record(59, "Reconnecting in 2s (attempt 1)...")
        + record(57, "Reconnect failed: Failed to get gateway URL", "ERROR")
        + record(5, "WebSocket closed: code=1 reason=x", logger="other.module")
    )
    seen = agent(home, text)
    assert [event.event.reveal() for event in seen.events] == ["resumed", "closed", "reconnecting", "reconnect-failed"]
    assert [event.numbers for event in seen.events] == [[], [4009], [2, 1], []]
    assert [round(event.age) for event in seen.events] == [100, 60, 59, 57]
    assert [event.line for event in seen.events] == [1, 2, 3, 4]
    last = seen.last[-1]
    assert last.level is not None
    assert last.logger is not None
    assert (last.level.reveal(), last.logger.reveal()) == ("INFO", "other.module")
    assert last.text.reveal() == "[QQBot:1903695542] WebSocket closed: code=1 reason=x"
    assert (seen.name.reveal(), seen.size, round(seen.age)) == ("agent", len(text), 0)
    assert [event.event.reveal() for event in last_episode(seen.events)][-1] == "reconnect-failed"


def test_the_last_episode_begins_with_the_last_session(home: Path) -> None:
    broken = record(90, "Reconnect failed:") + record(80, "Session resumed") + record(70, "WebSocket closed: code=None")
    events = agent(home, broken).events
    assert [event.event.reveal() for event in last_episode(events)] == ["resumed", "closed"]
    assert events[-1].numbers == []
    assert [event.event.reveal() for event in last_episode(events[:2])] == ["resumed"]
    assert last_episode(events[:1]) == events[:1]
    assert last_episode([]) == []


def test_a_record_may_have_many_lines(home: Path) -> None:
    trace = "Traceback (most recent call last):\n" + "".join(f"  line {number}\n" for number in range(200))
    seen = agent(home, record(9, "Session resumed", "ERROR") + trace + record(1, "Session resumed"))
    assert (len(seen.last), len(seen.events)) == (2, 2)
    lines = seen.last[0].text.reveal().split("\n")
    assert lines[1].startswith("Traceback")
    assert len(lines) <= records.RECORD_LINES_MAX + 2


def test_a_line_without_an_end_is_shown_and_makes_no_event(home: Path) -> None:
    seen = agent(home, record(9, "Session resumed") + record(1, "Reconnecting in 25s (attempt 12)")[:-4])
    assert [event.event.reveal() for event in seen.events] == ["resumed"]
    assert seen.last[-1].text.reveal().endswith("(attempt ")


def test_only_the_end_of_a_long_file_is_read(home: Path) -> None:
    lines = "".join(record(1000 - number / 10, f"line {number} {'x' * 100}") for number in range(10_000))
    seen = agent(home, lines)
    assert seen.size > 2 * logfile.TAIL_BYTES
    assert len(seen.last) == logfile.LINES_KEPT
    assert seen.last[-1].text.reveal().startswith("[QQBot:1903695542] line 9999 ")
    assert all(line.age is not None for line in seen.last)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n\n",
        b"\0" * 5000,
        b"\xff\xfe\x80 not utf-8\n",
        b"x" * 3_000_000,
        (b"y" * 300_000 + b"\n") * 3,
        b"9999-99-99 99:99:99,999 INFO a.b: no such time\n",
        b"2026-05-25 02:30:33,484 WARNING\n",
        b"\xf0\x9f\x92\xa9" * 70_000,
        b"0001-01-01 00:00:00,000 INFO a.b: long ago\n",
        b"2026-05-25 02:30:33,484 INFO gateway.x: Reconnecting in " + b"9" * 1500 + b"s (attempt 1)\n",
    ],
)
def test_any_bytes_are_read(home: Path, data: bytes) -> None:
    seen = agent(home, data)
    assert seen.size == len(data)
    for line in seen.last:
        line.text.reveal().encode()
        assert len(line.text.reveal()) <= records.LINE_CHARACTERS_MAX * records.RECORD_LINES_MAX


def test_a_number_that_no_program_counts_to_is_none(home: Path) -> None:
    codes = ("4009", "9" * 16, "9" * 308, "9" * 400)
    seen = agent(home, "".join(record(9, f"WebSocket closed: code={code}") for code in codes))
    assert [event.numbers for event in seen.events] == [[4009], [], [], []]


def test_lines_of_no_format_have_no_age(home: Path) -> None:
    seen = agent(home, "plain stdout of launchd\n" + record(5, "Session resumed"))
    assert (seen.last[0].age, seen.last[0].level, seen.last[0].logger) == (None, None, None)
    assert len(seen.events) == 1


def test_a_level_of_nobodys_is_no_word(home: Path) -> None:
    seen = agent(home, record(1, "Session resumed", level="SECRETWORD"))
    assert seen.last[0].level is None
    assert seen.events[0].level.reveal() == "UNKNOWN"


@pytest.mark.parametrize(
    ("name", "hours"),
    [("Asia/Shanghai", 8), ("CST-8", 8), (":UTC", 0), ("<+0530>-5:30", 5.5), ("No/Such", 0), ("EST5", -5)],
)
def test_times_are_the_targets_local_ones(home: Path, name: str, hours: float) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=hours))
    line = f"{stamp(42, zone)} INFO {LOGGER}: Session resumed\n"
    assert round(agent(home, line, TZ=name).events[0].age) == 42


def chroot_time(tmp_path: Path, make: Callable[[Path], None], hours: float, delay: float, **environment: str) -> object:
    """The age of a record of 42 s ago, written in local time `hours` from UTC and flushed `delay` later."""
    needs_root()
    (tmp_path / "etc").mkdir()
    (tmp_path / "logs").mkdir()
    make(tmp_path / "etc" / "localtime")
    log = tmp_path / "logs" / "agent.log"
    zone = datetime.timezone(datetime.timedelta(hours=hours))
    log.write_text(f"{stamp(42, zone)} INFO {LOGGER}: Session resumed\n")
    os.utime(log, (time.time() - 42 + delay,) * 2)
    with patient(
        "os.chroot(sys.argv[1])\n" + IDLE, str(tmp_path), environment={"BOT_HOME": "/", **environment}
    ) as there:
        seen = logs.collect(there.pid, PROFILE)
    assert isinstance(seen, Logs)
    age = seen.files[0].last[0].age
    assert len(seen.files[0].events) == (age is not None)
    return None if age is None else round(age)


def absent(path: Path) -> None:
    pass


def damaged(path: Path) -> None:
    path.write_bytes(b"TZif2" + b"\xff" * 200)


def dangling(path: Path) -> None:
    path.symlink_to("/usr/share/zoneinfo/Asia/Shanghai")


def installed(path: Path) -> None:
    table = path.parent.parent / "usr" / "share" / "zoneinfo" / "Asia"
    table.mkdir(parents=True)
    (table / "Shanghai").write_bytes(b"whatever")
    path.symlink_to("../usr/share/zoneinfo/Asia/Shanghai")


@pytest.mark.root
@pytest.mark.parametrize(
    ("make", "hours", "delay", "age"),
    [
        (absent, 0, 30, 42),
        (damaged, 5.75, 0.1, 42),  # by the time of its last change
        (damaged, 5.75, 30, None),
        (dangling, 0, 30, 42),  # as the C library: UTC
        (installed, 8, 30, 42),  # by name
        (installed, -9.5, 0.1, 42),  # the file contradicts the name
    ],
)
def test_the_zone_of_a_container(tmp_path: Path, make: Callable[[Path], None], hours: float, delay: float,
                                 age: int | None) -> None:  # fmt: skip
    assert chroot_time(tmp_path, make, hours, delay) == age


@pytest.mark.root
def test_a_zone_that_its_system_lacks_is_utc(tmp_path: Path) -> None:
    assert chroot_time(tmp_path, absent, 0, 30, TZ="Asia/Shanghai") == 42


@pytest.mark.root
def test_a_zone_that_its_system_has(tmp_path: Path) -> None:
    assert chroot_time(tmp_path, installed, 8, 30, TZ="/usr/share/zoneinfo/Asia/Shanghai") == 42


# --- where they are --------------------------------------------------------------------------------------------------


def test_the_home_is_what_the_process_has_open(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    profile = home / "profiles" / "work"
    (profile / "logs").mkdir(parents=True)
    (profile / "logs" / "agent.log").write_text(record(3, "Session resumed"))
    opened = "held = open(sys.argv[1], 'a')\nsay(1)\nserve()"
    path = str(profile / "logs" / "agent.log")
    with patient(opened, path, environment={**os.environ, "BOT_HOME": str(home)}) as there:
        seen = logs.collect(there.pid, PROFILE)
    assert isinstance(seen, Logs)
    assert seen.files[0].path.reveal() == path


@pytest.mark.parametrize("variables", [{"HOME": "{}"}, {"HOME": "/nowhere", "BOT_HOME": "{}/.bot"},
                                       {"HOME": "{}", "BOT_HOME": "~/.bot"}])  # fmt: skip
def test_the_home_by_environment(tmp_path: Path, variables: dict[str, str]) -> None:
    (tmp_path / ".bot" / "logs").mkdir(parents=True)
    (tmp_path / ".bot" / "logs" / "agent.log").write_text(record(3, "Session resumed"))
    environment = {name: value.format(tmp_path) for name, value in variables.items()}
    with patient(IDLE, environment=environment) as there:
        seen = logs.collect(there.pid, PROFILE)
    assert isinstance(seen, Logs)
    assert len(seen.files) == 1


def test_no_file_at_all_is_missing(tmp_path: Path) -> None:
    seen = collected(tmp_path)
    assert isinstance(seen, Missing)
    assert "neither" in seen.reason.template


# --- what is no file -------------------------------------------------------------------------------------------------


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def loop(path: Path) -> None:
    path.symlink_to(path)


def proc_file(path: Path) -> None:
    path.symlink_to("/proc/self/fd/0")


@pytest.mark.parametrize("make", [fifo, folder, device, unix_socket, loop, proc_file])
def test_what_is_no_plain_file_is_not_opened(home: Path, make: Callable[[Path], None]) -> None:
    make(home / "logs" / "agent.log")
    make(home / "gateway_state.json")
    start = time.monotonic()
    seen = collected(home)
    assert time.monotonic() - start < 5
    assert isinstance(seen, Logs)
    assert seen.files == []
    assert len(seen.missing) == 1
    assert isinstance(seen.state, Missing)


@pytest.mark.root
def test_a_link_to_somebody_elses_file_is_not_followed(tmp_path: Path) -> None:
    needs_root()
    secret = tmp_path / "secret"
    secret.write_text("root's own\n")
    secret.chmod(0o600)
    home = tmp_path / "home"
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "agent.log").symlink_to(secret)
    (home / "logs" / "errors.log").hardlink_to(secret)
    program = (
        f"os.setgroups([])\nos.setresgid({NOBODY}, {NOBODY}, {NOBODY})\nos.setresuid({NOBODY}, {NOBODY}, {NOBODY})\n"
    )
    with patient(program + IDLE, environment={"BOT_HOME": str(home), "PATH": os.environ["PATH"]}) as there:
        seen = logs.collect(there.pid, PROFILE)
    assert isinstance(seen, Logs)
    assert (seen.files, len(seen.missing)) == ([], 2)
    assert "own" in seen.missing[0].reason.template


@pytest.mark.root
def test_absolute_links_lead_below_the_targets_root(tmp_path: Path) -> None:
    needs_root()
    root = tmp_path / "root"
    (root / "data" / "logs").mkdir(parents=True)
    (root / "data" / "logs" / "real.log").write_text(record(3, "Session resumed"))
    (root / "data" / "logs" / "agent.log").symlink_to("/data/logs/real.log")
    (root / "data" / "logs" / "errors.log").symlink_to("../../../../../../../../../../../etc/passwd")
    (root / "home").symlink_to("/data")
    with patient("os.chroot(sys.argv[1])\n" + IDLE, str(root), environment={"BOT_HOME": "/home"}) as there:
        seen = logs.collect(there.pid, PROFILE)
    assert isinstance(seen, Logs)
    assert [file.name.reveal() for file in seen.files] == ["agent"]
    assert [event.event.reveal() for event in seen.files[0].events] == ["resumed"]


@pytest.mark.root
def test_open_files_of_a_chroot_are_found_below_it(tmp_path: Path) -> None:
    needs_root()
    root = tmp_path / "root"
    (root / "srv" / "logs").mkdir(parents=True)
    program = "os.chroot(sys.argv[1])\nheld = open('/srv/logs/agent.log', 'a')\n" + IDLE
    with patient(program, str(root)) as there:
        seen = logs.collect(there.pid, PROFILE)
    assert isinstance(seen, Logs)
    assert seen.files[0].path.reveal() == "/srv/logs/agent.log"


@pytest.mark.root
def test_another_users_gateway_is_not_permitted(home: Path) -> None:
    code = """
from qqdiag.profiles import Profile
try:
    logs.collect(int(sys.argv[1]), Profile("bot", (), "BOT_HOME", ".bot", ()))
except QqdiagError as error:
    say(error.kind)
"""
    with patient(IDLE) as there:
        assert as_nobody(code, there.pid) == "not-permitted"


def test_links_are_resolved_as_the_kernel_does(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("here")
    (tmp_path / "a" / "up").symlink_to("b/../b/./")
    (tmp_path / "first").symlink_to("/a/up//file")
    for path in ("/first", "a/b/file", "/a/up/../b/file", "/../../a/b/../b/file"):
        assert rooted.read(str(tmp_path), path, 100) == b"here"
    before = _open_descriptors()
    for path in ("/nothing", "/first/x", "/a", "/a/up/nothing"):
        with pytest.raises(OSError):
            rooted.read(str(tmp_path), path, 100)
    assert _open_descriptors() == before


def _open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# --- the state file --------------------------------------------------------------------------------------------------


def state(home: Path, content: object) -> StateFile | Missing | None:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    (home / "gateway_state.json").write_bytes(text)
    seen = collected(home)
    assert isinstance(seen, Logs)
    return seen.state


def test_state_file(home: Path) -> None:
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=300)
    platform = {"state": "connected", "error_code": "qq_banned", "error_message": "x", "updated_at": then.isoformat()}
    seen = state(
        home,
        {
            "pid": 4711,
            "kind": "hermes-gateway",
            "start_time": 160211,
            "gateway_state": "running",
            "platforms": {"qqbot": platform, "my private name": {"state": "odd", "updated_at": None}},
            "updated_at": then.isoformat(),
        },
    )
    assert isinstance(seen, StateFile)
    assert (seen.pid, seen.start_ticks, round(seen.age)) == (4711, 160211, 0)
    assert seen.gateway_state is not None
    assert seen.gateway_state.reveal() == "running"
    known, unknown = seen.platforms
    assert known.error is not None
    assert (known.name.reveal(), known.state.reveal(), known.error.reveal()) == ("qqbot", "connected", "qq_banned")
    assert known.age is not None
    assert round(known.age) == 300
    assert (unknown.name.reveal(), unknown.state.reveal(), unknown.error, unknown.age) == (
        "unknown",
        "unknown",
        None,
        None,
    )


def test_state_file_of_another_age(home: Path) -> None:
    seen = state(home, {"gateway_state": None, "start_time": None, "platforms": {"qqbot": {}}})
    assert isinstance(seen, StateFile)
    assert (seen.pid, seen.start_ticks, seen.gateway_state) == (None, None, None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"pid": 4711, "gateway_sta',
        b"[1, 2]",
        b'"text"',
        b'{"pid": "4711"}',
        b'{"pid": -3}',
        b'{"pid": 1e999}',
        b'{"pid": ' + b"9" * 5000 + b"}",
        b'{"platforms": [1]}',
        b'{"platforms": {"qqbot": 3}}',
        b"[" * 100_000,
        b'{"other": ' + b"[" * 100_000,
        b'{"gateway_state": "\xff\xfe"}',
        b"{" + b'"a": 1,' * 100_000,
    ],
)
def test_a_damaged_state_file_is_missing(home: Path, content: bytes) -> None:
    seen = state(home, content)
    assert isinstance(seen, Missing)
    assert "JSON" in seen.reason.template


@given(data=binary(max_size=2000) | text(max_size=500).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_no_bytes_upset_the_readers(data: bytes) -> None:
    fd = os.memfd_create("log")
    try:
        os.write(fd, f"{stamp(5)} INFO {LOGGER}: [".encode() + data)
        seen = logfile.read(fd, "agent", "/x", PROFILE, None, time.time())
        assert seen.size == os.fstat(fd).st_size
        os.truncate(fd, 0)
        os.pwrite(fd, b'{"platforms": ' + data, 0)
        assert isinstance(statefile.read(fd, "/x", PROFILE, time.time()), StateFile | Missing)
    finally:
        os.close(fd)


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("other users and roots take root: sudo pytest")
