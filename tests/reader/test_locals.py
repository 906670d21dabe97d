"""Locals of suspended frames and the attributes of `self`: as the process itself says of them, and within bounds."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cores
import patients
import pytest
from harmed import HARMS, Harmed, Recorded, Recorder, copied, within
from interpreters import Interpreter
from patients import Patient

from qqdiag.collect import core
from qqdiag.collect.tasks import walk
from qqdiag.cpython import variables
from qqdiag.cpython.known import Known
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.errors import NotReadable
from qqdiag.memory.live import PAGE, LiveMemory
from qqdiag.redact.publisher import Publisher
from qqdiag.snapshot import FrameLocals, Locals, Python, Variable

SECRET = "tok-1f9c3a7b5d2e"
QQDIAG = [sys.executable, "-m", "qqdiag"]
Start = Callable[[Path], Patient]


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    with contextlib.ExitStack() as stack:

        @functools.cache
        def begun(python: Path) -> Patient:
            return stack.enter_context(patients.start(python, "named.py"))

        yield begun


@pytest.fixture
def named(interpreter: Interpreter, start: Start) -> Patient:
    return start(interpreter.path)


@pytest.fixture
def here(start: Start) -> Patient:
    return start(Path(sys.executable))


class Seen:
    """What is read, by the task and the function's name."""

    def __init__(self, pid: int) -> None:
        with LiveMemory(pid) as memory:
            python, _ = walk((), Known(variables=True))(memory)
        assert isinstance(python, Python)
        assert isinstance(python.locals, Locals)
        self.python, self.locals = python, python.locals
        codes = {
            (task.address, level.address): python.codes[level.code].name.reveal()
            for task in python.tasks
            for level in task.chain
            if level.code is not None
        }
        self.frames = {
            (frame.task, codes[frame.task, frame.level]): frame for frame in self.locals.frames if frame.task
        }

    def frame(self, said: dict[str, Any]) -> FrameLocals:
        return self.frames[said["task"], said["function"]]

    def function(self, name: str) -> FrameLocals:
        (found,) = [frame for (_, function), frame in self.frames.items() if function == name]
        return found


def plainly(variable: Variable) -> dict[str, Any]:
    """The variable as the process says it."""
    number = variable.number
    found = {
        "type": variable.type.reveal(),
        "address": variable.address,
        "kind": variable.kind.reveal(),
        "number": repr(number) if isinstance(number, float) and not math.isfinite(number) else number,
        "truth": variable.truth,
        "length": variable.length,
        "text": variable.text.reveal() if variable.text else None,
        "digits": variable.digits.reveal() if variable.digits else None,
        "called": variable.called.reveal() if variable.called else None,
        "fd": variable.fd,
    }
    return {name: value for name, value in found.items() if value is not None}


def by_name(found: list[Variable]) -> dict[str, dict[str, Any]]:
    return {(one.key or one.name).reveal(): plainly(one) for one in found if one.name.reveal() not in ("said", "shut")}


def by_frame(found: Locals) -> dict[tuple[int, int], dict[str, dict[str, Any]]]:
    return {(frame.task, frame.level): by_name(frame.variables) for frame in found.frames if frame.task}


def without_none(said: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {key: value for key, value in one.items() if value is not None} for name, one in said.items()}


def test_locals_and_attributes(named: Patient) -> None:
    """Every local that is set and no other, in every frame; every attribute of `self`."""
    seen = Seen(named.pid)
    bounded = 0
    for said in named.truth["frames"]:
        frame = seen.frame(said)
        found, wanted = by_name(frame.variables), without_none(said["locals"])
        if frame.omitted:
            bounded += 1
            assert (len(frame.variables), frame.omitted) == (30, 71), "made has 100 names and `said`"
            wanted = {name: wanted[name] for name in found}
        assert found == wanted
        owners = [one for one in frame.variables if one.name.reveal() == "self"]
        attributes = without_none(said["attributes"])
        for owner in owners:
            held = by_name(owner.attributes)
            if owner.omitted:
                bounded += 1
                assert (len(held), owner.omitted) == (30, 70)
                attributes = {name: attributes[name] for name in held}
            assert held == attributes
    assert bounded == 2
    assert len(named.truth["frames"]) == 9


def test_scopes_and_what_is_closed(here: Patient) -> None:
    seen = Seen(here.pid)
    scopes = {one.name.reveal(): one.scope.reveal() for one in seen.function("reads").variables}
    assert {name: scopes[name] for name in ("shared", "mine", "uses")} == {
        "shared": "free",
        "mine": "cell",
        "uses": "local",
    }
    assert {"late", "unbound"}.isdisjoint(scopes)
    (shut,) = [one for one in seen.function("hostile").variables if one.name.reveal() == "shut"]
    assert shut.fd is None


def test_a_key_that_no_code_of_the_class_names_is_data(named: Patient) -> None:
    """`setattr(self, key, value)` makes an attribute of what may be a user's id; code and slots name the others."""
    kinds = {}
    for frame in Seen(named.pid).frames.values():
        for owner in (one for one in frame.variables if one.attributes):
            kinds[owner.type.reveal().rpartition(".")[2]] = {one.key is not None for one in owner.attributes}
    assert kinds["Crowded"] == {True}
    assert kinds["Bot"] == kinds["Small"] == {False}


