"""Services found by their control groups, in real ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from control_groups import group, moved

from qqdiag.collect import process, units
from qqdiag.errors import NoSuchTarget, UsageError
from qqdiag.target import Live, resolve

UNIT = f"qqdiag-{os.getpid()}"
# A service with a child, and one process that has another parent, as a daemon has.
SERVICE = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"], stdout=-1)
child.stdout.readline()
if not os.fork():
    if os.fork():
        os._exit(0)
    sys.stdin.read()
    os._exit(0)
os.wait()
print(os.getpid(), flush=True)
sys.stdin.read()
"""

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="control groups take root: sudo pytest")]


@contextmanager
def service(folder: Path) -> Iterator[int]:
    command = moved(folder, [sys.executable, "-c", SERVICE])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.communicate()


def test_a_unit_of_a_user_is_its_first_process() -> None:
    with group("user@4242.service", "app.slice", f"{UNIT}.service") as folder, service(folder) as pid:
        assert units.first(UNIT) == units.first(f"{UNIT}.service") == [pid]
        found = resolve(f"{UNIT}.service")
        assert isinstance(found, Live)
        assert found.pid == pid
        seen = process.collect(pid)
        assert (seen.unit.reveal() if seen.unit else None, seen.unit_manager) == (f"{UNIT}.service", 4242)


def test_units_of_one_name_are_told_apart_by_their_users() -> None:
    with (
        group("user@4242.service", f"{UNIT}.service") as one,
        group("user@4243.service", f"{UNIT}.service") as two,
        service(one) as first,
        service(two) as second,
    ):
        assert units.first(UNIT) == sorted([first, second])
        with pytest.raises(UsageError) as error:
            resolve(UNIT)
    assert "{count} units of that name run" in error.value.message.template


def test_a_unit_that_does_not_run_is_none() -> None:
    assert units.first(UNIT) == []
    with pytest.raises(NoSuchTarget):
        resolve(UNIT)
