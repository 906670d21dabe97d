"""The commands `qqdiag lab list` and `qqdiag lab start`."""

from __future__ import annotations

import json

import click

from qqdiag.cli import options
from qqdiag.cli.console import emit, note


@click.group()
def lab() -> None:
    """Gateways that fail in one chosen way, on loopback, to try qqdiag on.

    Example: qqdiag lab start hot-loop --inspect
    """


@lab.command("list")
@options.as_json
def lab_list(as_json: bool) -> int:
    """List the cases: those that fail, and healthy ones that look alike.

    Example: qqdiag lab list
    """
    from qqdiag.lab.command import listing

    for case in listing():
        emit(json.dumps(case) + "\n" if as_json else f"{case['id']:24} {case['title']}\n")
    return 0


@lab.command("start")
@click.argument("id", shell_complete=options.lab_cases)
@click.option("--tls", is_flag=True, help="Speak TLS on the connections.")
@click.option("--for", "seconds", type=click.FloatRange(1, 3600), default=120.0, show_default=True, help="Seconds.")
@click.option("--inspect", "look", is_flag=True, help="Inspect it at once, then end it.")
def lab_start(id: str, tls: bool, seconds: float, look: bool) -> int:
    """Run a gateway that falls into the failure ID; its pid and ports are printed when it is there.

    Example: qqdiag lab start hot-loop --inspect
    """
    from qqdiag.lab import command
    from qqdiag.lab.start import start

    with start(id, tls=tls, bound=seconds) as running:
        if look:
            note(f"{id} reached after {running.reached_after} s, pid {running.pid}")
            from qqdiag.cli.commands import look_at

            return look_at(str(running.pid))
        emit(f"{json.dumps(command.announcement(running))}\n")
        command.remain(running, seconds)
    return 0
