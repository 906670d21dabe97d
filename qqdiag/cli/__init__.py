"""The command line: one function a command. Only this package prints, catches and ends with an exit code."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import click

from qqdiag.cli import commands, lists
from qqdiag.cli.attach import attach
from qqdiag.cli.console import fail
from qqdiag.cli.fixes import fixes
from qqdiag.cli.lab import lab
from qqdiag.cli.man import man
from qqdiag.cli.triage import triage
from qqdiag.cli.watch import watch
from qqdiag.exits import INTERRUPTED, NOT_RUN, OWN_FAULT

if TYPE_CHECKING:
    from types import TracebackType


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="qqdiag")
def cli() -> None:
    """Say from outside why a chat-bot gateway is silent although its process is alive.

    TARGET is a process id, a capture, a core file, a systemd unit, or nothing: then the one gateway here.

    Exit codes: 0 nothing found, 1 something found, 2 could not run, 3 evidence is missing,
    4 the output would have held a private value, 70 a fault of qqdiag, 130 interrupted.

    Example: qqdiag inspect 1234
    """


for command in (*commands.ALL, *lists.ALL, attach, triage, watch, fixes, lab, man):
    cli.add_command(command)


def _unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The interpreter's hook for what nothing caught: a short sentence instead of a traceback, and exit code 70."""
    if issubclass(kind, KeyboardInterrupt):
        raise SystemExit(INTERRUPTED)
    _tell(kind, error, trace)
    raise SystemExit(OWN_FAULT)


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    from qqdiag.redact.errors import own_fault

    _show_way(error.with_traceback(trace))
    fail(own_fault(kind, trace))


def _show_way(error: BaseException) -> None:
    """The traceback, where it is asked for: `raw` with its texts, which may hold anything."""
    from qqdiag.redact.errors import way_to
    from qqdiag.render.terminal import PRIVATE

    wanted = os.environ.get("QQDIAG_TRACEBACK")
    if wanted == "raw":
        click.echo(PRIVATE, err=True)
        sys.__excepthook__(type(error), error, error.__traceback__)
    elif wanted:
        click.echo("\n".join(way_to(error)), err=True)


def _in_a_thread(failure: threading.ExceptHookArgs) -> None:
    """The hook for threads, which end without ending the command."""
    _tell(failure.exc_type, failure.exc_value or failure.exc_type(), failure.exc_traceback)


def _unraisable(failure: sys.UnraisableHookArgs) -> None:
    """The hook for destructors. They are told when asked for alone: their text may hold anything."""
    if failure.exc_value is not None:
        _show_way(failure.exc_value)


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code."""
    from qqdiag.errors import QqdiagError

    try:
        return int(cli.main(arguments, prog_name="qqdiag", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return NOT_RUN
    except click.ClickException as error:
        from qqdiag.redact.errors import usage

        fail(usage(error, arguments))
        return NOT_RUN
    except click.Abort:
        return INTERRUPTED
    except QqdiagError as error:
        from qqdiag.redact.errors import expected

        fail(expected(error))
        return error.exit_code


def main() -> None:
    """The console script."""
    sys.excepthook = _unexpected
    threading.excepthook = _in_a_thread
    sys.unraisablehook = _unraisable
    sys.exit(run(sys.argv[1:]))
