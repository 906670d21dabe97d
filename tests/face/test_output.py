"""A file is written whole or not at all, for its owner alone."""

from __future__ import annotations

import os
import resource
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qqdiag.errors import UsageError
from qqdiag.output import write_private


def test_written_with_mode_0600_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_private(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


def test_an_older_file_is_replaced_with_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"older and longer")
    (tmp_path / "a").chmod(0o644)
    write_private(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"as it was")
    (tmp_path / "a").symlink_to("victim")
    write_private(tmp_path / "a", b"new")
    assert (tmp_path / "victim").read_bytes() == b"as it was"
    assert not (tmp_path / "a").is_symlink()


@pytest.mark.parametrize("name", ["folder", "pipe", "no/such/folder", "a" * 300])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError):
        write_private(tmp_path / name, b"x")


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """The kernel refuses longer files (EFBIG), as it refuses any on a full disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


def test_what_cannot_be_written_whole_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"as it was")
    with files_up_to(4096), pytest.raises(UsageError):
        write_private(tmp_path / "a", b"x" * 100_000)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"as it was"


@pytest.mark.root
def test_under_sudo_the_file_belongs_to_who_called_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid():
        pytest.skip("run as root: files are given away here")
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65533")
    write_private(tmp_path / "a", b"x")
    assert ((tmp_path / "a").stat().st_uid, (tmp_path / "a").stat().st_gid) == (65534, 65533)
