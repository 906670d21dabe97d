"""`--drop SECTION`: what a section shows is taken out of the facts, so that no format has it by another way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from qqdiag.finding import Diagnosis, Finding
from qqdiag.model import CodePath, Missing, Name, Say
from qqdiag.snapshot import Code, Monitor, Process, Python, Sample, Snapshot

LEFT_OUT = Missing(Say("left out with --drop"), Say("without --drop it is there"))
_NO_CODE = Code(qualname=Name("?"), name=Name("?"), path=CodePath("<unknown>"), first_line=0)

Facts = tuple[Snapshot, Diagnosis]


def without(section: str, snapshot: Snapshot, diagnosis: Diagnosis) -> Facts:
    """The same facts without those that the section shows. KeyError for what is no section."""
    return SECTIONS[section](snapshot, diagnosis)


def _evidence(snapshot: Snapshot, diagnosis: Diagnosis) -> Facts:
    """Of a finding its id, severity and confidence stay."""
    return snapshot, replace(diagnosis, findings=tuple(_bare(finding) for finding in diagnosis.findings))


def _bare(finding: Finding) -> Finding:
    said = LEFT_OUT.reason
    return replace(finding, because=said, summary=said, evidence=(), ruled_out=(), alternatives=())


def _tasks(snapshot: Snapshot, diagnosis: Diagnosis) -> Facts:
    monitor = snapshot.monitor
    if isinstance(monitor, Monitor):
        monitor = msgspec.structs.replace(monitor, tasks=[])
    snapshot = _heap(snapshot, diagnosis)[0]
    bare: dict[str, Any] = {"tasks": [], "loops": [], "locks": [], "unreachable": None, "locals": None, "doubts": []}
    return _of_python(msgspec.structs.replace(snapshot, monitor=monitor), bare), diagnosis


def _locks(snapshot: Snapshot, diagnosis: Diagnosis) -> Facts:
    return _of_python(snapshot, {"locks": []}), diagnosis


def _threads(snapshot: Snapshot, diagnosis: Diagnosis) -> Facts:
    snapshot = _of_python(snapshot, {"threads": []})
    return msgspec.structs.replace(_of_process(snapshot, {"threads": []}), witness=LEFT_OUT), diagnosis


def _heap(snapshot: Snapshot, diagnosis: Diagnosis) -> Facts:
    return msgspec.structs.replace(snapshot, deep=LEFT_OUT if snapshot.deep else None), diagnosis


def _timeline(snapshot: Snapshot, diagnosis: Diagnosis) -> Facts:
    return msgspec.structs.replace(snapshot, logs=LEFT_OUT if snapshot.logs else None), diagnosis


def _configuration(snapshot: Snapshot, diagnosis: Diagnosis) -> Facts:
    return msgspec.structs.replace(snapshot, settings=LEFT_OUT if snapshot.settings else None), diagnosis


def _part(name: str) -> Callable[[Snapshot, Diagnosis], Facts]:
    def left_out(snapshot: Snapshot, diagnosis: Diagnosis) -> Facts:
        return _each(snapshot, lambda sample: msgspec.structs.replace(sample, **{name: LEFT_OUT})), diagnosis

    return left_out


def _checked(snapshot: Snapshot, diagnosis: Diagnosis) -> Facts:
    return snapshot, replace(diagnosis, clear=())


def _missing(snapshot: Snapshot, diagnosis: Diagnosis) -> Facts:
    """That something is missing stays; why does not."""
    changed = _without_reasons(snapshot)
    assert isinstance(changed, Snapshot)
    return changed, replace(diagnosis, missing=tuple((section, LEFT_OUT) for section, _ in diagnosis.missing))


def _without_reasons(value: object) -> object:
    if isinstance(value, Missing):
        return LEFT_OUT
    if isinstance(value, list):
        return [_without_reasons(item) for item in value]
    if isinstance(value, msgspec.Struct):
        inner = {name: getattr(value, name) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **{name: _without_reasons(one) for name, one in inner.items()})
    return value


def _each(snapshot: Snapshot, change: Callable[[Sample], Sample]) -> Snapshot:
    return msgspec.structs.replace(snapshot, samples=[change(sample) for sample in snapshot.samples])


def _of_process(snapshot: Snapshot, changes: dict[str, Any]) -> Snapshot:
    def change(sample: Sample) -> Sample:
        if not isinstance(sample.process, Process):
            return sample
        return msgspec.structs.replace(sample, process=msgspec.structs.replace(sample.process, **changes))

    return _each(snapshot, change)


def _of_python(snapshot: Snapshot, changes: dict[str, Any]) -> Snapshot:
    """Code that nothing refers to any more goes too; indexes stay as they are."""

    def change(sample: Sample) -> Sample:
        if not isinstance(sample.python, Python):
            return sample
        python = msgspec.structs.replace(sample.python, **changes)
        used = {frame.code for thread in python.threads for frame in thread.frames}
        used |= {level.code for task in python.tasks for level in task.chain if level.code is not None}
        codes = [code if index in used else _NO_CODE for index, code in enumerate(python.codes)]
        return msgspec.structs.replace(sample, python=msgspec.structs.replace(python, codes=codes))

    return _each(snapshot, change)


SECTIONS: dict[str, Callable[[Snapshot, Diagnosis], Facts]] = {
    "evidence": _evidence,
    "timeline": _timeline,
    "tasks": _tasks,
    "heap": _heap,
    "locks": _locks,
    "sockets": _part("sockets"),
    "threads": _threads,
    "gateway": _part("gateway"),
    "configuration": _configuration,
    "process": _part("process"),
    "checked": _checked,
    "missing": _missing,
}
