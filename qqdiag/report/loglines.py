"""A line of the log as the call that wrote it has it: fixed text, arguments by their kind, file and line."""

from __future__ import annotations

from qqdiag.model import Say, Seconds
from qqdiag.report.document import Cell, Line, Mark
from qqdiag.snapshot import LogArgument, LogEvent, LogFile, LogLine, Logs, LogTemplate

_LOUD = frozenset({"WARNING", "ERROR", "CRITICAL"})


def last_lines(logs: Logs, file: LogFile, most: int) -> list[Line[Cell]]:
    """The last lines of one log, oldest first; beside its events those alone whose call is known."""
    lines = [line for line in file.last if not file.events or _template(logs, line.template)]
    return [_line(logs, line) for line in lines[-most:]]


def place(logs: Logs, of: LogEvent | LogLine) -> Say | None:
    """Where in the gateway's source it was written; None where that is not known."""
    template = _template(logs, of.template)
    return None if template is None else Say("{path}:{line}", path=template.path, line=template.line)


def _line(logs: Logs, line: LogLine) -> Line[Cell]:
    age = Say("unknown") if line.age is None else Say("{age}", age=Seconds(line.age))
    template = _template(logs, line.template)
    said = _filled(template, line.arguments) if template else Say("{text}", text=line.text)
    if line.exception is not None:
        said = Say("{said} (traceback: {type})", said=said, type=line.exception)
    mark = Mark.WARN if line.level is not None and line.level.reveal() in _LOUD else Mark.DIM
    if line.level is None or line.logger is None:
        return Line(Say("{age} ago  {said}", age=age, said=said), 1, mark)
    text = Say("{age} ago  {level} {logger}: {said}", age=age, level=line.level, logger=line.logger, said=said)
    return Line(text, 1, mark, place(logs, line))


def _template(logs: Logs, number: int | None) -> LogTemplate | None:
    return logs.templates[number] if number is not None and 0 <= number < len(logs.templates) else None


def _filled(template: LogTemplate, arguments: list[LogArgument]) -> Say:
    text = Say("{fixed}", fixed=template.fixed[0]) if template.fixed else Say("")
    for argument, fixed in zip(arguments, template.fixed[1:], strict=False):
        text = Say("{before}{argument}{fixed}", before=text, argument=_argument(argument), fixed=fixed)
    return text


def _argument(argument: LogArgument) -> Say:
    number = argument.number
    if number is not None:
        return Say("{number}", number=int(number) if number.is_integer() else number)
    text = argument.word or argument.fixed or argument.id
    return Say("") if text is None else Say("{text}", text=text)
