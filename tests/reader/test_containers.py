"""A container seen from the host: another root, other pids, another network; the answers are the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import debian_unstable
import interpreters
import pytest
from contained import Contained, contained, own_ids, threads
from patients import HERE, Patient, read
from test_tasks import check

from qqdiag import capture
from qqdiag.diagnose import diagnose
from qqdiag.model import Word
from qqdiag.run import record, take
from qqdiag.snapshot import Process, Python, PyThread, Sample, Snapshot, Sockets
from qqdiag.target import live

pytestmark = pytest.mark.root
MOUNTED = "/srv"  # where the container has the folder of these programs


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    if os.geteuid() != 0:
        pytest.skip("namespaces take root: sudo pytest")
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def unstable() -> Path:
    try:
        return debian_unstable.root()
    except debian_unstable.NotMade as error:
        pytest.skip(str(error))


# --- the same path is another file -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", debian_unstable.VERSIONS)
def test_tasks_below_another_root(version: str, mount: Path) -> None:
    """Debian's unstable suite in the container: its C library is another than ours, at the same path."""
    python, root = f"/usr/bin/python{version}", unstable()
    with contained(
        [python, "-W", "ignore", f"{MOUNTED}/zoo.py"], mount, root=root, prepare=f'mount --bind {HERE} "$root{MOUNTED}"'
    ) as there:
        assert not os.path.exists(python)
        assert os.path.samefile(f"/proc/{there.pid}/root{python}", root / python[1:])
        check(Patient(there.process, there.pid, there.truth), read(there.pid))


def gateway_python(folder: Path) -> tuple[Path, str]:
    """An interpreter for the container, and the shell that mounts it there.

    It is a copy of the one that these tests run on, at the place where this machine has Debian's own.
    """
    here = Path("/usr/bin/python3").resolve()
    base = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}").resolve()
    copy = folder / "copy"
    shutil.copy(base, copy)
    packages = ":".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nPYTHONHOME={sys.base_prefix} PYTHONPATH="$PYTHONPATH:{packages}" exec {here} "$@"\n')
    script.chmod(0o755)
    return script, f'mount --bind {copy} "$root{here}"'


@pytest.mark.lab
@pytest.mark.parametrize("case", ["hot-loop", "dead-listener", "close-hang"])
def test_verdicts_are_the_same(case: str, mount: Path, tmp_path: Path) -> None:
    python, prepare = gateway_python(tmp_path)
    with contained([sys.executable, HERE / "lab_inside.py", case, python], mount, prepare=prepare) as there:
        snapshot = take(live(there.pid), 1.0)
        findings = diagnose(snapshot).findings
        assert [found.id for found in findings if found.severity != "info"] == [case]
        process, sockets = snapshot.samples[-1].process, snapshot.samples[-1].sockets
        assert isinstance(process, Process)
        assert (process.pid, process.namespace_pid) == (there.pid, there.truth["pid"])
        assert process.executable is not None
        ours = process.executable.reveal()
        assert not os.path.samefile(f"/proc/{there.pid}/root{ours}", ours)
        assert process.namespaces_differ == [Word("pid"), Word("net"), Word("mnt")]
        assert isinstance(sockets, Sockets)
        assert not sockets.same_network_namespace
        assert any(row.protocol == Word("tcp") for row in sockets.rows)


# --- threads ---------------------------------------------------------------------------------------------------------


def agree_with_the_kernel(sample: Sample, there: Contained) -> None:
    """Each thread, loop and worker stands beside what the kernel calls by the same name."""
    python, process = sample.python, sample.process
    assert isinstance(python, Python)
    assert isinstance(process, Process)
    kernel = {thread.tid: thread.name.reveal() for thread in process.threads}
    stacks: dict[int | None, PyThread] = {thread.native_id: thread for thread in python.threads}
    assert sorted(kernel.values()) == ["a-worker", "another-loop", "main"]
    assert set(stacks) == set(kernel)
    assert {kernel[loop.thread or 0]: loop.address for loop in python.loops} == there.truth["loops"]
    (worker,) = (task.leaf.thread for task in python.tasks if task.leaf and task.leaf.thread)
    assert kernel[worker] == "a-worker"
    assert all(
        thread.name is None or thread.name.reveal() == kernel[thread.native_id or 0] for thread in python.threads
    )
    assert not python.doubts


