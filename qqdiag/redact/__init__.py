"""The only maker of public values: `redact(snapshot, diagnosis) -> Redacted`, which is all that a renderer takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, final

from msgspec import structs

from qqdiag.finding import Diagnosis
from qqdiag.model import Say, Text
from qqdiag.redact.document import SCHEMA_VERSION, document
from qqdiag.redact.leave_out import without
from qqdiag.redact.masked_code import MaskedCode
from qqdiag.redact.privacy import RULE, Privacy
from qqdiag.redact.private_values import Private
from qqdiag.redact.publisher import Public, Publisher
from qqdiag.redact.shown import Shown, show, text_of
from qqdiag.report import build
from qqdiag.report.document import Cell, Report, convert
from qqdiag.snapshot import LogLine, Logs, Snapshot

__all__ = ["RULE", "SCHEMA_VERSION", "Privacy", "Public", "Redacted", "Shown", "redact", "sentence", "text_of"]

_TOKEN: Final = object()


@final
class Redacted:
    """A report and a JSON document made of public values alone; `raw` says that the operator asked for all of it.

    `masked`: how many values of each class stand there under another name. `searched`: how many private values the
    self-check looks for. `dropped`: the sections that were left out. `log_text`: whether log lines are shown.
    """

    __slots__ = ("document", "dropped", "log_text", "masked", "raw", "report", "searched")

    def __init__(
        self,
        report: Report[Shown],
        document: dict[str, Public],
        masked: dict[str, int],
        raw: bool,
        privacy: Privacy = RULE,
        searched: int = 0,
        token: object = None,
    ) -> None:
        if token is not _TOKEN:
            raise TypeError("only redact makes a Redacted")
        self.report = report
        self.document = document
        self.masked = masked
        self.raw = raw
        self.dropped = tuple(show(section) for section in privacy.drop)
        self.log_text = privacy.log_text
        self.searched = searched


def redact(
    snapshot: Snapshot,
    diagnosis: Diagnosis,
    raw: bool = False,
    *,
    blank: bool = False,
    facts: bool = True,
    privacy: Privacy = RULE,
    known: Sequence[Private] = (),
) -> Redacted:
    """Every value by its type. Without `facts` the JSON document is left empty, which is faster.

    `known`: the private values that the self-check will look for; the page says how many.
    """
    mask = MaskedCode(snapshot) if privacy.mask_code else None
    publisher = Publisher(raw=raw, blank=blank, key=privacy.key, mask=mask)
    if privacy.log_text and not raw:
        publisher.show_logs(log_texts(snapshot), known)
        snapshot = _as_written(snapshot)
    for section in privacy.drop:
        snapshot, diagnosis = without(section, snapshot, diagnosis)
    report = convert(_but(build(snapshot, diagnosis), privacy.drop), publisher.cell)
    masked = dict(publisher.names.masked)  # in the report, which says so: the document holds more
    tree = document(snapshot, diagnosis, publisher, privacy.drop) if facts else {}
    return Redacted(report, tree, masked, raw, privacy, len(known), _TOKEN)


def log_texts(snapshot: Snapshot) -> frozenset[Text]:
    """The log lines as they were written."""
    files = snapshot.logs.files if isinstance(snapshot.logs, Logs) else []
    return frozenset(line.text for file in files for line in file.last)


def _as_written(snapshot: Snapshot) -> Snapshot:
    """Log lines whose template says less than their text come as text."""

    def bare(line: LogLine) -> LogLine:
        said = all(one.id is None for one in line.arguments)
        return line if said else structs.replace(line, template=None, arguments=[])

    if not isinstance(snapshot.logs, Logs):
        return snapshot
    files = [structs.replace(file, last=[bare(line) for line in file.last]) for file in snapshot.logs.files]
    return structs.replace(snapshot, logs=structs.replace(snapshot.logs, files=files))


def _but(report: Report[Cell], drop: tuple[str, ...]) -> Report[Cell]:
    return replace(report, sections=tuple(section for section in report.sections if section.id not in drop))


def sentence(say: Say, raw: bool = False) -> Shown:
    """A single sentence in public form: an error, a hint."""
    return Publisher(raw=raw).say(say)
