"""What a CPython of 3.13 and later publishes of itself: `_Py_DebugOffsets`, and since 3.14 `.AsyncioDebug`."""

from __future__ import annotations

import struct
from collections.abc import Callable

import interpreters
import pytest
from edited import Edited, sentence
from patients import Patient

from qqdiag.cpython import asyncio_offsets, debug_offsets, layouts
from qqdiag.cpython.layout import Layout
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.errors import NotReadable
from qqdiag.memory.live import LiveMemory

Zoos = Callable[..., Patient]
OF_ASYNCIO = [*asyncio_offsets.TASK, *asyncio_offsets.INTERPRETER, *asyncio_offsets.THREAD]


def zoo_on(name: str, zoos: Zoos) -> Patient:
    found = interpreters.find(name)
    if found is None:
        pytest.skip(interpreters.CURE[name])
    return zoos(found.path)


@pytest.fixture(params=["3.13", "3.14", "3.15"])
def published(request: pytest.FixtureRequest, zoos: Zoos) -> Patient:
    return zoo_on(request.param, zoos)


@pytest.fixture(params=["3.14", "3.15"])
def with_table(request: pytest.FixtureRequest, zoos: Zoos) -> Patient:
    """A target whose `_asyncio` publishes offsets: Debian's 3.14 in a file of its own, 3.15 in the interpreter's."""
    return zoo_on(request.param, zoos)


def measured(patient: Patient) -> Layout:
    layout = layouts.layout((patient.truth["version"][0], patient.truth["version"][1]))
    assert layout is not None
    return layout


def fields(patient: Patient) -> list[str | None]:
    return list(debug_offsets.TABLES[measured(patient).version])


def test_free_threaded_build(published: Patient) -> None:
    with Edited(published.pid) as memory:
        memory.edits[attach(memory).address + 16] = struct.pack("<Q", 1)
        with pytest.raises(NotReadable) as caught:
            attach(memory)
    assert sentence(caught.value) == "This is a free-threaded build of CPython, whose objects have another shape."
    version = measured(published).version
    assert (caught.value.hint.values["major"], caught.value.hint.values["minor"]) == version


def test_equal_to_the_measured_ones(published: Patient) -> None:
    with LiveMemory(published.pid) as memory:
        layout = attach(memory).layout
    names = [name for name in [*fields(published), *OF_ASYNCIO] if name is not None]
    assert len(names) > 30
    expected = {name: getattr(measured(published), name) for name in names}
    assert {name: getattr(layout, name) for name in names} == expected


@pytest.mark.parametrize("value", [2**63, 1 << 20, 13])
def test_untrusted(published: Patient, value: int) -> None:
    """No field may be out of bounds or misaligned, whichever it is."""
    with Edited(published.pid) as memory:
        address = attach(memory).address
        for index, name in enumerate(fields(published)):
            if name is None or (name in debug_offsets.BYTE_FIELDS and value == 13):
                continue
            memory.edits = {address + debug_offsets.HEADER + 8 * index: struct.pack("<Q", value)}
            with pytest.raises(NotReadable):
                attach(memory)


def test_table_of_another_shape(published: Patient) -> None:
    """One field more than there is, as a later version may have it: every number is plausible, and none is believed."""
    with Edited(published.pid) as memory:
        address = attach(memory).address + debug_offsets.HEADER
        table = memory.read(address, 8 * len(fields(published)))
        memory.edits = {address + 8 * 30: table[8 * 29 : -8]}
        with pytest.raises(NotReadable) as caught:
            attach(memory)
    assert "has other objects" in sentence(caught.value) or "cannot be" in sentence(caught.value)


def test_damaged_cookie(published: Patient) -> None:
    with Edited(published.pid) as memory:
        memory.edits[attach(memory).address] = b"nonsense"
        with pytest.raises(NotReadable) as caught:
            attach(memory)
    assert "damaged" in sentence(caught.value)


def table_of(memory: LiveMemory, layout: Layout) -> int:
    """The address of `.AsyncioDebug`, found without the reader: the sizes and offsets of a task in a row."""
    wanted = struct.pack(
        "<7Q",
        168,
        *(getattr(layout, name or "") for name in ("task_name", "future_awaited_by")),
        108,
        *(getattr(layout, name) for name in ("future_awaited_by_is_set", "task_coroutine", "task_node")),
    )
    found = [
        region.start + at
        for region in memory.regions()
        if region.readable
        and region.path
        and not region.path.startswith("[")
        and (at := memory.read(region.start, region.end - region.start).find(wanted)) >= 0
    ]
    assert len(found) >= 1
    return found[0]


def test_asyncio_is_believed(with_table: Patient) -> None:
    """Another number in the table is another number in the layout: it is read from the target."""
    with Edited(with_table.pid) as memory:
        before = attach(memory).layout
        memory.edits[table_of(memory, before) + 8] = struct.pack("<Q", 144)
        assert attach(memory).layout.task_name == 144 != before.task_name


@pytest.mark.parametrize("value", [2**63, 1 << 20, 8, 13])
def test_asyncio_is_untrusted(with_table: Patient, value: int) -> None:
    """A table with an offset out of bounds or misaligned is none: the measured numbers stay, and all tasks."""
    with Edited(with_table.pid) as memory:
        layout = attach(memory).layout
        address = table_of(memory, layout)
        for index in (1, 2, 5, 6, 8, 10, 11, 12):
            memory.edits = {address + 8 * index: struct.pack("<Q", value)}
            assert attach(memory).layout == layout
        assert len(read_python(attach(memory), 0.0).tasks) > 50
