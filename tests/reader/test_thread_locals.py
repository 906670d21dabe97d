"""The locals of the frames on a thread's stack, which run or wait in a call."""

from __future__ import annotations

import patients
from interpreters import Interpreter

from qqdiag.cpython import variables
from qqdiag.cpython.read import read_python
from qqdiag.cpython.runtime import attach
from qqdiag.memory.live import LiveMemory
from qqdiag.snapshot import Variable


def test_what_the_frames_of_threads_hold(interpreter: Interpreter) -> None:
    with patients.start(interpreter.path, "plain.py") as patient, LiveMemory(patient.pid) as memory:
        runtime = attach(memory)
        python = read_python(runtime, 0.0)
        found = variables.read(runtime, [], python.threads)
    assert found.omitted == 0
    assert {frame.task for frame in found.frames} == {0}
    by_frame = {frame.level: frame.variables for frame in found.frames if frame.readable}
    held: dict[str, dict[str, Variable]] = {}
    for thread in python.threads:
        for frame in thread.frames:
            name = python.codes[frame.code].name.reveal()
            held.setdefault(name, {one.name.reveal(): one for one in by_frame.get(frame.address, [])})
    assert held["inner"].keys() == {"facts"}
    assert (held["inner"]["facts"].kind.reveal(), held["inner"]["facts"].length) == ("container", 2)
    assert {name: one.type.reveal() for name, one in held["waits"].items()} == {
        "started": "Event",
        "end": "Event",
    }
    assert held["run"] == {}  # of the machinery
