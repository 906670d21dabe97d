"""Threads that stand in the kernel until a file system answers."""

from __future__ import annotations

from dataclasses import dataclass

from qqdiag.snapshot import OsThread
from qqdiag.waits import View
from qqdiag.waits.kernel_threads import Between, between, of

STILL = 4  # times that a thread may run in the interval: a stop for a copy of its memory makes it run once or twice
# Kernel functions in which who asked a file system or its disk sleeps; a name may have a suffix of the compiler's.
WAITS = (
    *("io_schedule", "folio_wait", "wait_on_page", "__lock_page", "__folio_lock", "filemap_", "blk_", "bio_"),
    *("submit_bio", "wait_on_buffer", "__wait_on_buffer", "bit_wait_io", "bit_wait", "balance_dirty_pages"),
    *("jbd2_", "ext4_", "xfs_", "xlog_", "btrfs_", "wait_current_trans", "wait_log_commit", "f2fs_"),
    *("percpu_rwsem_wait", "__percpu_down_read", "percpu_down_read", "sb_start_write", "__sb_start_write"),
    *("request_wait_answer", "fuse_", "__fuse_", "nfs_", "nfs4_", "rpc_wait", "rpc_", "p9_client", "cifs_", "smb2_"),
    *("wait_for_response", "ceph_", "congestion_wait", "writeback_", "wb_wait", "inode_wait", "inode_dio_wait"),
)
FUSE = ("request_wait_answer", "fuse_", "__fuse_")
FROZEN = ("__refrigerator", "do_freezer_trap", "ptrace_")  # by the freezer of a container, by a tracer
# State D that is of no disk, unless its call is: a parent in vfork(), a lock, a dump, a driver's own pause.
OTHERS = (
    *("kernel_clone", "_do_fork", "do_fork", "wait_for_vfork", "rwsem_down"),
    *("down_read", "down_write", "mmap_", "do_coredump", "coredump_", "do_exit", "exit_mm", "mutex_"),
    *("__mutex", "msleep", "schedule_timeout_un", "usleep"),
)


@dataclass(frozen=True, slots=True)
class Stuck:
    """A thread that stood in one call of a file system in both samples."""

    between: Between
    of_loop: bool  # it is the thread of an event loop; where no memory was read, the process's first
    known: bool  # by its function or its call the kernel says that it is of a file system
    hidden: bool  # the kernel does not tell this user in which of its functions it sleeps

    @property
    def fuse(self) -> bool:
        return self.between.now.wchan is not None and self.between.now.wchan.reveal().startswith(FUSE)


def stuck(view: View) -> list[Stuck]:
    """The loops' threads first."""
    loops = {loop.thread for loop in view.loops.values() if loop.running}
    found = []
    for one in between(view):
        if waits(one.now) and waits(one.before) and one.same_call and one.switches <= STILL:
            of_loop = one.now.tid in loops if view.python is not None else one.first
            known = _wchan(one.now).startswith(WAITS) or one.now.file_system is not None
            found.append(Stuck(one, of_loop, known, not _wchan(one.now)))
    return sorted(found, key=lambda one: not one.of_loop)


def possible(view: View) -> bool:
    """Whether a thread waits for a file system in the last sample; whether it goes on, takes two to see."""
    return any(waits(thread) for thread in of(view.last))


def waits(thread: OsThread) -> bool:
    """Whether it waits for a file system: in state D, or in a function of one where a signal would still wake it."""
    state, wchan = thread.state.reveal(), _wchan(thread)
    if wchan.startswith(FROZEN) or (wchan.startswith(OTHERS) and thread.file_system is None):
        return False
    return state == "D" or (state == "S" and wchan.startswith(WAITS))


def _wchan(thread: OsThread) -> str:
    """Empty where it is hidden, or the kernel has no name for it."""
    return "" if thread.wchan is None or thread.wchan.reveal() == "0" else thread.wchan.reveal()
