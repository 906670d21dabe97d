"""The command `qqdiag attach`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qqdiag.cli import options
from qqdiag.cli.console import emit, note, progress, shown_path
from qqdiag.cli.given import refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qqdiag.model import Say
    from qqdiag.target import Live


@click.command()
@options.target
@options.as_json
@click.option("--ps", "listed", is_flag=True, help="List its tasks; the default.")
@click.option("--where", "task", metavar="TASK", help="Where a task stands, by its name or id.")
@click.option("--cancel", "doomed", metavar="TASK", help="Cancel a task, after its chain was shown and a question.")
@click.option("--console", is_flag=True, help="Open the aiomonitor's console.")
@click.option(
    "--inject", "put_in", is_flag=True, help="Put an aiomonitor into a gateway that has none. It may harm it."
)
@click.option("--by", type=click.Choice(["remote-exec", "hypno"]), help="How --inject does it; if not said, the safer.")
@click.option("--yes", is_flag=True, help="Answer the question of --cancel and --inject.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default="before-inject.qqd", show_default=True,
              help="The capture that --inject takes first.")  # fmt: skip
def attach(
    target: str | None,
    as_json: bool,
    listed: bool,
    task: str | None,
    doomed: str | None,
    console: bool,
    put_in: bool,
    by: str | None,
    yes: bool,
    output: Path,
) -> int:
    """Speak to the aiomonitor of a gateway: list its tasks, cancel one, open its console.

    With --inject, of a gateway that has none: a capture is taken, an aiomonitor is put into it, its console opened,
    and taken out again at the end. Without a terminal its tasks are listed instead. Nothing else of qqdiag runs
    anything in a gateway.

    Example: qqdiag attach 1234 --console
    """
    from qqdiag.attach import find, open_console
    from qqdiag.attach import tasks as its
    from qqdiag.cli.commands import process_of
    from qqdiag.redact.listing import monitor_listing
    from qqdiag.render.rows import rows
    from qqdiag.target import resolve

    _check(put_in, doomed, task)
    if console and not _at_terminal():
        raise click.UsageError("--console needs a terminal: --ps lists the tasks", click.get_current_context())
    if console and not listed:
        refuse(["as_json"], "does not go with --console: --ps lists the tasks")
    live = process_of(resolve(target))
    if task is not None:
        _tell(its.lines(its.where(live, task)))
        return 0
    if put_in:
        return _inject(live, by, output, yes)
    monitor = find(live.pid)
    if doomed is not None:
        found = its.where(live, doomed)
        _tell(its.lines(found))
        if yes or _confirmed("cancel it?"):
            its.cancel(live.pid, monitor, found)
            note("it was asked to end; see whether it did: qqdiag attach PID --ps")
        return 0
    if listed or not console:
        emit(rows(monitor_listing(monitor), as_json))
    if console:
        open_console(live.pid, monitor)
    return 0


def _check(put_in: bool, doomed: str | None, task: str | None) -> None:
    """What does not go together."""
    alone = [("put_in", put_in), ("doomed", doomed is not None), ("task", task is not None)]
    chosen = next((name for name, given in alone if given), None)
    if chosen is not None:
        others = [name for name in ("put_in", "doomed", "task", "listed", "console", "as_json") if name != chosen]
        refuse(others, "does not go with --inject, --cancel or --where")
    if chosen != "put_in":
        refuse(["by", "output"], "is for --inject")
    if chosen not in ("put_in", "doomed"):
        refuse(["yes"], "is for --inject and --cancel")


def _inject(live: Live, by: str | None, output: Path, yes: bool) -> int:
    from qqdiag.attach import find, open_console
    from qqdiag.attach.inject import explain, injected_monitor
    from qqdiag.attach.ways import choose
    from qqdiag.capture import write
    from qqdiag.errors import NotReadable, UsageError
    from qqdiag.model import Say
    from qqdiag.redact.listing import monitor_listing
    from qqdiag.render.rows import rows
    from qqdiag.run import record

    try:
        found = find(live.pid)
    except NotReadable:
        pass
    else:
        raise UsageError(
            Say("it has an aiomonitor already, on port {port}", port=found.web_port),
            Say("qqdiag attach {pid} --console", pid=live.pid),
        )
    way = choose(live, by)
    _tell(explain(live, way))
    if not yes and not _confirmed("do it?"):
        return 0
    with progress() as step:
        write(output, record(live, 1.0, progress=step))
    note(f"captured into {shown_path(output)}; it holds secrets")
    with injected_monitor(live, way, lambda sentence: note(_text(sentence))):
        monitor = find(live.pid)
        if _at_terminal():
            open_console(live.pid, monitor)
        else:
            emit(rows(monitor_listing(monitor), False))
    note("it was taken out again")
    return 0


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _tell(sentences: Iterable[Say]) -> None:
    for one in sentences:
        emit(f"{_text(one)}\n")


def _text(one: Say) -> str:
    from qqdiag.redact import sentence, text_of

    return text_of(sentence(one))


def _confirmed(question: str) -> bool:
    """Asked on a terminal alone: without one the answer is no, and said."""
    if _at_terminal():
        return click.confirm(question)
    note("nothing was done: there is no terminal to ask on; --yes answers for you")
    return False
