"""A TCP relay that can die silently: it stops copying, and keeps both of its connections open."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


class Relay:
    """Between a gateway and its server. `port` is what the gateway connects to.

    After `go_silent()` it goes on reading what the gateway sends, so that the kernel acknowledges it, and drops it:
    a proxy that lost its other side. `dropped` counts these reads. `lose()` does so to the connections that there are.
    """

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.dropped = threading.Semaphore(0)
        self._silent = threading.Event()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._lost: frozenset[socket.socket] = frozenset()
        self._wake, self._woken = socket.socketpair()

    def go_silent(self) -> None:
        self._silent.set()

    def lose(self) -> None:
        self._lost = frozenset(self._peers.copy())

    def stop(self) -> None:
        self._wake.send(b"x")

    def run(self) -> None:
        with ExitStack() as stack:
            stack.enter_context(self.listener)
            while True:
                readable, _, _ = select.select([self.listener, self._woken, *self._peers], [], [])
                if self._woken in readable:
                    break
                for one in readable:
                    if one is self.listener:
                        self.accept(stack)
                    elif one in self._peers:
                        self.copy(one)

    def accept(self, stack: ExitStack) -> None:
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.server_port))
        for one, other in ((client, server), (server, client)):
            stack.enter_context(one)
            self._peers[one] = other

    def copy(self, one: socket.socket) -> None:
        data = self.receive(one)
        if self.drops(one) and data:
            self.dropped.release()
        elif data:
            self._peers[one].sendall(data)
        else:
            self.end(one)

    def drops(self, one: socket.socket) -> bool:
        return self._silent.is_set() or one in self._lost

    def receive(self, one: socket.socket) -> bytes:
        try:
            return one.recv(65536)
        except ConnectionError:
            return b""

    def end(self, one: socket.socket) -> None:
        """Passes an end on, unless silent: then the other side hears nothing of it."""
        other = self._peers.pop(one)
        if not self.drops(one):
            self._peers.pop(other, None)
            other.close()
            one.close()


@contextmanager
def relay(server_port: int) -> Iterator[Relay]:
    made = Relay(server_port)
    thread = threading.Thread(target=made.run, name="relay", daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.stop()
        thread.join()
        made._wake.close()
        made._woken.close()
