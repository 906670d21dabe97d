"""A Python without asyncio: two threads that stand still."""

from __future__ import annotations

import json
import os
import sys
import threading


def inner() -> None:
    sys.stdin.readline()


def waits(started: threading.Event, end: threading.Event) -> None:
    started.set()
    end.wait()


if __name__ == "__main__":
    begun = threading.Event()
    thread = threading.Thread(target=waits, args=(begun, threading.Event()), daemon=True)
    thread.start()
    begun.wait()
    print(json.dumps({"pid": os.getpid(), "thread": thread.native_id}), flush=True)
    inner()
