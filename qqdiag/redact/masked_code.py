"""`--mask-code`: which names and paths of code are of a public distribution, so that they may be seen all the same.

Where it is not certain the name is hidden: a company's own package is installed like any other.
"""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Iterable

from qqdiag.model import CodePath, FixedText, Name, TaskName, Text
from qqdiag.snapshot import Code, Logs, Python, Snapshot

_INSTALLED = re.compile(r".*/(?:site|dist)-packages/([A-Za-z0-9_]+)[/.]")
_STANDARD = re.compile(r".*/(?:python3\.[0-9]{1,2}t?|python3[0-9]{1,2}\.zip)/(?!(?:site|dist)-packages/)")
_FROZEN = re.compile(r"<frozen [A-Za-z0-9_.]{1,80}>")
_DISTRIBUTIONS = (
    "aiofiles aiohttp aiomonitor aiosignal anyio asyncpg asyncssh attr certifi charset_normalizer click discord "
    "fastapi frozenlist gateway h11 h2 hermes_cli hpack httpcore httptools httpx idna janus jinja2 lark_oapi multidict "
    "nats nio openai propcache pydantic redis requests rich sniffio slack_bolt slack_sdk sqlalchemy starlette telegram "
    "urllib3 uvicorn uvloop watchfiles websockets winloop wsproto yaml yarl"
)
_CLASSES = (
    "AsyncClient ClientConnection ClientSession ClientWebSocketResponse Context ContextVar EpollSelector FutureIter "
    "Loop OrderedDict QQAdapter SSLContext SSLObject SSLSocket SimpleQueue TCPConnector TaskStepMethWrapper "
    "WebSocketClientProtocol WebSocketReader WebSocketWriter coroutine_wrapper defaultdict deque partial socket "
    "weakref <module> <lambda> <listcomp> <genexpr> <locals> ? self cls"
)
_PUBLIC = frozenset(_DISTRIBUTIONS.split())
_TYPES = frozenset(_CLASSES.split())


class MaskedCode:
    """What of one snapshot's code is hidden."""

    def __init__(self, snapshot: Snapshot) -> None:
        pythons = [sample.python for sample in snapshot.samples if isinstance(sample.python, Python)]
        codes = [code for python in pythons for code in python.codes]
        public = [code for code in codes if is_public(code.path.reveal())]
        self._own = _names(code for code in codes if not is_public(code.path.reveal())) - _TYPES
        self._texts = _own_texts(snapshot)
        self._known = _names(public) | _TYPES | frozenset(dir(builtins)) | _of_asyncio()

    def hides(self, text: Text) -> bool:
        """Whether a text that is public by its shape is of somebody's own code."""
        value = text.reveal()
        if isinstance(text, CodePath):
            return not is_public(value)
        if isinstance(text, FixedText):
            return value in self._texts
        if isinstance(text, TaskName):
            return "(" in value  # the function that a thread runs
        return isinstance(text, Name) and not self._is_known(value)

    def _is_known(self, value: str) -> bool:
        if value in self._own:
            return False
        first, dot, _ = value.partition(".")
        return (
            value in self._known or value.rpartition(".")[2] in _TYPES or bool(dot and first in sys.stdlib_module_names)
        )


def _own_texts(snapshot: Snapshot) -> frozenset[str]:
    """What stands in log calls of somebody's own code."""
    templates = snapshot.logs.templates if isinstance(snapshot.logs, Logs) else []
    own = [template for template in templates if not is_public(template.path.reveal())]
    return frozenset(part.reveal() for template in own for part in template.fixed)


def is_public(path: str) -> bool:
    """Whether a code path is of the standard library or of a distribution that everybody can read."""
    if _STANDARD.match(path) or _FROZEN.fullmatch(path):
        return True
    found = _INSTALLED.match(path)
    return found is not None and found[1] in _PUBLIC


def _names(codes: Iterable[Code]) -> frozenset[str]:
    return frozenset(name for code in codes for name in (code.qualname.reveal(), code.name.reveal()))


def _of_asyncio() -> frozenset[str]:
    import asyncio

    modules = [asyncio, *(module for name, module in sys.modules.items() if name.startswith("asyncio."))]
    return frozenset(name for module in modules for name in vars(module))
