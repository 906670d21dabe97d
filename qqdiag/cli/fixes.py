"""The commands `qqdiag fixes list`, `show`, `check` and `diff`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qqdiag.cli import options
from qqdiag.cli.console import emit, emit_bytes, note

if TYPE_CHECKING:
    from qqdiag.patch.source import Source


@click.group()
def fixes() -> None:
    """The reference fixes: small files that end a failure's cause, to read and to copy.

    Example: qqdiag fixes show bounded-close
    """


@fixes.command("list")
@options.as_json
def fixes_list(as_json: bool) -> int:
    """List them.

    Example: qqdiag fixes list
    """
    from qqdiag.remedies import remedies

    found = remedies()
    if as_json:
        keys = ("id", "title", "ends", "upstream")
        emit(json.dumps([{key: getattr(one, key) for key in keys} for one in found], indent=2) + "\n")
    else:
        width = max(len(one.id) for one in found)
        emit("".join(f"{one.id:{width}}  {one.title}\n" for one in found))
    return 0


@fixes.command("show")
@click.argument("id", shell_complete=options.remedies)
@click.option("--source", is_flag=True, help="Print the file itself, to copy it.")
def fixes_show(id: str, source: bool) -> int:
    """Say what a fix does and which failures it ends.

    Example: qqdiag fixes show supervisor
    """
    from qqdiag.remedies import page, remedy

    found = remedy(id)
    emit(found.source if source else page(found))
    return 0


@fixes.command("check")
@options.target
@options.as_json
def fixes_check(target: str | None, as_json: bool) -> int:
    """Say which fixes an installed adapter has, by reading its source.

    TARGET is a running gateway, the adapter's file, or a folder that it lies in. What the code does decides, so an
    edited copy is judged as it is. Ends with 1 where a fix lacks, with 3 where that cannot be told.

    Example: qqdiag fixes check 1234
    """
    from qqdiag.patch import require

    require()
    from qqdiag.exits import of_fixes
    from qqdiag.patch.judging import ELSEWHERE, judge_all
    from qqdiag.patch.shown import as_rows, as_struct
    from qqdiag.redact.listing import cells_of, object_of
    from qqdiag.render.rows import one_object, table

    source, newer = _source(target)
    judged = judge_all(source.adapter)
    shown = as_struct(source.path, judged, newer)
    emit(one_object(object_of(shown)) if as_json else table(cells_of(as_rows(shown))))
    return of_fixes({id: one.verdict.value for id, one in judged.items() if id not in ELSEWHERE})


def _source(target: str | None) -> tuple[Source, bool | None]:
    """The adapter's source, and whether it is newer than the process; None where no process was named."""
    from qqdiag.errors import UsageError
    from qqdiag.model import Say
    from qqdiag.patch import source
    from qqdiag.target import Live, resolve

    if target is not None and not target.isdecimal() and (os.path.isdir(target) or target.endswith(".py")):
        return source.read(Path(target)), None
    found = resolve(target)
    if isinstance(found, Live):
        from qqdiag.patch.installed import loaded

        file = loaded(found)
        return source.parse(file.text, file.path), file.newer
    raise UsageError(
        Say("a capture or a core file holds no source"), Say("give the path of gateway/platforms/qqbot/adapter.py")
    )


@fixes.command("diff")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--only", "ids", multiple=True, metavar="ID", help="This fix alone; may be given several times.")
@options.output
def fixes_diff(path: Path, ids: tuple[str, ...], output: Path | None) -> int:
    """Write a diff that gives an adapter's file the fixes that it lacks. The file itself is not touched.

    Apply it in the folder that its paths start from: cd site-packages && patch -p1 < FILE. It holds lines of your
    source. What cannot be written soundly is named on stderr with the reason, and the command ends with 3.

    Example: qqdiag fixes diff /opt/hermes/gateway/platforms/qqbot/adapter.py -o adapter.diff
    """
    from qqdiag.patch import require

    require()
    from qqdiag.exits import CLEAR, LACKING
    from qqdiag.patch.changing import changed, diff
    from qqdiag.patch.judging import ELSEWHERE, JUDGES
    from qqdiag.patch.shown import reasons
    from qqdiag.redact.listing import sentences
    from qqdiag.remedies import remedy

    for id in ids:
        remedy(id)  # says so where there is none
    found = _source(str(path))[0]
    result = changed(found, ids or sorted(JUDGES))
    _write(diff(found, result.text), output)
    for sentence in sentences(reasons(result.refused)):
        note(sentence)
    return LACKING if {id for id, _ in result.refused} - ELSEWHERE else CLEAR


def _write(text: bytes, output: Path | None) -> None:
    """To a file of the caller's own, or to stdout, with no byte changed."""
    from qqdiag.output import write_private

    if output is None or str(output) == "-":
        emit_bytes(text)
    else:
        write_private(output, text)
