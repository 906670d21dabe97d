"""`qqdiag ps`: every process with an event loop, and how it is, of real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from qqdiag.cpython.known import Known
from qqdiag.lab.start import Running, start
from qqdiag.survey import has_loop, is_python

pytestmark = pytest.mark.lab

LONG = 600.0  # seconds: other tests' processes are looked at too
NO_LOOP = "print('ready', flush=True); input()"
HEALTH = ("loop", "gateway", "failure", "health")
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all"]


@pytest.fixture(scope="module")
def spinning() -> Iterator[Running]:
    with start("hot-loop", bound=LONG) as running:
        yield running


@pytest.fixture(scope="module")
def idle() -> Iterator[Running]:
    with start("idle", bound=LONG) as running:
        yield running


@pytest.fixture(scope="module")
def plain() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", NO_LOOP]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def ps(*arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-P", "-m", "qqdiag", "ps", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)


@pytest.fixture(scope="module")
def listed(spinning: Running, idle: Running, plain: subprocess.Popen[str]) -> dict[int, dict[str, Any]]:
    done = ps("--json", "--all")
    assert (done.returncode, done.stderr) == (0, "")
    return {row["pid"]: row for row in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def printed(spinning: Running, idle: Running, plain: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    return ps()


def test_a_hanging_gateway_stands_beside_a_healthy_one(
    spinning: Running, idle: Running, listed: dict[int, dict[str, Any]]
) -> None:
    hung, well = listed[spinning.pid], listed[idle.pid]
    assert (hung["health"], hung["failure"], hung["loop"]) == ("hang", "hot-loop", "spinning")
    assert (well["health"], well["failure"], well["loop"]) == ("clear", None, "turning")
    for row in (hung, well):
        assert row["python"] == "{}.{}.{}".format(*sys.version_info)
        assert row["tasks"] >= 2
        assert row["uptime"] > 0
        assert row["gateway"] is None, "no profile names the lab"
    assert os.getpid() not in listed, "who asks is not listed, nor who started it"
    assert idle.server.pid in listed, "its server has a loop too"


def test_a_python_without_a_loop_is_listed_when_asked_for(
    plain: subprocess.Popen[str], listed: dict[int, dict[str, Any]], printed: subprocess.CompletedProcess[str]
) -> None:
    row = listed[plain.pid]
    assert (row["loop"], row["health"], row["tasks"]) == ("none", "no-asyncio", None)
    assert str(plain.pid) not in [line.split()[0] for line in printed.stdout.splitlines()]


def test_the_table_has_a_head_and_a_next_step(spinning: Running, printed: subprocess.CompletedProcess[str]) -> None:
    head, *lines = printed.stdout.splitlines()
    assert head.split() == [*("pid", "user", "python", "unit", "uptime", "tasks"), *HEALTH]
    line = next(line for line in lines if line.split()[0] == str(spinning.pid))
    assert line.split()[-2:] == ["hot-loop", "hang"]
    assert "<user-1>" in line
    assert printed.stderr.startswith("qqdiag: next: qqdiag inspect ")
    assert printed.returncode == 0


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="another user takes root: sudo pytest")
def test_what_may_not_be_read_is_listed_as_that(idle: Running) -> None:
    reader = [sys.executable, "-c", "import qqdiag"]
    if subprocess.run([*NOBODY, *reader], capture_output=True, check=False).returncode:
        pytest.skip("let every user read the interpreter and these sources")
    done = ps("--json", before=tuple(NOBODY))
    row = next(row for row in json.loads(done.stdout) if row["pid"] == idle.pid)
    assert (row["health"], row["tasks"]) == ("no-permission", None)


def test_what_is_no_python_is_passed_over() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        assert not is_python(process.pid)
        process.kill()
    assert not is_python(process.pid), "it is gone"


def test_loops_and_none(idle: Running, plain: subprocess.Popen[str]) -> None:
    assert has_loop(idle.pid, Known())
    assert not has_loop(plain.pid, Known())
    assert is_python(plain.pid)
