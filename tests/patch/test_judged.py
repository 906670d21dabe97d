"""What is judged is what the code does: edits that keep a fix are seen to keep it, edits that undo it to undo it."""

from __future__ import annotations

import hermes_environment
import pytest
from adapter_edits import KEEPS, UNDOES, Edit, in_turn
from fork_designs import OF_CONNECTION
from fork_mistakes import MISTAKES
from fork_session_designs import OF_SESSION
from installed_adapters import connection_part, original, source_of

from qqdiag.patch.judging import JUDGES, judge

LACKS_ALL = {*JUDGES} - {"loop-watchdog"}
HAS = {"0.14.0": set(), "0.16.0": set(), "0.19.0": {"closed-read"}}


def verdict(text: str, fix: str) -> str:
    return judge(source_of(text.encode()).adapter, fix).verdict.value


@pytest.mark.parametrize("version", hermes_environment.VERSIONS)
def test_the_installed_adapters(version: str) -> None:
    """failures.md's matrix of versions: what each release has, the whole file read."""
    adapter = source_of(original(version)).adapter
    verdicts = {fix: judge(adapter, fix).verdict.value for fix in JUDGES}
    assert {fix for fix, word in verdicts.items() if word == "has"} == HAS[version]
    assert {fix for fix, word in verdicts.items() if word == "lacks"} == LACKS_ALL - HAS[version]


@pytest.mark.parametrize("version", hermes_environment.VERSIONS)
@pytest.mark.parametrize("edit", KEEPS, ids=lambda edit: edit.id)
def test_an_edit_that_keeps_it(edit: Edit, version: str, patched_parts: dict[str, str]) -> None:
    assert verdict(edit.applied(patched_parts[version]), edit.fix) == "has"


@pytest.mark.parametrize("version", hermes_environment.VERSIONS)
@pytest.mark.parametrize("edit", UNDOES, ids=lambda edit: edit.id)
def test_an_edit_that_undoes_it(edit: Edit, version: str, patched_parts: dict[str, str]) -> None:
    assert verdict(edit.applied(patched_parts[version]), edit.fix) == "lacks"


@pytest.mark.parametrize(
    ("edit", "version"), in_turn((*OF_CONNECTION, *OF_SESSION)), ids=lambda one: getattr(one, "id", one)
)
def test_a_design_of_a_fork(edit: Edit, version: str, patched_parts: dict[str, str]) -> None:
    assert verdict(compiled(edit.applied(patched_parts[version])), edit.fix) == "has"


@pytest.mark.parametrize(("edit", "version"), in_turn(MISTAKES), ids=lambda one: getattr(one, "id", one))
def test_a_mistake_of_a_fork(edit: Edit, version: str, patched_parts: dict[str, str]) -> None:
    assert verdict(compiled(edit.applied(patched_parts[version])), edit.fix) == "lacks"


def compiled(text: str) -> str:
    compile(text, "adapter.py", "exec")
    return text


def test_there_are_as_many_as_promised() -> None:
    assert min(len(KEEPS), len(UNDOES)) >= 20
    assert {edit.fix for edit in KEEPS} == {edit.fix for edit in UNDOES} == LACKS_ALL
    assert connection_part(original("0.14.0")).count(b"\n") < original("0.14.0").count(b"\n") / 2
