"""A walk from a real failure to its end: asked for in a terminal, without one, and by --yes."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from control_groups import group, moved
from msgspec.structs import replace
from terminal import answer, terminal, until

from qqdiag.model import Id
from qqdiag.run import take
from qqdiag.snapshot import Process
from qqdiag.target import live
from qqdiag.triage import fill
from qqdiag.triage.costs import cost
from qqdiag.triage.steps import Command

IDLE = """
import asyncio, os, sys
async def main():
    print(os.getpid(), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
BLOCKED_ONCE = """
import asyncio, os, sys, time
async def main():
    print(os.getpid(), flush=True)
    await asyncio.sleep(0.1)
    if os.path.exists(sys.argv[1]):
        os.unlink(sys.argv[1])
        time.sleep(3600)
    await asyncio.Event().wait()
asyncio.run(main())
"""

DEADLOCKED_ONCE = """
import asyncio, os, sys
async def hold(mine, other):
    async with mine:
        await asyncio.sleep(0)
        async with other:
            pass
async def main():
    print(os.getpid(), flush=True)
    if os.path.exists(sys.argv[1]):
        one, two = asyncio.Lock(), asyncio.Lock()
        waiting = asyncio.gather(hold(one, two), hold(two, one))
        await asyncio.sleep(0.1)
        os.unlink(sys.argv[1])
        await waiting
    await asyncio.Event().wait()
asyncio.run(main())
"""


@contextmanager
def gateway(source: str, *arguments: str, below: Path | None = None) -> Iterator[int]:
    """A gateway that a supervisor starts again whenever it ends. Its first pid. `below`: its control group."""
    python = [sys.executable, "-c", source, *arguments]
    if below is not None:
        python = moved(below, python)
    command = ["sh", "-c", 'while :; do "$@"; sleep 0.1; done', "sh", *python]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as supervisor:
        try:
            assert supervisor.stdout is not None
            yield int(supervisor.stdout.readline())
        finally:
            os.killpg(supervisor.pid, signal.SIGKILL)


@contextmanager
def stopped() -> Iterator[int]:
    with gateway(IDLE) as pid:
        os.kill(pid, signal.SIGSTOP)
        while state(pid) != "T":
            time.sleep(0.01)
        try:
            yield pid
        finally:
            os.kill(pid, signal.SIGCONT)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def triage(folder: Path, *arguments: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qqdiag", "triage", *arguments],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state"), "PATH": path},
        capture_output=True,
        text=True,
        timeout=110,
    )


def test_it_leads_from_the_verdict_to_the_end_of_the_failure(tmp_path: Path) -> None:
    with stopped() as pid:
        done = triage(tmp_path, str(pid), "--yes", "-o", "report.md")
        assert done.returncode == 0, done.stdout + done.stderr
        assert state(pid) != "T"
    assert done.stdout.startswith("process-stopped: ")
    assert "over: process-stopped is not there any more" in done.stdout
    assert (tmp_path / "hang.qqd").exists()
    report = (tmp_path / "report.md").read_text()
    told = report[report.index("## What was done") :]
    assert "`sudo kill -CONT {pid}` | 0 |" in told
    assert str(pid) not in told


