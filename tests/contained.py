"""Programs in a container: mount, pid and network namespaces of their own, and another root than ours.

Made of unshare(1) and pivot_root(8), as container engines do it: a path, a pid and a port inside of it are others than
the same ones here.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START = 60.0  # seconds for a program to say its first line
UNSHARE = ("unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc", "--kill-child")
# $1: the folder that shall be `/`; $2: where it is mounted; $3: what is done before it is entered, with $root set.
ENTER = """
set -e
root=$2
mount --rbind "$1" "$root"
mount -t proc proc "$root/proc"
ip link set lo up
eval "$3"
shift 3
cd "$root"
pivot_root . .
umount -l .
cd /
exec "$@"
"""


@dataclass
class Contained:
    """A running program: `pid` is what it is called here, `truth` the line of JSON that it said of itself."""

    process: subprocess.Popen[str]
    pid: int
    truth: dict[str, Any]

    def ask(self, line: str = "") -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def contained(
    command: Sequence[str | Path],
    mount: Path,
    *,
    root: Path = Path("/"),
    prepare: str = ":",
    environment: Mapping[str, str] | None = None,
) -> Iterator[Contained]:
    """Run `command`, whose first line is JSON with its own `pid`, below `root` mounted at the folder `mount`.

    `prepare` is shell, run inside of the namespaces before the root is left; `$root` is the new one.
    """
    words = [*UNSHARE, "sh", "-c", ENTER, "sh", str(root), str(mount), prepare, *map(str, command)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        watchdog = threading.Timer(START, process.kill)
        watchdog.start()
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert line, f"it ended with {process.wait()} before it said anything"
            truth = json.loads(line)
            yield Contained(process, called_here(process.pid, truth["pid"]), truth)
        finally:
            watchdog.cancel()
            process.kill()


def called_here(ancestor: int, inside: int) -> int:
    """Our pid of the descendant that its own namespace calls `inside` (proc(5), NSpid)."""
    todo = [ancestor]
    while todo:
        pid = todo.pop()
        if own_ids(f"/proc/{pid}/status")[1:][-1:] == [inside]:
            return pid
        todo += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    raise AssertionError(f"no process is called {inside} inside")


def own_ids(status: str) -> list[int]:
    """The ids of a process or a thread, ours first."""
    lines = Path(status).read_text().splitlines()
    return next([int(word) for word in line.split()[1:]] for line in lines if line.startswith("NSpid:"))


def threads(pid: int) -> list[int]:
    return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
