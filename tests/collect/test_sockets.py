"""The sockets section against what the processes themselves, and ss, say of the same sockets."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from collect_patients import NOBODY, Patient, as_nobody, patient, until

from qqdiag.collect import netns, process, procnet, sockdiag, sockets, tcpinfo
from qqdiag.model import Missing
from qqdiag.snapshot import Socket, TcpInfo

ZOO = """
import selectors
def pair(family=socket.AF_INET, host="127.0.0.1", reached=None):
    with socket.create_server((host, 0), family=family, dualstack_ipv6=host == "::") as server:
        ours = socket.create_connection((reached or host, server.getsockname()[1]))
        return ours, server.accept()[0]

listener = socket.create_server(("127.0.0.1", 0), backlog=5)
unread, talker = pair()
talker.sendall(b"hello")
registered, closer = pair()
closer.close()
unregistered, closer = pair()
closer.sendall(b"x" * 24)
closer.close()
six, six_peer = pair(socket.AF_INET6, "::1")
mapped_client, mapped = pair(socket.AF_INET6, "::", "127.0.0.1")
reset, closer = pair()
closer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
closer.close()
finished, finished_peer = pair()
finished.shutdown(socket.SHUT_WR)
fresh = socket.socket()
unix, unix_peer = socket.socketpair()
unix_peer.sendall(b"12345")
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
udp6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp6.connect(("::1", 9))
kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
full = [socket.socket() for _ in range(3)]
waiting_room = socket.create_server(("127.0.0.1", 0), backlog=0)
for one in full:
    one.setblocking(False)
    one.connect_ex(waiting_room.getsockname())
