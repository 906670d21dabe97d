"""A copy of the real gateway's package with the diff of `qqdiag fixes diff` applied, and what it is put through."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hermes_contract import Subject
from hermes_failing import CLOSE_TIMEOUT
from hermes_gateway import Setting
from hermes_patient import FIRST_BEAT, Patient, wait_beats

ADAPTER = Path("gateway/platforms/qqbot/adapter.py")
READY = "Ready, session_id=|Session resumed"
SETTING = Setting(
    constants={
        "RECONNECT_BACKOFF": [0.2],
        "MAX_RECONNECT_ATTEMPTS": 5,
        "RATE_LIMIT_DELAY": 0.5,
        "QUICK_DISCONNECT_THRESHOLD": 60.0,  # each of these connections is a quick one, however slow the machine
        "CONNECT_TIMEOUT_SECONDS": CLOSE_TIMEOUT,
    },
    first_beat=FIRST_BEAT,
)
# Shorter waits, as compress/ has them for the gateway's own: the fixes' code is as it was written.
SHORTER = {"CLOSE_DEADLINE_SECONDS": 1.0, "READY_DEADLINE_SECONDS": 2.0}


def packages_of(python: Path) -> Path:
    """The folder that `gateway` is installed in."""
    (found,) = python.parent.parent.glob("lib/python3*/site-packages")
    return found


def patched(python: Path, folder: Path) -> Path:
    """The Python of a copy of a virtual environment, the diff applied to it as an operator would."""
    copied = copy_of(python, folder)
    packages = packages_of(copied)
    command = [sys.executable, "-P", "-m", "qqdiag", "fixes", "diff", str(packages / ADAPTER)]
    diff = subprocess.run(command, capture_output=True, check=True, timeout=300).stdout
    subprocess.run(["patch", "-p1", "--fuzz=0"], cwd=packages, input=diff, check=True, capture_output=True)
    shorten(packages / ADAPTER)
    return copied


def copy_of(python: Path, folder: Path) -> Path:
    """The environment's files linked into another folder; `patch` writes a new file and leaves the linked one alone."""
    shutil.copytree(python.parent.parent, folder, symlinks=True, copy_function=link_or_copy)
    script = folder / "bin" / "hermes"
    text = script.read_text().replace(str(python.parent.parent), str(folder))
    script.unlink()
    script.write_text(text)
    script.chmod(0o755)
    return folder / "bin" / python.name


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def shorten(adapter: Path) -> None:
    text = adapter.read_text("utf-8")
    for name, seconds in SHORTER.items():
        text, count = re.subn(rf"^{name} = [0-9.]+", f"{name} = {seconds}", text, flags=re.MULTILINE)
        assert count == 1, name
    adapter.unlink()
    adapter.write_text(text, "utf-8")


def subject_of(patient: Patient) -> Subject:
    return Subject(patient.gateway.process, patient.server, lambda: is_idle(patient))


def is_idle(patient: Patient) -> bool:
    """No turn of an agent runs, by the gateway's own state file: a message within a turn would end it."""
    try:
        state = json.loads((patient.gateway.home / "gateway_state.json").read_text())
    except ValueError:  # half written
        return False
    return bool(state["active_agents"] == 0)


@dataclass(frozen=True)
class Fault:
    """`throw` brings about what the unpatched gateway falls into; `end` what the world does afterwards."""

    id: str
    throw: Callable[[Patient], object]
    end: Callable[[Patient], object]


def logged(patient: Patient, pattern: str) -> int:
    return len(re.findall(pattern, patient.gateway.log()))


def no_ack(patient: Patient) -> None:
    """F06: no answer to op 1."""
    wait_beats(patient, 2)
    patient.server.switch(ack=False)
    patient.gateway.wait_log("2 heartbeats unanswered")


def ack_again(patient: Patient) -> None:
    patient.server.switch(ack=True)


def renewed(patient: Patient) -> None:
    """F21: 4009; it must resume."""
    identified = patient.server.seen()["identifies"]
    patient.server.close(4009)
    patient.gateway.wait_log("Reconnected", count=logged(patient, "Reconnected") + 1)
    assert patient.server.seen()["identifies"] == identified


def unreachable(patient: Patient) -> None:
    """F02 and F03b: neither the upgrade nor REST works, for more attempts than it was to make."""
    had = logged(patient, "Reconnect failed")
    patient.server.switch(upgrade="fail", gateway="fail")
    patient.server.close(4000)
    patient.gateway.wait_log("Reconnect failed", count=had + 7)


def reachable(patient: Patient) -> None:
    patient.server.switch(upgrade="ok", gateway="ok")


def chattering(patient: Patient) -> None:
    """F01: a wrong Hello, then frames without end and no answer to CLOSE."""
    patient.server.switch(answer_close=False, chatter=SHORTER["CLOSE_DEADLINE_SECONDS"] / 4)
    ready = logged(patient, READY)
    patient.server.cut("bad-hello")
    patient.gateway.wait_log(READY, count=ready + 1)  # while it chatters on


def told_to_reconnect(patient: Patient) -> None:
    """F01a and F21: op 7, from a peer that chatters on."""
    patient.server.switch(answer_close=False, chatter=SHORTER["CLOSE_DEADLINE_SECONDS"] / 4)
    ready = logged(patient, READY)
    patient.server.cut("reconnect")
    patient.gateway.wait_log(READY, count=ready + 1)


def quiet(patient: Patient) -> None:
    patient.server.switch(answer_close=True, chatter=0.0)


def not_identified(patient: Patient) -> None:
    """F09: Identify is not answered."""
    patient.server.switch(identify=False)
    sent = logged(patient, "Identify sent")
    patient.server.close(4006)
    patient.gateway.wait_log("Identify sent", count=sent + 2)


def identified(patient: Patient) -> None:
    patient.server.switch(identify=True)


def frozen(patient: Patient) -> None:
    """The server stands still while the gateway connects again: nothing is answered, nothing is refused."""
    failed = logged(patient, "Reconnect failed")
    patient.server.close(4000)
    patient.server.freeze()
    patient.gateway.wait_log("Reconnect failed", count=failed + 1)


def thawed(patient: Patient) -> None:
    patient.server.thaw()


def quick(patient: Patient) -> None:
    """F15: each connection ends as soon as it is ready."""
    for _ in range(4):
        ready = logged(patient, READY)
        patient.server.close(4000)
        patient.gateway.wait_log(READY, count=ready + 1)
    assert logged(patient, "Too many quick disconnects") >= 1


def nothing(patient: Patient) -> None:
    """The world need not change."""


FAULTS = (
    Fault("missing-ack", no_ack, ack_again),
    Fault("events-lost", renewed, nothing),
    Fault("hot-loop and dead-listener", unreachable, reachable),
    Fault("close-hang", chattering, quiet),
    Fault("close-hang after op 7", told_to_reconnect, quiet),
    Fault("not-ready", not_identified, identified),
    Fault("reconnect-stuck", frozen, thawed),
    Fault("flapping", quick, nothing),
)
