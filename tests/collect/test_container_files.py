"""What a gateway in a container wrote is read below its own root, and names it by the pid that it has there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from contained import contained
from test_logs import PROFILE, record

from qqdiag.collect import logs, process
from qqdiag.find import _names
from qqdiag.snapshot import Logs, StateFile

pytestmark = pytest.mark.root
GATEWAY = """
import json, os, sys, time
home, line = sys.argv[1:]
os.mkdir(home + "/logs")
with open("/proc/self/stat") as file:
    ticks = int(file.read().rpartition(")")[2].split()[19])
state = {"pid": os.getpid(), "start_time": ticks, "gateway_state": "running"}
for name, text in {"logs/agent.log": line, "gateway_state.json": json.dumps(state)}.items():
    with open(home + "/" + name, "w") as file:
        file.write(text)
print(json.dumps(state), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("named", [True, False], ids=["by its environment", "by what it has open"])
def test_logs_and_state_file(named: bool, tmp_path: Path) -> None:
    """At the same path this machine has other files, with another story."""
    if os.geteuid() != 0:
        pytest.skip("namespaces take root: sudo pytest")
    home, mount = tmp_path / "home", tmp_path / "root"
    (home / "logs").mkdir(parents=True)
    mount.mkdir()
    (home / "logs" / "agent.log").write_text(record(1, "Reconnect failed: of this machine", "WARNING"))
    (home / "gateway_state.json").write_text('{"pid": 1, "gateway_state": "qq_banned"}')
    environment = {key: value for key, value in os.environ.items() if key != "BOT_HOME"}
    program = GATEWAY if named else GATEWAY.replace("print(", "held = open(home + '/logs/agent.log', 'a')\nprint(")
    with contained(
        [sys.executable, "-c", program, home, record(9, "Session resumed")],
        mount,
        prepare=f'mount -t tmpfs none "$root{home}"',
        environment={**environment, "BOT_HOME": str(home)} if named else environment,
    ) as there:
        seen = logs.collect(there.pid, PROFILE)
        kernel = process.collect(there.pid)
        assert there.truth["pid"] in _names(there.pid)
    assert isinstance(seen, Logs)
    assert [event.event.reveal() for file in seen.files for event in file.events] == ["resumed"]
    assert isinstance(seen.state, StateFile)
    assert (seen.state.pid, seen.state.start_ticks) == (kernel.namespace_pid, kernel.start_ticks)
    assert seen.state.gateway_state is not None
    assert seen.state.gateway_state.reveal() == "running"
