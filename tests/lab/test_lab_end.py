"""Everything that the lab starts ends by itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import psutil
import pytest

from qqdiag.errors import QqdiagError
from qqdiag.lab.child import child
from qqdiag.lab.command import remain
from qqdiag.lab.start import start

pytestmark = pytest.mark.lab

OWNER = """
import json, sys
from qqdiag.lab.command import announcement
from qqdiag.lab.start import start
with start(sys.argv[1]) as running:
    print(json.dumps(announcement(running)), flush=True)
    sys.stdin.read()
"""


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether the process ends, or is a zombie that only its new parent can take, in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("id", ["hot-loop", "loop-blocked", "idle"])
def test_with_the_context(id: str) -> None:
    with start(id) as running:
        pids = (running.pid, running.server.pid)
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize("id", ["hot-loop", "half-open"])
def test_with_an_owner_that_is_killed(id: str) -> None:
    """Nothing of Python runs at its end; a spinning gateway and a frozen server end all the same."""
    command = [sys.executable, "-c", OWNER, id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        said = json.loads(owner.stdout.readline())
        owner.send_signal(signal.SIGKILL)
        assert gone(said["pid"])
        assert gone(said["server_pid"])


@pytest.mark.parametrize("id", ["hot-loop", "loop-blocked"])
def test_with_its_bound(id: str) -> None:
    with start(id, bound=6.0) as running:
        assert not remain(running, 15.0)
        assert gone(running.server.pid)


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(QqdiagError) as failure, child("qqdiag.lab.nothing", 10.0) as process:
        process.hear()
    assert "No module named" in "".join(failure.value.__notes__)


def test_an_interpreter_that_is_not_there() -> None:
    with pytest.raises(QqdiagError), start("idle", python="/nowhere/python"):
        pass
