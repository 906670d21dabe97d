"""The command line: one function a command. Only here is anything printed, caught or ended with an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from types import TracebackType

    from qqdiag.finding import Diagnosis
    from qqdiag.redact import Redacted
    from qqdiag.redact.errors import ShownError
    from qqdiag.snapshot import Snapshot

_target = click.argument("target", required=False)
_interval = click.option(
    "--interval", type=click.FloatRange(0, 3600), default=1.0, show_default=True, help="Seconds between two samples."
)
_pause = click.option("--pause/--no-pause", default=True, help="Whether the target may stand still for under 1 ms.")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_raw = click.option("--raw", is_flag=True, help="Show private values too: for your eyes alone.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="qqdiag")
def cli() -> None:
    """Say from outside why a chat-bot gateway is silent although its process is alive.

    TARGET is a process id, a capture, or nothing: then the one gateway that runs here.

    Exit codes: 0 nothing found, 1 something found, 2 could not run, 3 evidence is missing,
    4 the output would have held a private value, 70 a fault of qqdiag, 130 interrupted.

    Example: qqdiag inspect 1234
    """


@cli.command()
@_target
@_interval
@_pause
@_json
@_raw
def inspect(target: str | None, interval: float, pause: bool, as_json: bool, raw: bool) -> int:
    """Say why a gateway is silent, the verdict first and last.

    Example: qqdiag inspect 1234 --interval 2
    """
    from qqdiag.exits import of_diagnosis

    snapshot, diagnosis = _examine(target, interval, pause)
    _print(_checked(snapshot, diagnosis, "json" if as_json else "text", raw))
    return of_diagnosis(diagnosis)


@cli.command()
@_target
@_interval
@_pause
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write, mode 0600; - is stdout.")
@click.option("--format", "form", type=click.Choice(["md", "json", "text"]), default="md", show_default=True)
@click.option("--raw/--redact", " /--no-redact", default=False, help="Keep private values, and say so on the page.")
@click.option("--exit-code", is_flag=True, help="End with the code of the verdict instead of 0.")
def report(
    target: str | None, interval: float, pause: bool, output: Path | None, form: str, raw: bool, exit_code: bool
) -> int:
    """Write a page that can be posted: nothing in it names a person, a host or a secret.

    Example: qqdiag report 1234 -o report.md
    """
    from qqdiag.exits import of_diagnosis
    from qqdiag.output import write_private

    snapshot, diagnosis = _examine(target, interval, pause)
    page = _checked(snapshot, diagnosis, form, raw)
    if output is None or str(output) == "-":
        _print(page)
    else:
        write_private(output, page.encode("utf-8", "backslashreplace"))
    return of_diagnosis(diagnosis) if exit_code else 0


@cli.command()
@click.argument("id")
def explain(id: str) -> int:
    """Print the runbook of a failure.

    Example: qqdiag explain hot-loop
    """
    from qqdiag.explain import runbook

    _print(runbook(id))
    return 0


@cli.command()
@_json
def signatures(as_json: bool) -> int:
    """List the failures that are known.

    Example: qqdiag signatures --json
    """
    from qqdiag.redact.listing import listing
    from qqdiag.render import jsonout, terminal
    from qqdiag.signatures import signatures as known

    rows = listing(known())
    _print(jsonout.rows_text(rows) if as_json else terminal.rows_text(rows))
    return 0


@cli.command()
@_target
@_json
@click.option("--console", is_flag=True, help="Open its console after the list.")
def attach(target: str | None, as_json: bool, console: bool) -> int:
    """List the tasks that a gateway's own aiomonitor knows, and open its console.

    Example: qqdiag attach 1234 --console
    """
    from qqdiag.attach import find, open_console
    from qqdiag.redact.listing import monitor_listing
    from qqdiag.render import jsonout, terminal

    pid = _running(target)
    monitor = find(pid)
    rows = monitor_listing(monitor)
    _print(jsonout.rows_text(rows) if as_json else terminal.rows_text(rows))
    if console:
        open_console(pid, monitor)
    return 0


def _running(target: str | None) -> int:
    """The pid of a target that must be a process."""
    from qqdiag.errors import UsageError
    from qqdiag.model import Say
    from qqdiag.target import Live, resolve

    found = resolve(target)
    if isinstance(found, Live):
        return found.pid
    raise UsageError(
        Say("this needs a running process, not a capture"), Say("qqdiag inspect shows what a capture holds")
    )


def _examine(target: str | None, interval: float, pause: bool) -> tuple[Snapshot, Diagnosis]:
    """The arrow up to the diagnosis."""
    from qqdiag.diagnose import diagnose
    from qqdiag.run import take
    from qqdiag.target import resolve

    with _progress() as step:
        snapshot = take(resolve(target), interval, pause=pause, progress=step)
    return snapshot, diagnose(snapshot)


def _checked(snapshot: Snapshot, diagnosis: Diagnosis, form: str, raw: bool) -> str:
    """The rendered text, after the self-check."""
    from qqdiag.model import Word
    from qqdiag.redact.known import known_of
    from qqdiag.redact.selfcheck import rendered
    from qqdiag.render import jsonout, markdown, terminal

    forms: dict[str, Callable[[Redacted], str]] = {"json": jsonout.text, "md": markdown.text, "text": terminal.text}
    if form == "text" and _colour():
        forms["text"] = lambda redacted: terminal.coloured(redacted, _width())
    also = known_of(snapshot.pid) if snapshot.origin == Word("live") else ()
    return rendered(forms[form], snapshot, diagnosis, raw, also, facts=form == "json")


def _colour() -> bool:
    import os

    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _width() -> int:
    import shutil

    return max(60, shutil.get_terminal_size().columns)


def _print(text: str) -> None:
    """Write to stdout. A reader that went away (`| head`) has seen what it wanted."""
    import os

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Gives what is to be told of each step; on a terminal, the step that takes over a second is then named."""
    current = [""]
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


def _fail(error: ShownError) -> None:
    """One sentence and one hint on stderr, or as JSON on stdout where that was asked for."""
    from qqdiag.render import jsonout

    if "--json" in sys.argv:
        _print(jsonout.error_text(error.kind, error.message, error.hint))
    else:
        click.echo(f"qqdiag: {error.message}\n  {error.hint}", err=True)


def _unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The interpreter's hook for what nothing caught: a short sentence instead of a traceback, and exit code 70."""
    import os

    from qqdiag.exits import OWN_FAULT
    from qqdiag.redact.errors import own_fault

    if os.environ.get("QQDIAG_TRACEBACK"):
        sys.__excepthook__(kind, error, trace)
    _fail(own_fault(kind, trace))
    raise SystemExit(OWN_FAULT)


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code."""
    from qqdiag.errors import QqdiagError

    try:
        return int(cli.main(arguments, prog_name="qqdiag", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        from qqdiag.redact.errors import usage

        _fail(usage(error))
        return 2
    except click.Abort:
        return 130
    except QqdiagError as error:
        from qqdiag.redact.errors import expected

        _fail(expected(error))
        return error.exit_code


def main() -> None:
    """The console script."""
    sys.excepthook = _unexpected
    sys.exit(run(sys.argv[1:]))
