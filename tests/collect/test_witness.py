"""Our own frames and py-spy's: the same on real interpreters, and a disagreement is said."""

from __future__ import annotations

import msgspec
import pytest
from collect_patients import patient
from interpreters import Interpreter

from qqdiag import run, target
from qqdiag.model import CodePath, Name, Word
from qqdiag.snapshot import Code, Frame, Python, PyThread, Witness, WitnessFrame, WitnessThread
from qqdiag.witness import disagreement

PROGRAM = """
import asyncio
class Handler:
    async def handle(self):
        await asyncio.get_running_loop().create_future()
    def work(self):
        time.sleep(1000)
async def main():
    handler = Handler()
    task = asyncio.create_task(handler.handle())
    threading.Thread(target=handler.work, daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    asyncio.get_running_loop().call_later(0.05, say, 1)
    await task
asyncio.run(main())
"""


def test_both_see_the_same(interpreter: Interpreter) -> None:
    with patient(PROGRAM, python=str(interpreter.path)) as there:
        snapshot = run.take(target.resolve(str(there.pid)), interval=0.1)
    assert isinstance(snapshot.witness, Witness)
    samples = [sample.python for sample in snapshot.samples if isinstance(sample.python, Python)]
    assert len(samples) == 2
    assert disagreement(samples, snapshot.witness) == []
    twisted = [
        msgspec.structs.replace(thread, tid=threads_apart(thread, snapshot.witness))
        for thread in snapshot.witness.threads
    ]
    # Before 3.11 the interpreter does not keep the threads' ids, and py-spy, which may not stop it, gives none.
    told = 3 if interpreter.version >= (3, 11) else 0
    assert len([thread for thread in snapshot.witness.threads if thread.tid is not None]) == told
    assert len(disagreement(samples, msgspec.structs.replace(snapshot.witness, threads=twisted))) == told


def threads_apart(thread: WitnessThread, witness: Witness) -> int | None:
    """The next thread's id: stacks that are swapped must be seen to differ."""
    tids = [other.tid for other in witness.threads]
    return tids[(tids.index(thread.tid) + 1) % len(tids)]


def ours(line: int = 7, offset: int = 20, name: str = "inner") -> Python:
    code = Code(qualname=Name(f"Class.{name}"), name=Name(name), path=CodePath("x.py"), first_line=1)
    frame = Frame(code=0, line=line, address=0x1000, offset=offset)
    return Python(
        version=[3, 12, 1],
        layout=Word("v3_12"),
        taken_at=0.0,
        pause=0.0,
        method=Word("frozen"),
        late_pages=0,
        has_asyncio=True,
        codes=[code],
        threads=[PyThread(native_id=7, frames=[frame])],
    )


def theirs(name: str, line: int, tid: int | None = 7) -> Witness:
    frame = WitnessFrame(name=Name(name), path=CodePath("x.py"), line=line)
    return Witness(version=Word("0"), threads=[WitnessThread(tid=tid, frames=[frame]), WitnessThread(tid=8)])


def test_agreement_by_name_or_qualname() -> None:
    for name in ("inner", "Class.inner"):
        assert disagreement([ours(), ours()], theirs(name, 7)) == []


@pytest.mark.parametrize("witness", [theirs("inner", 8), theirs("other", 7)])
def test_disagreement_is_said_with_both_views(witness: Witness) -> None:
    (said,) = disagreement([ours(), ours()], witness)
    assert said.values["tid"] == 7
    assert {said.values["our_line"], said.values["their_line"]} <= {7, 8}


def test_motion_is_no_disagreement() -> None:
    other = theirs("other", 70)
    assert disagreement([ours()], other) == []
    assert disagreement([ours(offset=18), ours()], other) == []
    assert disagreement([ours(), msgspec.structs.replace(ours(), threads=[])], other) == []
    assert disagreement([msgspec.structs.replace(ours(), threads=[]), ours()], other) == []
    assert disagreement([ours(), ours()], theirs("other", 70, tid=None)) == []
