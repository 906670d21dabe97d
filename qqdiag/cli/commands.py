"""The commands that look at one gateway.

What a command needs is imported inside of it, so that `qqdiag --help` stays quick.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qqdiag.cli import options
from qqdiag.cli.console import emit, note, progress, shown_path, width
from qqdiag.cli.given import refuse

if TYPE_CHECKING:
    from qqdiag.finding import Diagnosis
    from qqdiag.recording import Recording
    from qqdiag.snapshot import Snapshot
    from qqdiag.target import Live, Target

OF_FOLDER = frozenset({"target", "form", "output", "verbose"})  # what `report FOLDER` takes


@click.command()
@options.target
@options.interval
@options.pause
@options.deep
@options.variables
@options.sysroot
@options.as_json
@options.raw
@options.drop
@options.verbose
def inspect(
    target: str | None,
    interval: float,
    pause: bool,
    deep: bool,
    variables: bool,
    sysroot: Path | None,
    as_json: bool,
    raw: bool,
    drop: tuple[str, ...],
    verbose: bool,
) -> int:
    """Say why a gateway is silent, the verdict first and last.

    Example: qqdiag inspect 1234 --interval 2
    """
    return look_at(target, interval, pause, as_json, raw, deep, sysroot, variables, drop, verbose)


@click.command()
@options.target
@options.interval
@options.pause
@options.variables
@options.sysroot
@options.output
@click.option("--format", "form", type=click.Choice(["md", "json", "html", "text"]), default="md", show_default=True)
@click.option("--raw/--redact", "--no-redact/", default=False, help="Keep private values, and say so on the page.")
@click.option("--issue", is_flag=True, help="Above the page: title, labels and known threads for an issue tracker.")
@click.option("--exit-code", is_flag=True, help="End with the code of the verdict instead of 0.")
@options.drop
@options.mask_code
@options.pseudonym_key
@options.log_text
@options.verbose
def report(
    target: str | None,
    interval: float,
    pause: bool,
    variables: bool,
    sysroot: Path | None,
    output: Path | None,
    form: str,
    raw: bool,
    issue: bool,
    exit_code: bool,
    drop: tuple[str, ...],
    mask_code: bool,
    pseudonym_key: Path | None,
    log_text: bool,
    verbose: bool,
) -> int:
    """Write a page that can be posted: nothing in it names a person, a host or a secret.

    Of a folder of captures or reports: which failure, where, how often.

    Example: qqdiag report 1234 -o report.md
    """
    if target is not None and os.path.isdir(target):
        return _sum_up(Path(target), form, output, verbose)
    _check_form(issue, raw)
    from qqdiag import pseudonym_key as keys
    from qqdiag.exits import of_diagnosis
    from qqdiag.publish import page
    from qqdiag.redact import Privacy

    key = keys.read(pseudonym_key) if pseudonym_key is not None else b""
    privacy = Privacy(mask_code, key, log_text, tuple(dict.fromkeys(drop)))
    snapshot, diagnosis = _examine(target, interval, pause, sysroot=sysroot, variables=variables, verbose=verbose)
    text = page(snapshot, diagnosis, "issue" if issue else form, raw, privacy=privacy)
    if output is None or str(output) == "-":
        emit(text)
    else:
        write_page(output, text, raw)
    if log_text and not raw:
        note("it holds log lines: people's names and words may be among them. Read it before you post it")
    return of_diagnosis(diagnosis) if exit_code else 0


def _check_form(issue: bool, raw: bool) -> None:
    if issue:
        refuse(["form"], "does not go with --issue, which is Markdown with lines above it")
    if raw:
        refuse(["mask_code", "pseudonym_key", "log_text"], "changes nothing beside --raw, which hides nothing")


def _sum_up(folder: Path, form: str, output: Path | None, verbose: bool) -> int:
    from qqdiag.errors import UsageError
    from qqdiag.model import Say
    from qqdiag.output import write_private
    from qqdiag.redact.listing import cells_of, objects_of
    from qqdiag.render.rows import objects, table
    from qqdiag.tally import tally

    of_one = [parameter.name or "" for parameter in report.params if parameter.name not in OF_FOLDER]
    refuse(of_one, "is for the page of one process: with a folder go --format, -o and -v")
    if form == "html":
        raise UsageError(
            Say("what a folder says is a table, and no page for a browser"), Say("give --format md, text or json")
        )
    with progress(verbose) as step:
        found = tally(folder, step)
    records = [row._asdict() for row in found.rows]
    text = objects(objects_of(records)) if form == "json" else table(cells_of(records))
    if output is None or str(output) == "-":
        emit(text)
    else:
        write_private(output, (f"```\n{text}```\n" if form == "md" else text).encode())
    note(f"{found.read} files were read" + (f", {found.unread} could not be" if found.unread else ""))
    return 0


def write_page(output: Path, text: str, raw: bool) -> None:
    """A private page says so in its name too, whatever it was to be called."""
    from qqdiag.output import write_private

    if raw and "PRIVATE" not in output.name:
        output = output.with_name(f"{output.stem}.PRIVATE{output.suffix}")
        note(f"it holds private values, and so its name is {shown_path(output)}")
    write_private(output, text.encode("utf-8", "backslashreplace"))


@click.command()
@options.target
@options.interval
@options.pause
@options.deep
@options.full
@options.variables
@options.sysroot
@options.required_output
def capture(
    target: str | None,
    interval: float,
    pause: bool,
    deep: bool,
    full: bool,
    variables: bool,
    sysroot: Path | None,
    output: Path,
) -> int:
    """Keep everything that the diagnosis needs, to repeat it elsewhere and later. It holds secrets.

    Example: qqdiag capture 1234 -o hang.qqd
    """
    from qqdiag.capture import write
    from qqdiag.run import record, record_core
    from qqdiag.target import Core, resolve

    found = resolve(target, sysroot)
    with progress() as step:
        if isinstance(found, Core):
            _check_running(found)
            recording = record_core(found, deep=deep, full=full, variables=variables)
        else:
            live = process_of(found)
            recording = record(live, interval, pause=pause, deep=deep, full=full, variables=variables, progress=step)
    write(output, recording)
    note(f"{output.stat().st_size / 1e6:.1f} MB were written")
    note("what was written holds the gateway's secrets: never post it. To post: qqdiag report FILE")
    _check_whole(recording)
    return 0


def look_at(
    target: str | None,
    interval: float = 1.0,
    pause: bool = True,
    as_json: bool = False,
    raw: bool = False,
    deep: bool = False,
    sysroot: Path | None = None,
    variables: bool = False,
    drop: tuple[str, ...] = (),
    verbose: bool = False,
) -> int:
    """Examine a target, print it, and give the exit code of the verdict."""
    from qqdiag.exits import of_diagnosis
    from qqdiag.publish import page
    from qqdiag.redact import Privacy

    snapshot, diagnosis = _examine(target, interval, pause, deep, sysroot, variables, verbose)
    if raw:
        from qqdiag.run import with_sources

        snapshot = with_sources(snapshot)
    privacy = Privacy(drop=tuple(dict.fromkeys(drop)))
    emit(page(snapshot, diagnosis, "json" if as_json else "text", raw, width(), privacy))
    return of_diagnosis(diagnosis)


def _examine(
    target: str | None,
    interval: float,
    pause: bool,
    deep: bool = False,
    sysroot: Path | None = None,
    variables: bool = False,
    verbose: bool = False,
) -> tuple[Snapshot, Diagnosis]:
    from qqdiag.diagnose import diagnose
    from qqdiag.run import take
    from qqdiag.target import resolve

    with progress(verbose) as step:
        found = resolve(target, sysroot, closed=True)
        _check_running(found)
        snapshot = take(found, interval, pause=pause, deep=deep, variables=variables, progress=step)
    return snapshot, diagnose(snapshot)


def _check_whole(recording: Recording) -> None:
    """What was asked for with --full and is not in it ends the command as a failure, after the rest was written."""
    from qqdiag.errors import NotReadable
    from qqdiag.model import Missing, Say

    if isinstance(recording.whole, Missing):
        why = Say("it was written without all memory: {why}", why=recording.whole.reason)
        raise NotReadable(why, recording.whole.hint)


def _check_running(target: Target) -> None:
    """What says how to look at a process is refused for a file, which holds what was seen."""
    from qqdiag.target import Live

    if not isinstance(target, Live):
        refuse(["interval", "pause"], "is for a running process: a file holds what was seen when it was made")


def process_of(target: Target) -> Live:
    """A target that must be a process."""
    from qqdiag.errors import UsageError
    from qqdiag.model import Say
    from qqdiag.target import Live

    if isinstance(target, Live):
        return target
    raise UsageError(Say("this needs a running process, not a file"), Say("qqdiag inspect FILE shows what it holds"))


ALL = (inspect, report, capture)
