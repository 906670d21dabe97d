"""Sockets: state, queues, when anything last moved, and whether an epoll watches them."""

from __future__ import annotations

from qqdiag.finding import Diagnosis
from qqdiag.model import Address, Bytes, Say, Seconds
from qqdiag.report.document import Cell, Line, Mark, Row, Section, Table
from qqdiag.snapshot import Snapshot, Socket, Sockets, TcpInfo

_MOST = 60
_LOCAL = frozenset({"unix", "netlink", "packet"})
_HEAD: tuple[Cell, ...] = (
    Say("fd"),
    Say("state"),
    Say("local"),
    Say("remote"),
    Say("unread"),
    Say("unsent"),
    Say("sent"),
    Say("received"),
    Say("acked"),
    Say("retries"),
    Say("timer"),
    Say("epoll"),
)


def socket_section(snapshot: Snapshot, diagnosis: Diagnosis) -> Section[Cell] | None:
    """TCP and UDP sockets, those of a finding first; the local ones as a count."""
    sockets = snapshot.samples[-1].sockets
    if not isinstance(sockets, Sockets):
        return None
    marked = {fd for finding in diagnosis.findings for fd in finding.sockets}
    rows = [row for row in sockets.rows if row.family.reveal() not in _LOCAL]
    rows.sort(key=lambda row: (row.fd not in marked, row.fd))
    blocks: list[Line[Cell] | Table[Cell]] = [_table(rows[:_MOST], marked)] if rows else []
    if len(rows) > _MOST:
        blocks.append(Line(Say("{count} more sockets", count=len(rows) - _MOST), mark=Mark.DIM))
    if local := len(sockets.rows) - len(rows):
        blocks.append(Line(Say("and {count} local ones (unix and the like)", count=local), mark=Mark.DIM))
    if not sockets.same_network_namespace:
        blocks.append(Line(Say("they live in another network namespace than this command"), mark=Mark.DIM))
    return Section("sockets", Say("Sockets"), tuple(blocks) or (Line(Say("it has none")),))


def _table(rows: list[Socket], marked: set[int]) -> Table[Cell]:
    return Table(_HEAD, tuple(Row(_cells(row), _mark(row, marked)) for row in rows), frozenset({0, 4, 5, 6, 7, 8, 9}))


def _mark(row: Socket, marked: set[int]) -> Mark:
    return Mark.BAD if row.fd in marked else Mark.PLAIN


def _cells(row: Socket) -> tuple[Cell, ...]:
    return (
        row.fd,
        row.state,
        _end(row.local, row.local_port),
        _end(row.remote, row.remote_port),
        _bytes(row.receive_queue),
        _bytes(row.send_queue),
        *_times(row.tcp if isinstance(row.tcp, TcpInfo) else None),
        row.timer or Say("-"),
        _epoll(row.epoll),
    )


def _end(address: Address | None, port: int | None) -> Say:
    if address is None:
        return Say("-")
    return Say("{address}:{port}", address=address, port=port) if port else Say("{address}", address=address)


def _bytes(count: int | None) -> Cell:
    return Say("?") if count is None else Bytes(count)


def _times(tcp: TcpInfo | None) -> tuple[Cell, ...]:
    """Seconds since data was sent, data received, an ACK received; retransmits of the segment in flight."""
    if tcp is None:
        return Say("-"), Say("-"), Say("-"), Say("-")
    ages = tcp.last_data_sent, tcp.last_data_received, tcp.last_ack_received
    return *(Seconds(age) for age in ages), tcp.retransmits


def _epoll(mask: int | None) -> Say:
    """Which events an epoll of the target waits for (epoll_ctl(2)); `no`: nothing will wake anybody."""
    if mask is None:
        return Say("no")
    if mask & 0x5 == 0x5:
        return Say("in out")
    if mask & 0x4:
        return Say("out")
    return Say("in") if mask & 0x1 else Say("nothing asked")
