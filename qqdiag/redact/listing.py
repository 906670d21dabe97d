"""The list of known failures, public by nature: ids and titles are our own."""

from __future__ import annotations

from collections.abc import Iterable

from qqdiag.finding import Signature
from qqdiag.redact.shown import Shown, show


def listing(signatures: Iterable[Signature]) -> list[dict[str, Shown]]:
    """`id`, `severity` and `title` of each."""
    return [
        {"id": show(signature.ID), "severity": show(signature.SEVERITY), "title": show(signature.TITLE)}
        for signature in signatures
    ]
