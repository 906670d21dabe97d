"""Every command of every runbook and page, run as it is written, on a gateway of the lab.

What looks is run for what it gives. What changes is run too, against stand-ins that note how they were called, or
against a process that is there to be ended.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from qqdiag.explain import PAGES, load, page, runbooks
from qqdiag.lab.start import start
from qqdiag.triage.fill import filled
from qqdiag.triage.steps import PLACE, commands, steps

# Not here, or not to be touched here: they only note their arguments.
STAND_INS = (
    "curl",
    "docker",
    "fsfreeze",
    "getent",
    "journalctl",
    "kubectl",
    "launchctl",
    "ping",
    "systemctl",
    "tee",
    "umount",
)
REFUSED = "Operation not permitted"  # what a container may not do: to read the kernel's log, to raise a limit
MENTIONED = {"qqdiag inspect", "qqdiag triage", "qqdiag watch", "qqdiag explain ID"}  # by name, in a sentence
LIMIT = 60


class Patient(NamedTuple):
    places: dict[str, str]
    environment: dict[str, str]
    notes: Path


def every_command() -> list[str]:
    """Of the runbooks' steps, and of the pages the lines that are shown as commands."""
    found = [
        command.text
        for id in runbooks()
        for heading in ("Diagnosis", "Mitigation", "Confirm")
        for step in steps(load(id).text, heading)
        for command in step.commands
    ]
    for name in PAGES:
        found += [command.text for command in commands(page(name))]
        found += re.findall(r"^    (.+)$", page(name), re.MULTILINE)
    return [command for command in dict.fromkeys(found) if command not in MENTIONED]


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    folder = tmp_path_factory.mktemp("commands")
    (folder / "bin").mkdir()
    notes = folder / "notes"
    for name in STAND_INS:
        program = folder / "bin" / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> {notes}\n')
        program.chmod(0o755)
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    with start("idle", bound=600) as running:
        places = {"pid": str(running.pid), "unit": "hermes.service", "other": "other.service", "owner": "hermes"}
        places |= {"peer": "127.0.0.1", "port": "1", "fd": "0", "folder": str(folder), "log": str(folder / "log")}
        yield Patient(places, {**os.environ, "PATH": path}, notes)


def victim() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "600"])


@pytest.mark.parametrize("command", every_command())
def test_it_runs_as_it_is_written(command: str, patient: Patient, tmp_path: Path) -> None:
    if "--interval 60" in command or command.startswith("sleep 30"):
        command = re.sub(r"(--interval|sleep) \d+", r"\1 1", command)
    (tmp_path / "pipe").write_text("a line\n")
    process = victim()
    try:
        places = patient.places | {"holder": str(process.pid), "tracer": str(process.pid)}
        if re.match(r"(sudo )?(kill|prlimit)\b", command):
            places["pid"] = str(process.pid)
        if "hang.qqd" in command and "capture" not in command:  # as if the steps before it had been taken
            capture = [sys.executable, "-m", "qqdiag", "capture", places["pid"], "-o", str(tmp_path / "hang.qqd")]
            subprocess.run(capture, check=True, capture_output=True)
        assert set(PLACE.findall(command)) <= places.keys()
        line = filled(command.replace("/proc/{pid}/fd/2 >", f"{tmp_path}/pipe >"), places)
        assert line is not None
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=tmp_path,
            env=patient.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
    finally:
        process.kill()
        process.wait()
    assert "not found" not in done.stderr, done.stderr
    assert "fault of qqdiag" not in done.stderr
    assert not re.search(r"(?i)usage:|invalid option|unrecognized option|syntax error", done.stderr), done.stderr
    ours = (0, 1, 2, 3) if "attach" in command else (0, 1, 3)  # 2: no aiomonitor is in it
    may_find_nothing = re.search(r"\bgrep\b|\bss -K\b|memory\.events", command)
    assert done.returncode in (ours if "qqdiag" in command else (0,)) or may_find_nothing or REFUSED in done.stderr


def test_what_the_stand_ins_were_called_with_are_real_words(patient: Patient) -> None:
    """Runs after the commands, in the same process."""
    called = patient.notes.read_text().splitlines() if patient.notes.exists() else []
    assert not [line for line in called if "{" in line.replace("%{", "")]