selector = selectors.EpollSelector()
selector.register(registered, selectors.EVENT_READ)
selector.register(talker, selectors.EVENT_WRITE)
selector.register(listener, selectors.EVENT_READ)
names = {name: one.fileno() for name, one in globals().items() if isinstance(one, socket.socket) and one.fileno() > 0}
say(names | {"selector": selector.fileno(), "refused": full[-1].fileno()})
serve(bytes=lambda fd: len(socket.socket(fileno=os.dup(fd)).recv(1 << 20, socket.MSG_PEEK)))
"""


@pytest.fixture(scope="module")
def zoo() -> Iterator[Patient]:
    """One process with a socket in every state."""
    with patient(ZOO) as there:
        yield there


def rows(there: Patient) -> dict[str, Socket]:
    by_fd = {row.fd: row for row in sockets.collect(there.pid).rows}
    return {name: by_fd[fd] for name, fd in there.first.items() if fd in by_fd}


STATES = {
    "listener": "LISTEN", "unread": "ESTAB", "talker": "ESTAB", "registered": "CLOSE-WAIT",
    "unregistered": "CLOSE-WAIT", "six": "ESTAB", "mapped": "ESTAB", "reset": "UNCONN", "finished": "FIN-WAIT-2",
    "finished_peer": "CLOSE-WAIT", "fresh": "UNCONN", "unix": "ESTAB", "udp": "UNCONN", "udp6": "ESTAB",
    "refused": "SYN-SENT",
}  # fmt: skip


def test_states(zoo: Patient) -> None:
    seen = until(lambda: rows(zoo), lambda seen: seen["finished"].state.reveal() == "FIN-WAIT-2")
    assert {name: seen[name].state.reveal() for name in STATES} == STATES


def test_families_and_protocols(zoo: Patient) -> None:
    seen = rows(zoo)
    kinds = {name: (seen[name].family.reveal(), seen[name].protocol.reveal()) for name in seen}
    assert kinds["unread"] == kinds["fresh"] == kinds["reset"] == ("inet", "tcp")
    assert kinds["six"] == kinds["mapped"] == ("inet6", "tcp")
    assert (kinds["unix"], kinds["kernel"]) == (("unix", "unix"), ("netlink", "netlink"))
    assert (kinds["udp"], kinds["udp6"]) == (("inet", "udp"), ("inet6", "udp"))


def test_queues(zoo: Patient) -> None:
    seen = rows(zoo)
    assert seen["unread"].receive_queue == zoo.ask("bytes", zoo.first["unread"]) == 5
    # a FIN counts one
    assert (seen["registered"].receive_queue, seen["unregistered"].receive_queue) == (1, 25)
    assert seen["unix"].receive_queue == 5
    assert (seen["listener"].receive_queue, seen["listener"].send_queue) == (0, 5)
    assert seen["fresh"].receive_queue is None


def test_addresses(zoo: Patient) -> None:
    seen = rows(zoo)
    ours, theirs = seen["unread"], seen["talker"]
    assert (ours.local, ours.local_port) == (theirs.remote, theirs.remote_port)
    assert ours.local is not None
    assert ours.local.reveal() == "127.0.0.1"
    assert seen["six"].remote is not None
    assert seen["six"].remote.reveal() == "::1"
    # an IPv4 peer is one peer, whichever family its socket has
    assert (seen["mapped"].local, seen["mapped"].remote_port) == (ours.local, seen["mapped_client"].local_port)
    assert (seen["listener"].remote, seen["listener"].remote_port) == (None, None)


def test_epoll_registrations(zoo: Patient) -> None:
    seen = rows(zoo)
    read, write = 0x1 | 0x8 | 0x10, 0x4 | 0x8 | 0x10
    assert (seen["registered"].epoll, seen["talker"].epoll, seen["listener"].epoll) == (read, write, read)
    assert seen["registered"].epoll_fd == zoo.first["selector"]
    assert seen["unregistered"].epoll is seen["unread"].epoll is None


def test_tcp_info_is_what_the_process_is_told(zoo: Patient) -> None:
    for name in ("unread", "talker", "registered", "unregistered", "six", "mapped", "finished", "refused"):
        inside = tcpinfo.tcp_info(bytes.fromhex(zoo.ask("tcp_info", zoo.first[name])), 2 if name == "refused" else 1)
        outside = rows(zoo)[name].tcp
        assert isinstance(outside, TcpInfo)
        assert (inside.bytes_sent, inside.bytes_acked, inside.bytes_received) == (
            outside.bytes_sent,
            outside.bytes_acked,
            outside.bytes_received,
        )
        assert (inside.segments_in, inside.segments_out) == (outside.segments_in, outside.segments_out)
        assert (inside.rtt, inside.unacked, inside.not_sent) == (outside.rtt, outside.unacked, outside.not_sent)
        for age in ("last_data_sent", "last_data_received", "last_ack_received"):
            assert -0.001 <= getattr(outside, age) - getattr(inside, age) < 1


def test_a_connection_in_the_making_has_no_age_but_retransmits(zoo: Patient) -> None:
    first = rows(zoo)["refused"]
    assert isinstance(first.tcp, TcpInfo)
    assert first.tcp.last_data_sent == first.tcp.last_data_received == first.tcp.last_ack_received == 0
    assert first.timer is not None
    assert first.timer.reveal() == "on"
    assert first.timer_expires is not None
    retried = until(lambda: rows(zoo)["refused"].tcp, lambda tcp: isinstance(tcp, TcpInfo) and tcp.retransmits > 0)
    assert isinstance(retried, TcpInfo)
    assert retried.total_retransmits >= retried.retransmits


def test_ages_grow_and_fall() -> None:
    program = """
server = socket.create_server(("127.0.0.1", 0))
ours = socket.create_connection(server.getsockname())
theirs = server.accept()[0]
say({"ours": ours.fileno()})
serve(send=lambda: ours.send(b"x"), answer=lambda: theirs.send(b"yy"))
"""
    with patient(program) as there:

        def ages() -> TcpInfo:
            tcp = rows(there)["ours"].tcp
            assert isinstance(tcp, TcpInfo)
            return tcp

        old = until(ages, lambda tcp: min(tcp.last_data_sent, tcp.last_data_received) > 0.1)
        there.ask("send")
        sent = until(ages, lambda tcp: tcp.bytes_acked == 2)  # the SYN counts one
        assert (sent.bytes_sent, sent.segments_out) == (1, 1)
        assert sent.last_data_sent < old.last_data_sent
        assert sent.last_data_received >= old.last_data_received
        there.ask("answer")
        answered = until(ages, lambda tcp: tcp.segments_in == 1)
        assert answered.bytes_received == 2
        assert answered.last_data_received < old.last_data_received


def test_a_peer_that_reads_nothing_shows_by_queue_and_timer() -> None:
    program = """
server = socket.create_server(("127.0.0.1", 0))
ours = socket.create_connection(server.getsockname())
theirs = server.accept()[0]
ours.setblocking(False)
sent = 0
try:
    while True:
        sent += ours.send(b"x" * 65536)
