"""Changes of a source as insertions and replacements in its own text, so that all else stays as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import libcst as cst

from qqdiag.model import Say
from qqdiag.patch.code import Code
from qqdiag.patch.constants import dotted
from qqdiag.patch.judged import Refused

SHORT = 60  # characters of the arguments of a call that stands in one line
UNIT = "    "  # one level in the texts that are inserted


@dataclass(frozen=True)
class Edit:
    """`text` in the place of what lies between two offsets."""

    start: int
    end: int
    text: str


@dataclass(eq=False)
class Editor:
    """Collects the changes of one source. Texts are given with `\\n` and four spaces a level."""

    code: Code
    text: str
    edits: list[Edit] = field(default_factory=list)
    added: dict[str, str] = field(default_factory=dict)  # functions of the module that are needed, by name
    fields: dict[str, str] = field(default_factory=dict)  # attributes of the class, by name, with their first value
    methods: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.starts = [0, *(match.end() for match in re.finditer("\n", self.text))]

    def result(self) -> str:
        """The changed source.

        :raises Refused: two changes meet
        """
        self._add_functions()
        parts, at = list[str](), 0
        ordered = sorted(enumerate(self.edits), key=lambda pair: (pair[1].start, pair[1].end, pair[0]))
        for _, edit in ordered:
            if edit.start < at:
                raise Refused(Say("two of the changes meet in the same lines: write one diff each, with --only"))
            parts += [self.text[at : edit.start], edit.text]
            at = edit.end
        return "".join([*parts, self.text[at:]])

    # --- places ------------------------------------------------------------------------------------------------------

    def offset(self, line: int, column: int) -> int:
        return self.starts[line - 1] + column

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """Offsets of the first character of a node and after its last."""
        where = self.code.positions[node]
        start, end = where.start, where.end  # type: ignore[attr-defined]
        return self.offset(start.line, start.column), self.offset(end.line, end.column)

    def source_of(self, node: cst.CSTNode) -> str:
        start, end = self.span(node)
        return self.text[start:end]

    def first_line(self, node: cst.CSTNode) -> int:
        """Of a statement with the comments right above it, 1-based."""
        decorators = getattr(node, "decorators", ())
        line = self.code.line(decorators[0] if decorators else node)
        for above in reversed(getattr(node, "leading_lines", ())):
            if above.comment is None:
                break
            line -= 1
        return line

    def last_line(self, node: cst.CSTNode) -> int:
        _, end = self.span(node)
        return self.text.count("\n", 0, len(self.text[:end].rstrip())) + 1

    def indent(self, node: cst.CSTNode) -> str:
        """The white space before a statement.

        :raises Refused: it shares its line with another one
        """
        line = self.code.line(node)
        before = self.text[self.starts[line - 1] : self.span(node)[0]]
        if before.strip():
            raise Refused(Say("line {line} holds more than one statement", line=line))
        return before

    # --- changes -----------------------------------------------------------------------------------------------------

    def before(self, node: cst.CSTNode, text: str) -> None:
        """New lines above a statement and its comments."""
        at = self.starts[self.first_line(node) - 1]
        self.edits.append(Edit(at, at, self.laid_out(text, self.indent(node))))

    def after(self, node: cst.CSTNode, text: str) -> None:
        """New lines below a statement."""
        last = self.last_line(node)
        indent = self.indent(node)
        if last < len(self.starts):
            self.edits.append(Edit(self.starts[last], self.starts[last], self.laid_out(text, indent)))
        else:  # the file ends without a newline
            end = len(self.text)
            self.edits.append(Edit(end, end, self.newline + self.laid_out(text, indent).removesuffix(self.newline)))

    def at_top(self, body: cst.BaseSuite, text: str) -> None:
        """New lines at the beginning of a block, below its docstring."""
        first = body.body[0] if isinstance(body, cst.IndentedBlock) else None
        if first is None:
            raise Refused(Say("line {line} holds more than one statement", line=self.code.line(body)))
        if is_text(first):
            self.after(first, text)
        else:
            self.before(first, text)

    def replace(self, node: cst.CSTNode, text: str) -> None:
        start, end = self.span(node)
        self.edits.append(Edit(start, end, text.replace("\n", self.newline)))

    def cut(self, start: int, end: int) -> None:
        """Takes out what lies between two offsets."""
        self.edits.append(Edit(start, end, ""))

    def remove(self, node: cst.CSTNode, instead: str = "") -> None:
        """A statement with its own comments; `instead` in its place."""
        indent = self.indent(node)
        first, last = self.first_line(node), self.last_line(node)
        if not instead and self.is_blank(first - 1) and self.is_blank(last + 1):
            last += 1
        end = self.starts[last] if last < len(self.starts) else len(self.text)
        self.edits.append(Edit(self.starts[first - 1], end, self.laid_out(instead, indent) if instead else ""))

    def is_blank(self, line: int) -> bool:
        """Whether a line, 1-based, is there and empty."""
        if not 0 < line < len(self.starts):
            return False
        return not self.text[self.starts[line - 1] : self.starts[line]].strip()

    # --- how it is written -------------------------------------------------------------------------------------------

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def laid_out(self, text: str, indent: str) -> str:
        """Lines of ours, indented as the file is, with its newlines; each ends with one."""
        unit = self.code.module.default_indent
        lines: list[str] = []
        for line in text.removesuffix("\n").split("\n"):
            bare = line.lstrip(" ")
            level = (len(line) - len(bare)) // len(UNIT)
            lines.append(f"{indent}{unit * level}{bare}" if bare else "")
        return self.newline.join([*lines, ""])

    def name_of(self, meant: str) -> str:
        """What the source calls a module or a function of one.

        :raises Refused: it does not import it
        """
        for name, imported in self.code.imported.items():
            if imported == meant:
                return name
        raise Refused(Say("it does not import asyncio as a module"))

    def log(self, level: str, text: str, *arguments: str) -> str:
        """A line of the log, as the source writes them; `pass` where it has no logger."""
        logger = next((name for name in ("logger", "log", "_logger", "LOG") if name in self.loggers), None)
        if logger is None:
            return "pass"
        if self.code.method("_log_tag") is not None:
            text, arguments = f"[%s] {text}", ("self._log_tag", *arguments)
        parts = [f'"{text}"', *arguments]
        if sum(len(part) for part in parts) < SHORT:
            return f"{logger}.{level}({', '.join(parts)})"
        inside = "".join(f"{UNIT}{part},\n" for part in parts)
        return f"{logger}.{level}(\n{inside})"

    @property
    def loggers(self) -> set[str]:
        """Names of the module that hold a logger."""
        return {
            dotted(target.target)
            for line in self.code.module.body
            if isinstance(line, cst.SimpleStatementLine)
            for small in line.body
            if isinstance(small, cst.Assign) and "getLogger" in self.source_of(small.value)
            for target in small.targets
        }

    def _add_functions(self) -> None:
        """Functions, attributes and methods that the changes need, each once."""
        node = self.code.classes[self.code.adapter]
        new = [text for name, text in self.added.items() if name not in self.code.functions]
        for text in new:
            self.before(node, f"{text}\n\n\n")
        own = [(name, value) for name, value in self.fields.items() if name not in self._class_names()]
        first = next(one for one in node.body.body if isinstance(one, cst.FunctionDef))
        if own:
            self.before_function(first, "".join(f"{name} = {value}\n" for name, value in own) + "\n")
        for name, text in self.methods.items():
            if self.code.method(name) is None:
                self.before_function(first, f"{text}\n\n")

    def _class_names(self) -> set[str]:
        return {name for owner in self.code.lineage(self.code.adapter) for name in self.code.attributes.get(owner, {})}

    def before_function(self, node: cst.FunctionDef, text: str) -> None:
        """Above a function's comments and decorators."""
        at = self.starts[self.first_line(node) - 1]
        place = self.text[at:]
        indent = place[: len(place) - len(place.lstrip(" \t"))]
        self.edits.append(Edit(at, at, self.laid_out(text, indent)))


def is_text(node: cst.CSTNode) -> bool:
    """Whether a statement is a docstring."""
    return (
        isinstance(node, cst.SimpleStatementLine)
        and isinstance(node.body[0], cst.Expr)
        and isinstance(node.body[0].value, cst.SimpleString | cst.ConcatenatedString)
    )


def inner(text: str, levels: int = 1) -> str:
    """A text of several lines that stands inside another one: all lines but the first are indented."""
    return text.replace("\n", "\n" + UNIT * levels)
