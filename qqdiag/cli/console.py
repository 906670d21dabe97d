"""Stdout, stderr and the terminal. Nothing else of qqdiag prints."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from qqdiag.redact.errors import ShownError


def width() -> int:
    """Columns of the terminal; 0 for plain text."""
    import shutil

    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout or not sys.stdout.isatty()
    return 0 if plain else max(60, shutil.get_terminal_size().columns)


def emit(text: str) -> None:
    """Write to stdout. A reader that went away (`| head`) has seen what it wanted."""
    if sys.stdout is None:  # closed by the shell: `>&-`
        return
    encoding = sys.stdout.encoding or "ascii"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def progress(verbose: bool = False) -> Iterator[Callable[[str], None]]:
    """Gives what is to be told of each step, whose names are ours.

    On a terminal, a step that takes over a second is then named; `verbose`: each with its time once it has ended.
    """
    current = [""]
    if verbose:
        yield from _each_step()
        return
    if not sys.stderr.isatty():
        yield current.append
        return
    from threading import Event, Thread

    done = Event()

    def watch() -> None:
        while not done.wait(1.0):
            click.echo(f"... {current[-1]}", err=True)

    Thread(target=watch, daemon=True).start()
    try:
        yield current.append
    finally:
        done.set()


def _each_step() -> Iterator[Callable[[str], None]]:
    began = [("begin", time.monotonic())]

    def step(name: str) -> None:
        before, since = began[-1]
        click.echo(f"qqdiag: {before}: {time.monotonic() - since:.3f} s", err=True)
        began.append((name, time.monotonic()))

    yield step
    step("")


def shown_path(path: Path) -> str:
    """The caller's own path, without what a terminal would act upon."""
    from qqdiag.model import Path as PathText
    from qqdiag.model import Say
    from qqdiag.redact import sentence, text_of

    return text_of(sentence(Say("{path}", path=PathText(str(path))), raw=True))


def emit_bytes(data: bytes) -> None:
    """Write to stdout what is no text of ours: not a byte is changed."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(text: str) -> None:
    """A remark on stderr, beside what was asked for."""
    click.echo(f"qqdiag: {text}", err=True)


def fail(error: ShownError) -> None:
    """One sentence and one hint on stderr, or as JSON on stdout where that was asked for."""
    if "--json" in sys.argv:
        from qqdiag.render.jsonout import error_text

        emit(error_text(error.kind, error.message, error.hint))
    else:
        click.echo(f"qqdiag: {error.message}\n  {error.hint}", err=True)
