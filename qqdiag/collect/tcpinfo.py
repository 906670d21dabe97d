"""struct tcp_info (include/uapi/linux/tcp.h), which only ever grows at its end."""

from __future__ import annotations

import struct

from qqdiag.snapshot import TcpInfo

SYN_SENT = 2  # net/tcp_states.h
TIMER_PERSIST = 4  # net/ipv4/inet_diag.c, inet_sk_diag_fill: probing a peer that closed its window

# field: (offset, format); times in ms, rto and rtt in us
OFFSETS = {
    "retransmits": (2, "=B"),
    "backoff": (4, "=B"),
    "rto": (8, "=I"),
    "snd_mss": (16, "=I"),
    "unacked": (24, "=I"),
    "last_data_sent": (44, "=I"),
    "last_data_recv": (52, "=I"),
    "last_ack_recv": (56, "=I"),
    "rtt": (68, "=I"),
    "total_retrans": (100, "=I"),
    "bytes_acked": (120, "=Q"),  # 4.1
    "bytes_received": (128, "=Q"),
    "notsent_bytes": (144, "=I"),  # 4.6
    "data_segs_in": (152, "=I"),
    "data_segs_out": (156, "=I"),
    "bytes_sent": (200, "=Q"),  # 4.19
    "snd_wnd": (228, "=I"),  # 5.4
}


def field(data: bytes, name: str) -> int | None:
    """One field; None where this kernel's struct ends before it."""
    offset, form = OFFSETS[name]
    if offset + struct.calcsize(form) > len(data):
        return None
    value: int = struct.unpack_from(form, data, offset)[0]
    return value


def tcp_info(data: bytes, state: int, timer: int = 0) -> TcpInfo:
    """What inet_diag and getsockopt(TCP_INFO) give. `state` is the socket's (net/tcp_states.h), `timer` inet_diag's."""

    def old(name: str) -> int:
        return field(data, name) or 0  # in every kernel since 2.6

    def age(name: str) -> float:
        # Unanswered, the kernel subtracts from zero, which gives the machine's uptime (net/ipv4/tcp.c, tcp_get_info).
        return 0.0 if state == SYN_SENT else old(name) / 1000

    not_sent, window = field(data, "notsent_bytes"), field(data, "snd_wnd")
    no_room = bool(not_sent) and window is not None and window < old("snd_mss")
    return TcpInfo(
        last_data_sent=age("last_data_sent"),
        last_data_received=age("last_data_recv"),
        last_ack_received=age("last_ack_recv"),
        rtt=old("rtt") / 1e6,
        rto=old("rto") / 1e6,
        unacked=old("unacked"),
        retransmits=old("retransmits"),
        backoff=old("backoff"),
        total_retransmits=old("total_retrans"),
        not_sent=not_sent,
        bytes_sent=field(data, "bytes_sent"),
        bytes_acked=field(data, "bytes_acked"),
        bytes_received=field(data, "bytes_received"),
        segments_out=field(data, "data_segs_out"),
        segments_in=field(data, "data_segs_in"),
        receive_window_limited=timer == TIMER_PERSIST or no_room,
    )