def test_attributes_are_told_once_a_chain(here: Patient) -> None:
    """From the inside: `self` of the method that called has none again."""
    seen = Seen(here.pid)
    (inner,) = [one for one in seen.function("deeper").variables if one.name.reveal() == "self"]
    task = next(frame.task for frame in seen.locals.frames if inner in frame.variables)
    (outer,) = [one for one in seen.frames[task, "waits"].variables if one.name.reveal() == "self"]
    assert (inner.address, bool(inner.attributes), outer.attributes) == (outer.address, True, [])


def test_bounds(here: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many frames as there is room for, and the number of the others."""
    whole = Seen(here.pid).locals
    assert whole.omitted == 0
    monkeypatch.setattr(variables, "MAX_FRAMES", 4)
    with LiveMemory(here.pid) as memory:
        python, _ = walk((), Known())(memory)
        assert isinstance(python, Python)
        few = variables.read(attach(memory), python.tasks)
    assert list(by_frame(few).items()) == list(by_frame(whole).items())[:4]
    assert len(few.frames) + few.omitted >= len([frame for frame in whole.frames if frame.task])


def test_nothing_is_read_unless_asked_for(here: Patient) -> None:
    with LiveMemory(here.pid) as memory:
        python, _ = walk(())(memory)
    assert isinstance(python, Python)
    assert python.locals is None


def said_by(*arguments: str) -> str:
    done = subprocess.run([*QQDIAG, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 1, 3), done.stderr  # 1: one of its tasks waits for a future that nobody has
    return done.stdout


def test_a_capture_keeps_them(here: Patient, tmp_path: Path) -> None:
    with_them, without = tmp_path / "with.qqd", tmp_path / "without.qqd"
    said_by("capture", str(here.pid), "--interval", "0", "--locals", "-o", str(with_them))
    said_by("capture", str(here.pid), "--interval", "0", "-o", str(without))
    kept = json.loads(said_by("inspect", str(with_them), "--json"))["snapshot"]["samples"][0]["python"]["locals"]
    live = json.loads(said_by("inspect", str(here.pid), "--interval", "0", "--locals", "--json"))
    assert kept == live["snapshot"]["samples"][0]["python"]["locals"]
    assert "made without the locals" in said_by("inspect", str(without), "--locals")


def test_a_core_has_them(here: Patient, tmp_path: Path) -> None:
    if shutil.which("gcore") is None:
        pytest.skip("apt-get install gdb")
    snapshot = core.read(cores.by_gcore(here, tmp_path), variables=True).snapshot
    python = snapshot.samples[-1].python
    assert isinstance(python, Python)
    assert isinstance(python.locals, Locals)
    assert by_frame(python.locals) == by_frame(Seen(here.pid).locals)


def test_what_is_shown(here: Patient) -> None:
    """Names, types, numbers and lengths; no text, no large number, unless it is asked for."""
    shown = said_by("inspect", str(here.pid), "--interval", "0", "--locals")
    for line in (
        "count = 7",
        "self = Bot, with",
        ".retries = 3",
        ".token = <text 9-32>",
        "large = <id-",
        "red = Colour.RED",
        "members = list of 3",
        "million = dict of 1000000",
        "long = <text >128>, 100000 long",
        "third = 0.333",
        "function: forever",
        "71 more locals",
    ):
        assert line in shown, line
    document = said_by("inspect", str(here.pid), "--interval", "0", "--locals", "--json")
    for private in (SECRET, "1000000007", "1500000000"):
        assert private not in shown
        assert private not in document
    raw = said_by("inspect", str(here.pid), "--interval", "0", "--locals", "--raw")
    assert f".token = {SECRET}" in raw
    assert "large = 1000000007, a large int" in raw


ROUNDS = 150


def test_harmed_memory(here: Patient) -> None:
    """Whatever the words are that the locals are read from: within bounds, in time, and shown as a value."""
    with LiveMemory(here.pid) as memory:
        recorder, learned = Recorder(memory), Known()
        python = read_python(attach(recorder, learned), 0.0)
        recorder.taken()
        whole = variables.read(attach(recorder, copied(learned)), python.tasks)
        words = recorder.taken()
        recorded = Recorded(recorder.pages, list(memory.regions()), [], words, words, words, learned, python)
    hits = answers = 0
    for seed in range(ROUNDS):
        chance = random.Random(seed)
        harmed = Harmed(recorded.pages, recorded.regions)
        for _ in range(chance.choice([1, 1, 2, 8])):
            at = chance.choice(words)
            if at & -PAGE in harmed.pages:
                chance.choice(HARMS)(harmed, chance, at, recorded)
        with within(5):
            try:
                found = variables.read(attach(harmed, copied(learned)), python.tasks)
            except NotReadable:
                continue
        hits, answers = hits + harmed.hit, answers + 1
        assert len(found.frames) <= len(whole.frames)
        for frame in found.frames:
            assert all(len(one.attributes) <= variables.MAX_NAMES for one in frame.variables)
            assert len(frame.variables) <= variables.MAX_NAMES
        Publisher().tree(found)
    assert hits > ROUNDS / 2
    assert answers > ROUNDS / 2
