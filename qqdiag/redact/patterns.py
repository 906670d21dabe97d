"""Shapes of what is private in free text. Every repeat is bounded, so that a line costs no more than its length.

They are the middle net of three (net.py): by themselves they find about two of three secrets.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_SECRET_NAMES = (
    r"(?:api[_-]?key|access[_-]?key|app[_-]?id|app[_-]?secret|auth|authorization|bearer|client[_-]?secret|cookie"
    r"|credential|openid|passphrase|passwd|password|private[_-]?key|pwd|secret|session(?:[_-]?id)?|signature|sig"
    r"|ticket|token|user(?:name|[_-]?id)?|chat[_-]?id|group[_-]?id|member[_-]?id|owner|sender|nick(?:name)?)"
)


class Pattern(NamedTuple):
    """What the found part (group `v`, else all of it) is called."""

    kind: str
    expression: re.Pattern[str]


def _pattern(kind: str, expression: str) -> Pattern:
    return Pattern(kind, re.compile(expression, re.IGNORECASE | re.ASCII))


# In this order: what is found by one is not looked at by the next.
PATTERNS = (
    _pattern("key", r"-----BEGIN[ A-Z]{0,40}-----[\s\S]{0,6000}"),
    _pattern(
        "header", r"(?<![\w-])(?:proxy-)?(?:authorization|cookie|set-cookie)['\"]?\s{0,3}[:=]\s{0,3}(?P<v>.{1,2000})"
    ),
    _pattern("token", r"(?<![\w-])(?:bearer|basic|digest|qqbot|bot|token)\s{1,3}(?P<v>[\w.~+/=:-]{8,2000})"),
    _pattern("token", r"(?<![\w-])eyJ[\w-]{4,2000}(?:\.[\w-]{0,2000}){0,2}"),
    _pattern(
        "token",
        r"(?<![A-Za-z0-9])(?:sk|pk|rk|ghp|gho|ghu|ghs|ghr|github_pat|glpat|xox[abeprs]|hf|AKIA|ASIA|AIza|LTAI|SG|npm"
        r"|pypi|dop_v1|shpat|ya29)[-_.]?[\w.-]{12,200}",
    ),
    _pattern("mail", r"(?<![\w.+%-])[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,6}"),
    _pattern("url", r"(?<![\w+.-])[a-z][a-z0-9+.-]{1,20}://[^\s'\"<>]{1,4000}"),
    _pattern(
        "value",
        _SECRET_NAMES + r"['\"]?\]?\s{0,3}[:=]\s{0,3}(?P<v>\"[^\"]{0,2000}\"?|'[^']{0,2000}'?|[^\s,;&)}\]]{1,2000})",
    ),
    _pattern("user", r"(?<![\w])(?:from|user|by|to|for|sender)\s(?P<v>@?[^\s,:;.()]{2,64})(?=[,:;]|\s\()"),
    _pattern(
        "path", r"(?<![\w.])(?:~|[a-z]:)?[\\/](?:[^\s'\"<>|:*?\\/]{1,255}[\\/]){0,40}[^\s'\"<>|:*?\\/,;)\]]{0,255}"
    ),
    _pattern("MAC", r"(?<![\w:])[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}(?![\w:])"),
    _pattern("UUID", r"(?<![\w])[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}(?![\w])"),
    _pattern("number", r"(?<!\d)\d{1,20}(?:[.:-]\d{1,20}){3,30}"),
    _pattern("number", r"(?<![\w.])\+?\d(?:[ -]?\d){6,30}(?![\w])"),
    _pattern(
        "host", r"(?<![\w.-])(?:[a-z0-9_-]{1,63}\.){1,8}(?:local|lan|internal|home|corp|intra|arpa|ts\.net)(?![\w-])"
    ),
    _pattern("name", r"@[\w-]{1,64}"),
    _pattern("text", r"[^\s<>]{0,64}[!#$%&*+?@^`{|}~\\]{2}[^\s<>]{0,64}"),  # no prose: a password
    _pattern("text", r"\"[^\"]{0,4000}\"|'[^']{0,4000}'"),
)
# Looked for before all others, and called by the address's own name: `lan-1`.
ADDRESS = re.compile(
    r"(?<![\d.-])(?:(?<![\w:])::ffff:)?\d{1,3}(?:[.-]\d{1,3}){3}(?![.-]?\d)"
    r"|(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:%\w{1,16})?(?![\w:])",
    re.IGNORECASE | re.ASCII,
)
