"""The target as the kernel knows it: the process with its threads, and its sockets."""

from __future__ import annotations

import msgspec

from qqdiag.model import Address, Id, Missing, Path, Secret, TaskName, User, Word


class OsThread(msgspec.Struct, frozen=True, kw_only=True):
    """A thread as the kernel knows it (/proc/PID/task/TID), read before any pause."""

    tid: int
    name: TaskName
    state: Word  # R S D T t Z X
    wchan: Word | None  # kernel function it sleeps in; None: hidden from this user
    syscall: Word | None  # name; "running"; "none": asleep outside of a system call; None: hidden
    syscall_args: list[int] = []  # unsigned registers, the first six; epoll_wait: epfd, events, maxevents, ms (32 bits)
    user_seconds: float
    system_seconds: float
    voluntary_switches: int
    involuntary_switches: int
    namespace_tid: int | None = None  # its id in its own pid namespace, which the interpreter knows; None: not told
    file_system: Word | None = None  # type of the one that its call's descriptor is on: ext4 nfs4 fuse; None: not told


class Process(msgspec.Struct, frozen=True, kw_only=True, tag="process"):
    """The target as the kernel knows it."""

    pid: int
    namespace_pid: int | None = None  # its pid in its own pid namespace, which it writes to its own files
    start_ticks: int  # field 22 of /proc/PID/stat: with the pid, its identity
    state: Word
    uptime: float
    user_seconds: float
    system_seconds: float
    rss: int  # bytes
    fds: int | None
    fd_limit: int | None
    uid: int | None
    user: User | None
    tracer: int  # pid of another tracer, 0: none
    executable: Path | None
    argv: list[Secret] = []
    unit: Id | None  # systemd unit
    container: Id | None  # container id when its cgroup or namespaces say so
    namespaces_differ: list[Word] | None = []  # which of pid, net, mnt, user, time are not ours; None: hidden
    clock_ahead: float = 0.0  # seconds: its own CLOCK_MONOTONIC less ours; the times of a sample are by ours
    threads: list[OsThread] = []
    private: int | None = None  # bytes of its own memory, swapped out or not: RssAnon and VmSwap; None: not told
    swapped: int | None = None  # bytes of it that are swapped out
    peak: int | None = None  # bytes, VmHWM: the most that was ever resident
    memory_limit: int | None = None  # bytes, the closest limit: its own or a control group's; None: none, or not told
    memory_used: int | None = None  # bytes of that limit that are in use, of a group's by caches of files too
    memory_limit_own: bool = False  # that limit is RLIMIT_DATA, its own
    memory_available: int | None = None  # bytes that the machine can still give
    major_faults: int | None = None  # pages of it that had to be read from a disk, so far
    io_pressure: float | None = None  # seconds so far in which some task waited for a disk (PSI)
    unit_manager: int | None = None  # uid of the user whose own systemd has the unit; None: the system's, or no unit
    lock_holder: int | None = None  # pid of who holds the file lock that a thread of it waits for; 0: not told


class Growth(msgspec.Struct, frozen=True, kw_only=True, tag="growth"):
    """The target's own memory during the interval: readings of /proc/PID/statm, `step` seconds apart."""

    step: float
    private: list[int] = []  # bytes resident that no file backs


class TcpInfo(msgspec.Struct, frozen=True, kw_only=True, tag="tcp"):
    """struct tcp_info (linux/tcp.h); times in seconds ago, fields that an older kernel lacks are None.

    A side that never sent or received anything counts from the connection's start; in SYN-SENT the ages are 0.
    """

    last_data_sent: float
    last_data_received: float
    last_ack_received: float
    rtt: float
    rto: float
    unacked: int
    retransmits: int  # of the segment now in flight
    backoff: int
    total_retransmits: int
    not_sent: int | None  # bytes queued, not yet sent once
    bytes_sent: int | None
    bytes_acked: int | None
    bytes_received: int | None
    segments_out: int | None  # with data
    segments_in: int | None  # with data
    receive_window_limited: bool = False


class Socket(msgspec.Struct, frozen=True, kw_only=True):
    """One socket of the target."""

    fd: int
    inode: int
    family: Word  # inet inet6 unix netlink …
    protocol: Word  # tcp udp unix …
    state: Word  # ESTAB CLOSE-WAIT SYN-SENT LISTEN … as ss prints them
    local: Address | None
    local_port: int | None
    remote: Address | None
    remote_port: int | None
    receive_queue: int | None  # bytes unread
    send_queue: int | None  # bytes unacknowledged or unsent
    epoll: int | None  # event mask in an epoll of the target (0x19 = IN|ERR|HUP); None: not registered
    epoll_fd: int | None = None
    timer: Word | None = None  # on keepalive timewait persist
    timer_expires: float | None = None
    tcp: TcpInfo | Missing | None = None


class Sockets(msgspec.Struct, frozen=True, kw_only=True, tag="sockets"):
    rows: list[Socket] = []
    same_network_namespace: bool = True
