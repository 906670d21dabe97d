"""Whether a layout fits the build that the target runs: checked before anything is believed of it.

A size or a pointer that differs is either explained by the target's own objects (calibration.py), or the build is
refused with the numbers found.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from qqdiag.cpython import calibration, states
from qqdiag.cpython.layout import Layout
from qqdiag.cpython.objects import Objects
from qqdiag.cpython.typeinfo import Names, TypeInfo
from qqdiag.errors import NotReadable
from qqdiag.memory.source import MemorySource, Unreadable
from qqdiag.model import Say, Word

GENERATORS = ("PyCoro_Type", "PyAsyncGen_Type")
WEAK_SETS = ("_all_tasks", "_scheduled_tasks")
MAX_TASKS = 1_000  # that are asked where a field lies
TRIES = 3  # a target that moves may contradict itself
NEXT_HEADER = 24  # where a type's own type stands if each object begins with 16 bytes more (Include/object.h)
UNPATCHED = Say("Start the gateway with an unpatched release build of CPython (no --with-trace-refs).")


def fitted(memory: MemorySource, layout: Layout, symbols: Mapping[str, int], interpreter: int, names: Names) -> Layout:
    """`layout`, or one that was calibrated; NotReadable where none is certain. Raises Unreadable.

    `interpreter`: the address of the main interpreter, 0 where there is none yet; `names`: see unnamed.py.
    """
    sizes = _other_sizes(memory, layout, symbols)
    found = Objects(memory, layout, names=dict(names))
    if interpreter:
        found = Objects(memory, states.fitted(found, interpreter), names=dict(names))
    namespace = _asyncio(found, interpreter)
    layout = _of_tasks(found, namespace)
    if sizes:
        layout = _of_coroutines(Objects(memory, layout, names=dict(names)), namespace, sizes)
    return layout


def mismatch(name: Word, found: int, expected: int) -> NotReadable:
    """The refusal of a type whose objects have another size."""
    return NotReadable(
        Say(
            "This build of CPython has another layout: {name} has {found} bytes where {expected} were expected.",
            name=name,
            found=found,
            expected=expected,
        ),
        UNPATCHED,
    )


def _other_sizes(memory: MemorySource, layout: Layout, symbols: Mapping[str, int]) -> dict[str, int]:
    """By name: the size of the types of coroutines, where it is another one. Refused is any other such type."""
    _check_header(memory, layout, symbols)
    others: dict[str, int] = {}
    for name, expected in layout.fingerprint.items():
        if name not in symbols:
            continue
        found = _word(memory, symbols[name] + layout.type_basicsize)
        if found != expected and name not in GENERATORS:
            raise mismatch(Word(name), found, expected)
        if found != expected:
            others[name] = found
    return others


def _check_header(memory: MemorySource, layout: Layout, symbols: Mapping[str, int]) -> None:
    """`type` is its own type: where that stands says how long the header of each object is."""
    address = symbols.get("PyType_Type")
    if address is None or _word(memory, address + layout.object_type) == address:
        return
    if _word(memory, address + NEXT_HEADER) == address:
        raise NotReadable(
            Say(
                "Each object of this build of CPython begins with {found} bytes where {expected} were expected.",
                found=NEXT_HEADER + 8,
                expected=layout.object_type + 8,
            ),
            UNPATCHED,
        )


# --- tasks -----------------------------------------------------------------------------------------------------------


def _of_tasks(objects: Objects, namespace: dict[str, int]) -> Layout:
    """The layout for the sizes that `_asyncio.Task` and `_asyncio.Future` have."""
    layout = objects.layout
    types = _c_types(objects, namespace.get("Task"))
    sizes = {name: types[name].basicsize for name in layout.fingerprint_asyncio if name in types}
    gaps = {name: size - layout.fingerprint_asyncio[name] for name, size in sizes.items()}
    if len(gaps) < len(layout.fingerprint_asyncio) or not any(gaps.values()):
        return layout
    for _ in range(TRIES):
        calibrated = _task_fields(objects, types["Task"], gaps, _tasks(objects, namespace))
        if calibrated is not None:
            return dataclasses.replace(calibrated, calibrated=True, fingerprint_asyncio=sizes)
    raise mismatch(Word("_asyncio.Task"), sizes["Task"], layout.fingerprint_asyncio["Task"])


def _task_fields(objects: Objects, task: TypeInfo, gaps: dict[str, int], found: list[int]) -> Layout | None:
    """The fields of a future lie before its dict, those of a task behind the whole of a future."""
    layout, gap, of_future = objects.layout, gaps["Task"], gaps["Future"]
    if layout.future_awaited_by is not None or of_future not in (0, gap):
        return None
    fields = [field for field in (*calibration.FUTURE, *calibration.TASK) if getattr(layout, field[0][0]) is not None]
    own = len(calibration.FUTURE)
    place = layout.future_state + 16  # of the dict, behind the state and two flags (CPython 3.9 to 3.12)
    if not of_future:
        limits = own, len(fields)
    elif task.dictoffset == place:
        limits = own, own
    else:
        limits = 0, own - 1 if task.dictoffset == place + gap else own
    return calibration.fit(objects, fields, found, gap, limits)


def _c_types(objects: Objects, task: int | None) -> dict[str, TypeInfo]:
    """C's classes of tasks and futures, by name: bases of the one that the module has, or that one."""
    found = [objects.type_at(each) for each in objects.type_at(task).ancestors] if task else []
    return {info.name: info for info in found if info.module == "_asyncio"}


