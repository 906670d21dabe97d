"""In a pid namespace of its own: a watched gateway ends, and its pid goes to another program before the watcher looks.

Says as JSON the pids, and the events that came after it.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from watching import HANGING, QUICK, watcher

GATEWAY = [sys.executable, str(HANGING), "/nonexistent"]


def gateway(stack: ExitStack) -> subprocess.Popen[bytes]:
    process = stack.enter_context(subprocess.Popen(GATEWAY, stdout=subprocess.PIPE))
    stack.callback(process.kill)
    assert process.stdout is not None
    process.stdout.readline()
    return process


with ExitStack() as stack:
    first = gateway(stack)
    seen = stack.enter_context(watcher(str(first.pid), "--folder", sys.argv[1], *QUICK))
    seen.until("seen")
    os.kill(seen.process.pid, signal.SIGSTOP)
    first.kill()
    first.wait()
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(first.pid - 1))
    other = stack.enter_context(subprocess.Popen(["sleep", "600"]))
    stack.callback(other.kill)
    second = gateway(stack)
    begin = len(seen.events)
    os.kill(seen.process.pid, signal.SIGCONT)
    seen.until("restarted")
    print(
        json.dumps({"first": first.pid, "other": other.pid, "second": second.pid, "events": seen.events[begin:]}),
        flush=True,
    )
