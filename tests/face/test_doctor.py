"""`qqdiag doctor`: it says what works because it did it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from qqdiag.doctor import orphan

LIMITED = Path(__file__).parents[1] / "collect" / "limited.py"
NO_PTRACE = ["setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"]


def doctor(*arguments: str, before: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [*(before or []), sys.executable, "-P", "-m", "qqdiag", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def found(before: list[str] | None = None) -> dict[str, dict[str, Any]]:
    return {check["what"]: check for check in json.loads(doctor("--json", before=before).stdout)}


def test_what_is_needed_works_here() -> None:
    checks = found()
    assert [
        name for name in ("memory", "pause", "kernel", "sockets", "second witness") if not checks[name]["works"]
    ] == []
    assert all((check["costs"] is None) is check["works"] for check in checks.values())
    assert all((check["hint"] is None) is check["works"] for check in checks.values())


def test_it_is_a_list_to_read() -> None:
    done = doctor()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ok     memory ")
    assert " paused for " in done.stdout


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="another user takes root: sudo pytest")
def test_root_without_the_capability_lacks_other_users() -> None:
    """As in a container that was started without SYS_PTRACE."""
    check = found(before=NO_PTRACE)["other users"]
    assert (check["works"], check["found"]) == (False, "this user has no CAP_SYS_PTRACE")
    assert "cannot be read" in check["costs"]
    done = doctor(before=NO_PTRACE)
    assert "lacks  other users" in done.stdout
    assert "costs: gateways of other users" in done.stdout


def test_where_nothing_may_be_traced_there_is_no_pause() -> None:
    """As under a seccomp filter of a container runtime."""
    command = [sys.executable, str(LIMITED), "no-ptrace", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    checks = {check["what"]: check for check in json.loads(done.stdout)}
    assert (done.returncode, checks["memory"]["works"], checks["pause"]["works"]) == (0, True, False)
    assert checks["pause"]["found"] == "the kernel does not let a process be paused (EPERM)"
    assert "read twice" in checks["pause"]["costs"]


def test_the_process_that_is_tried_ends() -> None:
    with orphan() as pid:
        tried = psutil.Process(pid)
        assert tried.ppid() != os.getpid()
    assert not psutil.wait_procs([tried], timeout=10)[1]
