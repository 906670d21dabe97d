"""A Python without asyncio: two threads that stand still."""

from __future__ import annotations

import json
import os
import sys
import threading


def inner(facts: dict[str, object]) -> None:
    print(json.dumps(facts), flush=True)
    sys.stdin.readline()


def waits(started: threading.Event, end: threading.Event) -> None:
    started.set()
    end.wait()


if __name__ == "__main__":
    begun = threading.Event()
    thread = threading.Thread(target=waits, args=(begun, threading.Event()), daemon=True)
    thread.start()
    begun.wait()
    inner({"pid": os.getpid(), "thread": thread.native_id})
