"""The only maker of public values: `redact(snapshot, diagnosis) -> Redacted`, which is all that a renderer takes."""

from __future__ import annotations

from typing import Final, final

from qqdiag.finding import Diagnosis
from qqdiag.model import Say
from qqdiag.redact.document import SCHEMA_VERSION, document
from qqdiag.redact.publisher import Public, Publisher
from qqdiag.redact.shown import Shown, text_of
from qqdiag.report import build
from qqdiag.report.document import Report, convert
from qqdiag.snapshot import Snapshot

__all__ = ["SCHEMA_VERSION", "Public", "Redacted", "Shown", "redact", "sentence", "text_of"]

_TOKEN: Final = object()


@final
class Redacted:
    """A report and a JSON document made of public values alone; `raw` says that the operator asked for all of it."""

    __slots__ = ("document", "masked", "raw", "report")

    def __init__(
        self,
        report: Report[Shown],
        document: dict[str, Public],
        masked: dict[str, int],
        raw: bool,
        token: object = None,
    ) -> None:
        if token is not _TOKEN:
            raise TypeError("only redact makes a Redacted")
        self.report = report
        self.document = document
        self.masked = masked
        self.raw = raw


def redact(
    snapshot: Snapshot, diagnosis: Diagnosis, raw: bool = False, *, blank: bool = False, facts: bool = True
) -> Redacted:
    """Every value by its type. Without `facts` the JSON document is left empty, which is faster."""
    publisher = Publisher(raw=raw, blank=blank)
    report = convert(build(snapshot, diagnosis), publisher.cell)
    masked = dict(publisher.names.masked)  # in the report, which says so: the document holds more
    tree = document(snapshot, diagnosis, publisher) if facts else {}
    return Redacted(report, tree, masked, raw, _TOKEN)


def sentence(say: Say, raw: bool = False) -> Shown:
    """A single sentence in public form: an error, a hint."""
    return Publisher(raw=raw).say(say)
