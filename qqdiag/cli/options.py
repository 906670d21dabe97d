"""What several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# redact/leave_out.py has them too: it is not imported here, so that `qqdiag --help` stays quick. A test compares them.
SECTIONS = (
    *("evidence", "timeline", "tasks", "heap", "locks", "sockets", "threads", "gateway", "configuration", "process"),
    *("checked", "missing"),
)


def targets(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """What the shell offers for a target: the pids of the gateways here, or else of what Python runs, and files."""
    from click.shell_completion import CompletionItem

    from qqdiag import find

    pids = [str(pid) for pid in find.gateways() or find.pythons()]
    offered = [CompletionItem(pid) for pid in pids if pid.startswith(begun)]
    return [CompletionItem(begun, type="file"), *offered]  # first: with a file, bash forgets what came before


target = click.argument("target", required=False, shell_complete=targets)
interval = click.option(
    "--interval", type=click.FloatRange(0, 3600), default=1.0, show_default=True, help="Seconds between two samples."
)
pause = click.option("--pause/--no-pause", default=True, help="Whether the target may stand still for under 1 ms.")
deep = click.option("--deep", is_flag=True, help="Walk the heap too: what no registry has, waits without an end.")
variables = click.option(
    "--locals", "variables", is_flag=True, help="Read the locals of suspended frames too, and the attributes of self."
)
full = click.option("--full", is_flag=True, help="Keep all memory that it can write to, up to 256 MiB: it is large.")
sysroot = click.option(
    "--sysroot",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Of a core: the folder with the files of its process, as gdb's `set sysroot`.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
raw = click.option("--raw", is_flag=True, help="Show private values too: for your eyes alone.")
output = click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write, mode 0600; - is stdout.")
required_output = click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write, mode 0600."
)
drop = click.option("--drop", multiple=True, type=click.Choice(SECTIONS), help="Leave a section out; may be repeated.")
verbose = click.option("-v", "--verbose", is_flag=True, help="Tell each step and how long it took, on stderr.")
mask_code = click.option("--mask-code", is_flag=True, help="Hide the names and paths of code that is not public.")
pseudonym_key = click.option(
    "--pseudonym-key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Names that stay the same in each report made with this file (mode 0600, 32 random bytes).",
)
log_text = click.option(
    "--with-log-text",
    "log_text",
    is_flag=True,
    help="Show log lines, what looks private masked: read it before posting.",
)


def failures(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """What the shell offers for the id of a failure."""
    from qqdiag.explain import PAGES, runbooks

    return _beginning(begun, (*PAGES, *runbooks()))


def remedies(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """What the shell offers for the id of a fix."""
    from qqdiag.remedies import remedies as known

    return _beginning(begun, tuple([one.id for one in known()]))


def lab_cases(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """What the shell offers for the id of a gateway of the lab."""
    from qqdiag.lab.start import cases

    return _beginning(begun, tuple([case.id for case in cases()]))


def _beginning(begun: str, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name.startswith(begun)]
