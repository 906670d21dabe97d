"""The commands that look at no gateway in particular: what runs here, what may be done here, what is known."""

from __future__ import annotations

import click

from qqdiag.cli import options
from qqdiag.cli.console import emit, note, progress


@click.command()
@click.argument("id", default="decision-tree", shell_complete=options.failures)
def explain(id: str) -> int:
    """Print the runbook of a failure; without one, the questions that tell which failure it is.

    `qqdiag explain first-five-minutes` says what to keep before a restart.

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


ALL = (ps, doctor, explain, signatures, schema)
