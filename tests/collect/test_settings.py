"""How a process was set up, as a real one was: names on a list, options without values, files and packages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from qqdiag.collect import settings
from qqdiag.profiles import profiles
from qqdiag.run import take
from qqdiag.snapshot import Settings
from qqdiag.target import resolve

(HERMES,) = [profile for profile in profiles() if profile.id == "hermes"]
PROGRAM = """
import asyncio, aiohttp
async def main():
    async with aiohttp.ClientSession() as session:
        print("ready", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
# Maps a file whose name would end a line for `str.splitlines`, and not for the kernel.
MAPPING = r"""
import mmap
file = open("a\f\fb", "w+b")
file.truncate(4096)
mapped = mmap.mmap(file.fileno(), 4096)
"""


@contextmanager
def gateway(home: Path, *arguments: str, program: str = PROGRAM, **variables: str) -> Iterator[int]:
    (home / "hermes_cli.py").write_text(program)
    environment = {"HERMES_HOME": str(home), "PATH": os.environ["PATH"], **variables}
    command = [sys.executable, "-m", "hermes_cli", *arguments]
    with subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
        process.kill()


def seen(pid: int) -> Settings:
    found = take(resolve(str(pid)), 0.0).settings
    assert isinstance(found, Settings)
    return found


def test_names_on_the_list_are_told_and_others_counted(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("token: abcdefgh12345\n")
    extra = {"QQ_APP_ID": "102030", "HTTPS_PROXY": "", "PYTHONASYNCIODEBUG": "1", "ALICES_BOT": "x"}
    with gateway(tmp_path, "gateway", "--token=abc", "-v", "--reload", "abc", **extra) as pid:
        found = seen(pid)
    told = {one.name.reveal(): (one.state.reveal(), one.value and one.value.reveal()) for one in found.environment}
    assert told.pop("PATH") == told.pop("HERMES_HOME") == ("set", None)
    assert {key: told[key] for key in ("QQ_APP_ID", "HTTPS_PROXY", "PYTHONASYNCIODEBUG")} == {
        "QQ_APP_ID": ("set", None),
        "HTTPS_PROXY": ("empty", None),
        "PYTHONASYNCIODEBUG": ("set", "1"),
    }
    assert found.others >= 1
    assert "ALICES_BOT" not in told
    assert found.module is not None
    assert found.module.reveal() == "hermes_cli"
    assert [option.reveal() for option in found.options] == ["m", "token", "v", "reload"]
    assert found.arguments == 7
    assert [(file.name.reveal(), file.size) for file in found.files] == [("config.yaml", 21)]
    assert version("aiohttp") in [one.version.reveal() for one in found.packages if one.name.reveal() == "aiohttp"]
    assert found.kernel is not None


def test_the_values_of_its_settings_are_known_so_that_none_is_shown(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("QQ_CLIENT_SECRET='zq83-hunter'\n# a remark\nexport OTHER=second-value\n")
    (tmp_path / "config.yaml").write_text('platforms:\n  qqbot:\n    token: "third value"\n')
    with gateway(tmp_path) as pid:
        found = {value.reveal() for value in settings.private_values(pid, HERMES)}
    assert found == {"zq83-hunter", "second-value", "third value"}


def test_a_mapped_file_of_an_odd_name_hides_nothing(tmp_path: Path) -> None:
    with gateway(tmp_path, program=MAPPING + PROGRAM) as pid:
        assert "\f\f" in Path(f"/proc/{pid}/maps").read_text()
        names = [one.name.reveal() for one in seen(pid).packages]
    assert "aiohttp" in names


def test_a_link_to_the_secrets_of_another_is_not_read(tmp_path: Path) -> None:
    (tmp_path / ".env").symlink_to("/dev/zero")
    with gateway(tmp_path) as pid:
        assert list(settings.private_values(pid, HERMES)) == []
        assert seen(pid).files == []


def test_source_behind_c_holds_no_options() -> None:
    words = ["python", "-u", "-c", "--token=x", "--other"]
    assert [option.reveal() for option in settings._options(words)] == ["u"]
    assert settings._module(["python", "-c", "x", "-m", "y"]) is None


def test_a_process_that_is_gone_has_no_values() -> None:
    assert list(settings.private_values(4_194_304, HERMES)) == []
