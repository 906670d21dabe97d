"""The set-up itself: a forbidden skip fails, an allowed one does not, and the interpreters are told."""

from __future__ import annotations

from pathlib import Path

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
