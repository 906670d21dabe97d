"""Names for what may not be named: counters in order of first appearance, one map a report.

Counters and not hashes: a QQ number or an IPv4 address behind a hash falls to trying them all. With a key that only
the caller has, which makes names last over several reports, that is not so.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import sys
from collections import Counter

from qqdiag.model import Text

_SCOPES = (
    ("lan", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")),
    ("linklocal", ("169.254.0.0/16", "fe80::/10")),
    ("cgnat", ("100.64.0.0/10",)),  # RFC 6598
    ("fakeip", ("198.18.0.0/15",)),  # RFC 2544; what a TUN proxy answers for every name: diagnostic in itself
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
)
_NETWORKS = tuple((scope, tuple(ipaddress.ip_network(net) for net in nets)) for scope, nets in _SCOPES)
_BUCKETS = ((0, "0"), (8, "1-8"), (32, "9-32"), (128, "33-128"))

_HEX = re.compile(r"[0-9A-Fa-f]{8}|[0-9A-Fa-f]{32}")
_DASHED = re.compile(r"[0-9]{1,3}(?:-[0-9]{1,3}){3}")

_IP = ipaddress.IPv4Address | ipaddress.IPv6Address


class Pseudonyms:
    """The map of one report. `masked` counts the values of each class that were replaced."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key
        self._given: set[str] = set()
        self._names: dict[tuple[str, str], str] = {}
        self._last: Counter[str] = Counter()
        self._seen: set[Text] = set()
        self.masked: Counter[str] = Counter()

    def name(self, kind: str, value: str) -> str:
        """`user-1`, with a key `user-4f1a09c3`: the same for the same value, another for another."""
        key = kind, value
        if key not in self._names:
            self._last[kind] += 1
            number = self._digest(kind, value) if self._key else str(self._last[kind])
            self._names[key] = f"{kind}-{number}"
        return self._names[key]

    def _digest(self, kind: str, value: str) -> str:
        """As short as it may be without being another value's in this report."""
        data = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
        digits = hmac.digest(self._key, data, "sha256").hex()
        short = next(digits[:size] for size in (8, 16, len(digits)) if f"{kind}-{digits[:size]}" not in self._given)
        self._given.add(f"{kind}-{short}")
        return short

    def note(self, text: Text) -> None:
        """Count a masked value, once however often it appears."""
        if text not in self._seen:
            self._seen.add(text)
            self.masked[type(text).__name__] += 1

    def address(self, value: str) -> str:
        """`127.0.0.1`, `any`, `lan-1`, `pub-2`: the scope is evidence, the address is not."""
        ip = canonical(value)
        if ip is None:
            return f"<{self.name('address', value)}>"
        if ip.is_loopback:
            return str(ip)
        return "any" if ip.is_unspecified else self.name(scope(ip), str(ip))


def canonical(value: str) -> _IP | None:
    """The address behind its spellings; None when it is none.

    `::ffff:10.0.0.1`, a zone, upper case, brackets, `0A00000A` as /proc/net/tcp has it (words of the machine's order,
    net/ipv4/tcp_ipv4.c, get_tcp4_sock), `10-0-0-1` as providers name their customers' hosts.
    """
    try:
        ip = _parsed(value.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip


def _parsed(value: str) -> _IP:
    if _HEX.fullmatch(value):
        data = bytes.fromhex(value)
        if sys.byteorder == "little":
            data = b"".join(data[start : start + 4][::-1] for start in range(0, len(data), 4))
        return ipaddress.ip_address(data)
    return ipaddress.ip_address(value.replace("-", ".") if _DASHED.fullmatch(value) else value)


def scope(ip: _IP) -> str:
    """Whose address it is, as far as its range tells."""
    for name, networks in _NETWORKS:
        if any(ip in network for network in networks if network.version == ip.version):
            return name
    return "pub"


def bucket(value: str) -> str:
    """The size of a text, coarse: an exact length narrows a secret down."""
    return next((label for most, label in _BUCKETS if len(value) <= most), ">128")
