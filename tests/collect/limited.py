"""Runs `qqdiag` with fewer rights: `python limited.py RIGHTS ARGUMENTS`, RIGHTS being one of the functions below.

What is imported late is imported before the rights are given up: the interpreter may lie where others may not read.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import errno
import io
import os
import struct
import sys

from qqdiag import capture
from qqdiag.cli import run
from qqdiag.collect import logs, monitor, threads

NOBODY = 65534
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2  # linux/prctl.h, linux/seccomp.h
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h: BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO
CALLS = {"x86_64": (101, 310), "aarch64": (117, 270)}  # ptrace, process_vm_readv


class Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("count", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def forbid(*calls: int) -> None:
    """These system calls answer EPERM from now on (seccomp(2)), here and in every child."""
    code = [(LOAD_NUMBER, 0, 0, 0)]
    code += [(JUMP_IF_EQUAL, len(calls) - place, 0, call) for place, call in enumerate(calls)]
    code += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    packed = b"".join(struct.pack("<HBBI", *line) for line in code)
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(len(code), packed)
    for words in ((PR_SET_NO_NEW_PRIVS, 1, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program))):
        if libc.prctl(*words, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")


def no_ptrace() -> None:
    forbid(CALLS[os.uname().machine][0])


def no_ptrace_and_no_vm_readv() -> None:
    forbid(*CALLS[os.uname().machine])


def nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


IMPORTED = (capture, logs, monitor, threads)
RIGHTS = {"no-ptrace": no_ptrace, "no-ptrace-no-vm-readv": no_ptrace_and_no_vm_readv, "nobody": nobody}

if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        run(["inspect", str(os.getppid()), "--interval", "0"])
        run(["inspect", "4194304", "--json"])
        run(["capture", "4194304", "-o", "nothing-is-written"])
        datetime.datetime.strptime("1", "%d")  # imports what a log's times are read with
    RIGHTS[sys.argv[1]]()
    sys.exit(run(sys.argv[2:]))