except BlockingIOError:
    say({"ours": ours.fileno(), "sent": sent})
serve()
"""
    with patient(program) as there:

        def stuck(row: Socket) -> bool:
            return row.timer is not None and row.timer.reveal() == "persist"

        row = until(lambda: rows(there)["ours"], stuck)
        assert isinstance(row.tcp, TcpInfo)
        assert row.tcp.receive_window_limited
        assert row.tcp.not_sent is not None
        assert row.send_queue is not None
        assert 0 < row.tcp.not_sent <= row.send_queue < there.first["sent"]


def test_a_number_that_was_closed_and_given_anew_is_not_the_registered_one() -> None:
    program = """
ours, theirs = socket.socketpair()
epoll = select.epoll()
epoll.register(ours, select.EPOLLIN)
number = ours.fileno()
kept = os.dup(number)
ours.close()
anew = socket.socket()
assert anew.fileno() == number
say({"kept": kept, "anew": number, "epoll": epoll.fileno()})
serve()
"""
    with patient(program) as there:
        seen = rows(there)
        assert (seen["kept"].epoll, seen["kept"].epoll_fd) == (0x1 | 0x8 | 0x10, there.first["epoll"])
        assert seen["anew"].epoll is None


def test_the_text_tables_say_the_same_but_for_tcp_info(zoo: Patient) -> None:
    netlink = netns.socket_in(zoo.pid, socket.AF_NETLINK, socket.SOCK_RAW, sockdiag.NETLINK_SOCK_DIAG)
    with netlink:
        for family, protocol, _ in sockets.TABLES:
            inodes = {row.inode for row in rows(zoo).values()}
            binary = {row.inode: row for row in sockdiag.dump(netlink, family, protocol, inodes)}
            text = {row.inode: row for row in procnet.table(zoo.pid, family, protocol, inodes)}
            assert binary.keys() == text.keys()
            assert binary
            for inode, row in binary.items():
                assert text[inode][1:6] == row[1:6]
                if family != socket.AF_UNIX and row.state != sockdiag.TCP_LISTEN:
                    assert (text[inode].receive_queue, text[inode].send_queue) == (row.receive_queue, row.send_queue)


def test_a_refusal_is_an_error_and_not_silence() -> None:
    with (
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, sockdiag.NETLINK_SOCK_DIAG) as netlink,
        pytest.raises(OSError) as raised,
    ):
        sockdiag.dump(netlink, 200, 6, {1})
    assert raised.value.errno


def test_ss_sees_the_same(zoo: Patient) -> None:
    if shutil.which("ss") is None:
        pytest.skip("apt-get install iproute2")
    by_fd = _by_ss(zoo.pid)
    seen = {row.fd: row for row in rows(zoo).values() if row.protocol.reveal() == "tcp" and row.fd in by_fd}
    assert len(seen) > 10
    for fd, row in seen.items():
        words = by_fd[fd]
        assert (words["state"], words["unread"]) == (row.state.reveal(), str(row.receive_queue))
        if isinstance(row.tcp, TcpInfo) and "bytes_received" in words:
            assert int(words["bytes_received"]) == row.tcp.bytes_received
        if isinstance(row.tcp, TcpInfo) and "lastack" in words and row.tcp.last_ack_received:  # SYN-SENT: no age
            assert abs(int(words["lastack"]) / 1000 - row.tcp.last_ack_received) < 1


def _by_ss(pid: int) -> dict[int, dict[str, str]]:
    """fd: the words of `ss -tanip`, those with a colon as a dict."""
    lines = subprocess.run(["ss", "-tanipOH"], capture_output=True, text=True, check=True).stdout.splitlines()
    found = {}
    for line in lines:
        if owner := re.search(rf"pid={pid},fd=(\d+)", line):
            words = dict(word.split(":", 1) for word in line.split()[5:] if ":" in word)
            found[int(owner[1])] = {"state": line.split()[0], "unread": line.split()[1]} | words
    return found


# --- another network namespace, another user -------------------------------------------------------------------------

LOOPBACK_UP = """
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as configuring:
    SIOCSIFFLAGS, IFF_UP_RUNNING = 0x8914, 0x41
    fcntl.ioctl(configuring, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP_RUNNING))
