"""Options that were typed and would change nothing are refused: who types one expects something of it."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.core import ParameterSource


def refuse(names: Iterable[str], why: str) -> None:
    """A usage error where the option of one of these parameters was typed. `why`: what stands behind its name."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{_option(context, name)} {why}", context)


def _option(context: click.Context, name: str) -> str:
    """As it was typed: the second form of a switch where that was."""
    parameter = next(parameter for parameter in context.command.params if parameter.name == name)
    off = parameter.secondary_opts and not context.params[name]
    return parameter.secondary_opts[0] if off else parameter.opts[-1]
