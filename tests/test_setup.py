"""The set-up itself: a forbidden skip fails, an allowed one does not, and the interpreters are told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import debian_unstable
import hermes_environment
import interpreters
import pytest

SETUP = Path(__file__).parent
SKIPPING = """
import pytest

def test_lacks():
    pytest.skip("install moonlight")

@pytest.mark.skipif(True, reason="not Linux: no /proc")
def test_elsewhere():
    pass
"""
RUNNING = """
import pytest
from interpreters import Interpreter

@pytest.fixture(params=[Interpreter("3.12", "python3.12", (3, 12, 1), True)])
def mine(request):
    return request.param

def test_on_it(mine):
    pass
"""
WHOLE_MODULE = """
import pytest

pytest.skip("install moonlight", allow_module_level=True)
"""


def run(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    """pytest in another process, with the conftest.py under test."""
    pytester.makeconftest((SETUP / "conftest.py").read_text())
    pytester.makepyfile(source)
    return pytester.runpytest_subprocess(*arguments)


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SETUP))
    monkeypatch.delenv("QQDIAG_INTERPRETERS", raising=False)


def test_a_skip_is_a_failure_when_asked(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QQDIAG_NO_SKIPS", "1")
    result = run(pytester, SKIPPING)
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*QQDIAG_NO_SKIPS=1: *install moonlight*"])


def test_a_skipped_module_is_an_error_when_asked(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QQDIAG_NO_SKIPS", "1")
    assert run(pytester, WHOLE_MODULE).ret == pytest.ExitCode.INTERRUPTED


def test_a_skip_is_a_skip_otherwise(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QQDIAG_NO_SKIPS", raising=False)
    run(pytester, SKIPPING).assert_outcomes(skipped=2)


@pytest.mark.parametrize("arguments", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_the_interpreters_are_told_at_the_end(pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    run(pytester, RUNNING, *arguments).stdout.fnmatch_lines(["*interpreters*", "3.12.1 (3.12, static): 1 tests"])


@pytest.mark.parametrize("arguments", [(), ("-n", "1")], ids=["alone", "xdist"])
@pytest.mark.parametrize(("names", "code"), [("3.12", 0), ("3.12 debug", 1)])
def test_a_run_that_lacks_an_interpreter_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, names: str, code: int, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("QQDIAG_INTERPRETERS", names)
    result = run(pytester, RUNNING, *arguments)
    result.assert_outcomes(passed=1)
    assert result.ret == code
    if code:
        result.stdout.fnmatch_lines(["no test ran on debug: *"])


def test_what_is_found_is_what_was_asked_for(interpreter: interpreters.Interpreter) -> None:
    assert interpreter.path.is_absolute()
    if interpreter.name != "debian":
        assert interpreter.name == "{}.{}".format(*interpreter.version)


def test_a_half_made_environment_is_not_complete(tmp_path: Path) -> None:
    made = tmp_path / "bin" / "python"
    made.parent.mkdir()
    made.symlink_to("/bin/true")
    assert not hermes_environment.is_complete(tmp_path)
    (tmp_path / hermes_environment.MARKER).write_text("\n".join(hermes_environment.REQUIREMENTS))
    assert hermes_environment.is_complete(tmp_path)
    (tmp_path / hermes_environment.MARKER).write_text("hermes-agent==0.1")
    assert not hermes_environment.is_complete(tmp_path)


def test_without_a_network_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QQDIAG_HERMES_PYTHON", raising=False)
    monkeypatch.setenv("QQDIAG_TEST_CACHE", str(tmp_path))
    monkeypatch.setattr(hermes_environment, "REQUIREMENTS", ("--no-index", "hermes-agent"))
    with pytest.raises(hermes_environment.NotMade, match="QQDIAG_HERMES_PYTHON"):
        hermes_environment.python()
    assert not hermes_environment.is_complete(tmp_path / f"hermes-{hermes_environment.VERSION}-python-3.12")


def test_a_later_version_without_a_network_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the first, which is there; what is half made is not taken for an environment, and is made anew."""
    (later,) = list(hermes_environment.LATER)[:1]
    folder = tmp_path / f"hermes-{later}-python-3.12"
    (folder / "bin").mkdir(parents=True)
    (folder / hermes_environment.MARKER).write_text("hermes-agent==0.1")
    monkeypatch.setenv("QQDIAG_HERMES_PYTHON", sys.executable)
    monkeypatch.setenv("QQDIAG_TEST_CACHE", str(tmp_path))
    monkeypatch.setattr(hermes_environment, "LATER", {later: ("--no-index", "hermes-agent")})
    with pytest.raises(hermes_environment.NotMade, match="make a network available"):
        hermes_environment.python_of(later)
    assert not (folder / hermes_environment.MARKER).exists()


def test_unstable_is_for_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QQDIAG_SID_ROOT", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(debian_unstable.NotMade, match="run the tests as root"):
        debian_unstable.launcher("3.14")


@pytest.mark.parametrize(
    ("programs", "cure"), [("", "apt-get install debootstrap"), ("debootstrap", "make a network available")]
)
def test_unstable_that_cannot_be_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, programs: str, cure: str
) -> None:
    """Without debootstrap, and with one that fails: the cure is told, and no folder is taken for a whole one."""
    for name, target in [("apt-get", "false"), ("rm", "true"), *((program, "false") for program in programs.split())]:
        (tmp_path / name).symlink_to(f"/bin/{target}")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("QQDIAG_TEST_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("QQDIAG_SID_ROOT", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(debian_unstable.NotMade, match=cure):
        debian_unstable.launcher("3.14")
    assert not debian_unstable.is_complete(tmp_path / "cache" / "debian-unstable")


@pytest.mark.parametrize("name", debian_unstable.VERSIONS)
def test_a_launcher_becomes_the_interpreter(name: str, tmp_path: Path) -> None:
    """The process that is started is the one that is read, and it finds its program."""
    found = interpreters.unstable(name)
    if found is None:
        pytest.skip(interpreters.CURE[name])
    program = tmp_path / "program.py"
    program.write_text("import os, sys; print(os.getpid(), *sys.version_info[:2], *sys.argv[1:])")
    with subprocess.Popen([found.path, program, "an argument"], stdout=subprocess.PIPE, text=True) as process:
        said, _ = process.communicate(timeout=60)
    assert said.split() == [str(process.pid), *name.split("."), "an", "argument"]
