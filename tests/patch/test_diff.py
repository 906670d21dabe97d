"""The diff: applied by patch and by git, written as the file is, empty the second time."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from installed_adapters import connection_part, original, source_of

from qqdiag.patch.changing import CHANGES, changed, diff
from qqdiag.patch.judged import Verdict
from qqdiag.patch.judging import judge

PLACE = Path("gateway/platforms/qqbot/adapter.py")
SOME = ("closed-read", "heartbeat-ack", "send-gate")  # lines below a loop, a block and a function, lines in a loop


def applied(text: bytes, patch: bytes, folder: Path, *command: str) -> bytes:
    (folder / PLACE).parent.mkdir(parents=True, exist_ok=True)
    (folder / PLACE).write_bytes(text)
    subprocess.run(command, cwd=folder, input=patch, check=True, capture_output=True)
    return (folder / PLACE).read_bytes()


def tabs(text: bytes) -> bytes:
    """Each level of four spaces by one tab."""
    lines = text.split(b"\n")
    return b"\n".join(b"\t" * ((len(line) - len(line.lstrip(b" "))) // 4) + line.lstrip(b" ") for line in lines)


FORMS = {
    "as it is": lambda text: text,
    "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
    "tabs": tabs,
    "no newline at its end": lambda text: text.rstrip(b"\n"),
    "BOM": lambda text: b"\xef\xbb\xbf" + text,
    "two spaces": lambda text: b"\n".join(
        b" " * ((len(line) - len(line.lstrip(b" "))) // 2) + line.lstrip(b" ") for line in text.split(b"\n")
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_applied_by_patch_and_by_git(form: str, tmp_path: Path) -> None:
    text = FORMS[form](connection_part(original("0.14.0")))
    source = source_of(text)
    result = changed(source, SOME)
    patch = diff(source, result.text)
    assert (result.made, result.refused) == (SOME, ())
    assert applied(text, patch, tmp_path, "patch", "-p1", "--fuzz=0", "--binary") == result.text
    assert applied(text, patch, tmp_path, "git", "apply", "--whitespace=nowarn", "-") == result.text
    new = [line[1:] for line in patch.split(b"\n") if line.startswith(b"+") and not line.startswith(b"+++")]
    assert all(line.endswith(b"\r") for line in new) == (form == "CRLF")
    assert not any(line.startswith(b"    ") for line in new if form == "tabs")
    again = source_of(result.text)
    assert diff(again, changed(again, SOME).text) == b""


def test_each_fix_by_itself_and_one_after_the_other() -> None:
    """What is partly patched is taken as it is; in the end all are there, whatever the order was."""
    text = connection_part(original("0.14.0"))
    for id in sorted(CHANGES, reverse=True):
        source = source_of(text)
        if judge(source.adapter, id).verdict is Verdict.HAS:
            continue
        result = changed(source, [id])
        assert (result.made, result.refused) == ((id,), ())
        text = result.text
    adapter = source_of(text).adapter
    assert {id: judge(adapter, id).verdict for id in CHANGES} == dict.fromkeys(CHANGES, Verdict.HAS)
    compile(text, "adapter.py", "exec")
