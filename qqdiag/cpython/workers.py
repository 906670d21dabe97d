"""Worker threads: which future each works on, and how far the job of an executor is."""

from __future__ import annotations

from qqdiag.cpython import callbacks, frames
from qqdiag.cpython.frames import MAX_THREADS, Thread
from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable

MAX_SLOTS = 200_000  # of all threads' frames
WORK_ITEM = ("run", "concurrent/futures/thread.py")  # _WorkItem.run: its first local is the item, with its `future`
CONCURRENT_FUTURE = "concurrent.futures._base.Future"
CHAINED = "_chain_future.<locals>._call_check_cancel"  # Lib/asyncio/futures.py
STATES = {"PENDING": "pending", "RUNNING": "running", "FINISHED": "finished"}


def by_future(runtime: Runtime, threads: list[Thread]) -> dict[int, int]:
    """By the address of whatever the locals of a thread's frames hold, futures among them: its native id.

    The frames of the thread that runs a loop hold that loop's own futures: the outer half of the stack, from the
    loop's `run_forever` on, says nothing and is left out.
    """
    found: dict[int, int] = {}
    for thread in threads:
        held: list[int] = []
        for frame in thread.frames:
            if frame.generator or _name(frame) == "run_forever":
                held.clear()
                break
            try:
                held += _held(runtime, frame)
            except Unreadable:
                continue
        if len(found) + len(held) > MAX_SLOTS:
            break
        for address in held:
            found.setdefault(address, thread.native_id)
    return found


def _held(runtime: Runtime, frame: frames.RawFrame) -> list[int]:
    """The objects in a frame's locals, and the future of a pool's work item."""
    slots = [slot for slot in frames.slots(runtime, frame) if slot]
    if slots and _name(frame) == WORK_ITEM[0] and frame.code.path.endswith(WORK_ITEM[1]):
        future = runtime.objects.attribute(slots[0], "future")
        return [*slots, future] if future else slots
    return slots


def _name(frame: frames.RawFrame) -> str:
    """The function's name: up to 3.10 a code object knows no more."""
    return frame.code.qualname.reveal().rpartition(".")[2]


def source(runtime: Runtime, callback: int) -> int | None:
    """The concurrent.futures.Future that a callback of CHAINED joins to an asyncio one."""
    for item in callbacks.closure(runtime, callback):
        if runtime.objects.is_a(item, CONCURRENT_FUTURE):
            return item
    return None


def state(runtime: Runtime, future: int) -> str | None:
    """How far a concurrent future is: pending, running, cancelled, finished."""
    held = runtime.objects.attribute(future, "_state")
    text = runtime.objects.text(held) if held else None
    return None if text is None else STATES.get(text, "cancelled" if text.startswith("CANCELLED") else None)


def task(runtime: Runtime, future: int) -> int | None:
    """The task, in another loop, that will complete a concurrent future (asyncio.run_coroutine_threadsafe)."""
    held = runtime.objects.attribute(future, "_done_callbacks")
    for callback in runtime.objects.items(held, callbacks.MAX_ARGUMENTS) if held else []:
        for item in callbacks.closure(runtime, callback):
            if runtime.objects.type_of(item).is_task:
                return item
    return None


def names(runtime: Runtime) -> dict[int, str]:
    """The names of the threads that `threading` knows, by their ident."""
    objects = runtime.objects
    found: dict[int, str] = {}
    for interpreter in runtime.interpreters:
        try:
            module = runtime.module(interpreter, "threading")
            active = runtime.globals_of(module, ("_active",)).get("_active") if module else None
            for key, thread in objects.pairs(active, MAX_THREADS) if active else []:
                ident, name = objects.integer(key), objects.attribute(thread, "_name")
                text = objects.text(name) if name else None
                if ident is not None and text is not None:
                    found[ident] = text
        except Unreadable:
            continue
    return found
