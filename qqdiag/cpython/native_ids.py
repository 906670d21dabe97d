"""The kernel's id of a thread where the interpreter does not keep it (before CPython 3.11).

The C library knows it, after a fork too: glibc's `struct pthread` (nptl/descr.h, measured on 2.36). `threading` has it
as well, but in a forked child these versions keep the parent's.
"""

from __future__ import annotations

import struct

from qqdiag.cpython.runtime import Runtime
from qqdiag.memory.source import Unreadable

SELF_X86_64, TID_X86_64 = 16, 720  # tcbhead_t.self (sysdeps/x86_64/nptl/tls.h), struct pthread.tid
PID_MAX = 1 << 22  # linux/threads.h PID_MAX_LIMIT
MAX_THREADS = 10_000


def of_pthread(runtime: Runtime, interpreter: int, ident: int) -> int:
    """The id of the thread whose pthread_t is `ident`, 0 where neither the C library nor `threading` says it."""
    try:
        return _glibc(runtime, ident) or _threading(runtime, interpreter, ident)
    except Unreadable:
        return 0


def _glibc(runtime: Runtime, ident: int) -> int:
    """0 where this is no `struct pthread` of glibc on x86-64: such a one points to itself twice."""
    try:
        head = runtime.objects.read(ident, SELF_X86_64 + 8)
        itself, again = struct.unpack_from("<Q", head)[0], struct.unpack_from("<Q", head, SELF_X86_64)[0]
        if not itself == again == ident:
            return 0
        found = runtime.objects.read_int(ident + TID_X86_64)
    except Unreadable:
        return 0
    return found if 0 < found <= PID_MAX else 0


def _threading(runtime: Runtime, interpreter: int, ident: int) -> int:
    """`_native_id` of the Thread in `threading._active` (Lib/threading.py)."""
    objects = runtime.objects
    module = runtime.module(interpreter, "threading")
    active = runtime.globals_of(module, ("_active",)).get("_active") if module else None
    for key, thread in objects.pairs(active, MAX_THREADS) if active else []:
        if objects.integer(key) == ident:
            native_id = objects.attribute(thread, "_native_id")
            return (objects.integer(native_id) if native_id else None) or 0
    return 0
