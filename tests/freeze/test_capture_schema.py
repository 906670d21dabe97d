"""A capture of an older qqdiag opens, and one of a newer schema is refused with what to type.

What was added to a snapshot since schema 1 has a default, so the older form of a capture is the present one without it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from qqdiag import capture, codec, snapshot
from qqdiag.diagnose import diagnose
from qqdiag.errors import BadCapture
from qqdiag.lab.start import start
from qqdiag.publish import page
from qqdiag.recording import Memory, Recording
from qqdiag.run import record
from qqdiag.snapshot import Snapshot
from qqdiag.target import live

FIRST = Path(__file__).parent / "schema_1.json"  # the fields that schema 1 cannot be without, by struct
Field = tuple[str, str]


def structs() -> dict[str, type[msgspec.Struct]]:
    found = {name: kind for name, kind in vars(snapshot).items() if isinstance(kind, type)}
    return {name: kind for name, kind in found.items() if issubclass(kind, msgspec.Struct)}


def required(kind: type[msgspec.Struct]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(kind) if field.required}


def test_what_is_added_has_a_default() -> None:
    """A field without one keeps every older capture from being opened: then raise Snapshot.SCHEMA, and read both."""
    first: dict[str, list[str]] = json.loads(FIRST.read_text())
    now = structs()
    added = {name: required(now[name]) - set(fields) for name, fields in first.items() if name in now}
    assert Snapshot.SCHEMA == 1
    assert {name: fields for name, fields in added.items() if fields} == {}


@pytest.fixture(scope="module")
def recording() -> Recording:
    with start("dead-listener") as gateway:
        return record(live(gateway.pid), 0.1, deep=True)


def optional_fields(value: object) -> Iterator[Field]:
    """Those with a default, of every struct in it."""
    if isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(value):
            if not field.required:
                yield type(value).__name__, field.name
            yield from optional_fields(getattr(value, field.name))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from optional_fields(part)


def without(value: object, raw: Any, gone: set[Field]) -> None:
    """Take the fields out of the encoded form of `value`."""
    if isinstance(value, msgspec.Struct) and isinstance(raw, dict):
        for field in msgspec.structs.fields(value):
            if (type(value).__name__, field.name) in gone:
                raw.pop(field.name, None)
            elif field.name in raw:
                without(getattr(value, field.name), raw[field.name], gone)
    elif isinstance(value, list | tuple):
        for part, encoded in zip(value, raw, strict=True):
            without(part, encoded, gone)


def older(whole: Snapshot, gone: set[Field]) -> bytes:
    raw = msgspec.msgpack.decode(codec.encode(whole))
    without(whole, raw, gone)
    return msgspec.msgpack.encode(raw)


def test_each_field_that_may_be_absent(recording: Recording) -> None:
    """Without it, the rest is what it was."""
    whole = replace(recording.snapshot, samples=recording.snapshot.samples[:1])
    fields = set(optional_fields(whole))
    for field in sorted(fields):
        back = codec.decode(older(whole, {field}))
        assert bare(back, {field}) == bare(whole, {field})
    assert {name for name, _ in fields} >= {"Gateway", "Process", "Python", "Task", "Snapshot", "Deep"}


def bare(whole: Snapshot, gone: set[Field]) -> object:
    return msgspec.msgpack.decode(older(whole, gone))


def changed(path: Path, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Path:
    """The archive with other entries."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        entries = change({name: archive.read(name) for name in archive.namelist()})
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("pages", [True, False])
def test_none_of_them(recording: Recording, tmp_path: Path, pages: bool) -> None:
    """The oldest form there can be, with the memory and without: a page is made of it."""
    whole = recording.snapshot
    bared = set(optional_fields(whole)) - {("Snapshot", "schema")}
    memories = recording.memories if pages else tuple(Memory({}, ()) for _ in recording.memories)
    capture.write(tmp_path / "old.qqd", recording._replace(memories=memories))
    old = {"snapshot.msgpack": older(whole, bared)}
    back = capture.open(changed(tmp_path / "old.qqd", lambda entries: entries | old))
    assert page(back, diagnose(back), "text")
    for before, after in zip(whole.samples, back.samples, strict=True):
        assert isinstance(after.python, snapshot.Python)
        assert isinstance(before.python, snapshot.Python)
        if pages:
            assert after.python.tasks == before.python.tasks


def manifest(entries: dict[str, bytes], **changes: object) -> dict[str, bytes]:
    return entries | {"manifest.json": json.dumps(json.loads(entries["manifest.json"]) | changes).encode()}


@pytest.mark.parametrize("name", ["schema", "snapshot_schema"])
def test_a_newer_schema(recording: Recording, tmp_path: Path, name: str) -> None:
    capture.write(tmp_path / "new.qqd", recording)
    with pytest.raises(BadCapture) as caught:
        capture.open(changed(tmp_path / "new.qqd", lambda entries: manifest(entries, **{name: 2})))
    assert caught.value.message.template == "a newer qqdiag wrote the capture, with schema {schema}"
    assert caught.value.hint.template == "pip install --upgrade qqdiag"


def test_what_a_newer_one_adds_within_the_schema(recording: Recording, tmp_path: Path) -> None:
    """Entries and fields that are not known here are passed over."""
    capture.write(tmp_path / "new.qqd", recording)

    def more(entries: dict[str, bytes]) -> dict[str, bytes]:
        raw = msgspec.msgpack.decode(entries["snapshot.msgpack"])
        raw["not_known"] = raw["samples"][0]["not_known"] = 1
        found = {"snapshot.msgpack": msgspec.msgpack.encode(raw), "not-known.bin": b"1"}
        return manifest(entries, not_known=1) | found

    same = capture.open(tmp_path / "new.qqd")
    assert capture.open(changed(tmp_path / "new.qqd", more)) == same
