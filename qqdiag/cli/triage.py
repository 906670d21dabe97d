"""The command `qqdiag triage`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qqdiag.cli import options
from qqdiag.cli.console import emit, note, progress

if TYPE_CHECKING:
    from qqdiag.finding import Diagnosis
    from qqdiag.model import Say
    from qqdiag.snapshot import Snapshot
    from qqdiag.triage.journal import Done
    from qqdiag.triage.walk import Answer


class Terminal:
    """A walk's way to the person: sentences on stdout, a question only where somebody can answer it."""

    def __init__(self, every: bool, dry: bool, raw: bool) -> None:
        self._every, self._raw = every, raw
        self.asks = not every and not dry and sys.stdin.isatty() and sys.stdout.isatty()

    def tell(self, sentence: Say, own: str = "") -> None:
        from qqdiag.redact import sentence as shown
        from qqdiag.redact import text_of

        emit(f"{text_of(shown(sentence, raw=self._raw))}{' ' if own else ''}{own}\n")

    def show(self, output: bytes) -> None:
        if self._raw:
            emit("".join(f"    | {line}\n" for line in _printable(output)))

    def ask(self, sentence: Say, own: str) -> Answer:
        from qqdiag.triage.walk import Answer

        self.tell(sentence, own)
        if self._every:
            return Answer.YES
        if not self.asks:
            return Answer.NO
        given = click.prompt("  run it? [y]es, [n]o, [q]uit", default="n", show_default=False).strip().lower()
        return {"y": Answer.YES, "yes": Answer.YES, "q": Answer.QUIT, "quit": Answer.QUIT}.get(given, Answer.NO)


def _printable(output: bytes) -> list[str]:
    from qqdiag.cpython.strings import printable

    return [printable(line) for line in output.decode("utf-8", "backslashreplace").splitlines()]


@click.command()
@options.target
@options.interval
@click.option("--yes", "every", is_flag=True, help="Run each step without asking, until the failure is over.")
@click.option("--dry-run", "dry", is_flag=True, help="Show each step and run none.")
@options.output
@options.raw
def triage(target: str | None, interval: float, every: bool, dry: bool, output: Path | None, raw: bool) -> int:
    """Walk through the runbook of the verdict: its checks, and each step after a question.

    Without a terminal nothing is asked and nothing is changed, unless --yes. What was done is kept: a second call goes
    on where the first one ended, and with -o it stands in the report. What commands print is shown with --raw alone.

    Example: qqdiag triage 1234
    """
    from qqdiag.diagnose import diagnose
    from qqdiag.errors import UsageError
    from qqdiag.exits import CLEAR, FOUND, LACKING
    from qqdiag.model import Say
    from qqdiag.run import take
    from qqdiag.triage import walk
    from qqdiag.watch.follow import Followed

    if every and dry:
        raise UsageError(Say("--yes runs every step, and --dry-run none"), Say("leave out one of the two"))
    followed = Followed(target)
    live = followed.first()
    with progress() as step:
        snapshot = take(live, interval, progress=step)
    diagnosis, terminal = diagnose(snapshot), Terminal(every, dry, raw)
    finding = walk.worst(diagnosis)
    if finding is None:
        terminal.tell(Say("nothing that is known was found"))
        if output is not None:
            _write(output, snapshot, diagnosis, [], raw)
        return CLEAR if diagnosis.verdict != "unknown" else _ask_the_tree(terminal, live.pid) or LACKING
    case = walk.case(snapshot, finding, live, raw)
    over = walk.walk(case, followed, terminal)
    if output is not None:
        _write(output, snapshot, diagnosis, case.journal.done, raw)
    if not over:
        note(f"the runbook: qqdiag explain {finding.id}")
    return CLEAR if over else FOUND


def _write(output: Path, snapshot: Snapshot, diagnosis: Diagnosis, done: list[Done], raw: bool) -> None:
    """The report, and below it what was done."""
    from qqdiag.cli.commands import write_page
    from qqdiag.publish import page
    from qqdiag.triage.record import record

    write_page(output, page(snapshot, diagnosis, "md", raw) + record(done), raw)


def _ask_the_tree(terminal: Terminal, pid: int) -> int:
    """The questions of the decision tree, each after what answers it; 0, as nothing was found."""
    from qqdiag.model import Say
    from qqdiag.triage.tree import questions

    known, number = questions(), 1
    while number:
        question = known[number]
        terminal.tell(Say("question {number}:", number=number), question.text)
        terminal.tell(Say("  look:"), question.look.replace("{pid}", str(pid)))
        for index, reply in enumerate(question.replies, 1):
            where = f"qqdiag explain {reply.id}" if reply.id else f"question {reply.number}" if reply.number else ""
            terminal.tell(Say("  {index}.", index=index), f"{reply.text}{': ' if where else ''}{where}")
        if not terminal.asks:
            number = number + 1 if number + 1 in known else 0
            continue
        given = click.prompt("  which", type=click.IntRange(0, len(question.replies)), default=0)
        number = question.replies[given - 1].number if given else 0
    return 0