"""
BLACK_HOLE = """
def run(*words):
    import subprocess
    subprocess.run(["ip", *words], check=True)
run("link", "add", "qa", "type", "veth", "peer", "name", "qb")
run("addr", "add", "10.11.12.1/24", "dev", "qa")
run("link", "set", "qa", "up")
run("neigh", "add", "10.11.12.2", "lladdr", "02:00:00:00:00:01", "dev", "qa", "nud", "permanent")
run("link", "set", "qb", "up")
syn = socket.socket()
syn.setblocking(False)
syn.connect_ex(("10.11.12.2", 443))
"""
NAMESPACED = """
server = socket.create_server(("127.0.0.1", 0))
ours = socket.create_connection(server.getsockname())
theirs = server.accept()[0]
theirs.sendall(b"123")
say({name: one.fileno() for name, one in globals().items() if isinstance(one, socket.socket) and one.fileno() > 0})
serve()
"""


@pytest.mark.root
def test_another_network_namespace_is_entered() -> None:
    needs_root()
    with patient(LOOPBACK_UP + BLACK_HOLE + NAMESPACED, before=["unshare", "--net"]) as there:
        seen = rows(there)
        section = sockets.collect(there.pid)
        assert not section.same_network_namespace
        assert (seen["ours"].state.reveal(), seen["ours"].receive_queue) == ("ESTAB", 3)
        inside = tcpinfo.tcp_info(bytes.fromhex(there.ask("tcp_info", there.first["ours"])), 1)
        assert isinstance(seen["ours"].tcp, TcpInfo)
        assert seen["ours"].tcp.bytes_received == inside.bytes_received == 3
        assert seen["syn"].state.reveal() == "SYN-SENT"
        assert seen["syn"].remote is not None
        assert (seen["syn"].remote.reveal(), seen["syn"].remote_port) == ("10.11.12.2", 443)
        assert process.collect(there.pid).namespaces_differ
    with socket.socket() as own:  # and we are still where we were
        own.connect_ex(("127.0.0.1", 1))
    assert netns.proc.same_namespace(1, "net") is not False


SAID = """
section = sockets.collect(int(sys.argv[1]))
say([section.same_network_namespace,
     {row.fd: [row.state.reveal(), row.receive_queue, type(row.tcp).__name__,
      row.tcp.hint.template if isinstance(row.tcp, Missing) else ""] for row in section.rows}])
"""


@pytest.mark.root
def test_without_the_right_to_enter_there_are_states_and_the_reason() -> None:
    needs_root()
    drop = f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
    # a process that changed its user hides itself until its next exec; prctl(PR_SET_DUMPABLE, 1) ends that
    dumpable = "ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)\n"
    with patient(LOOPBACK_UP + drop + dumpable + NAMESPACED, before=["unshare", "--net"]) as there:
        same, seen = as_nobody(SAID, there.pid)
        assert not same
        state, unread, kind, hint = seen[str(there.first["ours"])]
        assert (state, unread, kind) == ("ESTAB", 3, "Missing")
        assert "sudo" in hint


@pytest.mark.root
def test_a_user_sees_his_own_tcp_info() -> None:
    needs_root()
    drop = f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\nctypes.CDLL(None).prctl(4, 1, 0, 0, 0)\n"
    with patient(drop + NAMESPACED) as there:
        same, seen = as_nobody(SAID, there.pid)
        assert same
        assert seen[str(there.first["ours"])][:3] == ["ESTAB", 3, "TcpInfo"]


@pytest.mark.root
def test_another_users_descriptors_are_not_permitted() -> None:
    with patient(NAMESPACED) as there:
        code = "try:\n    sockets.collect(int(sys.argv[1]))\nexcept QqdiagError as error:\n    say(error.kind)"
        assert as_nobody(code, there.pid) == "not-permitted"


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("namespaces and other users take root: sudo pytest")


def test_thousands_of_sockets() -> None:
    program = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
server = socket.create_server(("127.0.0.1", 0), backlog=100)
held = []
for _ in range(1000):
    held.append(socket.create_connection(server.getsockname()))
    held.append(server.accept()[0])
say(len(held))
serve()
"""
    with patient(program) as there:
        seen: list[Any] = sockets.collect(there.pid).rows
        assert sum(isinstance(row.tcp, TcpInfo) for row in seen) == 2000
        assert not [row for row in seen if isinstance(row.tcp, Missing)]