@pytest.mark.parametrize("version", ["3.9", "3.12", "3.15"])
def test_threads_are_those_of_the_kernel(version: str, mount: Path, tmp_path: Path) -> None:
    interpreter = interpreters.find(version)
    if interpreter is None:
        pytest.skip(interpreters.CURE[version])
    far = version in debian_unstable.VERSIONS
    command = [f"/usr/bin/python{version}" if far else interpreter.path, f"{MOUNTED}/several_loops.py"]
    prepare = f'mount --bind {HERE} "$root{MOUNTED}"'
    root = debian_unstable.root() if far else Path("/")
    with contained(command, mount, root=root, prepare=prepare) as there:
        ids = [own_ids(f"/proc/{there.pid}/task/{tid}/status") for tid in threads(there.pid)]
        assert all(ours != inside for ours, inside in ids)
        recording = record(live(there.pid), 0)
        agree_with_the_kernel(recording.snapshot.samples[0], there)
        file = tmp_path / "there.qqd"
        capture.write(file, recording)
    again = capture.open(file)
    agree_with_the_kernel(again.samples[0], there)
    assert thread_rows(again) == thread_rows(recording.snapshot)


def thread_rows(snapshot: Snapshot) -> list[int | None]:
    python = snapshot.samples[0].python
    assert isinstance(python, Python)
    return [thread.native_id for thread in python.threads]


def test_both_pids_are_told(mount: Path) -> None:
    with contained([sys.executable, HERE / "several_loops.py"], mount) as there:
        command = [sys.executable, "-m", "qqdiag", "inspect", str(there.pid), "--interval", "0"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    assert f"pid {there.pid}, state S" in said
    assert f"pid {there.truth['pid']} inside its container" in said
    assert f"\n  {there.truth['pid']} " not in said, "a thread by an id that is a stranger's here"


# --- clocks ----------------------------------------------------------------------------------------------------------

BEHIND = 30  # seconds
TICKING = """
import asyncio, json, os
async def main():
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(asyncio.sleep(3600), name="sleeper")
    loop.call_soon(print, json.dumps({"pid": os.getpid(), "now": loop.time()}))
    while True:
        await asyncio.sleep(0.01)
asyncio.run(main())
"""


def test_times_of_another_time_namespace(tmp_path: Path) -> None:
    """Its clock is behind ours, so that each of its timers would seem to be overdue."""
    if os.geteuid() != 0:
        pytest.skip("namespaces take root: sudo pytest")
    command = ["unshare", "--time", f"--monotonic=-{BEHIND}", "--fork", "--kill-child", sys.executable, "-uc", TICKING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            truth = json.loads(process.stdout.readline())
            assert -BEHIND - 20 < truth["now"] - time.monotonic() < -BEHIND + 1
            recording = record(live(truth["pid"]), 0.2)
        finally:
            process.kill()
    capture.write(tmp_path / "there.qqd", recording)
    for snapshot in (recording.snapshot, capture.open(tmp_path / "there.qqd")):
        kernel, python = snapshot.samples[-1].process, snapshot.samples[-1].python
        assert isinstance(kernel, Process)
        assert isinstance(python, Python)
        assert (kernel.clock_ahead, kernel.namespaces_differ) == (-BEHIND, [Word("time")])
        (deadline,) = (task.leaf.deadline_at for task in python.tasks if task.leaf and task.name.reveal() == "sleeper")
        assert deadline is not None
        assert 0 <= deadline - truth["now"] - 3600 - BEHIND < 1
        assert not [found.id for found in diagnose(snapshot).findings if found.severity != "info"]
