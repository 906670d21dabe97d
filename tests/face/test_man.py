"""The manual page and the help say what the commands are: each is asked where it is used."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from qqdiag.cli import cli
from qqdiag.cli import run as cli_run

QQDIAG = [sys.executable, "-P", "-m", "qqdiag"]


def leaves(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command, groups too, with the words that call it."""
    yield words, command
    for name, below in getattr(command, "commands", {}).items():
        yield from leaves(below, (*words, name))


COMMANDS = dict(leaves(cli))


def example(words: tuple[str, ...]) -> str:
    """The last paragraph of a command's help."""
    return inspect.cleandoc(COMMANDS[words].help or "").split("\n\n")[-1]


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=given)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("man") / "qqdiag.1"
    path.write_text(run([*QQDIAG, "man"]).stdout)
    return path


@pytest.mark.skipif(not shutil.which("groff"), reason="no groff: apt-get install groff")
def test_the_manual_page_is_roff_without_a_warning(page: Path) -> None:
    done = run(["groff", "-man", "-ww", "-Tutf8", "-z", str(page)])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("mandoc"), reason="no mandoc: apt-get install mandoc")
def test_mandoc_finds_no_fault_in_it(page: Path) -> None:
    """The other formatter: of the BSDs, of Alpine, of macOS."""
    done = run(["mandoc", "-Tlint", "-Wwarning", str(page)])
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(not shutil.which("man"), reason="no man: apt-get install man-db")
def test_man_shows_every_command_and_every_option(page: Path) -> None:
    done = run(["man", "--warnings", "-l", str(page)], MANWIDTH="1000", MAN_KEEP_FORMATTING="", LC_ALL="C.UTF-8")
    assert (done.returncode, done.stderr) == (0, "")
    for words, command in COMMANDS.items():
        if isinstance(command, click.Group):
            continue
        assert re.search(rf"^ +{' '.join(('qqdiag', *words))}$", done.stdout, re.MULTILINE), words
        for option in [option for one in command.params for option in (*one.opts, *one.secondary_opts)]:
            assert not option.startswith("-") or option in done.stdout, option
    for text in ("130 interrupted", "`set sysroot`", "--then 'systemctl restart hermes.service'", "1234 -o report.md"):
        assert text in done.stdout


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_help_ends_with_an_example_that_calls_it(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_run([*words, "--help"]) == 0
    last = example(words)
    assert last.startswith(f"Example: {' '.join(('qqdiag', *words))}")
    assert " ".join(last.split()) in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_example_has_options_that_there_are(words: tuple[str, ...]) -> None:
    last = example(words).removeprefix("Example: ")
    called = next(call for call in last.split(" && ") if "qqdiag" in call).partition(" > ")[0]
    used = re.findall(r"(?<= )--?[a-z-]+", re.sub(r"'.*?'", "", called))
    of = [command for name, command in COMMANDS.items() if called.startswith(" ".join(("qqdiag", *name)))][-1]
    assert set(used) <= {option for one in of.params for option in (*one.opts, *one.secondary_opts)}