def test_it_follows_the_gateway_over_the_restart_that_it_makes(tmp_path: Path) -> None:
    flag = tmp_path / "hang"
    flag.touch()
    with gateway(BLOCKED_ONCE, str(flag)) as pid:
        while flag.exists():
            time.sleep(0.01)
        done = triage(tmp_path, str(pid), "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        assert not Path(f"/proc/{pid}").exists()
    assert "it costs its connections and what its handlers had not finished" in done.stdout
    assert "over: loop-blocked is not there any more" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_without_a_terminal_nothing_is_changed(arguments: tuple[str, ...], tmp_path: Path) -> None:
    with stopped() as pid:
        done = triage(tmp_path, str(pid), *arguments)
        assert done.returncode == 1
        assert state(pid) == "T"
    assert f"it costs nothing: sudo kill -CONT {pid}" in done.stdout
    assert "qqdiag explain process-stopped" in done.stderr
    assert not (tmp_path / "hang.qqd").exists()


def test_what_is_known_to_have_been_done_is_not_done_again(tmp_path: Path) -> None:
    with stopped() as pid:
        assert triage(tmp_path, str(pid), "--yes").returncode == 0
        (tmp_path / "hang.qqd").unlink()
        os.kill(pid, signal.SIGSTOP)
        again = triage(tmp_path, str(pid))
    assert "done already" in again.stdout
    assert not (tmp_path / "hang.qqd").exists()


def test_nothing_wrong_is_said(tmp_path: Path) -> None:
    with gateway(IDLE) as pid:
        done = triage(tmp_path, str(pid))
    assert "nothing that is known was found" in done.stdout
    assert done.returncode in (0, 3)


@pytest.mark.skipif(not shutil.which("tmux"), reason="no tmux: apt-get install tmux")
def test_in_a_terminal_each_step_is_asked_for(tmp_path: Path) -> None:
    with stopped() as pid:
        command = f"XDG_STATE_HOME={tmp_path}/state {sys.executable} -m qqdiag triage {pid}"
        with terminal(command, tmp_path) as tmux:
            answer(tmux, "run it?", 1, "y")  # keep the evidence
            answer(tmux, "run it?", 2, "n")  # continue: no
            until(tmux, "ended with 1")
            assert state(pid) == "T"
            assert (tmp_path / "hang.qqd").exists()


def test_a_unit_that_a_shell_could_misread_is_not_filled_in() -> None:
    with gateway(IDLE) as pid:
        snapshot = take(live(pid), 0)
    process = snapshot.samples[0].process
    assert isinstance(process, Process)
    for unit, known in (
        ("containerd.service", False),
        ("hermes@1.service", True),
        ("a;reboot.service", False),
        ("$(x).service", False),
        ("-x", False),
    ):
        sample = replace(snapshot.samples[0], process=replace(process, unit=Id(unit)))
        found = fill.values(replace(snapshot, samples=[sample]), None)
        assert ("unit" in found) is known


def test_without_a_unit_a_restart_is_a_signal() -> None:
    restart = Command("sudo systemctl restart {unit}", True)
    assert fill.here(restart, {"unit": "hermes.service"}) == restart
    assert fill.here(restart, {}).text == "sudo kill {pid}"
    assert "not started again" in cost("sudo kill {pid}").template


# How root restarts a unit of a user's own manager; the user's own shell needs neither sudo nor a machine.
RESTART = Command("sudo systemctl restart {unit}", True)


def test_root_asks_the_users_manager() -> None:
    known = {"unit": "hermes-gateway.service", "uid": "4242", "owner": "bot"}
    asked = fill.here(RESTART, known).text
    assert asked == "sudo systemctl --user -M {owner}@ restart {unit}"
    assert str(fill.filled(asked, known)).endswith("systemctl --user -M bot@ restart hermes-gateway.service")
    limit = Command("sudo systemctl set-property {unit} MemoryMax=2G", True)
    assert "--user -M {owner}@ set-property {unit}" in fill.here(limit, known).text
    other = Command("sudo systemctl stop {other}", True)
    assert fill.here(other, known) == other
    assert "until it is back" in cost(asked).template


@pytest.mark.parametrize("runtime", [None, "/run/user/4242"])
def test_the_user_asks_the_own_manager(runtime: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    if runtime is not None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    known = {"unit": "hermes-gateway.service", "uid": str(os.geteuid()), "owner": "bot"}
    asked = fill.filled(fill.here(RESTART, known).text, known)
    before = "" if runtime else f"XDG_RUNTIME_DIR=/run/user/{os.geteuid()} "
    assert asked == f"{before}systemctl --user restart hermes-gateway.service"


@pytest.mark.root
def test_a_gateway_of_a_users_own_systemd_is_restarted_by_that_one(tmp_path: Path) -> None:
    """In a real control group, with a systemctl that notes how it was called and ends the gateway as told."""
    flag, notes, unit = tmp_path / "hang", tmp_path / "notes", f"qqdiag-{os.getpid()}.service"
    flag.touch()
    uid = pwd.getpwnam("nobody").pw_uid
    with (
        group(f"user@{uid}.service", "app.slice", unit) as folder,
        gateway(DEADLOCKED_ONCE, str(flag), below=folder) as pid,
    ):
        while flag.exists():
            time.sleep(0.01)
        stand_in = tmp_path / "systemctl"
        stand_in.write_text(f'#!/bin/sh\necho "$@" >> {notes}\n[ "$4" != restart ] || kill -9 {pid}\n')
        stand_in.chmod(0o755)
        path = f"{tmp_path}:{os.environ['PATH']}"
        looked = triage(tmp_path, unit, "--dry-run", path=path)  # found by its group: the system's has no such unit
        assert looked.stdout.startswith("await-deadlock: "), looked.stderr
        assert unit not in looked.stdout
        assert "shown with --raw, for it may name somebody: {unit} {owner}" in looked.stdout
        assert f"restart {unit}" in triage(tmp_path, str(pid), "--dry-run", "--raw", path=path).stdout
        done = triage(tmp_path, str(pid), "--yes", "-o", "report.md", path=path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert f"--user -M nobody@ restart {unit}\n" in notes.read_text()
    assert "`sudo systemctl --user -M {owner}@ restart {unit}` | 0 |" in (tmp_path / "report.md").read_text()
