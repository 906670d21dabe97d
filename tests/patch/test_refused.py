"""Sources that are not understood: a clear refusal, and the file is as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from installed_adapters import connection_part, original, source_of

from qqdiag.errors import NotReadable
from qqdiag.patch.changing import changed
from qqdiag.patch.judging import JUDGES

SYNTAX = {
    "3.11": "try:\n    pass\nexcept* ValueError:\n    pass\n",
    "3.12": "type Row[T] = list[T]\n\n\ndef first[T](row: Row[T]) -> T:\n    return row[0]\n\n\nX = f'{f'{1}'}'\n",
    "3.13": "class Box[T = int]:\n    pass\n",
    "3.14": "try:\n    pass\nexcept ValueError, TypeError:\n    pass\n\n\nT = t'{1}'\n",
    "3.15": "lazy import decimal\n\nFLAT = [*row for row in [[1], [2]]]\n",
}


ADAPTER = (
    b"import aiohttp\n\n\nclass Other:\n    async def run(self):\n        session = aiohttp.ClientSession()\n"
    b"        self.ws = await session.ws_connect('wss://x')\n        while True:\n"
    b"            print(await self.ws.receive())\n"
)
BRANCHES = b"def f(x):\n    if x:\n        pass\n" + b"".join(
    b"    elif x == %d:\n        pass\n" % n for n in range(2000)
)


def qqdiag(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "qqdiag", "fixes", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


BAD = {
    "a-syntax-error": (b"def broken(:\n    pass\n", "cannot be parsed: line"),
    "half-a-file": (b"class A:\n    def f(self):\n        return [1,\n", "cannot be parsed: line"),
    "no-python": (b"\x7fELF\x02\x01\x01\x00\x00\x00", "adapter.py"),
    "nothing": (b"", "is not judged: nothing in it opens a WebSocket"),
    "an-encoding-that-is-not": (b"# -*- coding: klingon -*-\nx = 1\n", "encoding"),
    "another-encoding-than-it-says": (b"x = '\xff\xfe'\n", "encoding"),
    "brackets": (b"x = " + b"(" * 2000 + b")" * 2000 + b"\n", "brackets"),
    "old-mac": (b"x = 1\ry = 2\r", "carriage return"),
    "too-large": (b"# " + b"x" * (2 << 20) + b"\n", "more than"),
    "another-adapter": (ADAPTER, "nothing in it answers op 10"),
    "a-row-of-not": (b"x = " + b"not " * 20_000 + b"1\n", "an expression of more than"),
    "a-sum": (b"x = 1" + b" + 1" * 20_000 + b"\n", "an expression of more than"),
    "a-row-of-not-within-bounds": (b"x = " + b"not " * 480 + b"1\n", "nested too deeply"),
    "attributes": (b"x = a" + b".b" * 970 + b"\n", "nested too deeply"),
    "branches": (ADAPTER + BRANCHES, "nested too deeply"),
    "http-alone": (b"import httpx\n\n\nclass A:\n    async def send(self):\n        pass\n", "ws_connect"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_clear_refusal(name: str, tmp_path: Path) -> None:
    content, words = BAD[name]
    path = tmp_path / "adapter.py"
    path.write_bytes(content)
    before = path.stat()
    done = qqdiag("diff" if len(name) % 2 else "check", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (content, before.st_mtime_ns)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.py")
    (tmp_path / "empty").mkdir()
    assert "no such file" in qqdiag("check", tmp_path / "away.py").stderr
    assert "no adapter for the QQ gateway in this folder" in qqdiag("check", tmp_path / "empty").stderr
    assert "no regular file" in qqdiag("check", tmp_path / "fifo.py").stderr
    assert "there is no fix" in qqdiag("diff", tmp_path / "away.py", "--only", "no-such-fix").stderr


def test_without_libcst() -> None:
    code = "import sys; sys.modules['libcst'] = None; from qqdiag.cli import main; main()"
    command = [sys.executable, "-P", "-c", code, "fixes", "check", "adapter.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "pip install 'qqdiag[fixes]'" in done.stderr


@pytest.mark.parametrize("version", sorted(SYNTAX))
def test_newer_syntax_is_read(version: str) -> None:
    text = connection_part(original("0.19.0")) + b"\n\n" + SYNTAX[version].encode()
    result = changed(source_of(text), ["closed-read", "send-gate"])
    assert (result.made, result.refused) == (("send-gate",), ())
    assert result.text.endswith(SYNTAX[version].encode())


def test_lazy_imports_bind_their_names() -> None:
    text = connection_part(original("0.14.0")).replace(b"import asyncio\n", b"lazy import asyncio\n", 1)
    result = changed(source_of(text), ["heartbeat-ack", "send-gate"])
    assert (result.made, result.refused) == (("heartbeat-ack", "send-gate"), ())


def test_one_change_that_cannot_be_made_leaves_the_others() -> None:
    text = connection_part(original("0.14.0"))
    odd = text.replace(b"if op == 11:", b"if op in ACK_OPS:").replace(
        b"class QQAdapter(", b"ACK_OPS = {11}\n\n\nclass QQAdapter("
    )
    result = changed(source_of(odd), ["heartbeat-ack", "send-gate", "loop-watchdog"])
    assert result.made == ("send-gate",)
    assert [id for id, _ in result.refused] == ["heartbeat-ack", "loop-watchdog"]
    assert b"_unanswered" not in result.text


def test_no_version_and_no_name_of_a_release_is_asked_for() -> None:
    with pytest.raises(NotReadable):
        source_of(b"__version__ = '0.19.0'\n")
    assert len(JUDGES) == 11
