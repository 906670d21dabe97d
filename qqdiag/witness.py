"""Does py-spy see the threads as we do? Over the snapshot: what two programs read, a moment apart."""

from __future__ import annotations

from collections.abc import Sequence

from qqdiag.model import Say
from qqdiag.snapshot import Frame, Python, PyThread, Witness, WitnessFrame


def disagreement(samples: Sequence[Python], witness: Witness) -> list[Say]:
    """Where py-spy and we see different innermost functions or lines in a thread that did not move between `samples`.

    One sample shows no standing still, so it can contradict nothing.
    """
    if len(samples) < 2:
        return []
    theirs = {thread.tid: thread for thread in witness.threads if thread.frames}
    return [
        said
        for thread in samples[-1].threads
        if thread.frames and thread.native_id in theirs and _stood_still(thread, samples)
        for said in _compare(thread, samples[-1], theirs[thread.native_id].frames[0])
    ]


def _stood_still(thread: PyThread, samples: Sequence[Python]) -> bool:
    """The same frame at the same instruction in every sample."""
    return all(_innermost(sample, thread.native_id) == _place(thread.frames[0]) for sample in samples)


def _innermost(sample: Python, native_id: int | None) -> tuple[int, int | None] | None:
    frames = [thread.frames[0] for thread in sample.threads if thread.native_id == native_id and thread.frames]
    return _place(frames[0]) if frames else None


def _place(frame: Frame) -> tuple[int, int | None]:
    return frame.address, frame.offset


def _compare(thread: PyThread, python: Python, theirs: WitnessFrame) -> list[Say]:
    """py-spy names a function by its qualname from 3.11 on, by its name before."""
    ours, line = python.codes[thread.frames[0].code], thread.frames[0].line
    if theirs.name in (ours.qualname, ours.name) and line in (None, theirs.line):
        return []
    return [
        Say(
            "thread {tid}: py-spy sees {theirs}, line {their_line}, where qqdiag sees {ours}, line {our_line}",
            tid=thread.native_id or 0,
            theirs=theirs.name,
            their_line=theirs.line,
            ours=ours.qualname,
            our_line=line or 0,
        )
    ]
