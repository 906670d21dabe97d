"""A capture gives back what was seen; a damaged one gives a sentence."""

from __future__ import annotations

import io
import math
import os
import random
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from freeze_patients import LOOP, running
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from qqdiag import capture, codec
from qqdiag.errors import BadCapture
from qqdiag.model import FreeText, Hex, Missing, Name, Say, Seconds, Secret, Text, Word
from qqdiag.recording import Memory, Recording
from qqdiag.run import record
from qqdiag.snapshot import Gateway, Python, Snapshot
from qqdiag.target import live

Damage = Callable[[dict[str, bytes]], dict[str, bytes]]


@pytest.fixture(scope="module")
def recording() -> Recording:
    with running(LOOP, "20") as patient:
        return record(live(patient.pid), 0.1)


@pytest.fixture(scope="module")
def packed(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("capture") / "hang.qqd"
    capture.write(path, recording)
    return path.read_bytes()


def as_captured(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, origin=Word("capture"))


def opened(path: Path, data: bytes) -> Snapshot:
    path.write_bytes(data)
    return capture.open(path)


def rezipped(data: bytes, change: Damage) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = change({name: archive.read(name) for name in archive.namelist()})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def python_of(snapshot: Snapshot) -> Python:
    python = snapshot.samples[0].python
    assert isinstance(python, Python)
    return python


# --- there and back --------------------------------------------------------------------------------------------------


def test_round_trip(recording: Recording, packed: bytes, tmp_path: Path) -> None:
    back = opened(tmp_path / "hang.qqd", packed)
    for before, after in zip(recording.snapshot.samples, back.samples, strict=True):
        for section in before.__struct_fields__:
            assert getattr(after, section) == getattr(before, section), section
    assert back == as_captured(recording.snapshot)
    assert len(python_of(back).tasks) >= 20


def test_memory_is_decoded_and_not_the_stored_section(recording: Recording, packed: bytes, tmp_path: Path) -> None:
    """What the reader of today finds in the pages wins over what was written then."""

    def forget_tasks(entries: dict[str, bytes]) -> dict[str, bytes]:
        stored = codec.decode(entries["snapshot.msgpack"])
        samples = [
            replace(sample, python=replace(python_of(stored), tasks=[], loops=[], codes=[]))
            for sample in stored.samples
        ]
        return {**entries, "snapshot.msgpack": codec.encode(replace(stored, samples=samples))}

    back = opened(tmp_path / "hang.qqd", rezipped(packed, forget_tasks))
    assert python_of(back).tasks == python_of(recording.snapshot).tasks


def test_without_its_pages_the_stored_section_is_used_and_says_so(recording: Recording, tmp_path: Path) -> None:
    bare = recording._replace(memories=tuple(Memory({}, memory.regions) for memory in recording.memories))
    capture.write(tmp_path / "hang.qqd", bare)
    back = capture.open(tmp_path / "hang.qqd")
    assert python_of(back).tasks == python_of(recording.snapshot).tasks
    assert len(python_of(back).doubts) == len(python_of(recording.snapshot).doubts) + 1


def test_page_that_is_not_there_is_missing_and_no_guess(recording: Recording, tmp_path: Path) -> None:
    """With each page left out in turn, the answer is the same, less, or from the stored section; never an error."""
    whole = recording.memories[0]
    tasks = {task.address for task in python_of(recording.snapshot).tasks}
    chosen = random.Random(1).sample(sorted(whole.pages), 40)
    for left_out in chosen:
        pages = {address: page for address, page in whole.pages.items() if address != left_out}
        one = recording.snapshot.samples[:1]
        torn = Recording(replace(recording.snapshot, samples=one), (whole._replace(pages=pages),))
        capture.write(tmp_path / "torn.qqd", torn)
        python = python_of(capture.open(tmp_path / "torn.qqd"))
        assert {task.address for task in python.tasks} <= tasks


def test_missing_sections_stay_missing(recording: Recording, tmp_path: Path) -> None:
    why = Missing(Say("no right ({error})", error=Word("EACCES")), Say("sudo"))
    sample = replace(recording.snapshot.samples[0], python=why, gateway=why, process=why, sockets=why)
    snapshot = replace(recording.snapshot, samples=[sample], logs=why, monitor=why, witness=why)
    capture.write(tmp_path / "hang.qqd", Recording(snapshot, (Memory({}, ()),)))
    assert capture.open(tmp_path / "hang.qqd") == as_captured(snapshot)


def test_pages_are_stored_once(recording: Recording, packed: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        stored = archive.getinfo("pages.bin").file_size
    both = [page for memory in recording.memories for page in memory.pages.values()]
    assert stored == sum(map(len, set(both))) < sum(map(len, both))


def test_file_is_private(recording: Recording, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("untouched")
    path = tmp_path / "hang.qqd"
    path.symlink_to(tmp_path / "elsewhere")
    capture.write(path, recording)
    assert not path.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "elsewhere").read_text() == "untouched"
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "hang.qqd"]


# --- sentences and texts ---------------------------------------------------------------------------------------------


SENTENCES = [
    Say("nothing"),
    Say("{a} and {b}", a=Seconds(math.inf), b=Hex(2**64 - 1)),
    Say("{a}", a=Say("{inner} {flag}", inner=Secret("x"), flag=True)),
    Say("{a}{b}{c}", a=FreeText("half a pair \udc80"), b=1.5, c=-7),
]


@pytest.mark.parametrize("say", SENTENCES, ids=range(len(SENTENCES)))
def test_sentences(recording: Recording, say: Say) -> None:
    snapshot = replace(recording.snapshot, logs=Missing(say, say))
    back = codec.decode(codec.encode(snapshot))
    assert back == snapshot
    assert isinstance(back.logs, Missing)
    assert [type(value) for value in back.logs.reason.values.values()] == [type(value) for value in say.values.values()]


@pytest.mark.parametrize(
    "raw",
    [
        ["{a.__class__}", {"a": ["int", 1]}],
        ["{a[0]}", {"a": ["int", 1]}],
        ["{a}", {}],
        ["{", {}],
        ["{}", {}],
        ["nothing", {"a": ["int", 1]}],
        ["x" * 2_000, {}],
        ["{a}", {"a": ["Text", "x"]}],
        ["{a}", {"a": ["Missing", "x"]}],
        ["{a}", {"a": ["int", "x"]}],
        ["{a}", {"a": ["Seconds", None]}],
        ["{a}", {"a": 1}],
        [1, {}],
        "text",
        None,
    ],
)
def test_sentences_that_are_none(recording: Recording, raw: object) -> None:
    whole = msgspec.msgpack.decode(codec.encode(recording.snapshot))
    whole["logs"] = {"type": "missing", "reason": raw, "hint": ["fine", {}]}
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        codec.decode(msgspec.msgpack.encode(whole))


def test_sentence_without_end(recording: Recording) -> None:
    nested: object = ["end", {}]
    for _ in range(100):
        nested = ["{a}", {"a": ["Say", nested]}]
    test_sentences_that_are_none(recording, nested)


def test_texts_keep_their_class() -> None:
    for kind in (Word, Name, Secret, FreeText):
        text = codec._typed(kind, "x")
        assert (type(text), isinstance(text, Text), text.reveal()) == (kind, True, "x")


# --- damage ----------------------------------------------------------------------------------------------------------


def drop(name: str) -> Damage:
    return lambda entries: {key: value for key, value in entries.items() if key != name}


def put(name: str, content: bytes) -> Damage:
    return lambda entries: {**entries, name: content}


def manifest(**changes: object) -> Damage:
    def change(entries: dict[str, bytes]) -> dict[str, bytes]:
        return {
            **entries,
            "manifest.json": msgspec.json.encode(msgspec.json.decode(entries["manifest.json"]) | changes),
        }

    return change


DAMAGES: dict[str, Damage] = {
    **{
        f"without {name}": drop(name) for name in ("manifest.json", "snapshot.msgpack", "pages.bin", "sample-1.msgpack")
    },
    **{
        f"empty {name}": put(name, b"")
        for name in ("manifest.json", "snapshot.msgpack", "pages.bin", "sample-0.msgpack")
    },
    "another program": manifest(format="something"),
    "a later schema": manifest(schema=2),
    "a later snapshot": manifest(snapshot_schema=99),
    "no samples": manifest(samples=0),
    "more samples": manifest(samples=7),
    "page size 0": manifest(page_size=0),
    "page size 3": manifest(page_size=3),
    "page size -4096": manifest(page_size=-4096),
    "large page size": manifest(page_size=1 << 40),
    "many entries": lambda entries: entries | {str(number): b"" for number in range(100)},
    "nested without end": put("snapshot.msgpack", b"\x91" * 100_000),
    "hostile addresses": put(
        "sample-0.msgpack", msgspec.msgpack.encode({"regions": [], "pages": {-1: 0, 2**63: 0, 4096: 1 << 60}})
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged(packed: bytes, tmp_path: Path, name: str) -> None:
    with pytest.raises(BadCapture):
        opened(tmp_path / "bad.qqd", rezipped(packed, DAMAGES[name]))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), os.urandom(10_000)])
