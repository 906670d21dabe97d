"""Lines that a program of real `logging` wrote, and the place in its source that they are said to come from."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from collect_patients import patient
from test_logs import IDLE, PROFILE, record

from qqdiag.collect import logs
from qqdiag.collect import process as processes
from qqdiag.collect.logs import calls
from qqdiag.collect.logs.templates import SOURCE_BYTES_MAX, SOURCES_MAX, Templates
from qqdiag.model import Missing, Say
from qqdiag.snapshot import LogArgument, Logs, Sample

LACK = Missing(Say("not asked for"), Say("ask"))

SOURCE = """\
import logging
logger = logging.getLogger(__name__)
class Odd:
    LOG = logger
def run(name, count, took):
    logger.info("[%s] Reconnecting in %ds (attempt %d)...", name, count, 1)
    logger.info("[%s] Reconnecting soon", name)
    logger.warning(
        "[%s] took %.1fs of %s%%, "
        "and %5d more", name, took, count, count)
    logger.error(f"user {name} failed {count!r} times")
    logger.info("stopped: " + name + " at last")
    logger.error("refused by %s" % name)
    logger.log(logging.WARNING, "level chosen for %s", name)
    Odd.LOG.info("of an attribute")
    logger.info(name)
    print("no log call of %s" % name)
    logger.info("only a percent sign: 100%")
    try:
        raise RuntimeError("WebSocket closed")
    except RuntimeError as error:
        logger.exception("listener: %s", error)
