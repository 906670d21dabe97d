"""What each tool shows of one stuck asyncio process, and what it loses: side by side, from their real outputs.

    python benchmarks/neighbours.py [--quick] [--outputs FOLDER] [--write]

The process is `neighbours_target.py` on CPython 3.14 (`newest.py`), as no older one has `python -m asyncio ps`;
--quick takes this Python and only qqdiag. aiomonitor has to be built in: it sees a twin of the program on this Python,
as --quick does where aiomonitor is installed. pstree prints nothing but the cycle where there is one: it sees another
twin, which has none.
A row is what an output holds: names, words and numbers that only that part of the program can have put there.
py-spy, pystack and aiomonitor are asked where they are installed (next to this Python, or on PATH).
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # this folder, whose `inspect` would hide the one of the standard library

import argparse
import contextlib
import html
import importlib.util
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).parent))
import newest
import page

TARGET = Path(__file__).with_name("neighbours_target.py")
CREATED = 1 + TARGET.read_text().splitlines().index("        task = asyncio.create_task(coroutine)")
NEAR = 7  # lines from a task's mention on that are its own


class Target(NamedTuple):
    pid: int
    port: int  # of the peer that a task reads from
    web_port: int | None  # of the aiomonitor in it


class Output(NamedTuple):
    """What one tool printed; `absent`: why there is nothing."""

    text: str = ""
    json: bool = False  # it can print JSON of the same
    absent: str = ""


Question = Callable[[Output, Target], bool]


def names(*wanted: str) -> Question:
    return lambda output, _: all(re.search(rf"\b{name}\b", output.text) for name in wanted)


def near(name: str, pattern: str) -> Question:
    """The pattern occurs from two lines before one that mentions the name on ({port}: the peer's)."""

    def asked(output: Output, target: Target) -> bool:
        lines = output.text.splitlines()
        places = [place for place, line in enumerate(lines) if re.search(rf"\b{name}\b", line)]
        wanted = pattern.replace("{port}", str(target.port))
        return any(re.search(wanted, "\n".join(lines[max(place - 2, 0) : place + NEAR]), re.DOTALL) for place in places)

    return asked


def both(one: Question, two: Question) -> Question:
    return lambda output, target: one(output, target) and two(output, target)


CHAIN = ("chain_outer", "chain_second", "chain_third", "chain_fourth", "chain_inner")
ROWS: Mapping[str, Question] = {
    "suspended tasks, the whole chain": names(*CHAIN),
    "a gather's children": names("gathers", "gathered_one", "gathered_two"),
    "async generators": names("consumes", "produces", "produces_inner"),
    "`__await__` objects": names("uses_ticket", "ticket_inner"),
    "loops in other threads": names("elsewhere_outer", "elsewhere_inner"),
    "await cycles, said to be cycles": both(
        lambda output, _: bool(re.search("cycle|for each other", output.text)),
        names("ring_first", "ring_second"),
    ),
    "cancelled-but-alive tasks": near("stubborn", r"(?i)cancel"),
    "executor workers": names("occupies_worker"),
    "the worker of a task": near("hands_over", r"occupies_worker"),
    "leaf cause: which timer, when due": near("naps", r"(timer|deadline|due|when)\D*\d+"),
    "leaf cause: what it waits for": near("chain_inner", r"\bFuture\b"),
    "lock holder": near("wants_lock", r"(held|holder|owner|locked by).*has_lock"),
    "sockets": near("reads_socket", r"\b{port}\b"),
    "a running task's live stack": names("runs_outer", "runs_inner"),
    "thread names": lambda output, _: re.search(r"\bthread\b.*\bsecond\b|\d second:", output.text, re.I) is not None,
    "source text": lambda output, _: "threading.Event().wait()" in output.text,
    "local variables": lambda output, _: "918273645" in output.text,
    "where a task was created": lambda output, _: f"{TARGET.name}:{CREATED}" in output.text,
    "native (C) frames": lambda output, _: "libc.so" in output.text,
    "JSON": lambda output, _: output.json,
}
# To unwind C a tool stops the process for as long as that takes; what a thread does in the kernel is told without.
LEFT_TO_OTHERS = {"native (C) frames": "py-spy dump --native"}


@contextlib.contextmanager
def started(command: list[str]) -> Iterator[Target]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            yield Target(process.pid, told["port"], told["web_port"])
        finally:
            process.kill()


def installed(name: str) -> str | None:
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


def is_json(command: list[str]) -> bool:
    with contextlib.suppress(ValueError):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return bool(json.loads(done.stdout))
    return False


def qqdiag(target: Target) -> Output:
    command = [sys.executable, "-P", "-m", "qqdiag", "inspect", str(target.pid), "--raw"]
    once = [*command, "--interval", "0"]
    return Output(newest.run(command) + newest.run([*once, "--locals"]), is_json([*once, "--json"]))


def asyncio_tool(python: Path, what: str) -> Callable[[Target], Output]:
    def look(target: Target) -> Output:
        command = newest.beside(python, target.pid, ["-m", "asyncio", what, str(target.pid)])
        return Output(newest.run(command), is_json([*command, "--json"]))

    return look


def py_spy(target: Target) -> Output:
    found = installed("py-spy")
    if found is None:
        return Output(absent="not installed: pip install py-spy")
    command = [found, "dump", "--pid", str(target.pid)]
    return Output(in_all(command, "--locals", "--native"), is_json([*command, "--json"]))


def pystack(target: Target) -> Output:
    found = installed("pystack")
    if found is None:
        return Output(absent="not installed: pip install pystack")
    command = [found, "remote", str(target.pid)]
    return Output(in_all(command, "--locals", "--native"), is_json([*command, "--json"]))


def in_all(command: list[str], *options: str) -> str:
    """What a command prints by itself, and with each of the options."""
    return newest.run(command) + "".join(newest.run([*command, option]) for option in options)


def twin() -> dict[str, tuple[Output, Target]]:
    """aiomonitor's tasks and the stack of each, from its own web page; and what qqdiag shows of that process."""
    nowhere = Target(0, 0, None)
    if importlib.util.find_spec("aiomonitor") is None:
        return {"aiomonitor": (Output(absent="not installed: pip install aiomonitor"), nowhere)}
    with started([sys.executable, str(TARGET), "monitored"]) as target:
        return {"aiomonitor": (aiomonitor(target), target), "qqdiag (twin)": (qqdiag(target), target)}


def aiomonitor(target: Target) -> Output:
    address = f"http://127.0.0.1:{target.web_port}"
    listed = fetched(urllib.request.Request(f"{address}/api/live-tasks", method="POST", data=b""))
    parts = [listed.replace("}", "}\n" + "\n" * NEAR)]
    for task in json.loads(listed)["tasks"]:
        page = fetched(urllib.request.Request(f"{address}/trace-running?task_id={task['task_id']}"))
        parts += [f"{task['coro']} {task['state']}", html.unescape(re.sub(r"<[^>]*>", "", page)), "\n" * NEAR]
    return Output("\n".join(parts), True)


def fetched(request: urllib.request.Request) -> str:
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.reason}"


