"""Memory, limits, locks of files and file systems, against what real processes and other programs say of them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from collect_patients import as_nobody, patient, until

from qqdiag.collect import filelocks, growth, mounts, process, resources
from qqdiag.model import Missing

HOLDING = """
kept = bytearray(os.urandom(4096) * 12_000)
def status():
    with open("/proc/self/status") as file:
        return dict(line.split(":", 1) for line in file)
def facts():
    lines = status()
    return {name: int(lines[name].split()[0]) * 1024 for name in ("RssAnon", "VmHWM", "VmSwap")}
say(facts())
serve(facts=facts)
"""
NEAR = 1 << 20  # bytes that a program may grow between its word and our look


def test_memory_is_what_the_process_says_of_itself() -> None:
    with patient(HOLDING) as there:
        seen, said = process.collect(there.pid), there.ask("facts")
    assert seen.private == pytest.approx(said["RssAnon"] + said["VmSwap"], abs=NEAR)
    assert seen.private is not None
    assert seen.private > 12_000 * 4096
    assert seen.peak == pytest.approx(said["VmHWM"], abs=NEAR)
    assert seen.swapped == said["VmSwap"]
    assert seen.major_faults is not None
    assert seen.memory_available is not None
    assert 0 < seen.memory_available < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_DATA, (1 << 29, 1 << 30))
with open("/proc/self/status") as file:
    say(next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData:")))
serve()
"""


def test_a_limit_of_its_own() -> None:
    with patient(LIMITED) as there:
        seen = process.collect(there.pid)
    assert (seen.memory_limit, seen.memory_limit_own) == (1 << 29, True)
    assert seen.memory_used == pytest.approx(there.first, abs=NEAR)


GROWING = """
say("ready")
kept = []
while len(kept) < 300:
    kept.append(bytearray(os.urandom(4096) * 50))
    time.sleep(0.005)
serve()
"""


def test_growth_is_seen_while_it_happens() -> None:
    with patient(GROWING) as there:
        seen = growth.collect(there.pid, 0.6)
    assert not isinstance(seen, Missing)
    assert len(seen.private) == growth.READINGS
    assert seen.step * len(seen.private) == pytest.approx(0.6)
    assert seen.private[-1] > seen.private[0]


def test_a_process_at_rest_does_not_grow() -> None:
    with patient(HOLDING) as there:
        seen = growth.collect(there.pid, 0.1)
    assert not isinstance(seen, Missing)
    assert max(seen.private) - min(seen.private) < NEAR


@pytest.mark.root
def test_another_user_sees_the_memory_and_the_count_of_descriptors() -> None:
    with patient(HOLDING) as there:
        own = process.collect(there.pid)
        seen = as_nobody(
            "seen = process.collect(int(sys.argv[1])); say([seen.private, seen.peak, seen.fds])", there.pid
        )
    assert seen[:2] == [pytest.approx(own.private, abs=NEAR), pytest.approx(own.peak, abs=NEAR)]
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    assert seen[2] == (own.fds if release >= (6, 2) else None)


# --- locks -----------------------------------------------------------------------------------------------------------

WAITING = """
file = open(sys.argv[1], "r+")
say("ready")
{call}(file, fcntl.LOCK_EX)
say("mine")
serve()
"""


@pytest.mark.parametrize("call", ["fcntl.flock", "fcntl.lockf"])
def test_the_holder_of_a_lock_that_is_waited_for(call: str) -> None:
    take = fcntl.flock if call.endswith("flock") else fcntl.lockf
    with tempfile.NamedTemporaryFile("r+") as file:
        take(file, fcntl.LOCK_EX)
        with patient(WAITING.replace("{call}", call), file.name) as there:
            assert until(lambda: filelocks.holder(there.pid), lambda holder: holder is not None) == os.getpid()
            assert filelocks.holder(os.getpid()) is None, "it holds one and waits for none"
            take(file, fcntl.LOCK_UN)
            assert there.heard() == "mine"
            assert filelocks.holder(there.pid) is None


# --- file systems ----------------------------------------------------------------------------------------------------


def test_the_type_of_a_file_system_is_what_findmnt_says() -> None:
    with tempfile.TemporaryFile() as file, open("/proc/self/status", "rb") as status:
        folder = tempfile.gettempdir()
        found = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", folder], capture_output=True, text=True)
        assert mounts.file_system(os.getpid(), file.fileno()) == found.stdout.split()[0]
        assert mounts.file_system(os.getpid(), status.fileno()) == "proc"


# Prints what is said of a file below a mount point that `str.splitlines` and a search for " - " would cut.
ODD_MOUNT = r"""
import os, subprocess, sys
from qqdiag.collect import mounts
folder = os.path.join(sys.argv[1], "a\x1c - b")
os.mkdir(folder)
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
with open(os.path.join(folder, "file"), "wb") as file, open("/proc/self/status", "rb") as status:
    print(mounts.file_system(os.getpid(), file.fileno()), mounts.file_system(os.getpid(), status.fileno()))
"""


@pytest.mark.root
def test_a_mount_point_of_an_odd_name(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a mount takes root: sudo pytest")
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", ODD_MOUNT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["tmpfs", "proc"], "")


def test_a_pipe_is_on_none_and_a_number_that_is_not_open_either() -> None:
    reader, writer = os.pipe()
    try:
        assert mounts.file_system(os.getpid(), reader) is None
    finally:
        os.close(reader)
        os.close(writer)
    assert mounts.file_system(os.getpid(), reader) is None


# --- control groups --------------------------------------------------------------------------------------------------


def group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


@pytest.fixture
def hierarchy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of /sys/fs/cgroup: which groups a machine has is not ours to choose."""
    monkeypatch.setattr(resources, "MOUNT", str(tmp_path))
    return tmp_path


def test_the_closest_limit_counts(hierarchy: Path) -> None:
    group(hierarchy / "a", memory__max=1000, memory__current=900)
    group(hierarchy / "a" / "b", memory__max="max", memory__current=10)
    group(hierarchy / "a" / "b" / "c", memory__max=500, memory__current=20)
    assert resources.memory_limit("0::/a/b/c\n") == resources.Limit(1000, 900), "it has 100 left, the other 480"
    assert resources.memory_limit("0::/a/b\n") == resources.Limit(1000, 900)
    assert resources.memory_limit("0::/elsewhere\n") is None


def test_a_limit_of_the_first_version(hierarchy: Path) -> None:
    names = {"memory__limit_in_bytes": 4096, "memory__usage_in_bytes": 96}
    group(hierarchy / "memory" / "x", **names)
    group(hierarchy / "memory", **{**names, "memory__limit_in_bytes": 9223372036854771712})
    assert resources.memory_limit("5:cpu:/x\n4:memory:/x\n") == resources.Limit(4096, 96)
    assert resources.memory_limit("4:memory:/\n") is None, "so large a number means none"


@pytest.mark.parametrize("groups", ["", "0::/../../etc", "nonsense", "0::", "4:memory", ":::", "0::" + "/a" * 5000])
def test_a_path_of_a_group_leads_nowhere_else(hierarchy: Path, groups: str) -> None:
    assert resources.memory_limit(groups) is None


def test_the_pressure_of_the_own_group_before_that_of_the_machine(hierarchy: Path) -> None:
    machine = resources.io_pressure("0::/")
    assert machine is None or machine > 0
    lines = "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1"
    group(hierarchy / "a", io__pressure=lines)
    assert resources.io_pressure("0::/a") == 2.5
