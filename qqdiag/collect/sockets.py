"""The target's sockets: each descriptor with its state, queues, tcp_info and what its epoll asks for.

The tables are those of the target's network namespace. A row is made for every socket descriptor, whether a table has
it or not: a connection that was reset is in none.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Collection
from typing import NamedTuple

from qqdiag import as_root
from qqdiag.collect import netns, proc, procnet, sockdiag
from qqdiag.collect.epolls import Watches, watches
from qqdiag.collect.sockdiag import Row
from qqdiag.model import Address, Missing, Say, Word
from qqdiag.snapshot import Socket, Sockets, TcpInfo


class Kind(NamedTuple):
    family: str
    protocol: str


TABLES = (
    (socket.AF_INET, socket.IPPROTO_TCP, Kind("inet", "tcp")),
    (socket.AF_INET6, socket.IPPROTO_TCP, Kind("inet6", "tcp")),
    (socket.AF_UNIX, 0, Kind("unix", "unix")),
    (socket.AF_INET, socket.IPPROTO_UDP, Kind("inet", "udp")),
    (socket.AF_INET6, socket.IPPROTO_UDP, Kind("inet6", "udp")),
)
# system.sockprotoname: the name of the kernel's struct proto
PROTOCOLS = {
    "TCP": ("inet", "tcp"), "TCPv6": ("inet6", "tcp"), "UDP": ("inet", "udp"), "UDPv6": ("inet6", "udp"),
    "UNIX": ("unix", "unix"), "UNIX-STREAM": ("unix", "unix"), "NETLINK": ("netlink", "netlink"),
    "PACKET": ("packet", "packet"), "RAW": ("inet", "raw"), "RAWv6": ("inet6", "raw"), "PING": ("inet", "icmp"),
    "MPTCP": ("inet", "mptcp"), "MPTCPv6": ("inet6", "mptcp"),
}  # fmt: skip
NO_TCP_INFO = Missing(
    Say("the kernel gave no tcp_info for this socket"),
    Say("load its modules with: sudo modprobe -a tcp_diag udp_diag unix_diag"),
)
_SOCKET = re.compile(r"socket:\[(\d+)\]")

Found = dict[int, tuple[Kind, Row]]  # by inode


def collect(pid: int) -> Sockets | Missing:
    """Every socket of the target, ordered by descriptor. NotPermitted where its descriptors are hidden."""
    if sys.platform != "linux":
        return Missing(Say("sockets are read on Linux only"), Say("lsof -a -n -P -i -p {pid}", pid=pid))
    links = dict(proc.descriptors(pid))
    fds = {fd: int(match[1]) for fd, link in links.items() if (match := _SOCKET.fullmatch(link))}
    watched = watches(pid, [fd for fd, link in links.items() if link == "anon_inode:[eventpoll]"])
    netlink = _netlink(pid)
    found = _tables(pid, netlink, set(fds.values()))
    lack = netlink if isinstance(netlink, Missing) else NO_TCP_INFO
    rows = [_socket(pid, fd, inode, found, watched, lack) for fd, inode in sorted(fds.items())]
    return Sockets(rows=rows, same_network_namespace=proc.same_namespace(pid, "net") is not False)


def _netlink(pid: int) -> socket.socket | Missing:
    """A netlink socket in the target's network namespace, or why there is none."""
    try:
        return netns.socket_in(pid, socket.AF_NETLINK, socket.SOCK_RAW, sockdiag.NETLINK_SOCK_DIAG)
    except PermissionError:
        return _not_entered(pid)
    except OSError as error:
        return Missing(
            Say("this system has no socket tables by netlink (errno {number})", number=error.errno or 0),
            Say("compare states and queues, without times, with: cat /proc/{pid}/net/tcp", pid=pid),
        )


def _not_entered(pid: int) -> Missing:
    """Entering takes CAP_SYS_ADMIN (setns(2)), which root in a container lacks."""
    reason = Say("the process has a network namespace of its own, which this user may not enter")
    if os.geteuid() != 0:
        return Missing(reason, as_root.inspect(pid))
    return Missing(reason, Say("run qqdiag on the host, or in a container with --network=container:NAME"))


def _tables(pid: int, netlink: socket.socket | Missing, inodes: Collection[int]) -> Found:
    """The rows of these inodes, table after table until each is found."""
    found: Found = {}
    for family, protocol, kind in TABLES:
        if wanted := set(inodes) - found.keys():
            found |= {row.inode: (kind, row) for row in _table(pid, netlink, family, protocol, wanted)}
    if not isinstance(netlink, Missing):
        netlink.close()
    return found


def _table(
    pid: int, netlink: socket.socket | Missing, family: int, protocol: int, inodes: Collection[int]
) -> list[Row]:
    """By netlink; as text where that is refused (a diag module that is not loaded); none where the kernel has none."""
    try:
        if not isinstance(netlink, Missing):
            return sockdiag.dump(netlink, family, protocol, inodes)
    except OSError:
        pass
    try:
        return procnet.table(pid, family, protocol, inodes)
    except FileNotFoundError:
        return []


def _socket(pid: int, fd: int, inode: int, found: Found, watched: Watches, lack: Missing) -> Socket:
    kind, row = found.get(inode) or (_kind(pid, fd), Row(inode, sockdiag.TCP_CLOSE, None, None, None, None, None, None))
    watch = watched.of(fd, inode)
    return Socket(
        fd=fd,
        inode=inode,
        family=Word(kind.family),
        protocol=Word(kind.protocol),
        state=Word(sockdiag.STATES.get(row.state, "?")),
        local=None if row.local is None else Address(row.local),
        local_port=row.local_port,
        remote=None if row.remote is None else Address(row.remote),
        remote_port=row.remote_port,
        receive_queue=row.receive_queue,
        send_queue=row.send_queue,
        epoll=watch.events if watch else None,
        epoll_fd=watch.epoll_fd if watch else None,
        timer=Word(sockdiag.TIMERS[row.timer]) if row.timer in sockdiag.TIMERS else None,
        timer_expires=row.timer_expires,
        tcp=_tcp(kind, row, lack),
    )


def _tcp(kind: Kind, row: Row, lack: Missing) -> TcpInfo | Missing | None:
    """None for what has none: another protocol, a listener, a socket that is not connected."""
    if row.tcp or kind.protocol != "tcp" or row.state in (sockdiag.TCP_CLOSE, sockdiag.TCP_LISTEN):
        return row.tcp
    return lack


def _kind(pid: int, fd: int) -> Kind:
    """Of a socket that no table has, by the name that the kernel gives its inode (net/socket.c, since 3.8)."""
    try:
        name = os.getxattr(f"/proc/{pid}/fd/{fd}", "system.sockprotoname")
    except OSError:
        return Kind("unknown", "unknown")
    return Kind(*PROTOCOLS.get(proc.text(name.rstrip(b"\0")), ("unknown", "unknown")))
