"""A network of its own for a gateway, with one link that can be cut: what a dead path looks like needs a real path."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from qqdiag.errors import NotPermitted, QqdiagError
from qqdiag.model import Say

BEFORE = ("unshare", "--net")  # runs the gateway in a new network namespace, which ends with it


@dataclass(frozen=True)
class Link:
    """A veth pair between this network namespace and the gateway's."""

    device: str  # our end
    host: str  # our address

    def cut(self) -> None:
        """From now on segments vanish, in both directions, without a FIN or an ICMP."""
        _ip("link", "set", self.device, "down")


@contextlib.contextmanager
def own_link(pid: int) -> Iterator[Link]:
    """Join the network namespace of `pid` to ours.

    The addresses are of the range for benchmarks, which no real network uses (RFC 2544, 198.18.0.0/15).

    :raises NotPermitted: without root
    """
    block = f"198.18.{(pid >> 6) % 256}.{pid % 64 * 4}".rpartition(".")
    host, guest = (f"{block[0]}.{int(block[2]) + number}" for number in (1, 2))
    device, peer = f"qqh{pid}", f"qqg{pid}"
    try:
        _ip("link", "add", device, "type", "veth", "peer", "name", peer, "netns", str(pid))
    except subprocess.CalledProcessError as error:
        message = Say("A network of its own for the gateway could not be made.")
        hint = Say('Run it as root: sudo "$(command -v qqdiag)" lab start half-open-dead-path')
        raise NotPermitted(message, hint) from error
    try:
        _ip("address", "add", f"{host}/30", "dev", device)
        _ip("link", "set", device, "up")
        for words in (("address", "add", f"{guest}/30", "dev", peer), ("link", "set", peer, "up")):
            _run("nsenter", "--target", str(pid), "--net", "ip", *words)
        yield Link(device, host)
    finally:
        # Gone already when the gateway, and its namespace with it, has ended.
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("link", "delete", device)


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*words: str) -> None:
    try:
        subprocess.run(words, check=True, capture_output=True)
    except FileNotFoundError as error:
        message = Say("The lab needs the ip and nsenter programs for a network of its own.")
        raise QqdiagError(message, Say("Install them: apt-get install iproute2 util-linux")) from error
