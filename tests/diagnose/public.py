"""That the public form of a diagnosis says what the operator's own says: verdict, evidence, numbers, in every case."""

from __future__ import annotations

import re
from typing import Any

from qqdiag.finding import Diagnosis
from qqdiag.redact import redact
from qqdiag.render.jsonout import plain
from qqdiag.snapshot import Snapshot

EQUAL = ("id", "severity", "confidence", "tasks", "sockets", "consequence_of", "fingerprint")
# What may stand in the place of a value: a pseudonym, the end of a path of code.
MASKED = re.compile(
    r"(<[^<>]{1,40}>|\b(?:lan|pub|cgnat|fakeip|linklocal|multicast)-\d+\b|\bany\b)|([\w.+-]+(?:/[\w.+-]+)*\.py)"
)


def assert_public_says_as_much(snapshot: Snapshot, diagnosis: Diagnosis) -> None:
    """Each sentence is the same but for what is masked in it; each number is the same."""
    public, raw = (findings(snapshot, diagnosis, raw) for raw in (False, True))
    assert len(public) == len(raw) == len(diagnosis.findings)
    for shown, known in zip(public, raw, strict=True):
        assert {key: shown[key] for key in EQUAL} == {key: known[key] for key in EQUAL}
        pairs = [(shown["summary"], known["summary"]), (shown["because"], known["because"])]
        for part, text in (("evidence", "text"), ("ruled_out", "reason"), ("alternatives", "decides")):
            assert len(shown[part]) == len(known[part])
            pairs += [(one[text], other[text]) for one, other in zip(shown[part], known[part], strict=True)]
        for one, other in zip(shown["evidence"], known["evidence"], strict=True):
            assert (one["section"], one["unit"]) == (other["section"], other["unit"])
            assert one["value"] == other["value"] or isinstance(one["value"], str)
        assert [pair for pair in pairs if not same(*pair)] == []


def same(public: str, raw: str) -> bool:
    pattern, last = "", 0
    for found in MASKED.finditer(public):
        pattern += re.escape(public[last : found.start()])
        pattern += ".{1,4000}?" if found[1] else rf".{{0,4000}}?{re.escape(found[2])}"
        last = found.end()
    return re.fullmatch(pattern + re.escape(public[last:]), raw) is not None


def findings(snapshot: Snapshot, diagnosis: Diagnosis, raw: bool) -> list[dict[str, Any]]:
    document: Any = plain(redact(snapshot, diagnosis, raw).document)
    found: list[dict[str, Any]] = document["findings"]
    return found
