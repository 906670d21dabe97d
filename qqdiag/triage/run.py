"""One command of a step, run as the operator would: in a shell, bounded in time, its output kept apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from qqdiag.model import Moment

OUTPUT_MAX = 1 << 20  # bytes that are looked at
LIMIT = 60.0  # seconds


class Outcome(NamedTuple):
    """What became of a command."""

    at: Moment
    exit_code: int | None  # None: it did not end in time and was killed
    output: bytes


def run(command: str, limit: float = LIMIT) -> Outcome:
    """Run a command line. It may ask on the terminal, as sudo does. Our own commands are found in any case."""
    at = Moment(time.time())
    here = f"{Path(sys.argv[0]).absolute().parent}:{Path(sys.executable).parent}"
    environment = {**os.environ, "PATH": f"{here}:{os.environ.get('PATH', os.defpath)}"}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(["/bin/sh", "-c", command], stdout=output, stderr=output, env=environment)
        code = _wait(process, limit)
        output.seek(0)
        return Outcome(at, code, output.read(OUTPUT_MAX))


def _wait(process: subprocess.Popen[bytes], limit: float) -> int | None:
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.wait()
        return None
    except KeyboardInterrupt:
        process.kill()
        process.wait()
        raise
