"""In a container that lacks a right: which one, what to type, and all that can be seen without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.root
QQDIAG = (sys.executable, "-m", "qqdiag")
LIMITED = (sys.executable, str(Path(__file__).with_name("limited.py")))


@pytest.fixture(scope="module")
def restless() -> Iterator[int]:
    """The pid of a process that must be paused to be read of one moment."""
    if os.geteuid() != 0:
        pytest.skip("giving up a right takes one: sudo pytest")
    command = [sys.executable, Path(__file__).with_name("restless.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.kill()


def asked(words: Sequence[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*words, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done


def document(words: Sequence[str], pid: int) -> tuple[dict[str, Any], int]:
    done = asked(words, "inspect", pid, "--interval", "0.2", "--json")
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer, done.returncode


def lacks(answer: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {row["section"]: (row["reason"], row["hint"]) for row in answer["missing"]}


# --- the memory may not be read --------------------------------------------------------------------------------------


def test_root_without_the_capability(restless: int) -> None:
    """As in a container that has not got SYS_PTRACE, for a process that has more rights."""
    words = ("setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace", *QQDIAG)
    answer, code = document(words, restless)
    assert (answer["verdict"], code) == ("unknown", 3)
    reason, hint = lacks(answer)["python"]
    assert "CAP_SYS_PTRACE" in reason
    for words in ("docker exec --privileged", "--cap-add SYS_PTRACE", "podman", "kubectl debug", "on the host"):
        assert words in hint
    assert f"inspect {restless}" in hint
    sample = answer["snapshot"]["samples"][-1]
    assert (sample["process"]["pid"], len(sample["process"]["threads"])) == (restless, 2)
    assert "rows" not in sample["sockets"], "what cannot be seen is missing, and not an empty list"


def test_another_user(restless: int) -> None:
    answer, code = document((*LIMITED, "nobody"), restless)
    assert (answer["verdict"], code) == ("unknown", 3)
    reason, hint = lacks(answer)["python"]
    assert ("another user" in reason, "sudo" in hint) == (True, True)
    assert answer["snapshot"]["samples"][-1]["process"]["pid"] == restless


def test_root_of_a_user_namespace(restless: int) -> None:
    answer, code = document(("unshare", "--user", "--map-root-user", *QQDIAG), restless)
    assert (answer["verdict"], code) == ("unknown", 3)
    reason, hint = lacks(answer)["python"]
    assert ("user namespace" in reason, "on the host" in hint) == (True, True)


def test_what_needs_the_memory_refuses(restless: int, tmp_path: Path) -> None:
    done = asked((*LIMITED, "nobody"), "capture", restless, "-o", tmp_path / "there.qqd")
    assert (done.returncode, done.stdout, os.listdir(tmp_path)) == (2, "", [])
    assert "another user" in done.stderr


# --- a seccomp filter ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rights", ["no-ptrace", "no-ptrace-no-vm-readv"])
def test_a_filter_that_forbids_the_pause(restless: int, rights: str) -> None:
    """Read twice without a pause: the same tasks, and it is said."""
    answer, _ = document((*LIMITED, rights), restless)
    for sample in answer["snapshot"]["samples"]:
        python = sample["python"]
        assert (python["method"], python["pause"]) == ("double-read", 0)
        assert len(python["tasks"]) == 4
        assert any("seccomp" in doubt for doubt in python["doubts"]), python["doubts"]
    assert answer["snapshot"]["samples"][-1]["sockets"]["rows"]


# --- another /proc, or none ------------------------------------------------------------------------------------------


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The sentence and the hint of an error."""
    assert (done.returncode, done.stdout) == (2, "")
    sentence, hint = done.stderr.splitlines()
    assert hint.strip()
    return sentence


def test_without_proc(restless: int) -> None:
    without = ("unshare", "--mount", "sh", "-c", 'umount -l /proc && exec "$@"', "sh", *QQDIAG)
    assert "there is no /proc" in refused(asked(without, "inspect", restless))
    assert "there is no /proc" in refused(asked(without, "inspect"))


def test_proc_of_another_namespace(restless: int) -> None:
    """Its pids are strangers' to the kernel: nothing may be asked by them, let alone stopped."""
    words = ("unshare", "--pid", "--fork", *QQDIAG)
    assert "another pid namespace" in refused(asked(words, "inspect", restless))
    assert "another pid namespace" in refused(asked(words, "inspect"))


def test_proc_that_hides_it(restless: int) -> None:
    hide = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    words = ("unshare", "--mount", "sh", "-c", hide, "sh", *LIMITED, "nobody")
    assert "hidepid" in refused(asked(words, "inspect", restless))