def _asyncio(objects: Objects, interpreter: int) -> dict[str, int]:
    """Some globals of asyncio.tasks; empty where it was not imported."""
    modules = objects.read_word(interpreter + objects.layout.interpreter_modules) if interpreter else 0
    module = objects.lookup(modules, "asyncio.tasks") if modules else None
    if module is None:
        return {}
    return objects.select(objects.read_word(module + objects.layout.module_dict), ("Task", *WEAK_SETS))


def _tasks(objects: Objects, namespace: dict[str, int]) -> list[int]:
    """Some living tasks of C's class."""
    found: list[int] = []
    for name in WEAK_SETS:
        data = objects.attribute(namespace[name], "data") if name in namespace else None
        for reference in objects.items(data, MAX_TASKS) if data else []:
            try:
                task = objects.referent(reference)
                if task is not None and "_asyncio.Task" in objects.type_of(task).bases:
                    found.append(task)
            except Unreadable:
                continue
    return found


# --- coroutines ------------------------------------------------------------------------------------------------------


def _of_coroutines(objects: Objects, namespace: dict[str, int], sizes: dict[str, int]) -> Layout:
    """The layout for coroutines that are larger by one field. Their frame, which is their end, has its size: that of a
    frame object was as expected."""
    layout = objects.layout
    gaps = {size - layout.fingerprint[name] for name, size in sizes.items()}
    if layout.coroutine_state is not None and len(gaps) == 1 and len(sizes) == len(GENERATORS):
        for _ in range(TRIES):
            found, last = _coroutines(objects, namespace), len(calibration.COROUTINE) - 1
            calibrated = calibration.fit(objects, calibration.COROUTINE, found, min(gaps), (0, last))
            if calibrated is not None:
                return dataclasses.replace(calibrated, calibrated=True, fingerprint={**layout.fingerprint, **sizes})
    name = next(iter(sizes))
    raise mismatch(Word(name), sizes[name], layout.fingerprint[name])


def _coroutines(objects: Objects, namespace: dict[str, int]) -> list[int]:
    """Those of tasks that are not done."""
    found: list[int] = []
    for task in _tasks(objects, namespace):
        try:
            done = objects.read_int(task + objects.layout.future_state)
            coroutine = objects.read_word(task + objects.layout.task_coroutine)
            if not done and coroutine and objects.type_of(coroutine).dotted == "builtins.coroutine":
                found.append(coroutine)
        except Unreadable:
            continue
    return found


def _word(memory: MemorySource, address: int) -> int:
    return int.from_bytes(memory.read(address, 8), "little")
