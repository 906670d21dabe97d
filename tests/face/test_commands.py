"""The commands as an operator calls them, on real processes: sentences, exit codes, what goes where."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

QQDIAG = [sys.executable, "-m", "qqdiag"]
READY = "import sys; print('ready', flush=True); "
ASYNCIO = "import asyncio; print('ready', flush=True) or asyncio.run(asyncio.sleep(60))"


def qqdiag(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    settings: dict[str, object] = {"capture_output": True, "text": True, "timeout": 60, **options}
    return subprocess.run([*QQDIAG, *arguments], **settings)  # type: ignore[call-overload,no-any-return]


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A process that said `ready` on stdout."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def gateway() -> Iterator[int]:
    """A Python process with an event loop."""
    with running(sys.executable, "-c", ASYNCIO) as process:
        yield process.pid


def refused(done: subprocess.CompletedProcess[str], code: int = 2) -> tuple[str, str]:
    """The sentence and the hint of an error; nothing else may have been said."""
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    sentence, hint = done.stderr.splitlines()
    assert sentence.startswith("qqdiag: ")
    assert hint.startswith("  ")
    assert hint.strip()
    return sentence, hint


# --- bad input --------------------------------------------------------------------------------------------------------


def test_no_such_process() -> None:
    with running(sys.executable, "-c", READY) as process:
        pid = process.pid
    assert f"no process {pid}" in refused(qqdiag("inspect", str(pid)))[0]


@pytest.mark.parametrize(
    "word", ["0", "99999999999999999999", "-1", "no-such-unit", "/no/such/file", "long" * 100, "/long" * 2000]
)
def test_a_word_that_names_nothing(word: str) -> None:
    refused(qqdiag("inspect", word))


def test_a_fifo_and_a_folder_are_no_captures(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")  # to open it would wait for a writer that never comes
    for path in (tmp_path / "fifo", tmp_path, Path("/dev/zero")):
        sentence, hint = refused(qqdiag("inspect", str(path)))
        assert "folder or a device" in sentence
        assert "qqdiag report FOLDER" in hint


def test_not_python() -> None:
    with running("/bin/sh", "-c", "echo ready; exec sleep 60") as process:
        os.waitid(os.P_PID, process.pid, os.WNOHANG | os.WEXITED | os.WNOWAIT)
        assert "Python" in refused(qqdiag("inspect", str(process.pid)))[0]


def test_python_without_asyncio() -> None:
    """Nothing is wrong with it that qqdiag knows: a clear answer, and 0."""
    with running(sys.executable, "-c", READY + "import signal; signal.pause()") as process:
        done = qqdiag("inspect", str(process.pid), "--interval", "0.2")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("CLEAR: this Python has no asyncio")


def test_a_zombie() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert "zombie" in refused(qqdiag("inspect", str(child.pid)))[0]


def test_a_stopped_process_is_read_and_said_to_be_stopped(gateway: int) -> None:
    os.kill(gateway, signal.SIGSTOP)
    os.waitid(os.P_PID, gateway, os.WSTOPPED | os.WNOWAIT)
    done = qqdiag("inspect", str(gateway), "--interval", "0.2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "process-stopped" in done.stdout.splitlines()[0]
    assert Path(f"/proc/{gateway}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@contextmanager
def between_the_samples(pid: int, interval: str = "30") -> Iterator[subprocess.Popen[str]]:
    """`inspect` on a terminal, when it says that it waits for the second sample."""
    master, slave = os.openpty()
    command = [*QQDIAG, "inspect", str(pid), "--interval", interval]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, text=True) as process:
        os.close(slave)
        try:
            said = b""
            while b"interval" not in said:
                said += os.read(master, 1000)
            yield process
            process.wait(30)
            with contextlib.suppress(OSError):  # EIO: its other end is closed
                while rest := os.read(master, 1000):
                    said += rest
            assert b"Traceback" not in said
        finally:
            process.kill()
            os.close(master)


def test_exited_while_it_was_looked_at() -> None:
    with running(sys.executable, "-c", ASYNCIO) as process, between_the_samples(process.pid, "4") as looking:
        process.kill()
        process.wait()
    assert looking.returncode == 2


def test_ctrl_c_ends_it_with_130(gateway: int) -> None:
    with between_the_samples(gateway) as looking:
        looking.send_signal(signal.SIGINT)
    assert looking.returncode == 130


def test_another_tracer(gateway: int) -> None:
    """A debugger holds it: read without a pause, and said so."""
    if os.geteuid():
        pytest.skip("run as root: a process is traced here")
    tracer = "import ctypes, os, sys; c = ctypes.CDLL(None); c.ptrace(0x4206, int(sys.argv[1]), 0, 0); "
    with running(sys.executable, "-c", tracer + READY + "import signal; signal.pause()", str(gateway)):
        done = qqdiag("inspect", str(gateway), "--interval", "0.2")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert "traces it" in done.stdout


@pytest.mark.root
def test_no_permission(gateway: int) -> None:
    """Called by nobody for a process of root."""
    if os.geteuid():
        pytest.skip("run as root: the command is called as another user here")
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *QQDIAG, "inspect", str(gateway)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        env={**os.environ, "HOME": "/nonexistent"},
    )
    if "Permission denied" in done.stderr:
        pytest.skip("let every user read the interpreter: its folder is closed to others")
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stdout.startswith("UNKNOWN")
    assert "belongs to another user" in done.stdout
    assert "sudo" in done.stdout


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"PK\x03\x04" + bytes(200), b"not a capture", b"\x7fELF" + bytes(60)]
)
def test_a_corrupt_capture(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "hang.qqd"
    path.write_bytes(content)
    refused(qqdiag("inspect", str(path)))


def test_a_capture_with_a_flipped_byte(gateway: int, tmp_path: Path) -> None:
    path = tmp_path / "hang.qqd"
    assert qqdiag("capture", str(gateway), "-o", str(path), "--interval", "0").returncode == 0
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    done = qqdiag("inspect", str(path))
    assert done.returncode in (0, 2, 3)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspekt"],
        ["inspect", "--interval", "soon"],
        ["inspect", "1", "2"],
        ["report", "1", "--format", "pdf"],
        ["capture", "1"],
    ],
)
def test_a_wrong_command_line(arguments: list[str]) -> None:
    assert "--help" in refused(qqdiag(*arguments))[1]


def test_an_unknown_failure() -> None:
    assert "qqdiag signatures" in refused(qqdiag("explain", "no-such-thing"))[1]


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["explain", "hot"], "hot-loop"),
        (["explain", "hot_loop"], "hot-loop"),
        (["fixes", "show", "heartbeat"], "heartbeat-ack"),
        (["lab", "start", "hotloop"], "hot-loop"),
    ],
)
def test_an_id_that_is_nearly_right_names_the_right_one(arguments: list[str], meant: str) -> None:
    assert refused(qqdiag(*arguments))[1].strip().startswith(f"did you mean {meant}? list them: qqdiag ")


def test_an_error_under_json_is_json() -> None:
    done = qqdiag("inspect", "0", "--json")
    assert done.returncode == 2
    assert done.stderr == ""
    error = json.loads(done.stdout)["error"]
    assert set(error) == {"kind", "message", "hint"}


# --- what goes where --------------------------------------------------------------------------------------------------


def test_the_verdict_comes_first_and_last(gateway: int) -> None:
    done = qqdiag("inspect", str(gateway), "--interval", "0.2")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines[0] == lines[-1]
    assert lines[0].startswith("CLEAR")
    assert done.stderr == ""
    assert done.stdout.isascii()


def test_one_sample_leaves_what_needs_motion_unknown(gateway: int) -> None:
    assert qqdiag("inspect", str(gateway), "--interval", "0").returncode in (0, 3)


def test_json_has_the_promised_shape(gateway: int) -> None:
    done = qqdiag("inspect", str(gateway), "--json", "--interval", "0.2")
    document = json.loads(done.stdout)
    assert list(document) == [
        "schema_version", "private", "target", "verdict", "findings", "missing", "pause_ms", "omitted", "dropped",
        "timeline", "snapshot",
    ]  # fmt: skip
    assert document["verdict"] == "clear"
    assert document["target"]["pid"] == gateway
    assert [task["name"] for task in document["snapshot"]["samples"][-1]["python"]["tasks"]] == ["Task-1"]


def test_raw_says_private_in_the_first_line(gateway: int) -> None:
    done = qqdiag("inspect", str(gateway), "--raw", "--interval", "0")
    assert "PRIVATE" in done.stdout.splitlines()[0]


@pytest.mark.parametrize(("option", "private"), [("--no-redact", True), ("--raw", True), ("--redact", False)])
@pytest.mark.parametrize("form", ["md", "text", "html", "json"])
def test_a_report_is_private_only_when_asked(gateway: int, option: str, private: bool, form: str) -> None:
    done = qqdiag("report", str(gateway), option, "--format", form, "--interval", "0")
    assert done.returncode == 0, done.stderr
    head = "\n".join(done.stdout.splitlines()[:3])
    assert ("PRIVATE" in head or '"private": true' in head) is private
    assert (sys.executable in done.stdout) is (private and form == "json")


def test_a_report_is_written_whole_and_for_its_owner_alone(gateway: int, tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    path.symlink_to(victim)
    done = qqdiag("report", str(gateway), "-o", str(path), "--interval", "0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert victim.read_text() == "as it was"
    assert not path.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("## qqdiag report")
    assert sorted(tmp_path.iterdir()) == [path, victim]


def test_a_report_to_a_folder_is_refused(gateway: int, tmp_path: Path) -> None:
    refused(qqdiag("report", str(gateway), "-o", str(tmp_path), "--interval", "0"))
    refused(qqdiag("report", str(gateway), "-o", str(tmp_path / "no" / "file"), "--interval", "0"))


def test_a_capture_shows_the_same_again(gateway: int, tmp_path: Path) -> None:
    path = tmp_path / "hang.qqd"
    taken = qqdiag("capture", str(gateway), "-o", str(path), "--interval", "0.2")
    assert taken.returncode == 0, taken.stderr
    assert "secrets" in taken.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = qqdiag("inspect", str(path))
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Task-1" in again.stdout


def test_what_reads_a_pipe_may_stop_reading(gateway: int) -> None:
    script = f"{' '.join(QQDIAG)} inspect {gateway} --interval 0 | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 3)
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}])
def test_any_locale_will_do(gateway: int, locale: dict[str, str]) -> None:
    done = qqdiag("inspect", str(gateway), "--raw", "--interval", "0", env={**os.environ, **locale})
    assert done.returncode in (0, 3)
    assert "Task-1" in done.stdout


def test_a_fault_of_our_own_is_one_sentence_without_values(gateway: int, tmp_path: Path) -> None:
    """Something in qqdiag raises what nobody expects, with a secret in its message."""
    (tmp_path / "sitecustomize.py").write_text(
        "import qqdiag.diagnose\n"
        "def broken(*arguments): raise ZeroDivisionError('zq83-hunter-secret')\n"
        "qqdiag.diagnose.diagnose = broken\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = qqdiag("inspect", str(gateway), "--interval", "0", env=environment)
    sentence, _hint = refused(done, 70)
    assert "ZeroDivisionError" in sentence
    assert "hunter" not in done.stderr


def test_a_fault_in_a_thread_is_one_sentence_too(gateway: int, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import threading, qqdiag.diagnose\n"
        "whole = qqdiag.diagnose.diagnose\n"
        "def fails(): raise ZeroDivisionError('zq83-hunter-secret')\n"
        "class Dying:\n"
        "    def __del__(self): raise ZeroDivisionError('zq83-hunter-secret')\n"
        "def broken(snapshot):\n"
        "    thread = threading.Thread(target=fails)\n"
        "    thread.start(); thread.join(); Dying()\n"
        "    return whole(snapshot)\n"
        "qqdiag.diagnose.diagnose = broken\n"
    )
    done = qqdiag("inspect", str(gateway), "--interval", "0", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode in (0, 3)
    assert "ZeroDivisionError" in done.stderr
    assert "hunter" not in done.stderr + done.stdout
    assert len(done.stderr.splitlines()) == 2


def test_a_leak_is_refused_with_4_and_nothing_is_written(gateway: int, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import qqdiag.redact.texts as texts\n"
        "from qqdiag.model import User, Secret, Path\n"
        "texts._CONVERSIONS.update({kind: lambda value, names: value for kind in (User, Secret, Path)})\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    path = tmp_path / "report.json"
    done = qqdiag("report", str(gateway), "--format", "json", "-o", str(path), "--interval", "0", env=environment)
    assert "of class" in refused(done, 4)[0]
    assert not path.exists()


def test_help_ends_with_an_example() -> None:
    done = qqdiag("--help")
    assert "Example: qqdiag inspect 1234" in done.stdout


@pytest.mark.parametrize("module", ["rich", "aiohttp", "psutil", "pyroute2", "jinja2", "qqdiag.snapshot"])
def test_help_imports_nothing_heavy(module: str) -> None:
    script = f"import sys; from qqdiag.cli import run; run(['--help']); sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], stdout=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize(
    "command", ["inspect", "report", "capture", "explain", "signatures", "attach", "lab", "lab start", "lab list"]
)
def test_each_help_has_an_example(command: str) -> None:
    done = qqdiag(*command.split(), "--help")
    assert done.returncode == 0
    assert re.search(rf"Example: qqdiag {command}", done.stdout)


def test_the_known_failures_as_a_list_of_objects() -> None:
    rows = json.loads(qqdiag("signatures", "--json").stdout)
    assert {"id", "severity", "title"} == set(rows[0])
    for row in rows:
        assert row["id"] in qqdiag("explain", row["id"]).stdout


MONITORED = """
import aiomonitor, asyncio, socket
async def main():
    with aiomonitor.start_monitor(asyncio.get_running_loop(), port=PORT, webui_port=PORT + 1):
        asyncio.current_task().set_name("agent:main:qqbot:dm:OPENID8813377")
        print("ready", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


def test_attach_lists_tasks_and_names_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running(sys.executable, "-c", MONITORED.replace("PORT", str(port))) as process:
        done = qqdiag("attach", str(process.pid))
        as_json = qqdiag("attach", str(process.pid), "--json")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^<task-1> +pending +main ", done.stdout, re.MULTILINE)
    assert "OPENID" not in done.stdout + as_json.stdout
    assert {"name", "state", "coroutine", "since"} == set(json.loads(as_json.stdout)[0])


def test_attach_to_what_runs_none(gateway: int) -> None:
    assert "qqdiag inspect" in refused(qqdiag("attach", str(gateway)))[1]


@pytest.mark.lab
def test_the_lab_says_where_its_gateway_is() -> None:
    with subprocess.Popen(
        [*QQDIAG, "lab", "start", "idle", "--for", "60"], stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        told = json.loads(started.stdout.readline())
        assert told["id"] == "idle"
        assert told["ports"]["server"]
        assert qqdiag("inspect", str(told["pid"])).returncode == 0
        ended = os.pidfd_open(told["pid"])
        started.send_signal(signal.SIGINT)
        started.wait(20)
    assert started.returncode == 130
    assert select.select([ended], [], [], 20)[0], "the lab's gateway has outlived it"
    os.close(ended)


@pytest.mark.lab
def test_the_readmes_first_command_shows_a_hang() -> None:
    done = qqdiag("lab", "start", "hot-loop", "--inspect")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.startswith("HANG hot-loop")
    assert "PRIVATE" not in done.stdout


def test_the_lab_lists_its_cases() -> None:
    listed = [json.loads(line) for line in qqdiag("lab", "list", "--json").stdout.splitlines()]
    assert {"hot-loop", "idle"} <= {case["id"] for case in listed}


def test_a_case_that_the_lab_lacks() -> None:
    refused(qqdiag("lab", "start", "no-such-case"))


def test_no_colour_in_a_pipe(gateway: int) -> None:
    assert "\x1b" not in qqdiag("inspect", str(gateway), "--interval", "0").stdout


def test_colour_on_a_terminal_and_none_with_no_color(gateway: int) -> None:
    assert "\x1b[" in on_a_terminal({"TERM": "xterm"}, gateway)
    assert "\x1b[" not in on_a_terminal({"TERM": "xterm", "NO_COLOR": "1"}, gateway)


def on_a_terminal(environment: dict[str, str], pid: int) -> str:
    """What `inspect` writes when its stdout is a terminal of 80 columns."""
    master, slave = os.openpty()
    environment = {**os.environ, "COLUMNS": "80", **environment}
    with subprocess.Popen([*QQDIAG, "inspect", str(pid), "--interval", "0"], stdout=slave, env=environment) as process:
        os.close(slave)
        chunks = []
        try:
            while chunk := os.read(master, 65536):
                chunks.append(chunk)
        except OSError:  # EIO: the other end is closed
            pass
        finally:
            os.close(master)
        process.wait(30)
    return b"".join(chunks).decode()
