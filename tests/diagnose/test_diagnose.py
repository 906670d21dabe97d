"""The order of findings, what causes what, the verdict, and the fingerprint."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from built import LISTENER, NOW, level, sample, snapshot, task

from qqdiag.diagnose import CAUSES, diagnose
from qqdiag.finding import Confidence, Finding, Match, NoMatch, Severity, Signature, Unknown
from qqdiag.model import Missing, Name, Say
from qqdiag.signatures import signatures
from qqdiag.waits import View

LACK = Missing(Say("it was not there"), Say("bring it"))
Answer = Callable[[View], Match | NoMatch | Unknown]


def finding(id: str, severity: Severity, **values: object) -> Finding:
    text = Say("{name} stands", name=Name("f"))
    return Finding(id, severity, Confidence.CERTAIN, Say("because"), text, (), **values)  # type: ignore[arg-type]


def signature(id: str, answer: Match | NoMatch | Unknown) -> Signature:
    return cast(Signature, SimpleNamespace(ID=id, SEVERITY=Severity.HANG, TITLE=id, match=lambda view: answer))


def told(id: str, severity: Severity) -> Signature:
    return signature(id, Match((finding(id, severity),)))


def test_the_worst_comes_first_and_a_cause_before_what_it_causes() -> None:
    among = [
        told("half-open", Severity.INFO),
        told("missing-ack", Severity.HANG),
        told("write-stuck", Severity.DEGRADED),
        told("loop-blocked", Severity.HANG),
    ]
    found = diagnose(snapshot(sample()), among).findings
    assert [one.id for one in found] == ["loop-blocked", "missing-ack", "write-stuck", "half-open"]
    assert [one.consequence_of for one in found] == [None, "loop-blocked", "loop-blocked", "loop-blocked"]


def test_what_is_only_info_causes_nothing() -> None:
    among = [told("loop-blocked", Severity.INFO), told("missing-ack", Severity.HANG)]
    assert {one.consequence_of for one in diagnose(snapshot(sample()), among).findings[:1]} == {None}


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ([NoMatch(Say("nothing"))], "clear"),
        ([Match((finding("a", Severity.INFO),))], "clear"),
        ([NoMatch(Say("nothing")), Unknown((LACK,))], "unknown"),
        ([Match((finding("a", Severity.DEGRADED),)), Unknown((LACK,))], "matched"),
    ],
)
def test_the_verdict(answers: list[Match | NoMatch | Unknown], verdict: str) -> None:
    among = [signature(f"s{number}", answer) for number, answer in enumerate(answers)]
    assert diagnose(snapshot(sample()), among).verdict == verdict


def test_what_was_lacking_is_said() -> None:
    diagnosis = diagnose(snapshot(sample()), [signature("s", Unknown((LACK,)))])
    assert ("s", LACK) in diagnosis.missing
    assert "witness" in [where for where, _ in diagnosis.missing]


def test_a_fingerprint_holds_code_and_no_address() -> None:
    """The same failure in another run has other addresses; another place in the code is another failure."""

    def print_of(address: int, line_of: int) -> str:
        listener = task(address, chain=[level(line_of, address=address * 7)])
        answer = Match((finding("a", Severity.HANG, tasks=(address,)),))
        looked = snapshot(sample(at=NOW, tasks=[listener]))
        return diagnose(looked, [signature("a", answer)]).findings[0].fingerprint

    assert print_of(LISTENER, 0) == print_of(777, 0)
    assert print_of(LISTENER, 0) != print_of(LISTENER, 1)


def test_each_signature_is_what_the_directory_says() -> None:
    for one in signatures():
        module = cast(SimpleNamespace, one)
        assert module.__name__.rpartition(".")[2].replace("_", "-") == one.ID
        assert isinstance(one.SEVERITY, Severity)
        assert one.TITLE


def test_causes_name_known_signatures() -> None:
    known = {one.ID for one in signatures()}
    assert set(CAUSES) | {effect for effects in CAUSES.values() for effect in effects} <= known
