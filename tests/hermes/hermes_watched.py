"""A copy of the real gateway that has loop-watchdog where `qqdiag fixes show` says that it belongs: in run.py."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from hermes_patched import copy_of, packages_of

STALL, LIMIT, EVERY = 0.5, 3.0, 0.1  # s
CODE = 75
# What is slow to start has started.
STARTED = re.compile(r'^            logger\.info\("Gateway running with', re.MULTILINE)
WATCHED = f"""\
            from gateway.loop_watchdog import LoopWatchdog
            LoopWatchdog(asyncio.get_running_loop(), stall={STALL}, limit={LIMIT}, every={EVERY}).begin()
"""


def watched(python: Path, folder: Path) -> Path:
    """The Python of a copy of a virtual environment: the fix's file in it, and two lines more where its loop runs."""
    copied = copy_of(python, folder)
    gateway = packages_of(copied) / "gateway"
    command = [sys.executable, "-P", "-m", "qqdiag", "fixes", "show", "loop-watchdog", "--source"]
    with (gateway / "loop_watchdog.py").open("wb") as file:
        subprocess.run(command, stdout=file, check=True, timeout=60)
    text, count = STARTED.subn(lambda found: WATCHED + found[0], (gateway / "run.py").read_text("utf-8"))
    assert count == 1
    (gateway / "run.py").unlink()  # a link to the installed one
    (gateway / "run.py").write_text(text, "utf-8")
    return copied
