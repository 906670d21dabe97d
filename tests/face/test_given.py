"""Options that would change nothing are refused: of every command, and of each kind of target."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from qqdiag.capture import write
from qqdiag.cli import cli
from qqdiag.cli import run as cli_run
from qqdiag.run import record
from qqdiag.target import live

IDLE = """
import asyncio
async def main():
    print(flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
WORDS = {  # what an option takes, where it is no switch
    "interval": ["--interval", "0"],
    "sysroot": ["--sysroot", "/"],
    "form": ["--format", "json"],
    "drop": ["--drop", "tasks"],
    "pseudonym_key": ["--pseudonym-key", "KEY"],
    "output": ["-o", "-"],
    "pause": ["--no-pause"],
    "doomed": ["--cancel", "TASK"],
    "task": ["--where", "TASK"],
    "by": ["--by", "hypno"],
    "then_limit": ["--then-limit", "5"],
    "backoff": ["--backoff", "5"],
}
# By command and kind of target: what is refused there. Everything else that the command takes is seen to work.
REFUSED = {
    ("inspect", "capture"): {"interval", "pause", "sysroot"},
    ("report", "capture"): {"interval", "pause", "sysroot"},
    ("inspect", "core"): {"interval", "pause"},
    ("report", "core"): {"interval", "pause"},
    ("capture", "core"): {"interval", "pause"},
    ("inspect", "process"): {"sysroot"},
    ("report", "process"): {"sysroot"},
    ("report", "folder"): {
        *("interval", "pause", "variables", "sysroot", "raw", "issue", "exit_code", "drop", "mask_code"),
        *("pseudonym_key", "log_text"),
    },
}


@contextmanager
def idle() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", IDLE], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One target of each kind."""
    folder = tmp_path_factory.mktemp("targets")
    if not shutil.which("gcore"):
        pytest.skip("no gcore: apt-get install gdb")
    with idle() as pid:
        write(folder / "hang.qqd", record(live(pid), 0))
        made = subprocess.run(["gcore", "-o", str(folder / "core"), str(pid)], capture_output=True)
        assert made.returncode == 0, made.stderr
        (folder / "key").write_bytes(bytes(range(32)))
        (folder / "key").chmod(0o600)
        (folder / "captures").mkdir()
        shutil.copy(folder / "hang.qqd", folder / "captures")
        yield {
            "process": str(pid),
            "capture": str(folder / "hang.qqd"),
            "core": str(folder / f"core.{pid}"),
            "folder": str(folder / "captures"),
            "KEY": str(folder / "key"),
        }


def options(command: str) -> dict[str, list[str]]:
    """Its options, each as it is typed."""
    found = {one.name or "": one for one in cli.commands[command].params if isinstance(one, click.Option)}
    return {name: WORDS.get(name, [one.opts[-1]]) for name, one in found.items()}


@pytest.mark.parametrize(("command", "kind"), REFUSED)
def test_every_option_works_or_is_refused(
    command: str, kind: str, targets: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, words in options(command).items():
        output = ["-o", str(tmp_path / "out.qqd")] if command == "capture" and name != "output" else []
        words = [targets["KEY"] if word == "KEY" else word for word in words]
        if kind == "process" and name != "interval":
            output += WORDS["interval"]
        if (command, name) == ("capture", "output"):
            words[1] = str(tmp_path / "out.qqd")
        code = cli_run([command, targets[kind], *words, *output])
        said = capsys.readouterr().err
        if name in REFUSED[command, kind]:
            assert (code, f"{words[0]} " in said) == (2, True), (name, code, said)
        else:
            assert code in (0, 1, 3), (name, code, said)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("report 1 --issue --format html", "--format does not go with --issue"),
        ("report 1 --raw --mask-code", "--mask-code changes nothing beside --raw"),
        ("report 1 --raw --with-log-text", "--with-log-text changes nothing beside --raw"),
        ("triage 1 --yes --dry-run", "--yes runs every step, and --dry-run none"),
        ("watch 1 --backoff 5", "--backoff is for the command of --then"),
        ("watch 1 --then-limit 5", "--then-limit is for the command of --then"),
        ("attach 1 --inject --where x", "--where does not go with --inject"),
        ("attach 1 --cancel x --json", "--json does not go with"),
        ("attach 1 --where x --ps", "--ps does not go with"),
        ("attach 1 --console", "--console needs a terminal"),
        ("attach 1 -o file", "--output is for --inject"),
        ("attach 1 --by hypno", "--by is for --inject"),
        ("attach 1 --where x --yes", "--yes is for --inject and --cancel"),
    ],
)
def test_what_does_not_go_together(line: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was looked at: 1 is no Python."""
    assert cli_run(line.split()) == 2
    assert f"qqdiag: {why}" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["capture", "core"])
@pytest.mark.parametrize("command", ["triage", "watch --folder FOLDER", "attach", "fixes check", "fixes diff"])
def test_what_needs_more_than_a_file_says_so(
    command: str, kind: str, targets: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *words = command.replace("FOLDER", str(tmp_path)).split()
    before = [name, *words] if name == "fixes" else [name]
    assert cli_run([*before, targets[kind], *([] if name == "fixes" else words)]) == 2
    said = capsys.readouterr().err
    assert "this needs a running process, not a file" in said or "holds no source" in said


def test_triage_writes_its_report_where_nothing_was_found_too(tmp_path: Path) -> None:
    with idle() as pid:
        command = [sys.executable, "-m", "qqdiag", "triage", str(pid), "-o", str(tmp_path / "report.md")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert "nothing that is known was found" in done.stdout
    assert (tmp_path / "report.md").read_text().startswith("#")
