"""Names for what may not be named: counters in order of first appearance, one map a report.

Counters and not hashes: a QQ number or an IPv4 address behind a hash falls to trying them all.
"""

from __future__ import annotations

import ipaddress
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

_IP = ipaddress.IPv4Address | ipaddress.IPv6Address


class Pseudonyms:
    """The map of one report. `masked` counts the values of each class that were replaced."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._last: Counter[str] = Counter()
        self._seen: set[Text] = set()
        self.masked: Counter[str] = Counter()

    def name(self, kind: str, value: str) -> str:
        """`user-1`: the same for the same value, another for another."""
        key = kind, value
        if key not in self._names:
            self._last[kind] += 1
            self._names[key] = f"{kind}-{self._last[kind]}"
        return self._names[key]

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
    """The address behind its spellings (`::ffff:10.0.0.1`, a zone, upper case); None when it is none."""
    try:
        ip = ipaddress.ip_address(value.partition("%")[0])
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip


def scope(ip: _IP) -> str:
    """Whose address it is, as far as its range tells."""
    for name, networks in _NETWORKS:
        if any(ip in network for network in networks if network.version == ip.version):
            return name
    return "pub"


def bucket(value: str) -> str:
    """The size of a text, coarse: an exact length narrows a secret down."""
    return next((label for most, label in _BUCKETS if len(value) <= most), ">128")
