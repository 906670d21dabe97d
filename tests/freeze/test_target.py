"""What a word on the command line means, and the sentence for each that means nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from freeze_patients import SLEEPING, Patient, running

from qqdiag import access, as_root, find, target
from qqdiag.collect import proc
from qqdiag.errors import NoSuchTarget, NotReadable, QqdiagError, TargetGone, UsageError
from qqdiag.target import CaptureFile, Core, Live, resolve

NOBODY = 65534


def absent_pid() -> int:
    """A pid that no process has, neither here nor in a container."""
    taken = set()
    for pid in find.pids():
        try:
            taken.update(map(int, proc.status_fields(proc.read(f"/proc/{pid}/status"))["NSpid"].split()))
        except OSError:
            continue
    return next(pid for pid in range(30_000, target.PID_MAX) if pid not in taken and not os.path.exists(f"/proc/{pid}"))


def test_a_process() -> None:
    with running(SLEEPING) as patient:
        found = resolve(str(patient.pid))
        assert found == Live(patient.pid, proc.start_ticks(patient.pid))
        assert isinstance(found, Live)
        found.check()


def test_no_such_process() -> None:
    with pytest.raises(NoSuchTarget) as error:
        resolve(str(absent_pid()))
    assert "container" not in error.value.message.template


@pytest.mark.parametrize("text", ["0", "99999999", "9" * 30])
def test_a_number_that_is_no_pid(text: str) -> None:
    with pytest.raises(NoSuchTarget):
        resolve(text)


def test_reused_pid() -> None:
    with running(SLEEPING) as patient:
        with pytest.raises(TargetGone):
            Live(patient.pid, proc.start_ticks(patient.pid) - 1).check()
        still = resolve(str(patient.pid))
    assert isinstance(still, Live)
    with pytest.raises(TargetGone):
        still.check()


def test_zombie() -> None:
    with running(SLEEPING) as patient:
        alive = resolve(str(patient.pid))
        patient.process.kill()
        os.waitid(os.P_PID, patient.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(TargetGone) as error:
            resolve(str(patient.pid))
        assert error.value.hint.values == {"parent": os.getpid()}
        assert isinstance(alive, Live)
        with pytest.raises(TargetGone):
            alive.check()


def test_thread_of_the_kernel() -> None:
    kernel = next(pid for pid in find.pids() if int(target._fields(pid)[6]) & target.PF_KTHREAD)
    with pytest.raises(NotReadable):
        resolve(str(kernel))


THREADED = """
import sys, threading
thread = threading.Thread(target=sys.stdin.read)
thread.start()
print("ready", thread.native_id, flush=True)
"""


def test_thread_of_a_process() -> None:
    with running(THREADED) as patient:
        with pytest.raises(NoSuchTarget) as error:
            resolve(patient.words[0])
        assert error.value.hint.values == {"leader": patient.pid}


INSIDE = """
import os, sys
open("/proc/sys/kernel/ns_last_pid", "w").write(sys.argv[1])
if os.fork() == 0:
    print("ready", os.getpid(), flush=True)
    sys.stdin.read()
    os._exit(0)
