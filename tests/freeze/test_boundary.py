"""The boundary around collectors: whatever one raises, or does not return, is Missing."""

from __future__ import annotations

import threading
import time

from qqdiag.collect import attempt, begin, guarded
from qqdiag.errors import NotReadable
from qqdiag.memory.source import Unreadable
from qqdiag.model import Hex, Missing, Name, Say, Text, Word

SECRET = "token-of-somebody"


def texts(say: Say) -> list[str]:
    values = [value.reveal() if isinstance(value, Text) else str(value) for value in say.values.values()]
    return [say.template, *values]


def fails(error: BaseException) -> None:
    raise error


def test_what_is_returned_comes_back() -> None:
    assert guarded("part", time.monotonic() + 5, divmod, 7, 2) == (3, 1)
    gone = Missing(Say("it is not there"), Say("look"))
    assert guarded("part", time.monotonic() + 5, lambda: gone) is gone


def test_our_own_errors_keep_their_words() -> None:
    message, hint = Say("it is no Python"), Say("start it")
    missing = attempt("part", fails, NotReadable(message, hint))
    assert missing == Missing(message, hint)


def test_text_of_an_exception_stays_inside() -> None:
    for error in (
        ValueError(SECRET),
        OSError(13, SECRET),
        OSError(5, SECRET, SECRET),
        KeyError(SECRET),
        OSError(SECRET),
    ):
        missing = attempt("part", fails, error)
        assert isinstance(missing, Missing)
        assert not any(SECRET in text for text in texts(missing.reason) + texts(missing.hint))


def test_kind_of_an_exception_is_told() -> None:
    kinds = {
        Word("EACCES"): PermissionError(13, SECRET),
        Word("EIO"): OSError(5, SECRET),
        Name("ZeroDivisionError"): ZeroDivisionError(SECRET),
        Hex(0x1000): Unreadable(0x1000),
    }
    for expected, error in kinds.items():
        missing = attempt("part", fails, error)
        assert isinstance(missing, Missing)
        assert expected in missing.reason.values.values()
        assert missing.reason.values["section"] == Word("part")


def test_deadline() -> None:
    release = threading.Event()
    try:
        began = time.monotonic()
        missing = guarded("part", began + 0.05, release.wait)
        assert time.monotonic() - began < 5
        assert isinstance(missing, Missing)
        assert missing.reason.values["section"] == Word("part")
    finally:
        release.set()


def test_what_has_no_time_is_not_begun() -> None:
    done: list[int] = []
    missing = guarded("part", time.monotonic() - 1, done.append, 1)
    assert isinstance(missing, Missing)
    assert done == []


def test_several_work_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=10)
    pending = [begin("part", time.monotonic() + 10, meeting.wait) for _ in range(3)]
    assert sorted(str(one.result()) for one in pending) == ["0", "1", "2"]


def test_a_stuck_one_does_not_keep_us_alive() -> None:
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "part")
    release = threading.Event()
    try:
        begin("part", time.monotonic() + 60, release.wait)
        assert [thread.daemon for thread in threading.enumerate() if thread.name == "part"] == [True]
    finally:
        release.set()
