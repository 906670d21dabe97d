"""Live gateways full of canaries: of 20,000 none comes out of any command, and what an operator needs does."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from canaries import Planted, Text, gateway

from qqdiag import cli
from qqdiag.cli import commands
from qqdiag.collect import deep, growth, logs, monitor, process, settings, sockets, tasks, threads

SEEDS = range(8)
EACH = 2_500
QQDIAG = [sys.executable, "-P", "-m", "qqdiag"]
FORMS = next(tuple(option.type.choices) for option in commands.report.params if option.name == "form")
# What shows nothing of a target.
NO_TARGET = {"doctor", "explain", "fixes", "lab", "man", "schema", "signatures"}


@pytest.fixture(scope="module", params=SEEDS)
def planted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    with gateway(request.param, tmp_path_factory.mktemp("canaries")) as found:
        yield found


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    with gateway(77, tmp_path_factory.mktemp("canaries")) as found:
        yield found


def said(*arguments: str) -> str:
    """What the command writes, to stdout and to stderr."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = cli.run(list(arguments))
    assert code in (0, 1, 2, 3), out.getvalue()
    return out.getvalue()


def test_no_canary_comes_out_and_what_is_needed_does(planted: Planted, tmp_path: Path) -> None:
    assert planted.count() >= EACH, "8 gateways: 20,000 canaries"
    pid, hang = str(planted.pid), str(tmp_path / "hang.qqd")
    raw = said("inspect", pid, "--locals", "--raw", "--json", "--interval", "0")
    assert sum(Text(raw).found(planted).values()) > 600, "they are there to be found"
    pages = {
        "inspect": said("inspect", pid, "--deep", "--interval", "0.05"),
        "json": said("inspect", pid, "--locals", "--json", "--interval", "0"),
        "capture": said("capture", pid, "--locals", "--interval", "0", "-o", hang),
        **{form: said("report", hang, "--format", form) for form in FORMS if form != "json"},
    }
    for name, page in pages.items():
        assert Text(page).found(planted) == {}, name
        assert name == "capture" or "await-deadlock" in page
        assert name in ("json", "capture") or [word for word in NEEDED if word not in page] == []
    assert same(json.loads(raw), json.loads(pages["json"]))


NEEDED = (
    "first_half",
    "hermes_cli/__main__.py",
    "Session.wait_for_message",
    "ConnectionResetError",
    "asyncio/locks.py",
)


def same(raw: dict[str, object], public: dict[str, object]) -> bool:
    """The verdict, and which tasks it rests on."""
    keys = ("id", "severity", "confidence", "because", "summary", "tasks", "sockets", "fingerprint", "ruled_out")
    pairs = [[[finding[key] for key in keys] for finding in one["findings"]] for one in (raw, public)]  # type: ignore[index, attr-defined]
    return pairs[0] == pairs[1] and raw["verdict"] == public["verdict"]


def test_none_comes_out_of_any_command_by_any_way(one: Planted, tmp_path: Path) -> None:
    """Each command that looks at a target as the operator types it, its stderr too, and each file that it writes."""
    pid, key = str(one.pid), tmp_path / "KEY"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    for arguments in (
        ["inspect", pid, "--interval", "0.1", "-v"],
        ["inspect", pid, "--no-pause", "--interval", "0", "--drop", "evidence"],
        ["report", pid, "--locals", "--interval", "0", "--issue", "-v"],
        ["report", pid, "--interval", "0", "--mask-code", "--pseudonym-key", str(key), "-o", str(tmp_path / "page")],
        ["attach", pid],
        ["attach", pid, "--json"],
        ["ps", "--all"],
        ["ps", "--json"],
        ["triage", pid, "--interval", "0", "--dry-run"],
    ):
        done = subprocess.run([*QQDIAG, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 1, 2, 3), done.stderr
        assert Text(done.stdout + done.stderr).found(one) == {}, arguments
        assert "Traceback" not in done.stderr
    assert Text((tmp_path / "page").read_text()).found(one) == {}


def test_none_comes_out_of_what_a_watch_says_and_keeps(one: Planted, tmp_path: Path) -> None:
    options = ["--folder", str(tmp_path), "--confirm", "1", "--interval", "0.1"]
    command = [*QQDIAG, "watch", str(one.pid), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as watch:
        assert watch.stdout is not None
        said = ""
        while '"kept"' not in said:
            line = watch.stdout.readline()
            assert line, said
            said += line
        watch.terminate()
        said += watch.stdout.read()
    (page,) = tmp_path.glob("*.md")
    assert "await-deadlock" in page.read_text()
    assert Text(said + page.read_text()).found(one) == {}


def test_every_command_is_tried_here_or_shows_nothing_of_a_target() -> None:
    """A command that is added is added to one of the two lists."""
    assert set(cli.cli.commands) - NO_TARGET - TRIED == set()


TRIED = {"attach", "capture", "inspect", "ps", "report", "triage", "watch"}


COLLECTORS = (deep, growth, logs, monitor, process, settings, sockets, tasks, threads)
CRASHES: tuple[Callable[[str], Exception], ...] = (
    RuntimeError,
    lambda text: OSError(errno.EIO, text, text),
    lambda text: UnicodeDecodeError("utf-8", text.encode("utf-8", "replace"), 0, 1, text),
)


@pytest.mark.parametrize("collector", COLLECTORS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_none_comes_out_of_a_collector_that_fails(
    one: Planted, collector: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it raises holds a value of the target; the other parts are still there."""
    crash = CRASHES[COLLECTORS.index(collector) % len(CRASHES)]  # type: ignore[arg-type]
    canaries = [canary for found in one.canaries.values() for canary in found[:3]]

    def fails(*arguments: object, **named: object) -> object:
        raise crash(" ".join(canaries))

    monkeypatch.setattr(collector, "collect", fails)
    for arguments in (["inspect", "--deep"], ["inspect", "--deep", "--json"]):
        page = said(*arguments, str(one.pid), "--interval", "0.05")
        assert Text(page).found(one) == {}
        assert "failed in qqdiag itself" in page or "could not be read" in page


BROKEN = """
import os, sys, threading
import qqdiag.diagnose
text = sys.stdin.read()
class Dying:
    def __del__(self): raise ZeroDivisionError(text)
def fails(): raise ZeroDivisionError(text)
def broken(snapshot):
    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    Dying()
    try:
        int(text)
    except ValueError as error:
        raise KeyError(text) from error
qqdiag.diagnose.diagnose = broken
sys.argv = ["qqdiag", "inspect", sys.argv[1], "--interval", "0"]
from qqdiag.cli import main
main()
"""


@pytest.mark.parametrize("traceback", ["", "1"])
def test_none_comes_out_of_a_traceback(one: Planted, traceback: str) -> None:
    canaries = " ".join(canary for found in one.canaries.values() for canary in found[:20])
    done = subprocess.run(
        [sys.executable, "-P", "-c", BROKEN, str(one.pid)],
        input=canaries,
        capture_output=True,
        encoding="utf-8",
        errors="surrogatepass",
        env={**os.environ, "QQDIAG_TRACEBACK": traceback},
        timeout=60,
    )
    assert done.returncode == 70
    assert Text(done.stdout + done.stderr).found(one) == {}
    assert "KeyError" in done.stderr
    assert ("ValueError at" in done.stderr) == ("in broken" in done.stderr) == bool(traceback)
    assert done.stderr.count("ZeroDivisionError") >= (3 if traceback else 1)
