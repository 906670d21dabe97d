"""A capture taken away: opened by another Python and another user, the target gone and its files hidden, it says the
same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import interpreters
import pytest
from cached import cache, locked

from qqdiag import capture
from qqdiag.diagnose import diagnose
from qqdiag.lab.start import start
from qqdiag.memory.source import Region
from qqdiag.publish import page
from qqdiag.recording import Recording
from qqdiag.run import record
from qqdiag.snapshot import Python
from qqdiag.target import live

HERE = Path(__file__).parent
SOURCES = HERE.parents[1]
NOBODY = 65534
LARGEST = 5_000_000  # bytes of the capture of a gateway with fifty tasks
VERSIONS = [name for name in ("3.11", "3.12", "3.13") if name != "{}.{}".format(*sys.version_info)]

# In mounts of its own: $1 prefix of the interpreter, $2 its packages, $3 our sources, $4 its name, $5 the capture; then
# the files to hide. What root alone may enter is bound to where everybody may.
SCRIPT = """
prefix=$1 packages=$2 sources=$3 name=$4 file=$5
shift 5
mount -t tmpfs tmpfs /mnt
mkdir /mnt/prefix /mnt/packages /mnt/sources
mount --bind "$prefix" /mnt/prefix
mount --bind "$packages" /mnt/packages
mount --bind "$sources" /mnt/sources
install -m 0444 "$file" /mnt/hang.qqd
for hidden in "$@"; do mount --bind /dev/null "$hidden"; done
cd /
exec env -i PATH=/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/mnt/sources:/mnt/packages \
    LD_LIBRARY_PATH=/mnt/prefix/lib setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
    "/mnt/prefix/bin/$name" -c "$CODE"
"""
CODE = """
import json, os, sys
from qqdiag import capture
from qqdiag.diagnose import diagnose
from pathlib import Path
from qqdiag.publish import page
snapshot = capture.open(Path("/mnt/hang.qqd"))
text = page(snapshot, diagnose(snapshot), "json")
print(json.dumps([list(sys.version_info[:2]), os.getuid(), sys.executable, json.loads(text)]))
"""


class Taken(NamedTuple):
    """A capture, and what was said of its target while that was there."""

    path: Path
    recording: Recording
    said: dict[str, Any]


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    path = tmp_path_factory.mktemp("capture") / "hang.qqd"
    with start("dead-listener", sources=HERE, module="crowded") as gateway:
        recording = record(live(gateway.pid), 0.3)
        said = json.loads(page(recording.snapshot, diagnose(recording.snapshot), "json"))
    assert not Path(f"/proc/{gateway.pid}").exists()
    capture.write(path, recording)
    return Taken(path, recording, said)


def test_size(taken: Taken) -> None:
    python = taken.recording.snapshot.samples[0].python
    assert isinstance(python, Python)
    assert len(python.tasks) >= 50
    assert taken.path.stat().st_size < LARGEST


@pytest.mark.root
@pytest.mark.parametrize("version", VERSIONS)
def test_elsewhere(taken: Taken, version: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounts of one's own and another user take root: sudo pytest")
    interpreter = interpreters.find(version)
    if interpreter is None:
        pytest.skip(interpreters.CURE[version])
    numbers, user, executable, said = opened(taken, interpreter.path, packages(interpreter.path, version))
    assert ".".join(map(str, numbers)) == version
    assert (user, Path(executable).parts[:3]) == (NOBODY, ("/", "mnt", "prefix"))
    assert said["findings"] == taken.said["findings"], how(taken.said, said)
    assert [finding["id"] for finding in said["findings"]] == ["dead-listener"]
    assert all(finding["fingerprint"] for finding in said["findings"])
    for here, there in zip(taken.said["snapshot"]["samples"], said["snapshot"]["samples"], strict=True):
        assert there["python"] == here["python"]
        assert there["gateway"] == here["gateway"]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_sets_does_not_matter(taken: Taken, seed: int) -> None:
    """A search that takes its way by the hash of a text goes where the capture has no page."""
    code = CODE.replace("/mnt/hang.qqd", str(taken.path))
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    *_, said = json.loads(done.stdout)
    assert (said["verdict"], said["findings"]) == (taken.said["verdict"], taken.said["findings"])
    for here, there in zip(taken.said["snapshot"]["samples"], said["snapshot"]["samples"], strict=True):
        assert (there["python"], there["gateway"]) == (here["python"], here["gateway"])


def how(*pages: dict[str, Any]) -> list[Any]:
    """How each was read: where findings differ, that tells which reading lacks something."""
    pythons = [sample["python"] for page in pages for sample in page["snapshot"]["samples"]]
    return [page["verdict"] for page in pages] + [(python.get("method"), python.get("doubts")) for python in pythons]


def opened(taken: Taken, python: Path, packages: Path) -> Any:
    """What another interpreter says of the capture, where the target's own files are empty."""
    hidden = files_of(taken.recording.memories[0].regions, python)
    assert str(Path(sys.executable).resolve()) in hidden
    prefix = python.resolve().parents[1]
    arguments = [prefix, packages, SOURCES, python.resolve().name, taken.path, *hidden]
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "bash", "-euc", SCRIPT, "bash", *map(str, arguments)],
        env={**os.environ, "CODE": CODE},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def files_of(regions: Sequence[Region], python: Path) -> list[str]:
    """The files of the target that the other interpreter does not need itself: its executable and modules."""
    linked = subprocess.run(["ldd", str(python)], capture_output=True, text=True, check=True).stdout
    others = {Path(word).resolve() for word in linked.split() if word.startswith("/")}
    mapped = {region.path for region in regions if region.path.startswith("/") and Path(region.path).is_file()}
    return [path for path in sorted(mapped) if "python" in path and Path(path).resolve() not in others]


def packages(python: Path, version: str) -> Path:
    """A folder with what qqdiag needs, for that interpreter; made once."""
    project = tomllib.loads((SOURCES / "pyproject.toml").read_text())
    needed: list[str] = project["project"]["dependencies"]
    folder = cache() / f"packages-python-{version}"
    marker = folder / "qqdiag-complete"  # written last: a folder without it is half made
    with locked(folder.parent / f"{folder.name}.lock"):
        if not marker.exists() or marker.read_text().splitlines() != needed:
            shutil.rmtree(folder, ignore_errors=True)
            command = [python, "-m", "pip", "install", "-q", "--root-user-action=ignore", "--target", folder, *needed]
            subprocess.run(command, check=True, capture_output=True)
            marker.write_text("\n".join(needed))
    return folder
