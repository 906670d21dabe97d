"""What the report shows of a snapshot: trees, groups, rings, what is missing; and whole pages as goldens."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hand_made as made
import pytest
from msgspec.structs import replace

from qqdiag.finding import Diagnosis
from qqdiag.model import Missing, Name, Say, Word
from qqdiag.redact import Redacted, redact
from qqdiag.redact.selfcheck import rendered
from qqdiag.render import lines, markdown, terminal
from qqdiag.snapshot import Level, Snapshot, Task

GOLDEN = Path(__file__).parent / "golden"
HERE = made.diagnosis(made.finding())


def shown(tasks: list[Task], diagnosis: Diagnosis = HERE) -> list[str]:
    """The lines of the section on tasks."""
    snapshot = made.snapshot(samples=[made.sample(1000.0, tasks)])
    report = redact(snapshot, diagnosis).report
    found = [line.text for section in report.sections if section.id == "tasks" for line in lines.section_lines(section)]
    return [line.partition("  created ")[0].rstrip() for line in found]


def waiting(address: int, name: str, *on: int, kind: str = "task", **more: Any) -> Task:
    first, children = (on[0], []) if len(on) == 1 else (0x9999, list(on))
    leaf = made.leaf(first, kind, children=children, type=Name("_asyncio.Task"))
    return made.task(address, name, chain=[made.level(0, 688)], leaf=leaf, **more)


def test_equal_chains_are_one_with_their_number() -> None:
    found = shown([made.task(0x1000 + 16 * number, f"Task-{number}") for number in range(1, 30)], made.diagnosis())
    assert [line for line in found if "Task-" in line] == ["29 x Task-1, pending; as Task-2, Task-3, Task-4 ..."]
    assert sum("QQAdapter._listen" in line for line in found) == 1


def test_what_cannot_be_seen_of_a_loop_of_c_is_not_said_to_be_none() -> None:
    opaque = made.loop(opaque=True, ready=None, timers=[], current_task=None)
    python = replace(made.python([made.task(0x10, "Task-1")]), loops=[opaque])
    snapshot = made.snapshot(samples=[made.sample(1000.0, python=python)])
    report = redact(snapshot, made.diagnosis()).report
    found = [line.text for section in report.sections if section.id == "tasks" for line in lines.section_lines(section)]
    (line,) = (line for line in found if line.startswith("loop "))
    assert line.endswith(": its queue is C's and cannot be seen, nor can its timers")


def test_another_line_is_another_group() -> None:
    found = shown(
        [made.task(0x10, "Task-1"), made.task(0x20, "Task-2", chain=[made.level(0, 689), made.level(1, 322)])]
    )
    assert sum("QQAdapter._listen" in line for line in found) == 2


def test_who_waits_for_whom_is_drawn_below() -> None:
    found = shown([made.task(0x20, "Task-2"), waiting(0x10, "Task-1", 0x20)])
    heads = [(line.index("Task-"), line.split()[0]) for line in found if line.strip().startswith("Task-")]
    assert heads == [(0, "Task-1,"), (4, "Task-2,")]


def test_a_gather_shows_each_of_its_tasks() -> None:
    tasks = [waiting(0x10, "Task-1", 0x20, 0x30, kind="gather"), made.task(0x20, "Task-2"), made.task(0x30, "Task-3")]
    text = "\n".join(shown(tasks))
    assert "waits for 2 tasks" in text
    assert text.index("Task-1") < text.index("Task-2") < text.index("Task-3")


def test_a_lock_shows_who_holds_it() -> None:
    lock = made.leaf(0x77, "lock", type=Name("Lock"), task=0x20)
    found = shown([made.task(0x10, "Task-1", leaf=lock), made.task(0x20, "Task-2", chain=[made.level(3, 1)])])
    text = "\n".join(found)
    assert "waits for Lock, which is held by\n    Task-2, pending" in text


def test_a_ring_is_drawn_as_a_ring() -> None:
    ring = [waiting(0x10, "Task-1", 0x20), waiting(0x20, "Task-2", 0x30), waiting(0x30, "Task-3", 0x10)]
    text = "\n".join(shown(ring))
    assert "back to Task-1: these tasks wait for each other for ever" in text
    assert text.count("Task-3, pending") == 1


def test_a_task_that_waits_for_itself_ends() -> None:
    assert "back to Task-1: these tasks wait for each other for ever" in "\n".join(
        shown([waiting(0x10, "Task-1", 0x10)])
    )


def test_a_task_that_two_wait_for_is_drawn_once() -> None:
    tasks = [waiting(0x10, "Task-1", 0x30), waiting(0x20, "Task-2", 0x30), made.task(0x30, "Task-3")]
    tasks[1] = made.task(0x20, "Task-2", chain=[made.level(0, 1)], leaf=tasks[1].leaf)
    assert "Task-3, drawn above" in "\n".join(shown(tasks))


def test_the_culprit_comes_first_and_is_marked() -> None:
    found = shown([made.task(0x10, "Task-1", chain=[made.level(3, 1)]), made.task(made.LISTENER, "Task-2")])
    heads = [line for line in found if line.startswith("Task-")]
    assert heads == ["Task-2, pending  <== here", "Task-1, pending"]


def test_a_culprit_that_others_wait_for_is_marked_in_its_place() -> None:
    found = shown([waiting(0x10, "Task-1", made.LISTENER), made.task(made.LISTENER, "Task-2")])
    assert "    Task-2, pending  <== here" in found


def test_a_thousand_tasks_of_many_kinds_are_bounded() -> None:
    tasks = [made.task(0x1000 + 16 * number, chain=[made.level(0, number)]) for number in range(1000)]
    found = shown(tasks)
    assert len(found) < 700
    assert any("960 more tasks" in line for line in found)


def test_a_long_line_of_waiting_tasks_ends() -> None:
    tasks = [waiting(number, f"Task-{number}", number + 1) for number in range(1, 3000)]
    assert len(shown(tasks)) < 700


def test_a_failed_task_says_with_what() -> None:
    failed = made.task(0x10, "Task-9", "failed", exception=Name("ConnectionError"), exception_fetched=False)
    assert any("Task-9, failed with ConnectionError, which nobody has fetched" in line for line in shown([failed]))


def test_an_index_that_the_target_got_wrong_is_no_fault() -> None:
    level = Level(kind=Word("coroutine"), address=1, name=Name("f"), code=99_999, line=3)
    assert any("f (coroutine)" in line for line in shown([made.task(0x10, chain=[level])]))


def nothing() -> Snapshot:
    """Nothing could be seen."""
    lack = Missing(Say("process {pid} may not be read", pid=4242), Say("sudo qqdiag inspect {pid}", pid=4242))
    sample = made.sample(process=lack, sockets=lack, python=lack, gateway=lack)
    return made.snapshot(samples=[sample], witness=lack, logs=lack, monitor=lack)


def test_what_is_missing_is_said_once_with_what_to_type_and_once_of_the_checks_that_need_it() -> None:
    missing = Missing(Say("process {pid} may not be read", pid=4242), Say("x"))
    lack = (("hot-loop", missing), ("dead-listener", missing))
    text = terminal.text(redact(nothing(), made.diagnosis(verdict="unknown", missing=lack, clear=())))
    assert text.startswith("UNKNOWN")
    assert text.count("process 4242 may not be read") == 2
    assert "not run, process 4242 may not be read: hot-loop, dead-listener" in text
    assert "sudo qqdiag inspect 4242" in text


def ring() -> Snapshot:
    tasks = [waiting(0x10, "Task-1", 0x20), waiting(0x20, "Task-2", 0x10)]
    tasks += [made.task(0x1000 + 16 * number, f"Task-{number}", chain=[made.level(3, 7)]) for number in range(40, 60)]
    return made.snapshot(samples=[made.sample(999.0, tasks), made.sample(1000.0, tasks)])


PAGES: dict[str, tuple[Callable[[], Snapshot], Diagnosis]] = {
    "hang": (made.snapshot, HERE),
    "clear": (made.snapshot, made.diagnosis(missing=())),
    "nothing-seen": (nothing, made.diagnosis(verdict="unknown", clear=())),
    "ring": (ring, made.diagnosis(missing=())),
}
FORMS: dict[str, Callable[[Redacted], str]] = {"txt": terminal.text, "md": markdown.text}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PAGES)
def test_a_whole_page(name: str, form: str) -> None:
    """QQDIAG_UPDATE_GOLDEN=1 writes them anew: read the difference as an operator would."""
    snapshot, diagnosis = PAGES[name]
    text = rendered(FORMS[form], snapshot(), diagnosis)
    path = GOLDEN / f"{name}.{form}"
    if os.environ.get("QQDIAG_UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def test_a_page_for_an_issue_fits_and_says_what_it_left_out() -> None:
    tasks = [
        made.task(0x1000 + 16 * number, chain=[made.level(0, number + line) for line in range(30)])
        for number in range(90)
    ]
    snapshot = made.snapshot(samples=[made.sample(1000.0, tasks)])
    page = markdown.text(redact(snapshot, HERE))
    assert len(page) < 60_000
    assert page.count("<details>") == page.count("</details>")
    big = made.snapshot(samples=[made.sample(process=made.process(threads=[made.os_thread()] * 1))], logs=None)
    assert "left out" not in markdown.text(redact(big, HERE))


def test_the_verdict_block_is_short() -> None:
    many = made.finding(evidence=made.finding().evidence * 20)
    page = markdown.text(redact(made.snapshot(), made.diagnosis(many)))
    block = page.split("```text\n")[1].split("\n```")[0].splitlines()
    assert len(block) <= 12
    assert block[0].startswith("HANG missing-ack")
    assert block[-1].startswith("next: ")


def test_a_narrow_terminal_gets_every_word() -> None:
    shown_ = redact(made.snapshot(), HERE)
    wide, narrow = terminal.text(shown_), terminal.coloured(shown_, 60)
    plain = narrow
    for code in ("0", "1", "2", "31", "32", "33"):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert max(map(len, plain.splitlines())) <= 60
    assert plain.split() == wide.split()
