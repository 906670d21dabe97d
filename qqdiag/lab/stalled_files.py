"""A file system that does not answer: one file, whose reads and syncs wait for ever. Needs root.

    python -m qqdiag.lab.stalled_files SECONDS PARENT

It is FUSE without a library (linux/fuse.h, protocol 7.31), mounted in a mount namespace of this process's own: the
end of this process ends the file system and every wait for it, whatever else happened.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import stat
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from qqdiag.errors import NotPermitted, QqdiagError
from qqdiag.lab.child import Child, child
from qqdiag.lab.leash import leash
from qqdiag.model import Say

FOLDER = "/mnt"  # covered in the namespace alone
FILE = f"{FOLDER}/stalled"
SIZE = 1 << 20
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000  # linux/sched.h, linux/mount.h

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, RELEASE, FSYNC = 1, 2, 3, 4, 14, 15, 16, 18, 20
FLUSH, INIT, INTERRUPT, DESTROY, BATCH_FORGET = 25, 26, 36, 38, 42
SILENT = (READ, FSYNC, FORGET, BATCH_FORGET, INTERRUPT)  # the first two want an answer
EMPTY = (RELEASE, FLUSH, DESTROY)
ROOT, FILE_NODE = 1, 2
WRITE_MAX = 1 << 16
ASYNC_READ = 1  # a reader waits for its page, in state D, not for the answer


@dataclass(frozen=True)
class Files:
    """The running file system, and the command that runs a program where it is mounted."""

    process: Child
    before: tuple[str, ...]


@contextlib.contextmanager
def stalled_files(bound: float) -> Iterator[Files]:
    """The file system until the end of the context. Raises NotPermitted without root."""
    if os.geteuid() != 0:
        message = Say("A file system that does not answer could not be mounted.")
        raise NotPermitted(message, Say('Run it as root: sudo "$(command -v qqdiag)" lab start disk-stall'))
    with child("qqdiag.lab.stalled_files", bound) as process:
        if "mounted" not in process.hear():
            raise QqdiagError(
                Say("A file system that does not answer could not be mounted."), Say("Load its module: modprobe fuse")
            )
        yield Files(process, ("nsenter", f"--mount=/proc/{process.pid}/ns/mnt"))


def mount() -> int:
    """Mount it, in a namespace of our own; its device. OSError where the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    _check(libc.unshare(CLONE_NEWNS))
    _check(libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None))
    _check(libc.mount(b"qqdiag-lab", FOLDER.encode(), b"fuse", ctypes.c_ulong(0), options))
    return device


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def serve(device: int) -> None:
    """Answer all but what is to stall."""
    while True:
        request = os.read(device, WRITE_MAX + 4096)
        _, opcode, unique, node = struct.unpack_from("=IIQQ", request)
        if opcode not in SILENT:
            error, body = _answer(opcode, node, request[40:])
            os.write(device, struct.pack("=IiQ", 16 + len(body), -error, unique) + body)


def _answer(opcode: int, node: int, body: bytes) -> tuple[int, bytes]:
    """(errno, what follows the header)"""
    if opcode == INIT:
        head = struct.pack("=IIIIHHIIHHI", 7, 31, 1 << 17, ASYNC_READ, 12, 9, WRITE_MAX, 1, 16, 0, 0)
        return 0, head + bytes(64 - len(head))
    if opcode == LOOKUP:
        if body.rstrip(b"\0") != os.path.basename(FILE).encode():
            return errno.ENOENT, b""
        return 0, struct.pack("=QQQQII", FILE_NODE, 0, 3600, 3600, 0, 0) + _attributes(FILE_NODE)
    if opcode in (GETATTR, SETATTR):
        return 0, struct.pack("=QII", 3600, 0, 0) + _attributes(node)
    if opcode == OPEN:
        return 0, bytes(16)
    if opcode == WRITE:
        return 0, struct.pack("=II", struct.unpack_from("=QQI", body)[2], 0)
    return (0, b"") if opcode in EMPTY else (errno.ENOSYS, b"")


def _attributes(node: int) -> bytes:
    """struct fuse_attr"""
    mode = stat.S_IFDIR | 0o755 if node == ROOT else stat.S_IFREG | 0o666
    return struct.pack("=6Q10I", node, SIZE, SIZE // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def main() -> None:
    leash(float(sys.argv[1]), int(sys.argv[2]))
    try:
        device = mount()
    except OSError as error:
        os.write(1, json.dumps({"errno": error.errno}).encode() + b"\n")
        return
    os.write(1, b'{"mounted": true}\n')
    serve(device)


if __name__ == "__main__":
    main()
