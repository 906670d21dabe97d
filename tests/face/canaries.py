"""Plants 2,500 canaries of 16 kinds in a live gateway and around it, and tells whether a text holds one of them."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from planted import BASE62, KINDS, letters

PROGRAM = Path(__file__).with_name("canary_gateway.py")
RUN = 8
# Parts of canaries, and of the folders they lie in, that are no secret.
OURS = ("agent:main:qqbot:dm:", ".lan.example", "@example", "/tmp/pytest-of-", "pytest-of-")
TASKS = 60
KEYS = ("name", "token", "key", "value", "item", "deep", "local", "bytes", "attribute", "entry")
TEMPLATES = (
    "[QQBot:main] Ready, session_id={}", "[QQBot:main] WebSocket closed: code=4009 reason={}",
    "[QQBot:main] Reconnect failed: {}", "Inbound message from {}: hello", "Task exception was never retrieved: {}",
)  # fmt: skip


@dataclass
class Planted:
    """What was planted, by where; `pid` of the gateway that holds it."""

    source: random.Random
    pid: int = 0
    canaries: dict[str, list[str]] = field(default_factory=dict)

    def one(self, place: str, kind: Callable[[random.Random], str] | None = None) -> str:
        canary = (kind or self.source.choice(KINDS))(self.source)
        self.canaries.setdefault(place, []).append(canary)
        return canary

    def word(self, place: str, size: int = 24) -> str:
        """One for a place that does not take every character."""
        return self.one(place, lambda source: letters(source, size, BASE62))

    def count(self) -> int:
        return sum(map(len, self.canaries.values()))


class Text:
    """A text to be searched for many canaries: by its runs of 8 characters."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.runs = {text[start : start + RUN] for start in range(len(text) - RUN + 1)}
        self.numbers = set(re.findall(r"\d{7,}", text))

    def holds(self, canary: str) -> bool:
        """Whether 8 characters of it are there, as they are or escaped; a number as a whole.

        A page of JSON has a hundred thousand runs of 8 digits, in addresses: some come by chance.
        """
        if canary.isascii() and canary.isdigit():
            return canary in self.numbers
        escaped = (canary, canary.encode("unicode_escape").decode(), json.dumps(canary)[1:-1])
        return any(self._run(spelled) for spelled in escaped)

    def _run(self, spelled: str) -> bool:
        runs = (spelled[start : start + RUN] for start in range(len(spelled) - RUN + 1))
        return any(run in self.runs and not run.isdigit() and not any(run in ours for ours in OURS) for run in runs)

    def found(self, planted: Planted) -> dict[str, int]:
        """How many canaries of each place are there."""
        counts = {place: sum(map(self.holds, found)) for place, found in planted.canaries.items()}
        return {place: count for place, count in counts.items() if count}


@contextmanager
def gateway(seed: int, folder: Path) -> Iterator[Planted]:
    """The gateway, once it stands still. As root it has a host name of its own."""
    planted = Planted(random.Random(seed))
    home = folder / planted.word("folder", 20)
    (home / "hermes_cli").mkdir(parents=True)
    shutil.copy(PROGRAM, home / "hermes_cli" / "__main__.py")
    inside = _inside(planted, home)
    _files(planted, home)
    arguments = [f"--opt{number}={planted.one('argv')}" for number in range(120)]
    arguments += [planted.one("argv") for _ in range(120)]
    variables = {f"XQ_{number}": planted.one("environ") for number in range(500)}
    variables |= {name: planted.one("environ") for name in ("QQ_CLIENT_SECRET", "OPENAI_API_KEY", "BOT_OWNER")}
    command = [sys.executable, "-m", "hermes_cli", "gateway", "run", *arguments]
    if os.geteuid() == 0:
        host = planted.one("host name", lambda source: letters(source, 20, "abcdefghijklmnop"))
        command = ["unshare", "--uts", "sh", "-c", f'hostname {host}; exec "$@"', "sh", *command]
    environment = {**os.environ, **variables, "HERMES_HOME": str(home)}
    with subprocess.Popen(
        command, cwd=home, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(inside) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        planted.pid = process.pid
        try:
            yield planted
        finally:
            process.kill()


def _inside(planted: Planted, home: Path) -> dict[str, object]:
    tasks = [{key: planted.one(key) for key in KEYS} for _ in range(TASKS)]
    for task in tasks:
        task["attribute"], task["entry"] = (planted.word(key).replace("0", "o") for key in ("attribute", "entry"))
    numbers = [planted.source.randrange(10**9, 10**12) for _ in tasks]
    planted.canaries["number"] = [str(number) for number in numbers]
    return {
        "tasks": [{**task, "number": number} for task, number in zip(tasks, numbers, strict=True)],
        "failures": [planted.one("failure") for _ in range(100)],
        "thread names": [planted.one("thread name").replace("\0", "") for _ in range(30)],
        "sockets": [str(home / planted.word("socket", 16)) for _ in range(10)],
        "files": [str(home / planted.word("file")) for _ in range(30)],
    }


def _files(planted: Planted, home: Path) -> None:
    """Its logs, state, settings."""
    (home / "logs").mkdir()
    lines = [
        f"2026-11-18 10:{number // 60 % 60:02}:{number % 60:02},123 WARNING gateway.platforms.qqbot.adapter: "
        + TEMPLATES[number % len(TEMPLATES)].format(planted.one("log"))
        for number in range(600)
    ]
    for name in ("agent", "gateway", "errors"):
        (home / "logs" / f"{name}.log").write_text("\n".join(lines) + "\n", errors="surrogateescape")
    settings = [f"KEY_{number}={planted.one('.env')}" for number in range(250)]
    (home / ".env").write_text("\n".join(settings))
    config = [f"  key_{number}: {json.dumps(planted.one('config'))}" for number in range(250)]
    (home / "config.yaml").write_text("\n".join(["platforms:", *config]))
    state = {"pid": 1, "gateway_state": planted.one("state"), "platforms": {planted.one("state"): {"state": "x"}}}
    (home / "gateway_state.json").write_text(json.dumps(state))
