"""The kernel's socket tables as text, /proc/PID/net: states and queues, but no tcp_info.

For where netlink is refused: a namespace that may not be entered, a sandbox, a kernel without the diag modules. The
files are those of the target's own network namespace. Columns: proc_net_tcp.rst, proc(5).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection

from qqdiag.collect import proc
from qqdiag.collect.sockdiag import TCP_CLOSE, TCP_ESTABLISHED, TCP_LISTEN, Row, address

TABLE_LIMIT = 1 << 25  # bytes: 200,000 sockets
FILES: dict[tuple[int, int], str] = {
    (socket.AF_INET, socket.IPPROTO_TCP): "tcp",
    (socket.AF_INET6, socket.IPPROTO_TCP): "tcp6",
    (socket.AF_INET, socket.IPPROTO_UDP): "udp",
    (socket.AF_INET6, socket.IPPROTO_UDP): "udp6",
    (socket.AF_UNIX, 0): "unix",
}
UNIX_LISTENING = 0x10000  # __SO_ACCEPTCON, linux/net.h
UNIX_CONNECTED = 3  # SS_CONNECTED, linux/net.h


def table(pid: int, family: int, protocol: int, inodes: Collection[int]) -> list[Row]:
    """As `sockdiag.dump`, from the text table. OSError where there is none."""
    data = proc.read(f"/proc/{pid}/net/{FILES[family, protocol]}", TABLE_LIMIT)
    wanted = {str(inode).encode() for inode in inodes}
    column = 6 if family == socket.AF_UNIX else 9
    lines = (line.split() for line in data.splitlines()[1:])
    rows = (line for line in lines if len(line) > column and line[column] in wanted)
    if family == socket.AF_UNIX:
        return [_unix(proc.text(b" ".join(line)).split()) for line in rows]
    return [_inet(family, proc.text(b" ".join(line)).split()) for line in rows]


def _inet(family: int, columns: list[str]) -> Row:
    """sl local remote st tx:rx timer:expires retransmits uid timeout inode …"""
    local, local_port = _endpoint(family, columns[1])
    remote, remote_port = _endpoint(family, columns[2])
    state = int(columns[3], 16)
    unsent, _, unread = columns[4].partition(":")
    timer, _, expires = columns[5].partition(":")
    return Row(
        inode=int(columns[9]),
        state=state,
        local=local,
        local_port=local_port,
        remote=remote if remote_port else None,
        remote_port=remote_port or None,
        receive_queue=int(unread, 16),
        send_queue=None if state == TCP_LISTEN else int(unsent, 16),
        timer=int(timer, 16),
        timer_expires=int(expires, 16) / 100 if int(timer, 16) else None,  # USER_HZ
    )


def _endpoint(family: int, written: str) -> tuple[str, int]:
    """`0100007F:1F90`: each 32 bits of the address as a number of this machine, the port as a plain number."""
    digits, _, port = written.partition(":")
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    return address(family, struct.pack(f"={len(words)}I", *words)), int(port, 16)


def _unix(columns: list[str]) -> Row:
    """Num RefCount Protocol Flags Type St Inode Path; neither queues nor the peer are shown."""
    state = TCP_ESTABLISHED if int(columns[5], 16) == UNIX_CONNECTED else TCP_CLOSE
    if int(columns[3], 16) & UNIX_LISTENING:
        state = TCP_LISTEN
    return Row(int(columns[6]), state, None, None, None, None, None, None)
