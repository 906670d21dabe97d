"""loop-watchdog: a thread that notices an event loop which stands still."""

from __future__ import annotations

from qqdiag.model import Say
from qqdiag.patch.judged import HAS, Adapter, Judged, cannot_tell

ID = "loop-watchdog"


def judge(adapter: Adapter) -> Judged:
    """It belongs where the loop is started; an adapter that has one has it."""
    for function in adapter.code.everything():
        if "call_soon_threadsafe" in function.marks and "dump_traceback" in adapter.code.reach[function.name]:
            return HAS
    return cannot_tell(Say("it belongs where the gateway starts its loop, not in an adapter"))
