"""Python stacks of all threads by py-spy: a second witness, by other code, beside our own frames.

It reads the live process without pausing it (`--nonblocking`), a moment apart from ours; witness.py compares.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import msgspec

from qqdiag.model import CodePath, FreeText, Missing, Name, Say, Seconds, Word
from qqdiag.snapshot import Witness, WitnessFrame, WitnessThread

TIMEOUT = 3.0  # seconds; a gateway of 20 threads takes 0.05
FRAMES_MAX = 500
THREADS_MAX = 1000
ERROR_CHARACTERS_MAX = 300


class _Frame(msgspec.Struct):
    name: str
    filename: str
    line: int


class _Thread(msgspec.Struct):
    os_thread_id: int | None
    frames: list[_Frame]


def collect(pid: int, timeout: float = TIMEOUT) -> Witness | Missing:
    """The stacks as `py-spy dump` sees them; Missing where it is not installed, fails or does not end in time."""
    program = find()
    if program is None:
        return Missing(Say("py-spy is not installed"), Say("pip install py-spy"))
    try:
        done = subprocess.run(
            [program, "dump", "--json", "--nonblocking", "--pid", str(pid)], capture_output=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        return Missing(Say("py-spy did not end within {limit} and was killed", limit=Seconds(timeout)), _by_hand(pid))
    if done.returncode != 0:
        return _failed(pid, done.stderr)
    try:
        threads = msgspec.json.decode(done.stdout, type=list[_Thread])
    except msgspec.MsgspecError:
        return Missing(Say("py-spy wrote what is not its JSON"), _by_hand(pid))
    return Witness(version=Word(version(program)), threads=[_thread(thread) for thread in threads[:THREADS_MAX]])


def find() -> str | None:
    """py-spy beside our own interpreter, else on PATH (which sudo shortens)."""
    ours = os.path.join(os.path.dirname(sys.executable), "py-spy")
    return ours if os.access(ours, os.X_OK) else shutil.which("py-spy")


def version(program: str) -> str:
    """`0.4.3`; "unknown" where it does not say."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return "unknown"
    words = done.stdout.decode("ascii", "replace").split()
    return words[-1][:20] if words else "unknown"


def _thread(thread: _Thread) -> WitnessThread:
    frames = [
        WitnessFrame(name=Name(frame.name), path=CodePath(frame.filename), line=frame.line)
        for frame in thread.frames[:FRAMES_MAX]
    ]
    return WitnessThread(tid=thread.os_thread_id, frames=frames)


def _failed(pid: int, stderr: bytes) -> Missing:
    """Its first line says what; a backtrace of its own follows."""
    first = stderr[: ERROR_CHARACTERS_MAX * 4].decode("utf-8", "backslashreplace").splitlines()[:1]
    said = FreeText(first[0][:ERROR_CHARACTERS_MAX] if first else "")
    return Missing(Say("py-spy could not read the process: {said}", said=said), _by_hand(pid))


def _by_hand(pid: int) -> Say:
    """Without the path of this machine: the shell finds py-spy, beside qqdiag where it is not on PATH."""
    if shutil.which("py-spy"):
        return Say('sudo "$(command -v py-spy)" dump --nonblocking --pid {pid}', pid=pid)
    return Say(
        'sudo "$(dirname "$(realpath "$(command -v qqdiag)")")/py-spy" dump --nonblocking --pid {pid}',
        pid=pid,
    )
