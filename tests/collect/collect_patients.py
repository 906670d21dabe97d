"""Programs to look at from outside: each says what it is in lines of JSON on stdout, and answers questions on stdin."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

NOBODY = 65534
WAIT = 20.0  # seconds for what takes milliseconds

# What every program has: `say(value)`, `serve(**questions)` (answers until stdin ends), and the sockets' own view.
PRELUDE = """
import ctypes, encodings.idna, fcntl, json, os, select, signal, socket, struct, sys, threading, time

def say(value):
    sys.stdout.write(json.dumps(value) + "\\n")
    sys.stdout.flush()

def tcp_info(fd):
    copy = socket.socket(fileno=os.dup(fd))
    with copy:
        return copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256).hex()

def serve(**questions):
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        say(({"tcp_info": tcp_info} | questions)[name](*arguments))
"""


class Patient:
    """A running program. `first` is what it said when it was ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = process.pid
        self.first = self.heard()

    def heard(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the program ended with {self.process.wait()}"
        return json.loads(line)

    def ask(self, name: str, *arguments: Any) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self.process.stdin.flush()
        return self.heard()


@contextlib.contextmanager
def patient(
    program: str,
    *arguments: str,
    before: Sequence[str] = (),
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
    **popen: Any,
) -> Iterator[Patient]:
    """`program` runs after the prelude, by `python`, in `environment` (ours); `before` starts it (`unshare -n`)."""
    command = [*before, python, "-c", PRELUDE + program, *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, **popen
    ) as process:
        try:
            yield Patient(process)
        finally:
            process.kill()


def until(look: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """What `look` gives once it holds; the last of it fails the test."""
    end = time.monotonic() + WAIT
    while not holds(seen := look()):
        assert time.monotonic() < end, f"still {seen!r}"
        os.sched_yield()
    return seen


def as_nobody(code: str, *arguments: object, before: Sequence[str] = ()) -> Any:
    """What `code` says in a process of ours that gave up root: everything is imported before, nothing after."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user takes root: sudo pytest")
    done = subprocess.run(
        [*before, sys.executable, "-c", f"{PRELUDE}{GIVE_UP}{code}", *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


GIVE_UP = f"""
from qqdiag.collect import accounts, logs, monitor, process, sockets, threads
from qqdiag.errors import QqdiagError
from qqdiag.model import Missing
os.setgroups([])
os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
"""
