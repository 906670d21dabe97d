"""The command `qqdiag man`: the manual page, made from what each command says of itself (roff, man(7))."""

from __future__ import annotations

import click

from qqdiag.cli.console import emit

SECTION = 1
RELEASED = {"0.1.0": "2026-11-21"}  # the date that a page wants (mandoc: "missing date"), by version
EXIT_CODES = "Exit codes"  # begins the paragraph of the group's help that is a section here


@click.command()
@click.pass_context
def man(context: click.Context) -> int:
    """Print the manual page of all commands.

    Example: qqdiag man > qqdiag.1 && man -l qqdiag.1
    """
    emit(manual(context.find_root()))
    return 0


def manual(root: click.Context) -> str:
    """The page of a group of commands, as roff."""
    from qqdiag import __version__

    name, paragraphs = root.info_name or "", _paragraphs(root.command)
    codes = [text for text in paragraphs if text.startswith(EXIT_CODES)]
    lines = [
        f'.TH {name.upper()} {SECTION} "{RELEASED[__version__]}" "{name} {__version__}"',
        *(".SH NAME", f"{name} \\- {_text(paragraphs[0]).rstrip('.')}"),
        *(".SH SYNOPSIS", f".B {name}", _text(" ".join(root.command.collect_usage_pieces(root)))),
        *(".SH DESCRIPTION", *_body([text for text in paragraphs[1:] if text not in codes])),
        *(".SH COMMANDS", *(line for context in _commands(root) for line in _command(context))),
        *(".SH EXIT STATUS", *_body([text.partition(": ")[2] for text in codes])),
    ]
    return "\n".join(lines) + "\n"


def _commands(context: click.Context) -> list[click.Context]:
    """Every command below a group that does something, in the group's order."""
    group = context.command
    if not isinstance(group, click.Group):
        return [context]
    below = [(name, group.get_command(context, name)) for name in group.list_commands(context)]
    inner = [click.Context(command, info_name=name, parent=context) for name, command in below if command is not None]
    return [one for child in inner for one in _commands(child)]


def _command(context: click.Context) -> list[str]:
    """Its usage, what it does, and its options."""
    usage = _text(" ".join(context.command.collect_usage_pieces(context)))
    head = [f'.SS "{_text(context.command_path)}"', f".B {_text(context.command_path)}", usage, ".PP"]
    return [*head, *_body(_paragraphs(context.command)), *_options(context)]


def _options(context: click.Context) -> list[str]:
    rows = [parameter.get_help_record(context) for parameter in context.command.get_params(context)]
    return [line for row in rows if row and row[1] for line in (".TP", f".B {_text(row[0])}", _text(row[1]))]


def _paragraphs(command: click.Command) -> list[str]:
    return [" ".join(text.split()) for text in (command.help or "").split("\n\n")]


def _body(paragraphs: list[str]) -> list[str]:
    """Paragraphs of a section: the first one needs no macro."""
    lines = [line for text in paragraphs for line in (".PP", _text(text))]
    return lines[1:]


def _text(text: str) -> str:
    """Our own text, with nothing in it that roff would act upon (groff_char(7))."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return f"\\&{escaped}" if escaped.startswith((".", "\\(aq")) else escaped
