"""A runbook as steps: the items of its lists, and in each the commands that stand in code spans."""

from __future__ import annotations

import re
from typing import NamedTuple

# What begins with one of these is a command; other code spans are names, options, lines of a log.
LOOKS = frozenset(
    {"cat", "curl", "df", "dmesg", "getent", "grep", "ip", "journalctl", "ls", "lsof", "ping", "ps", "sleep", "ss"}
    | {"stat", "timeout", "free", "pgrep"}
)
CHANGES = frozenset({"echo", "fsfreeze", "kill", "prlimit", "systemctl", "umount"})
OURS = re.compile(r'(?:"\$\(command -v qqdiag\)"|qqdiag) ')
ITEM = re.compile(r"^(?:\d+\.|-) ", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
PLACE = re.compile(r"\{([a-z]+)\}")


class Command(NamedTuple):
    """One command of a step, with `{places}` to be filled."""

    text: str
    changes: bool  # whether it does something to the system, rather than look


class Step(NamedTuple):
    """One item of a list."""

    text: str
    commands: tuple[Command, ...]


def steps(runbook: str, heading: str) -> list[Step]:
    """The items of the lists below a heading, in order, and of the other paragraphs those that have a command."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", runbook, re.MULTILINE | re.DOTALL)
    found = []
    for block in section[1].split("\n\n") if section else []:
        paragraph, *items = ITEM.split(block)
        found += [_step(text) for text in items]
        if commands(paragraph):
            found.append(_step(paragraph))
    return found


def _step(text: str) -> Step:
    return Step(" ".join(text.split()), commands(text))


def commands(text: str) -> tuple[Command, ...]:
    """The commands in a text."""
    return tuple([Command(code, _changes(code)) for code in CODE.findall(text) if _program(code)])


def _program(code: str) -> str:
    """The program that a code span runs; "" where it is no command."""
    words = code.removeprefix("sudo ").split()
    if OURS.match(code.removeprefix("sudo ")):
        return "qqdiag"
    # A program without what it is to work on is only mentioned.
    least = 3 if words[0] == "systemctl" else 2
    return words[0] if len(words) >= least and words[0] in LOOKS | CHANGES else ""


def _changes(code: str) -> bool:
    program = _program(code)
    ends_a_socket = program == "ss" and " -K " in f"{code} "
    return program in CHANGES or ends_a_socket or " > " in code or " | sudo tee " in code
