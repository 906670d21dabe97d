"""An aiomonitor put into a gateway by `sys.remote_exec`: qqdiag itself runs on CPython 3.14."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import debian_unstable
import inject_environment
import pytest
from injecting import TASK, Session, gateway, told, until_as

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="it takes chroot: run pytest as root")]


class Below(NamedTuple):
    """What runs below Debian's other root: the words before a command, and what `-m qqdiag` needs."""

    words: list[str]
    environment: dict[str, str]
    folder: Path

    def python(self, version: str = "3.14") -> list[str]:
        return [*self.words, f"/usr/bin/python{version}"]

    def attach(self, pid: int, *options: str) -> list[str]:
        inject = ["-m", "qqdiag", "attach", str(pid), "--inject", "-o", f"{self.folder}/before.qqd"]
        return [*self.python(), *inject, *options]


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Below]:
    folder = tmp_path_factory.mktemp("below")
    with ExitStack() as stack:
        try:
            environment = stack.enter_context(inject_environment.copied(folder))
        except (debian_unstable.NotMade, inject_environment.NotMade) as error:
            pytest.skip(str(error))
        words = stack.enter_context(inject_environment.inside())
        yield Below(words, environment, folder)


def session(below: Below, pid: int, *options: str) -> Session:
    return Session(below.attach(pid, *options), below.folder, below.environment)


def refused(below: Below, pid: int, *options: str) -> str:
    """Why it does not, and nothing was done."""
    command = below.attach(pid, "--yes", *options)
    environment = {**os.environ, **below.environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2, done.stderr
    return done.stderr


def test_it_is_put_in_and_taken_out(below: Below) -> None:
    """Of a loop that spins; one that stands in a call is below."""
    with gateway("spinning", *below.python()) as process:
        before = told(process)
        terminal = session(below, process.pid)
        terminal.until("do it?")
        assert "by remote-exec" in terminal.screen
        assert told(process) == before
        terminal.type("y")
        terminal.until("available commands")
        assert told(process) != before
        terminal.type("ps")
        terminal.until(TASK)
        terminal.type("exit")
        assert terminal.end() == 0, terminal.screen
        until_as(process, before)
    assert "it was taken out again" in terminal.screen


def test_a_loop_that_waits_has_it_once_it_turns(below: Below) -> None:
    with gateway("idle", *below.python()) as process:
        before = told(process)
        terminal = session(below, process.pid, "--yes")
        terminal.until("it has not begun")
        assert told(process) == before
        told(process, "turn")
        terminal.until("available commands")
        terminal.type("exit")
        assert terminal.end() == 0, terminal.screen
        until_as(process, before)


def test_without_a_terminal_it_lists_the_tasks_and_leaves(below: Below) -> None:
    """Of a process of another user, whose loop stands in a call that ends now and then."""
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    with gateway("blocked", *below.words, *nobody, "/usr/bin/python3.14") as process:
        before = told(process)
        command, environment = below.attach(process.pid, "--yes"), {**os.environ, **below.environment}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stderr
        assert TASK in done.stdout
        until_as(process, before)


def test_what_has_not_begun_is_taken_back(below: Below) -> None:
    with gateway("idle", *below.python()) as process:
        before = told(process)
        terminal = session(below, process.pid, "--yes")
        terminal.until("it has not begun")
        terminal.interrupt()
        assert terminal.end() == 130
        assert "taken back: nothing of it is in the process" in terminal.screen
        told(process, "turn")
        assert told(process) == before


def test_a_process_that_ends_meanwhile_is_told(below: Below) -> None:
    with gateway("idle", *below.python()) as process:
        terminal = session(below, process.pid, "--yes")
        terminal.until("it has not begun")
        process.kill()
        process.wait()
        assert terminal.end() == 2
    assert f"process {process.pid} exited" in terminal.screen
    assert "taken back" not in terminal.screen


def test_where_remote_debugging_is_disabled_that_is_said(below: Below) -> None:
    environment = {**os.environ, "PYTHON_DISABLE_REMOTE_DEBUG": "1"}
    with gateway("spinning", *below.python(), environment=environment) as process:
        before = told(process)
        assert "it refuses remote debugging: PYTHON_DISABLE_REMOTE_DEBUG" in refused(below, process.pid)
        assert told(process) == before


def test_another_minor_version_is_refused(below: Below) -> None:
    with gateway("idle", *below.python("3.15")) as process:
        said = refused(below, process.pid, "--by", "remote-exec")
        assert "a Python of the same minor version alone" in said
        assert "this is 3.14, the process 3.15" in said
        assert "nothing here can put a program into CPython 3.15" in refused(below, process.pid)


def test_a_process_that_sees_other_files_is_refused(below: Below) -> None:
    """It would not find the program's: as a gateway in a container."""
    with gateway("idle", *below.python()) as process:
        command = [sys.executable, "-m", "qqdiag", "attach", str(process.pid), "--inject", "--yes"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert "the process sees other files than qqdiag" in done.stderr


def test_doctor_tries_it(below: Below) -> None:
    command = [*below.python(), "-m", "qqdiag", "doctor", "--json"]
    environment = {**os.environ, **below.environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    check = next(check for check in json.loads(done.stdout) if check["what"] == "inject")
    assert (check["works"], check["found"]) == (True, "by sys.remote_exec, into a Python of the same minor version")