"""
LINES = {  # in the order of the calls above: the line, and the arguments
    6: ["weimin88", 3.0, 1.0],
    7: ["weimin88"],
    8: ["weimin88", 2.5, 3.0, 3.0],
    11: ["weimin88", 3.0],
    12: ["weimin88"],
    13: ["weimin88"],
    14: ["weimin88"],
    15: [],
    16: None,
    18: [],
    22: ["WebSocket closed"],
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "site-packages" / "bot" / "platforms"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder.parent / "__init__.py").touch()
    (folder / "adapter.py").write_text(SOURCE)
    return folder


def templates(package: Path) -> Templates:
    return Templates([str(package.parent / "__init__.py")], lambda path: read(path), frozenset({"connected"}))


def read(path: str) -> bytes:
    return Path(path).read_bytes() if os.path.isfile(path) else b""


WRITE = """
import logging, sys
logging.basicConfig(format="%(levelname)s|%(name)s|%(lineno)d|%(message)s", level=1, stream=sys.stdout)
sys.path.insert(0, sys.argv[1])
from bot.platforms import adapter
adapter.run("weimin88", 3, 2.5)
"""


def values(arguments: list[LogArgument]) -> list[object]:
    texts = [one.word or one.fixed or one.id for one in arguments]
    return [one.number if text is None else text.reveal() for one, text in zip(arguments, texts, strict=True)]


def test_each_line_is_of_the_call_that_wrote_it(package: Path) -> None:
    """The interpreter itself says which line called, `%(lineno)d`: of a call over several lines the first."""
    written = subprocess.run(
        [sys.executable, "-c", WRITE, str(package.parent.parent)], capture_output=True, text=True, check=True
    )
    known, seen = templates(package), {}
    records = written.stdout.splitlines()
    for level, logger, line, message in (one.split("|", 3) for one in records if "|" in one):
        found = known.match(logger, level, message)
        seen[int(line)] = None if found is None else values(found[1])
        assert found is None or known.found[found[0]].line == int(line)
    assert seen == LINES


def test_arguments_are_of_a_kind(package: Path) -> None:
    def given(value: str) -> LogArgument:
        found = templates(package).match("bot.platforms.adapter", "INFO", f"[{value}] Reconnecting soon")
        assert found is not None
        return found[1][0]

    assert given("9999").number == 9999
    assert given("10000").id is not None
    assert given("-1.25").number == -1.25
    assert given("connected").word is not None
    assert given("ConnectionResetError").word is not None
    assert given("WebSocket closed").fixed is not None
    assert given("Reconnecting soon").id is not None
    assert given("") == LogArgument()


@pytest.mark.parametrize(
    ("logger", "level", "message"),
    [
        ("bot.platforms.adapter", "INFO", "[x] Reconnecting in manys (attempt 1)..."),  # %d is a number
        ("bot.platforms.adapter", "DEBUG", "[x] Reconnecting soon"),
        ("bot.platforms.adapter", "INFO", "[x] Reconnecting soon, or not"),
        ("bot.platforms.other", "INFO", "[x] Reconnecting soon"),
        ("bot.platforms", "INFO", "[x] Reconnecting soon"),
        ("../../bot", "INFO", "[x] Reconnecting soon"),
        ("x" * 5000, "INFO", "[x] Reconnecting soon"),
        (None, "INFO", "[x] Reconnecting soon"),
        ("bot.platforms.adapter", None, ""),
    ],
)
def test_what_fits_no_call(package: Path, logger: str | None, level: str | None, message: str) -> None:
    assert templates(package).match(logger, level, message) is None


def test_a_text_of_many_lines_and_a_traceback(package: Path) -> None:
    known = templates(package)
    found = known.match(
        "bot.platforms.adapter", "ERROR", "listener: WebSocket closed\nTraceback (most recent call)\n x"
    )
    assert found is not None
    assert values(found[1]) == ["WebSocket closed"]
    found = known.match("bot.platforms.adapter", "INFO", "stopped: one\ntwo at last")
    assert found is not None
    assert values(found[1]) == ["one\ntwo"]


def test_generated_lines_are_found_again(package: Path) -> None:
    source, known = random.Random(7), templates(package)
    for _ in range(500):
        name = "".join(source.choice("ab] [%s(") for _ in range(source.randrange(1, 30)))
        count = source.randrange(-5, 10**6)
        found = known.match("bot.platforms.adapter", "INFO", f"[{name}] Reconnecting in {count}s (attempt 1)...")
        assert found is not None
        assert known.found[found[0]].line == 6


def test_long_lines_take_linear_time(package: Path) -> None:
    known = templates(package)
    known.match("bot.platforms.adapter", "INFO", "first")
    start = time.process_time()
    for text in ("[" * 100_000, "] took " * 20_000, "[x] Reconnecting in " * 5000, "\n" * 100_000):
        known.match("bot.platforms.adapter", "WARNING", text)
    assert time.process_time() - start < 2  # a quadratic search takes minutes


HOSTILE = {
    "parentheses": b"(" * 100_000,
    "operators": b"-" * 500_000 + b"1",
    "sum": b"+".join([b"1"] * 200_000),
    "calls": b"log" + b".info('x')" * 50_000,
    "attributes": b"a" + b".b" * 200_000,
    "texts": b"logger.info(" + b"+".join([b"'abcdefgh'"] * 20_000) + b")",
    "zeros": b"\0" * 1000,
    "no text": bytes(range(128, 256)),
    "code": b"import os\nos._exit(3)\nopen('/written-by-a-source', 'w')\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_source_costs_itself_alone(package: Path, name: str) -> None:
    (package / "hostile.py").write_bytes(HOSTILE[name] + b"\nlogger.info('some text that is fixed')\n")
    templates(package).match("bot.platforms.hostile", "INFO", "some text that is fixed")
    known = templates(package)
    assert known.match("bot.platforms.adapter", "INFO", "[x] Reconnecting soon") is not None
    assert not os.path.exists("/written-by-a-source")


def test_what_is_read_is_bounded(package: Path) -> None:
    (package / "large.py").write_bytes(b"#" * (SOURCE_BYTES_MAX + 1))
    asked: list[str] = []

    def counted(path: str) -> bytes:
        asked.append(path)
        return read(path)

    known = Templates([str(package / "adapter.py")], counted)
    for number in range(100):
        known.match(f"bot.platforms.m{number}", "INFO", "x")
    assert len(asked) <= 4 * SOURCES_MAX
    assert known.match("bot.platforms.large", "INFO", "x") is None


@pytest.mark.parametrize("changed", [False, True])
def test_sources_lie_beside_the_program(tmp_path: Path, changed: bool) -> None:
    """Without its memory: by the environment that its command line names. A source that was changed since is none."""
    packages = tmp_path / "venv" / "lib" / "python3.99" / "site-packages" / "gateway"
    packages.mkdir(parents=True)
    (packages / "other.py").write_text("logger.info('[%s] Session resumed', name)\n")
    (tmp_path / "venv" / "bin").mkdir()
    python = tmp_path / "venv" / "bin" / "python"
    python.symlink_to(sys.executable)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "agent.log").write_text(record(3, "Session resumed", logger="gateway.other"))
    with patient(IDLE, python=str(python), environment={**os.environ, "BOT_HOME": str(tmp_path)}) as there:
        if changed:
            os.utime(packages / "other.py", (time.time() + 100,) * 2)
        sample = Sample(taken_at=0.0, process=processes.collect(there.pid), sockets=LACK, python=LACK, gateway=LACK)
        seen = logs.collect(there.pid, PROFILE, sample)
    assert isinstance(seen, Logs)
    assert [template.line for template in seen.templates] == ([] if changed else [1])
    assert seen.files[0].last[0].template == (None if changed else 0)
    assert seen.files[0].events[0].template == (None if changed else 0)


def test_the_child_needs_nothing_of_the_package() -> None:
    source = b"logger.info('fixed text')"
    done = subprocess.run(
        [sys.executable, "-I", "-S", calls.__file__],
        input=len(source).to_bytes(4, "big") + source,
        capture_output=True,
        cwd="/",
        check=True,
    )
    assert done.stdout == b'[[1, "INFO", ["fixed text"]]]\n'
