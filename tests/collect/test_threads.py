"""py-spy as second witness."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from collect_patients import as_nobody, patient, until

from qqdiag.collect import threads
from qqdiag.model import Missing
from qqdiag.snapshot import Witness

PROGRAM = """
def outer():
    inner()
def inner():
    say({"main": threading.get_native_id(), "other": other.native_id})
    serve()
def sleeper():
    time.sleep(1000)
other = threading.Thread(target=sleeper, daemon=True)
other.start()
outer()
"""


def names(witness: Witness, tid: int) -> list[str]:
    return [frame.name.reveal() for thread in witness.threads if thread.tid == tid for frame in thread.frames]


def test_all_threads_innermost_first() -> None:
    with patient(PROGRAM) as there:

        def seen() -> Witness:
            witness = threads.collect(there.pid)
            assert isinstance(witness, Witness)
            return witness

        witness = until(seen, lambda seen: "sleeper" in names(seen, there.first["other"]))
        main = names(witness, there.first["main"])
        assert main[-4:] == ["serve", "inner", "outer", "<module>"]
        assert names(witness, there.first["other"])[0] == "sleeper"
        assert witness.version.reveal()[0].isdigit()


def test_what_is_not_python_is_missing_with_its_words() -> None:
    with patient("say(1)\nos.execvp('sleep', ['sleep', '1000'])") as there:
        until(lambda: os.readlink(f"/proc/{there.pid}/exe"), lambda path: "python" not in path)
        seen = threads.collect(there.pid)
    assert isinstance(seen, Missing)
    assert "py-spy could not read" in seen.reason.template
    assert "said" in seen.reason.values


def test_it_is_killed_at_its_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid_file = tmp_path / "pid"
    _install(tmp_path, f"#!/bin/sh\necho $$ > {pid_file}\nexec sleep 1000\n", monkeypatch)
    seen = threads.collect(os.getpid(), timeout=0.5)
    assert isinstance(seen, Missing)
    assert "killed" in seen.reason.template
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


@pytest.mark.parametrize("said", ["", "[", "{}", '[{"os_thread_id": "x", "frames": []}]', "\\377"])
def test_other_words_than_its_own_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    _install(tmp_path, f"#!/bin/sh\nprintf '{said}'\n", monkeypatch)
    assert isinstance(threads.collect(os.getpid()), Missing)


def test_without_py_spy_there_is_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, None, monkeypatch)
    seen = threads.collect(os.getpid())
    assert isinstance(seen, Missing)
    assert seen.hint.template == "pip install py-spy"


def _install(folder: Path, script: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment whose py-spy is `script`."""
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(folder))
    if script is not None:
        (folder / "py-spy").write_text(script.replace("exec sleep", "exec /bin/sleep"))
        (folder / "py-spy").chmod(stat.S_IRWXU)


@pytest.mark.root
def test_another_users_process_is_missing() -> None:
    code = """
seen = threads.collect(int(sys.argv[1]))
say(type(seen).__name__)
"""
    with patient(PROGRAM) as there:
        assert as_nobody(code, there.pid) == "Missing"