def table(outputs: Mapping[str, tuple[Output, Target]]) -> str:
    """A Markdown table: a column a tool, a row a thing that can be seen."""
    lines = ["| shown | " + " | ".join(outputs) + " |", "|---|" + "---|" * len(outputs)]
    answers = [(output.absent, rows(output, target)) for output, target in outputs.values()]
    for row in ROWS:
        cells = ["?" if absent else "yes" if row in shown else "-" for absent, shown in answers]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


def missing(outputs: Mapping[str, tuple[Output, Target]]) -> Iterator[str]:
    """What another tool showed of a process and qqdiag did not: a row, a function of the program, a line of a stack."""
    functions = re.findall(r"^(?:async )?def (\w+)", TARGET.read_text(), re.MULTILINE)
    ours = {target.pid: output.text for name, (output, target) in outputs.items() if name.startswith("qqdiag")}
    answers = {target.pid: rows(output, target) for name, (output, target) in outputs.items() if "qqdiag" in name}
    for name, (output, target) in outputs.items():
        if output.absent:
            continue
        lost = rows(output, target) - answers[target.pid] - LEFT_TO_OTHERS.keys()
        yield from (f"{name}: {row}" for row in sorted(lost))
        shown = re.findall(rf"\b(?:{'|'.join(functions)})\b|\b\w+\.py:\d+(?=\))", output.text)
        yield from (f"{name}: {one}" for one in sorted(set(shown)) if one not in ours[target.pid])


def rows(output: Output, target: Target) -> set[str]:
    return {row for row, asked in ROWS.items() if not output.absent and asked(output, target)}


def looked(quick: bool) -> dict[str, tuple[Output, Target]]:
    found = None if quick else newest.newest()
    command = newest.command(found.path, [str(TARGET)]) if found else [sys.executable, str(TARGET)]
    outputs: dict[str, tuple[Output, Target]] = {}
    if quick and importlib.util.find_spec("aiomonitor") is not None:
        command.append("monitored")
    with started(command) as target:
        outputs["qqdiag"] = qqdiag(target), target
        if quick:
            return outputs
        for what in ("ps", "pstree"):
            absent = Output(absent=newest.cure())
            outputs[f"asyncio {what}"] = asyncio_tool(found.path, what)(target) if found else absent, target
        outputs["py-spy"] = py_spy(target), target
        outputs["pystack"] = pystack(target), target
    if found:
        with started(newest.command(found.path, [str(TARGET), "acyclic"])) as target:
            outputs["asyncio pstree (no cycle)"] = asyncio_tool(found.path, "pstree")(target), target
            outputs["qqdiag (no cycle)"] = qqdiag(target), target
    return {**outputs, **twin()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="this Python, and qqdiag alone")
    parser.add_argument("--outputs", type=Path, help="a folder for what each tool printed")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    arguments = parser.parse_args()
    outputs = looked(arguments.quick)
    print(table(outputs))
    if arguments.write:
        page.replace("neighbours", table(outputs))
    for name, (output, _) in outputs.items():
        if output.absent:
            print(f"{name}: {output.absent}")
        if arguments.outputs:
            arguments.outputs.mkdir(parents=True, exist_ok=True)
            (arguments.outputs / f"{name.replace(' ', '-')}.txt").write_text(output.text)
    lost = list(missing(outputs))
    print("\nshown by another and not by qqdiag: " + ("; ".join(lost) or "nothing"))
    print("left to others: " + "; ".join(f"{row}: {command}" for row, command in LEFT_TO_OTHERS.items()))


if __name__ == "__main__":
    main()
