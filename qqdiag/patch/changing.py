"""The diff that gives an adapter's source the fixes that it lacks."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from qqdiag.errors import NotReadable
from qqdiag.model import CodePath, Say
from qqdiag.patch import (
    bounded_close,
    closed_read,
    heartbeat_ack,
    listener,
    quick_disconnect,
    ready_deadline,
    send_gate,
    session_change,
    session_resume,
    supervisor,
    url_cache,
)
from qqdiag.patch.edits import Editor
from qqdiag.patch.judged import Adapter, Refused, Verdict
from qqdiag.patch.judging import judge
from qqdiag.patch.source import Source, parse
from qqdiag.redact.public import code_path

CHANGES: dict[str, Callable[[Adapter, Editor], None]] = {
    bounded_close.ID: bounded_close.change,
    closed_read.ID: closed_read.change,
    heartbeat_ack.ID: heartbeat_ack.change,
    listener.ID: listener.change,
    quick_disconnect.ID: quick_disconnect.change,
    ready_deadline.ID: ready_deadline.change,
    send_gate.ID: send_gate.change,
    session_resume.ID: session_change.change,
    supervisor.ID: supervisor.change,
    url_cache.ID: url_cache.change,
}


@dataclass(frozen=True)
class Changed:
    """A source with changes, and the fixes that were not written, with the reason."""

    text: bytes
    made: tuple[str, ...]
    refused: tuple[tuple[str, Say], ...]


def changed(source: Source, ids: Iterable[str]) -> Changed:
    """The source with those of the fixes that it lacks. Each is judged again in the result; one that is not seen there
    is refused."""
    lacking = [id for id in ids if judge(source.adapter, id).verdict is not Verdict.HAS]
    refused: list[tuple[str, Say]] = []
    while True:
        editor = Editor(source.adapter.code, _decoded(source))
        made = [id for id in lacking if id not in dict(refused)]
        for id in made:
            reason = _refusal(source.adapter, editor, id)
            if reason is not None:
                refused.append((id, reason))
        if any(id in dict(refused) for id in made):
            continue  # without the halves of those that were refused
        text = _encoded(source, _text(editor))
        doubtful = _doubtful(text, source.path, made) if made else []
        if not doubtful:
            return Changed(text, tuple(made), tuple(refused))
        refused += [(id, Say("with the change it would still not be seen to work")) for id in doubtful]


def _refusal(adapter: Adapter, editor: Editor, id: str) -> Say | None:
    if id not in CHANGES:
        return Say("it belongs where the gateway starts its loop, not in an adapter: qqdiag fixes show loop-watchdog")
    try:
        CHANGES[id](adapter, editor)
    except Refused as problem:
        return problem.reason
    return None


def _text(editor: Editor) -> str:
    try:
        return editor.result()
    except Refused as problem:
        raise NotReadable(problem.reason, Say("qqdiag fixes diff PATH --only ID")) from problem


def _doubtful(text: bytes, path: CodePath, made: Iterable[str]) -> list[str]:
    adapter = parse(text, path).adapter
    return [id for id in made if judge(adapter, id).verdict is not Verdict.HAS]


def _decoded(source: Source) -> str:
    return source.text.decode(source.adapter.code.module.encoding)


def _encoded(source: Source, text: str) -> bytes:
    return text.encode(source.adapter.code.module.encoding)


def diff(source: Source, after: bytes) -> bytes:
    """A unified diff for `patch -p1` and `git apply`, its bytes in the file's own encoding. Empty: nothing changes.

    Its paths begin at the folder that the file's package was installed in, or are the last two parts.
    """
    name = code_path(source.path.reveal()) or "adapter.py"
    name = "adapter.py" if "?" in name else name
    before_lines, after_lines = _lines(source.text), _lines(after)
    made = difflib.diff_bytes(
        difflib.unified_diff, before_lines, after_lines, f"a/{name}".encode(), f"b/{name}".encode()
    )
    return b"".join(line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n" for line in made)


def _lines(text: bytes) -> list[bytes]:
    """Lines as `patch` has them: they end with a newline alone, whatever else Python takes for one."""
    return [*(line + b"\n" for line in text.split(b"\n")[:-1]), *([last] if (last := text.split(b"\n")[-1]) else [])]
