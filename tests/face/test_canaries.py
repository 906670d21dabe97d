"""A live process full of canaries: none comes out of any command, and all of them were there to come out."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from planted import BASE62, KINDS, letters

QQDIAG = [sys.executable, "-m", "qqdiag"]
PROGRAM = """
import asyncio, json, os, socket, sys, threading

planted = json.loads(sys.stdin.readline())

class Bot:
    def __init__(self):
        self.token = planted["attribute"]
        self.sessions = {planted["key"]: planted["value"], "list": [planted["item"]]}

async def wait(bot, secret, number, data):
    hidden = {"inner": secret, "bytes": data}
    try:
        raise RuntimeError(planted["exception"])
    except RuntimeError as error:
        kept = error
        await asyncio.Event().wait()

async def fail():
    raise ValueError(planted["failure"])

async def main():
    asyncio.current_task().set_name(planted["task name"])
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(planted["socket"])
    threading.Thread(target=threading.Event().wait, name=planted["thread name"], daemon=True).start()
    opened = open(planted["file"], "w")
    tasks = [asyncio.create_task(wait(Bot(), planted["local"], planted["number"], planted["local"].encode()),
                                 name=planted["other task"]), asyncio.create_task(fail())]
    await asyncio.sleep(0.05)
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(), debug=False)
"""
PLACES = (
    "attribute", "key", "value", "item", "exception", "failure", "task name", "thread name", "other task", "local",
)  # fmt: skip
NAMES = ("QQ_CLIENT_SECRET", "OPENAI_API_KEY", "HTTPS_PROXY", "XQ_UNHEARD_OF", "HERMES_SESSION", "BOT_OWNER")


@dataclass(frozen=True)
class Patient:
    pid: int
    canaries: dict[str, str]  # by where they were planted


@pytest.fixture(scope="module", params=[1, 2])
def patient(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    source = random.Random(request.param)
    kinds = [kind(source) for kind in source.choices(KINDS, k=len(PLACES))]
    planted = dict(zip(PLACES, kinds, strict=True))
    folder = tmp_path_factory.mktemp("canary") / letters(source, 20, BASE62)
    folder.mkdir()
    files = {name: str(folder / letters(source, 20, BASE62)) for name in ("socket", "file")}
    number = source.randrange(10**9, 10**10)
    variables = {name: letters(source, 24, BASE62) for name in NAMES}
    argument = f"--token={letters(source, 24, BASE62)}"
    command = [sys.executable, "-c", PROGRAM, argument]
    with subprocess.Popen(
        command, cwd=folder, env={**os.environ, **variables}, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({**planted, **files, "number": number}) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        canaries = {**planted, **files, **variables, "number": str(number), "argument": argument, "cwd": str(folder)}
        yield Patient(process.pid, canaries)
        process.kill()


def everything(pid: int, folder: Path) -> dict[str, str]:
    """What each command says, stdout and stderr, and each file it writes."""
    hang = folder / "hang.qqd"
    page = folder / "page"
    commands = [
        ["inspect", str(pid), "--interval", "0.2"],
        ["inspect", str(pid), "--interval", "0", "--json"],
        ["inspect", str(pid), "--no-pause", "--interval", "0"],
        ["inspect", str(pid), "--locals", "--interval", "0"],
        ["inspect", str(pid), "--locals", "--interval", "0", "--json"],
        ["report", str(pid), "--locals", "--interval", "0"],
        ["report", str(pid), "--interval", "0"],
        ["report", str(pid), "--interval", "0", "--format", "text", "-o", str(page)],
        ["capture", str(pid), "--interval", "0", "-o", str(hang)],
        ["report", str(hang), "--format", "json"],
        ["attach", str(pid)],
    ]
    said: dict[str, str] = {}
    for command in commands:
        done = subprocess.run([*QQDIAG, *command], capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 2, 3), done.stderr
        said[" ".join(command)] = done.stdout + done.stderr
    return {**said, "page": page.read_text()}


def held(canary: str, text: str) -> bool:
    """Whether 8 characters of it are there, in the spelling of a page (`show` escapes what is not ASCII)."""
    ours = ("agent:main:qqbot:dm:", str(Path(sys.executable).parent), "/tmp/pytest-of-")
    runs = {canary[start : start + 8] for start in range(len(canary) - 7)} or {canary}
    return any(run in text for run in runs if not any(run in known for known in ours))


def test_no_canary_comes_out_of_any_command(patient: Patient, tmp_path: Path) -> None:
    for command, text in everything(patient.pid, tmp_path).items():
        found = [place for place, canary in patient.canaries.items() if held(canary, text)]
        assert not found, command
        assert "Traceback" not in text


def test_the_canaries_are_there_to_be_found(patient: Patient) -> None:
    done = subprocess.run(
        [*QQDIAG, "inspect", str(patient.pid), "--locals", "--raw", "--json", "--interval", "0"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    raw = json.dumps(json.loads(done.stdout), ensure_ascii=False)
    assert patient.canaries["number"] in raw
    for place in ("task name", "other task", "argument", "local"):
        assert held(patient.canaries[place], raw) or "\x1b" in patient.canaries[place], place
