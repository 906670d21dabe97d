"""The commands `qqdiag fixes list` and `qqdiag fixes show`."""

from __future__ import annotations

import json

import click

from qqdiag.cli import options
from qqdiag.cli.console import emit


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
@click.argument("id")
@click.option("--source", is_flag=True, help="Print the file itself, to copy it.")
def fixes_show(id: str, source: bool) -> int:
    """Say what a fix does and which failures it ends.

    Example: qqdiag fixes show supervisor
    """
    from qqdiag.remedies import page, remedy

    found = remedy(id)
    emit(found.source if source else page(found))
    return 0
