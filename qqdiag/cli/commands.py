"""The commands that look at a gateway, and those that tell what is known.

What a command needs is imported inside of it, so that `qqdiag --help` stays quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qqdiag.cli import options
from qqdiag.cli.console import emit, note, progress, width

if TYPE_CHECKING:
    from qqdiag.finding import Diagnosis
    from qqdiag.run import Recording
    from qqdiag.snapshot import Snapshot
    from qqdiag.target import Live, Target


@click.command()
@options.target
@options.interval
@options.pause
@options.deep
@options.variables
@options.sysroot
@options.as_json
@options.raw
def inspect(
    target: str | None,
    interval: float,
    pause: bool,
    deep: bool,
    variables: bool,
    sysroot: Path | None,
    as_json: bool,
    raw: bool,
) -> int:
    """Say why a gateway is silent, the verdict first and last.

    Example: qqdiag inspect 1234 --interval 2
    """
    return look_at(target, interval, pause, as_json, raw, deep, sysroot, variables)


@click.command()
@options.target
@options.interval
@options.pause
@options.variables
@options.sysroot
@options.output
@click.option("--format", "form", type=click.Choice(["md", "json", "text"]), default="md", show_default=True)
@click.option("--raw/--redact", "--no-redact/", default=False, help="Keep private values, and say so on the page.")
@click.option("--exit-code", is_flag=True, help="End with the code of the verdict instead of 0.")
def report(
    target: str | None,
    interval: float,
    pause: bool,
    variables: bool,
    sysroot: Path | None,
    output: Path | None,
    form: str,
    raw: bool,
    exit_code: bool,
) -> int:
    """Write a page that can be posted: nothing in it names a person, a host or a secret.

    Example: qqdiag report 1234 -o report.md
    """
    from qqdiag.exits import of_diagnosis
    from qqdiag.output import write_private
    from qqdiag.publish import page

    snapshot, diagnosis = _examine(target, interval, pause, sysroot=sysroot, variables=variables)
    text = page(snapshot, diagnosis, form, raw)
    if output is None or str(output) == "-":
        emit(text)
    else:
        write_private(output, text.encode("utf-8", "backslashreplace"))
    return of_diagnosis(diagnosis) if exit_code else 0


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
            recording = record_core(found, deep=deep, full=full, variables=variables)
        else:
            live = _process(found)
            recording = record(live, interval, pause=pause, deep=deep, full=full, variables=variables, progress=step)
    write(output, recording)
    note(f"{output.stat().st_size / 1e6:.1f} MB were written")
    note("what was written holds the gateway's secrets: never post it. To post: qqdiag report FILE")
    _check_whole(recording)
    return 0


@click.command()
@click.argument("id")
def explain(id: str) -> int:
    """Print the runbook of a failure.

    Example: qqdiag explain hot-loop
    """
    from qqdiag.explain import runbook

    emit(runbook(id))
    return 0


@click.command()
def schema() -> int:
    """Print the JSON Schema of what `inspect --json` and `report --format json` print.

    Example: qqdiag schema > qqdiag.schema.json
    """
    import msgspec

    from qqdiag.redact.schema import json_schema

    emit(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode() + "\n")
    return 0


@click.command()
@options.as_json
def signatures(as_json: bool) -> int:
    """List the failures that are known.

    Example: qqdiag signatures --json
    """
    from qqdiag.redact.listing import listing
    from qqdiag.render.rows import rows
    from qqdiag.signatures import signatures as known

    emit(rows(listing(known()), as_json))
    return 0


@click.command()
@click.option("--all", "every", is_flag=True, help="List Python processes without an event loop too.")
@options.as_json
@options.raw
def ps(every: bool, as_json: bool, raw: bool) -> int:
    """List the processes that have an event loop, and how each is.

    Health is the verdict of one short look: inspect the process for what it rests on.

    Example: qqdiag ps
    """
    from qqdiag.redact.listing import cells_of, objects_of
    from qqdiag.render.rows import objects, table
    from qqdiag.survey import survey, worst

    with progress() as step:
        found = survey(step, every=every)
    if as_json:
        emit(objects(objects_of([row._asdict() for row in found], raw=raw)))
    elif found:
        emit(table(cells_of([row._asdict() for row in found], raw=raw)))
        note(f"next: qqdiag inspect {worst(found)}")
    else:
        note("no process with an event loop is to be seen; with sudo, those of other users are")
    return 0


@click.command()
@options.as_json
def doctor(as_json: bool) -> int:
    """Try what qqdiag may do on this machine, and say what each lack costs.

    Ends with 2 when it cannot read the memory of a process of this user.

    Example: qqdiag doctor
    """
    from qqdiag.doctor import checks
    from qqdiag.exits import CLEAR, NOT_RUN
    from qqdiag.redact.listing import cells_of, objects_of
    from qqdiag.render.rows import checklist, objects

    found = checks()
    records = [check._asdict() for check in found]
    emit(objects(objects_of(records)) if as_json else checklist(cells_of(records)))
    return CLEAR if found[0].works else NOT_RUN


@click.command()
@options.target
@options.as_json
@click.option("--console", is_flag=True, help="Open its console after the list.")
def attach(target: str | None, as_json: bool, console: bool) -> int:
    """List the tasks that a gateway's own aiomonitor knows, and open its console.

    Example: qqdiag attach 1234 --console
    """
    from qqdiag.attach import find, open_console
    from qqdiag.redact.listing import monitor_listing
    from qqdiag.render.rows import rows
    from qqdiag.target import resolve

    pid = _process(resolve(target)).pid
    monitor = find(pid)
    emit(rows(monitor_listing(monitor), as_json))
    if console:
        open_console(pid, monitor)
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
) -> int:
    """Examine a target, print it, and give the exit code of the verdict."""
    from qqdiag.exits import of_diagnosis
    from qqdiag.publish import page

    snapshot, diagnosis = _examine(target, interval, pause, deep, sysroot, variables)
    if raw:
        from qqdiag.run import with_sources

        snapshot = with_sources(snapshot)
    emit(page(snapshot, diagnosis, "json" if as_json else "text", raw, width()))
    return of_diagnosis(diagnosis)


def _examine(
    target: str | None,
    interval: float,
    pause: bool,
    deep: bool = False,
    sysroot: Path | None = None,
    variables: bool = False,
) -> tuple[Snapshot, Diagnosis]:
    from qqdiag.diagnose import diagnose
    from qqdiag.run import take
    from qqdiag.target import resolve

    with progress() as step:
        found = resolve(target, sysroot, closed=True)
        snapshot = take(found, interval, pause=pause, deep=deep, variables=variables, progress=step)
    return snapshot, diagnose(snapshot)


def _check_whole(recording: Recording) -> None:
    """What was asked for with --full and is not in it ends the command as a failure, after the rest was written."""
    from qqdiag.errors import NotReadable
    from qqdiag.model import Missing, Say

    if isinstance(recording.whole, Missing):
        why = Say("it was written without all memory: {why}", why=recording.whole.reason)
        raise NotReadable(why, recording.whole.hint)


def _process(target: Target) -> Live:
    """A target that must be a process."""
    from qqdiag.errors import UsageError
    from qqdiag.model import Say
    from qqdiag.target import Live

    if isinstance(target, Live):
        return target
    raise UsageError(Say("this needs a running process, not a file"), Say("qqdiag inspect FILE shows what it holds"))


ALL = (inspect, ps, doctor, report, capture, attach, explain, signatures, schema)
