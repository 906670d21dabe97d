"""`qqdiag report` as it is typed: files and their names, what is left out, a target whose argv is its source."""

from __future__ import annotations

import os
import random
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

QQDIAG = [sys.executable, "-P", "-m", "qqdiag"]
SOURCE = """
import asyncio
class PatientBot:
    def __init__(self, name, executable, user):
        self.name = name; self.executable = executable
        self.user_executable_name = user
        self.token = "zq83-hunter-secret"
        setattr(self, "key_of_alice", name)
    async def wait_for_ever_and_ever(self, name, executable):
        user = path = name
        await asyncio.Event().wait()
async def main(name, name_name, name_name_name):
    tasks = [asyncio.create_task(PatientBot(name, name, name).wait_for_ever_and_ever(name=name, executable=name),
             name=f"agent:main:{number}") for number in range(9)]
    print("ready", flush=True)
    await asyncio.gather(*tasks)
asyncio.run(main("zq83-hunter", "zq83-hunter", "zq83-hunter"))
"""


@contextmanager
def running(*command: str, **variables: str) -> Iterator[int]:
    environment = {**os.environ, **variables}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
        process.kill()


@pytest.fixture(scope="module")
def pid() -> Iterator[int]:
    with running(sys.executable, "-c", SOURCE) as found:
        yield found


def qqdiag(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*QQDIAG, *arguments], capture_output=True, text=True, timeout=60, check=False)


def report(pid: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return qqdiag("report", str(pid), "--interval", "0", *arguments)


@pytest.mark.parametrize("form", ["md", "json", "text", "html"])
def test_a_program_whose_source_is_its_argv_is_shown_by_its_code_names(pid: int, form: str) -> None:
    """All words of the page's code names are words of the argument too, which is a secret all the same."""
    done = report(pid, "--locals", "--format", form)
    assert done.returncode == 0, done.stderr
    assert "PatientBot.wait_for_ever_and_ever" in done.stdout
    assert "user_executable_name" in done.stdout
    for secret in ("zq83", "hunter", "key_of_alice", "agent:main", "print("):
        assert secret not in done.stdout


@pytest.mark.parametrize("seed", range(3))
def test_source_that_is_made_of_the_pages_own_words_is_no_leak(seed: int) -> None:
    """Whatever words of a page stand beside each other in the source, as they never stand on the page."""
    source = random.Random(seed)
    words = ["name", "executable", "user", "path", "argv", "text", "local", "state", "task", "type", "key", "id"]
    names = [source.sample(words, 2) for _ in range(12)]
    body = "".join(f"    {one} = {other} = {one}_{other} = 'x' * 20\n" for one, other in names)
    program = f"import asyncio\nasync def main():\n{body}    print('ready', flush=True)\n    await asyncio.sleep(60)\n"
    with running(sys.executable, "-c", program + "asyncio.run(main())") as found:
        for arguments in (["--locals"], ["--locals", "--format", "json"]):
            done = report(found, *arguments)
            assert done.returncode == 0, done.stderr


def test_a_private_page_says_so_in_its_name(pid: int, tmp_path: Path) -> None:
    done = report(pid, "--no-redact", "-o", str(tmp_path / "hang.md"))
    assert done.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["hang.PRIVATE.md"]
    assert "PRIVATE" in (tmp_path / "hang.PRIVATE.md").read_text().splitlines()[0]
    assert "hang.PRIVATE.md" in done.stderr
    assert stat.S_IMODE((tmp_path / "hang.PRIVATE.md").stat().st_mode) == 0o600
    assert report(pid, "--no-redact", "-o", str(tmp_path / "my-PRIVATE-page")).stderr == ""


def test_a_public_page_keeps_its_name_and_no_link_is_followed(pid: int, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("as it was")
    (tmp_path / "hang.md").symlink_to("victim")
    assert report(pid, "-o", str(tmp_path / "hang.md")).returncode == 0
    assert (tmp_path / "victim").read_text() == "as it was"
    assert not (tmp_path / "hang.md").is_symlink()
    assert stat.S_IMODE((tmp_path / "hang.md").stat().st_mode) == 0o600


def test_names_last_over_two_reports_with_a_key(pid: int, tmp_path: Path) -> None:
    key = tmp_path / "KEY"
    missing = report(pid, "--pseudonym-key", str(key))
    assert missing.returncode == 2
    (command,) = [line for line in missing.stderr.splitlines() if "urandom" in line]
    subprocess.run(["sh", "-c", command.strip().removeprefix("make one: ")], cwd=tmp_path, check=True)
    first, second = (report(pid, "--pseudonym-key", str(key), "--format", form).stdout for form in ("md", "text"))
    tasks = [set(re.findall("<task-[0-9a-f]{8}>", page)) for page in (first, second)]
    assert tasks[0] == tasks[1]
    assert len(tasks[0]) >= 9
    key.chmod(0o644)
    refused = report(pid, "--pseudonym-key", str(key))
    assert refused.returncode == 2
    assert "chmod 600" in refused.stderr
    assert str(tmp_path) not in refused.stderr


def test_code_is_hidden_on_request(pid: int) -> None:
    for form in ("md", "json", "html"):
        shown = report(pid, "--locals", "--mask-code", "--format", form).stdout
        assert "PatientBot" not in shown
        assert "wait_for" not in shown
        assert "asyncio/locks.py" in shown


def test_what_is_refused_is_said_with_its_section_and_passes_without_it(pid: int, tmp_path: Path) -> None:
    """A conversion that leaks: nothing is written, and the hint can be typed."""
    (tmp_path / "sitecustomize.py").write_text(
        "import qqdiag.redact.texts as texts\nfrom qqdiag.model import User\n"
        "texts._CONVERSIONS[User] = lambda value, names: value\n"
        "import qqdiag.collect.accounts as accounts\n"
        "accounts.by_uid = lambda *given: accounts.Account('qianwei83', '/')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path) + ":" + os.environ.get("PYTHONPATH", "")}
    command = [*QQDIAG, "report", str(pid), "--interval", "0", "-o", str(tmp_path / "page")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (4, "")
    assert not (tmp_path / "page").exists()
    assert "class User, read from Process.user" in done.stderr
    assert "--drop process" in done.stderr
    assert "qianwei" not in done.stderr
    again = subprocess.run(
        [*command, "--drop", "process"], capture_output=True, env=environment, timeout=60, check=False
    )
    assert again.returncode == 0


def test_each_step_is_told_with_v(pid: int) -> None:
    said = report(pid, "-v").stderr
    assert [word for word in ("process", "sockets", "tasks") if f"qqdiag: {word}: " not in said] == []


@pytest.mark.parametrize(
    "arguments",
    [["inspect", "/home/qianwei/x"], ["inspect", "--sysroot", "/home/qianwei", "1"], ["report", "--format=qianwei83"]],
)
def test_no_error_repeats_a_value_of_the_command_line(arguments: list[str]) -> None:
    done = qqdiag(*arguments)
    assert done.returncode == 2
    assert "qianwei" not in done.stderr


def test_an_error_repeats_what_looks_like_a_command() -> None:
    assert "'inpsect'" in qqdiag("inpsect").stderr