def test_foreign(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadCapture):
        opened(tmp_path / "bad.qqd", data)


def test_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bytes) -> None:
    monkeypatch.setattr(capture, "OTHER_ENTRY_MAX", 1 << 20)
    with pytest.raises(BadCapture):
        opened(tmp_path / "bad.qqd", rezipped(packed, put("snapshot.msgpack", bytes(2 << 20))))
    monkeypatch.setattr(capture, "ARCHIVE_MAX", 1 << 10)
    with pytest.raises(BadCapture):
        opened(tmp_path / "bad.qqd", packed)


def test_entry_that_lies_about_its_length(tmp_path: Path, packed: bytes) -> None:
    bomb = rezipped(packed, put("snapshot.msgpack", bytes(1 << 20)))
    real, said = (1 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little")
    with pytest.raises(BadCapture):
        opened(tmp_path / "bad.qqd", bomb.replace(real, said))


def test_unreadable_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(BadCapture):
            capture.open(path)


@pytest.fixture(scope="module")
def short(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A capture of one sample whose memory is not there, so that opening it is quick."""
    one = replace(recording.snapshot, samples=recording.snapshot.samples[:1])
    path = tmp_path_factory.mktemp("capture") / "short.qqd"
    capture.write(path, Recording(one, (Memory({}, ()),)))
    return path.read_bytes()


def damaged(content: bytes, chance: random.Random, most: int) -> bytes:
    """With up to `most` bytes changed."""
    torn = bytearray(content)
    for _ in range(chance.randint(1, most) if torn else 0):
        torn[chance.randrange(len(torn))] = chance.randrange(256)
    return bytes(torn)


@settings(deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_any_damage_is_a_sentence(short: bytes, tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    chance = random.Random(seed)
    torn = damaged(short[: chance.choice([len(short), chance.randrange(len(short))])], chance, 4)
    with suppress(BadCapture):
        assert isinstance(opened(tmp_path_factory.getbasetemp() / "torn.qqd", torn), Snapshot)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 1 << 32))
def test_any_damage_inside_is_a_sentence(packed: bytes, tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """With checksums that fit: what is wrong is the content, the memory of the target included."""
    chance = random.Random(seed)

    def flip(entries: dict[str, bytes]) -> dict[str, bytes]:
        name = chance.choice(sorted(entries))
        return {**entries, name: damaged(entries[name], chance, 10_000 if name == "pages.bin" else 20)}

    with suppress(BadCapture):
        found = opened(tmp_path_factory.getbasetemp() / "flipped.qqd", rezipped(packed, flip))
        assert isinstance(found.samples[0].gateway, Gateway | Missing)
