"""The command `qqdiag watch`."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from qqdiag.cli import options
from qqdiag.cli.console import emit
from qqdiag.cli.given import refuse
from qqdiag.exits import CLEAR

if TYPE_CHECKING:
    from qqdiag.watch.metrics import Figures

MOST = 3600.0  # seconds


def _seconds(name: str, default: float, least: float, text: str) -> Callable[[Any], Any]:
    return click.option(
        name, type=click.FloatRange(least, 24 * MOST), default=default, show_default=True, help=f"Seconds {text}."
    )


@click.command()
@options.target
@click.option(
    "--folder", type=click.Path(path_type=Path), default="qqdiag", show_default=True, help="Where the evidence goes."
)
@click.option("--then", default="", metavar="COMMAND", help="Run it once the evidence is kept; what it prints is lost.")
@click.option("--confirm", type=click.IntRange(1, 1000), default=3, show_default=True, help="Looks that must agree.")
@click.option("--degraded", is_flag=True, help="Keep, and act upon, what is degraded too, not only what hangs.")
@_seconds("--interval", 5.0, 0.05, "between two probes, and between the looks that must agree")
@_seconds("--every", 30.0, 0.1, "between two looks while all is well")
@_seconds("--then-limit", 60.0, 1, "that the command has; then it is killed")
@_seconds("--backoff", 60.0, 0, "between two runs of the command at first, then twice as long with each")
@click.option("--keep", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Failures kept at most.")
@click.option("--megabytes", type=click.IntRange(1, 1 << 20), default=500, show_default=True, help="Size at most.")
@click.option("--metrics", metavar="[ADDRESS:]PORT", help="Serve figures for Prometheus; 127.0.0.1 if not said.")
def watch(
    target: str | None,
    folder: Path,
    then: str,
    confirm: int,
    degraded: bool,
    interval: float,
    every: float,
    then_limit: float,
    backoff: float,
    keep: int,
    megabytes: int,
    metrics: str | None,
) -> int:
    """Watch a gateway; keep a capture and a report of a failure, and only then run a command.

    It survives the gateway's restarts. Each line that it prints is one event as JSON. The command has QQDIAG_PID,
    QQDIAG_FAILURE, QQDIAG_CAPTURE and QQDIAG_REPORT in its environment.

    Example: qqdiag watch hermes.service --folder /var/lib/qqdiag --then 'systemctl restart hermes.service'
    """
    from qqdiag.finding import Severity
    from qqdiag.redact.listing import objects_of
    from qqdiag.render.rows import line
    from qqdiag.watch import recorder
    from qqdiag.watch.follow import Followed
    from qqdiag.watch.keep import Bounds, ready

    signal.signal(signal.SIGTERM, _end)
    if not then:
        refuse(["then_limit", "backoff"], "is for the command of --then")
    ready(folder)
    plan = recorder.Plan(
        folder=folder.absolute(),
        interval=interval,
        every=every,
        confirm=confirm,
        severity=Severity.DEGRADED if degraded else Severity.HANG,
        then=then,
        then_limit=then_limit,
        backoff=backoff,
        bounds=Bounds(keep, megabytes << 20),
    )
    figures = _figures(metrics) if metrics is not None else None
    observe = (lambda seen: None) if figures is None else figures.look
    for event in recorder.watch(Followed(target), plan, observe):
        if figures is not None:
            figures.event(event)
        emit(line(objects_of([{"event": event.name, **event.values}])[0]))
    return 0


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """As its manager ends it: what is being written is given up, and a running command goes on."""
    raise SystemExit(CLEAR)


def _figures(where: str) -> Figures:
    address, _, port = where.rpartition(":")
    if not port.isdecimal() or int(port) >= 1 << 16:
        raise click.BadParameter("this is no port", param_hint="--metrics")
    try:
        from qqdiag.watch.metrics import Figures
    except ImportError:
        from qqdiag.errors import UsageError
        from qqdiag.model import Say

        raise UsageError(Say("the figures need prometheus-client"), Say("pip install 'qqdiag[metrics]'")) from None
    return Figures(address.strip("[]") or "127.0.0.1", int(port))
