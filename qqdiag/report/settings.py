"""How it was set up, by presence alone: the section `configuration`, and the versions that stand in `process`."""

from __future__ import annotations

from qqdiag.model import Bytes, Say, Seconds
from qqdiag.report.document import Cell, Line, Mark, Section
from qqdiag.snapshot import Setting, Settings, Snapshot


def settings_section(snapshot: Snapshot) -> Section[Cell] | None:
    """Environment, command line and files."""
    settings = snapshot.settings
    if not isinstance(settings, Settings):
        return None
    lines: list[Line[Cell]] = [_command_line(settings)]
    lines += [Line(_variable(one)) for one in settings.environment]
    other = Say("{count} environment variables of other names", count=settings.others)
    lines.append(Line(other, mark=Mark.DIM))
    for file in settings.files:
        size, age = Bytes(file.size), Seconds(file.age)
        lines.append(Line(Say("{name}: {size}, changed {age} ago", name=file.name, size=size, age=age)))
    return Section("configuration", Say("Configuration, presence only"), tuple(lines))


def version_lines(snapshot: Snapshot) -> list[Line[Cell]]:
    """Packages and kernel in one line each."""
    settings = snapshot.settings
    if not isinstance(settings, Settings):
        return []
    lines: list[Line[Cell]] = []
    if settings.packages:
        text = Say("packages:")
        for one in settings.packages:
            text = Say("{before} {name} {version}", before=text, name=one.name, version=one.version)
        lines.append(Line(text))
    if settings.kernel is not None and settings.machine is not None:
        lines.append(Line(Say("Linux {kernel}, {machine}", kernel=settings.kernel, machine=settings.machine)))
    return lines


def _command_line(settings: Settings) -> Line[Cell]:
    text = Say("arguments that it was started with: {count}", count=settings.arguments)
    if settings.module is not None:
        text = Say("{text}, as module {module}", text=text, module=settings.module)
    if settings.options:
        text = Say("{text}, options", text=text)
    for option in settings.options:
        long = len(option.reveal()) > 1
        text = Say("{before} --{option}" if long else "{before} -{option}", before=text, option=option)
    return Line(text)


def _variable(one: Setting) -> Say:
    if one.value is not None:
        return Say("{name}: {value}", name=one.name, value=one.value)
    return Say("{name}: {state}", name=one.name, state=one.state)
