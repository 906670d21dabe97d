"""`qqdiag doctor`: it says what works because it did it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
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


LIBRARIES = {"prometheus_client": "figures", "libcst": "fixes", "zstandard": "core files", "hypno": "inject"}


def test_what_lacks_is_told_with_its_price_and_what_to_type(tmp_path: Path) -> None:
    """Libraries that cannot be imported, and no program but the interpreter: a bare machine."""
    for module in LIBRARIES:
        (tmp_path / f"{module}.py").write_text("raise ImportError")
    checks = found(["env", f"PYTHONPATH={tmp_path}", f"PATH={tmp_path}"])
    lacking = {name for name, check in checks.items() if not check["works"]}
    wanted = set(LIBRARIES.values()) - ({"inject"} if sys.version_info >= (3, 14) else set())
    assert lacking >= {*wanted, "gcore"}
    assert checks["figures"]["hint"] == "pip install 'qqdiag[metrics]'"
    assert "no compiler" in checks["inject"]["found"] or sys.version_info >= (3, 14)


@pytest.mark.skipif(not shutil.which("cc"), reason="no compiler: apt-get install gcc libc6-dev")
@pytest.mark.skipif(sys.version_info >= (3, 14), reason="no hypno is needed here")
def test_a_compiler_is_tried(tmp_path: Path) -> None:
    (tmp_path / "hypno.py").write_text("raise ImportError")
    check = found(["env", f"PYTHONPATH={tmp_path}"])["inject"]
    assert (check["works"], check["hint"]) == (False, "pip install 'qqdiag[inject]'")
    assert "could build it" in check["found"]


@pytest.mark.skipif(find_spec("hypno") is None, reason="no hypno: pip install 'qqdiag[inject]'")
def test_a_program_is_put_into_the_process_that_is_made_for_it() -> None:
    assert found()["inject"]["found"] == "a program was put into a process"


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces take root: sudo pytest")
def test_a_container_is_known_by_its_processes() -> None:
    check = found(["unshare", "--pid", "--fork", "--mount-proc"])["container"]
    assert (check["works"], check["costs"]) == (False, "only the processes of this container can be seen")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="another user takes root: sudo pytest")
def test_root_without_the_capability_enters_no_network() -> None:
    check = found(["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"])["containers"]
    assert (check["works"], check["found"]) == (False, "a network namespace may not be entered (EPERM)")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces take root: sudo pytest")
def test_the_root_of_a_user_namespace_is_none_of_the_machine() -> None:
    """As in a rootless container: it has every capability, and they reach nobody outside."""
    checks = found(["unshare", "--user", "--map-root-user"])
    assert checks["memory"]["works"]
    assert (
        checks["other users"]["found"]
        == "CAP_SYS_PTRACE is of a user namespace here, and reaches no process outside of it"
    )
    assert "user namespace" in checks["sudo"]["found"]
    assert not checks["containers"]["works"]
    other = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "sleep", "600"]
    with subprocess.Popen(other) as process:
        while psutil.Process(process.pid).uids().real != 65534:
            pass
        command = ["unshare", "--user", "--map-root-user", "cat", f"/proc/{process.pid}/maps"]
        assert subprocess.run(command, capture_output=True).returncode, "what it costs is true"
        process.kill()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces take root: sudo pytest")
@pytest.mark.parametrize("folder", ["/proc", "/proc/sys"])
def test_what_is_hidden_is_not_called_well(folder: str) -> None:
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', folder]
    if folder == "/proc":
        done = doctor(before=hidden)
        assert done.returncode == 2
        assert "there is no /proc here" in done.stderr
    else:
        check = found(hidden)["ptrace_scope"]
        assert (check["works"], check["found"]) == (False, "/proc/sys is hidden")