os.wait()
"""


@pytest.mark.root
def test_pid_of_a_container() -> None:
    """The user typed the pid that a container's own tools show."""
    wanted = absent_pid()
    unshare = [
        "unshare",
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
        sys.executable,
        "-c",
        INSIDE,
        str(wanted - 1),
    ]
    with subprocess.Popen(unshare, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline().split() == ["ready", str(wanted)]
            with pytest.raises(NoSuchTarget) as error:
                resolve(str(wanted))
            host = error.value.hint.values["host"]
            assert isinstance(host, int)
            assert proc.status_fields(proc.read(f"/proc/{host}/status"))["NSpid"].split()[-1] == str(wanted)
        finally:
            process.kill()


# --- files and units -------------------------------------------------------------------------------------------------


def test_files(tmp_path: Path) -> None:
    (tmp_path / "zip").write_bytes(b"PK\x03\x04")
    assert resolve(str(tmp_path / "zip")) == CaptureFile(tmp_path / "zip")
    for name, magic in {"elf": b"\x7fELF", "zst": b"\x28\xb5\x2f\xfd", "lz4": b"\x04\x22\x4d\x18"}.items():
        (tmp_path / name).write_bytes(magic)
        assert resolve(str(tmp_path / name)) == Core(tmp_path / name)
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").touch()
    for name in ("text", "empty", "."):
        with pytest.raises(NotReadable):
            resolve(str(tmp_path / name))
    for name in ("absent", "absent/absent"):
        with pytest.raises(NoSuchTarget):
            resolve(str(tmp_path / name))


@pytest.mark.parametrize("name", ["qqdiag-has-no-such-unit", "qqdiag-has-no-such-unit.service", "a b", ""])
def test_no_such_unit(name: str) -> None:
    with pytest.raises(NoSuchTarget):
        resolve(name)


def test_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a systemctl of our own, for this machine may have no systemd: systemctl(1), `show --property --value`."""
    with running(SLEEPING) as patient:
        systemctl = tmp_path / "systemctl"
        systemctl.write_text(
            f'#!/bin/sh\n[ "$*" = "show --property=MainPID --value -- gw.service" ] && echo {patient.pid}\n'
        )
        systemctl.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        assert resolve("gw.service") == Live(patient.pid, proc.start_ticks(patient.pid))
        systemctl.write_text("#!/bin/sh\necho 0\n")
        with pytest.raises(NoSuchTarget):
            resolve("gw.service")


# --- nothing: the only gateway ---------------------------------------------------------------------------------------


@contextmanager
def gateway(folder: Path) -> Iterator[Patient]:
    """A process that looks like hermes from outside: `python …/hermes gateway run`."""
    program = folder / "hermes"
    program.write_text(SLEEPING)
    command = [sys.executable, str(program), "gateway", "run"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield Patient(process, [])
        finally:
            process.kill()


def only_these(monkeypatch: pytest.MonkeyPatch, *processes: Patient) -> None:
    """Other tests run gateways on this machine, too: leave them out, and nothing else."""
    ours = {process.pid for process in processes}
    monkeypatch.setattr(find, "pids", lambda: [int(name) for name in os.listdir("/proc") if name in map(str, ours)])


def test_gateways_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    with gateway(tmp_path) as one, gateway(tmp_path) as two:
        assert {one.pid, two.pid} <= set(find.gateways())
        only_these(monkeypatch, one, two)
        with pytest.raises(UsageError) as error:
            resolve(None)
        assert error.value.message.values["count"] == 2


def test_only_gateway_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    with gateway(tmp_path) as only:
        only_these(monkeypatch)
        with pytest.raises(NoSuchTarget):
            resolve(None)
        only_these(monkeypatch, only)
        found = resolve(None)
        assert isinstance(found, Live)
        assert found.pid == only.pid


def test_of_several_the_one_that_its_state_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`hermes chat` beside `hermes gateway run`: only the gateway writes its pid into its home."""
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    with gateway(tmp_path) as other, gateway(tmp_path) as registered:
        only_these(monkeypatch, other, registered)
        said = {"pid": registered.pid, "start_time": proc.start_ticks(registered.pid), "gateway_state": "running"}
        (tmp_path / "gateway_state.json").write_text(json.dumps(said))
        found = resolve(None)
        assert isinstance(found, Live)
        assert found.pid == registered.pid


def test_gateway_by_its_state_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    with running(SLEEPING) as patient:
        said = {"pid": patient.pid, "start_time": proc.start_ticks(patient.pid)}
        (tmp_path / "gateway_state.json").write_text(json.dumps(said))
        assert patient.pid in find.gateways()
        (tmp_path / "gateway_state.json").write_text(json.dumps({**said, "start_time": 1}))
        assert patient.pid not in find.gateways()
        for damaged in ("", "[]", "7", '{"pid": "x", "start_time": 1}', '{"pid": -1, "start_time": 1}'):
            (tmp_path / "gateway_state.json").write_text(damaged)
            assert patient.pid not in find.gateways()


# --- not permitted ---------------------------------------------------------------------------------------------------


def as_another(become: Callable[[], None], pid: int) -> tuple[str, str, dict[str, str]]:
    """What `access.check` answers in a child that gave up its rights: class, template, values."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            become()
            access.check(pid)
            answer = ["None", "", {}]
        except QqdiagError as error:
            values = {name: str(value) for name, value in error.message.values.items() if isinstance(value, int)}
            answer = [type(error).__name__, error.message.template, values]
        finally:
            os.write(writer, json.dumps(answer).encode())
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as file:
        kind, template, values = json.load(file)
    return kind, template, values


def become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


@pytest.mark.root
def test_process_of_another_user() -> None:
    with running(SLEEPING) as patient:
        kind, template, values = as_another(become_nobody, patient.pid)
        assert (kind, values) == ("NotPermitted", {"pid": str(patient.pid), "uid": "0"})
        assert "another user" in template


@contextmanager
def of_nobody(source: str) -> Iterator[Patient]:
    """A process of another user, by an interpreter that this user may run."""
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    drop = f"import os; os.setgroups([]); os.setresgid(*[{NOBODY}] * 3); os.setresuid(*[{NOBODY}] * 3)\n"
    with running(drop + source, python=python) as patient:
        yield patient


DUMPABLE = "import ctypes; ctypes.CDLL(None).prctl(4, {}, 0, 0, 0)\n"  # linux/prctl.h PR_SET_DUMPABLE


@pytest.mark.root
def test_process_that_hides() -> None:
    with of_nobody(DUMPABLE.format(0) + SLEEPING) as patient:
        kind, template, _ = as_another(become_nobody, patient.pid)
        assert (kind, "PR_SET_DUMPABLE" in template) == ("NotPermitted", True)


@pytest.mark.root
def test_own_process_of_a_user() -> None:
    """Permitted, unless yama lets only a parent trace: then its value is told."""
    with of_nobody(DUMPABLE.format(1) + SLEEPING) as patient:
        kind, _, values = as_another(become_nobody, patient.pid)
        assert (kind, values.get("scope")) == (
            ("NotPermitted", str(as_root.yama())) if as_root.yama() else ("None", None)
        )
