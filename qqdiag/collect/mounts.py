"""On which file system a descriptor of the target is: its mount id in fdinfo, the type in mountinfo (proc(5))."""

from __future__ import annotations

from qqdiag.collect import proc

# System calls whose first argument is a descriptor, and which a file system answers.
OF_A_FILE = frozenset(
    {
        *("read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2"),
        *("fsync", "fdatasync", "sync_file_range", "syncfs", "ftruncate", "fallocate", "fstat", "newfstatat"),
        *("openat", "getdents64", "sendfile", "copy_file_range", "close", "unlinkat", "statx"),
    }
)
TYPE_MAX = 32  # characters


def file_system(pid: int, fd: int) -> str | None:
    """`ext4`, `nfs4`, `fuse`; None where it is on none that is mounted (a pipe, a socket), or is hidden."""
    try:
        info = proc.status_fields(proc.read(f"/proc/{pid}/fdinfo/{fd}"))
        lines = proc.lines(proc.read(f"/proc/{pid}/mountinfo"))
    except OSError:
        return None
    mount = info.get("mnt_id")
    for line in lines:
        before, _, after = line.partition(" - ")
        if before.partition(" ")[0] == mount and after:  # the last one may be cut
            return _type(after.partition(" ")[0])
    return None


def _type(word: str) -> str:
    """Without the subtype of FUSE, which who mounted it chose."""
    kind = word.partition(".")[0][:TYPE_MAX]
    return kind if kind.replace("_", "").replace("-", "").isalnum() and kind.isascii() else "unknown"
