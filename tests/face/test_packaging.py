"""The wheel and the editable install both bring the runbooks; the README says what is done."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import qqdiag
from qqdiag.cli import cli
from qqdiag.explain import PAGES
from qqdiag.signatures import signatures

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
SAYS = """
import sys, qqdiag
from qqdiag.explain import runbook
from qqdiag.signatures import signatures
print(qqdiag.__file__)
print(sum(len(runbook(signature.ID)) > 200 for signature in signatures()))
"""


def said(path: str) -> list[str]:
    """Where a fresh interpreter finds qqdiag with `path` in front, and how many runbooks it has."""
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", SAYS], env=environment, cwd="/", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def unpacked_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(ROOT),
    ]
    done = subprocess.run(build, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_a_wheel_brings_every_runbook(unpacked_wheel: Path) -> None:
    where, count = said(str(unpacked_wheel))
    assert Path(where).is_relative_to(unpacked_wheel)
    assert int(count) == len(signatures())


def test_a_wheel_brings_what_the_html_page_is_made_of(unpacked_wheel: Path) -> None:
    pages = Path("qqdiag/render/pages")
    ours = {path.name: path.read_bytes() for path in (ROOT / pages).iterdir()}
    assert {path.name: path.read_bytes() for path in (unpacked_wheel / pages).iterdir()} == ours
    assert "page.html" in ours


def test_a_wheel_brings_no_test_and_no_benchmark(unpacked_wheel: Path) -> None:
    assert sorted(path.name for path in unpacked_wheel.iterdir() if not path.name.endswith(".dist-info")) == ["qqdiag"]


def test_the_source_tree_finds_every_runbook() -> None:
    """As an editable install does: the package in the tree, the runbooks beside it."""
    where, count = said(str(ROOT))
    assert Path(where) == ROOT / "qqdiag" / "__init__.py"
    assert int(count) == len(signatures())


def test_every_signature_has_a_runbook_and_no_runbook_is_left_over() -> None:
    ids = {signature.ID for signature in signatures()}
    pages = {Path(name).stem for name in PAGES.values()}
    assert {path.stem for path in (ROOT / "runbooks").glob("*.md")} == ids | pages


def test_the_readme_has_exactly_two_commands_to_start_with() -> None:
    assert len(re.findall(r"^```sh$", README, re.MULTILINE)) == 2


def test_ci_runs_the_readmes_test_command() -> None:
    """`.ci/run` reads the command out of the README; it must be there to be read."""
    block = README.split("<!-- tests -->\n```sh\n")[1].split("```")[0]
    assert ".venv/bin/pytest" in block.strip().splitlines()[-1]
    assert "readme_tests" in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_the_readme_names_every_command(name: str) -> None:
    assert f"`qqdiag {name}" in README


def test_the_version_is_told_once() -> None:
    assert f'version = "{qqdiag.__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")
