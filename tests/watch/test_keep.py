"""What a watcher's folder may hold: no more than its bounds, and nothing of others is touched."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from qqdiag.watch.keep import Bounds, make_room, ready


def failure(folder: Path, moment: int, size: int = 10) -> None:
    for ending in ("qqd", "md", "json"):
        (folder / f"qqdiag-{moment}-77-hot-loop.{ending}").write_bytes(b"x" * size)


def moments(folder: Path) -> set[int]:
    return {int(path.name.split("-")[1]) for path in folder.glob("qqdiag-*")}


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    for moment in range(1700000000, 1700000005):
        failure(tmp_path, moment)
    make_room(tmp_path, Bounds(failures=3))
    assert moments(tmp_path) == {1700000003, 1700000004}  # and one more


@pytest.mark.parametrize(("size", "left"), [(90, {1700000001, 1700000002}), (29, {1700000002}), (1, {1700000002})])
def test_the_oldest_go_when_they_are_too_large_and_the_newest_stays(tmp_path: Path, size: int, left: set[int]) -> None:
    for moment in range(1700000000, 1700000003):
        failure(tmp_path, moment)
    make_room(tmp_path, Bounds(size=size - 1 if size == 90 else size))
    assert moments(tmp_path) == left


def test_nothing_of_others_is_removed(tmp_path: Path) -> None:
    failure(tmp_path, 1700000000)
    failure(tmp_path, 1700000001)
    others = ["notes.txt", "qqdiag-mine.md", ".qqdiag-notes", "qqdiag-1600000000-1-hot-loop.txt"]
    for name in others:
        (tmp_path / name).write_text("mine")
    (tmp_path / "qqdiag-1500000000-1-hot-loop.md").symlink_to(tmp_path / "notes.txt")
    make_room(tmp_path, Bounds(failures=1))
    assert all((tmp_path / name).read_text() == "mine" for name in others)
    assert (tmp_path / "qqdiag-1700000001-77-hot-loop.qqd").exists()
    assert not (tmp_path / "qqdiag-1700000000-77-hot-loop.qqd").exists()


def test_a_clock_that_was_wrong_does_not_make_the_folder_grow(tmp_path: Path) -> None:
    """A machine without a battery begins in 1970; a clock that was ahead is set back."""
    for moment in (7, 1700000000, 9999999999, 1700000001):
        failure(tmp_path, moment)
    make_room(tmp_path, Bounds(failures=3))
    assert moments(tmp_path) == {1700000000, 1700000001}


def test_what_a_killed_watcher_left_goes_and_what_another_one_writes_stays(tmp_path: Path) -> None:
    left, written = (tmp_path / f".qqdiag-1600000000-{pid}-hot-loop.qqd.0123abcd" for pid in (1, 2))
    left.write_text("half")
    with written.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ready(tmp_path)
        assert list(tmp_path.iterdir()) == [written]
    ready(tmp_path)
    assert list(tmp_path.iterdir()) == []
