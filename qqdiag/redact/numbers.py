"""Numbers as a reader wants them. Numbers are public by their type."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from qqdiag.model import Bytes, Hex, Millis, Moment, Percent, Seconds

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def number(value: Seconds | Millis | Bytes | Percent | Hex | int | float | bool) -> str:
    """The text of a number: `41 m 12 s`, `0.43 ms`, `12 kB`, `98 %`, `0x7f3a`, `yes`."""
    if isinstance(value, float) and not math.isfinite(value):
        return "unknown"
    if isinstance(value, Seconds):
        return duration(value)
    if isinstance(value, Moment):
        return moment(value)
    if isinstance(value, Millis):
        return f"{_short(value)} ms"
    if isinstance(value, Percent):
        return f"{abs(value):.0f} %"
    return _whole(value) if isinstance(value, int) else f"{value:.6g}"


def duration(seconds: float) -> str:
    """Seconds in the two largest units that say something."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 1:
        return f"{_short(seconds * 1000)} ms" if seconds else "0 s"
    if seconds < _MINUTE - 0.05:  # 59.96 would be rounded to 60.0
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} m {whole % _MINUTE:02} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} m"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def moment(seconds: float) -> str:
    """A date and time in UTC."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):  # years that datetime does not know
        return "unknown"


def size(count: int) -> str:
    """Bytes in units of 1000, as the kernel's and most network tools print them."""
    value, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while abs(value) >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.3g} {units[0]}" if abs(value) < 1000 else f"{value:.0f} {units[0]}"


def _whole(value: int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Bytes):
        return size(value)
    return f"{value:#x}" if isinstance(value, Hex) else str(int(value))


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"
