"""What the shells complete, asked of the shells themselves: commands, options, ids, pids and files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from terminal import terminal, until

from qqdiag.cli import cli
from qqdiag.explain import PAGES, runbooks

README = Path(__file__).parents[2] / "README.md"
LOAD = next(text for text in re.findall(r'eval "[^`]+"', README.read_text()) if "_QQDIAG_COMPLETE=bash_source" in text)
OFFERED = """
{load}
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
complete -p qqdiag >/dev/null || exit 3
$(complete -p qqdiag | grep -o '_[a-z_]*completion') qqdiag 2>/dev/null  # compopt wants a terminal
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
GATEWAY = "import sys; print(flush=True); sys.stdin.read()"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """PATH with a `qqdiag`."""
    program = tmp_path_factory.mktemp("bin") / "qqdiag"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m qqdiag "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


@pytest.fixture(scope="module")
def pid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A process that looks like hermes'."""
    program = tmp_path_factory.mktemp("gateway") / "hermes"
    program.write_text(GATEWAY)
    command = [sys.executable, str(program), "gateway"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def run(command: list[str], path: str) -> list[str]:
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def bash(line: str, path: str) -> list[str]:
    words = " ".join(f"'{word}'" for word in line.split(" "))
    return run(["bash", "--norc", "-c", OFFERED.format(load=LOAD, words=words)], path)


def fish(line: str, path: str) -> list[str]:
    load = "_QQDIAG_COMPLETE=fish_source qqdiag | source"
    return [
        row.partition("\t")[0]
        for row in run(["fish", "--no-config", "-c", f"{load}; complete -C '{line}'"], path)
        if row
    ]


@pytest.fixture(params=[bash, fish])
def offered(request: pytest.FixtureRequest, path: str) -> Callable[[str], list[str]]:
    """What a shell offers for the last word of a line."""
    if not shutil.which(request.param.__name__):
        pytest.skip(f"no {request.param.__name__}: apt-get install {request.param.__name__}")
    return lambda line: request.param(line, path)


def test_commands_options_and_ids(offered: Callable[[str], list[str]]) -> None:
    assert sorted(offered("qqdiag ")) == sorted(cli.commands)
    assert set(offered("qqdiag report --format ")) == {"md", "json", "html", "text"}
    assert set(offered("qqdiag report --is")) == {"--issue"}
    assert set(offered("qqdiag explain ")) == {*PAGES, *runbooks()}
    assert offered("qqdiag fixes show bounded") == ["bounded-close"]
    assert "hot-loop" in offered("qqdiag lab start ")


@pytest.mark.parametrize("command", ["inspect", "watch"])
def test_a_target_is_a_pid_or_a_file(offered: Callable[[str], list[str]], command: str, pid: int) -> None:
    assert str(pid) in offered(f"qqdiag {command} ")
    assert str(pid) in offered(f"qqdiag {command} {str(pid)[:-1]}")


def test_fish_offers_files(path: str, tmp_path: Path) -> None:
    if not shutil.which("fish"):
        pytest.skip("no fish: apt-get install fish")
    (tmp_path / "hang.qqd").touch()
    assert fish(f"qqdiag report {tmp_path}/ha", path) == [f"{tmp_path}/hang.qqd"]


ZSH = 'autoload -Uz compinit; compinit -u -D; eval "$(_QQDIAG_COMPLETE=zsh_source qqdiag)"'
SHELLS = {"bash --norc --noprofile": LOAD, "zsh -f -i": ZSH}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_key_completes_on_the_terminal(shell: str, path: str, tmp_path: Path) -> None:
    for program in (shell.split()[0], "tmux"):
        if not shutil.which(program):
            pytest.skip(f"no {program}: apt-get install {program}")
    (tmp_path / "hang.qqd").touch()
    with terminal(f"PATH={path} PS1='> ' {shell}", tmp_path) as tmux:
        for typed, completed in (
            (f'{SHELLS[shell]}; echo re""ady\n', "\nready"),
            ("qqdiag explain hot\t", "qqdiag explain hot-loop"),
            ("\x15qqdiag report --form\t", "qqdiag report --format"),
            ("\x15qqdiag fixes show bounded\t", "qqdiag fixes show bounded-close"),
            ("\x15qqdiag inspect han\t", "qqdiag inspect hang.qqd"),
        ):
            subprocess.run([*tmux, "send-keys", "-l", typed], check=True)
            until(tmux, completed)
