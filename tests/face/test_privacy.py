"""What a caller asks of a page beyond the rule: sections left out, code hidden, names that last over two reports."""

from __future__ import annotations

import json
import os
from pathlib import Path

import hand_made
import pytest

from qqdiag import pseudonym_key
from qqdiag.cli import options
from qqdiag.errors import UsageError
from qqdiag.model import Address, CodePath, Host, Name, TaskName, User
from qqdiag.publish import page
from qqdiag.redact import Privacy
from qqdiag.redact.leave_out import SECTIONS
from qqdiag.redact.masked_code import is_public
from qqdiag.redact.publisher import Publisher

DIAGNOSIS = hand_made.diagnosis(hand_made.finding())
KEY = bytes(range(32))


def made(form: str, privacy: Privacy) -> str:
    return page(hand_made.snapshot(), DIAGNOSIS, form, privacy=privacy)


def test_the_command_line_knows_every_section() -> None:
    assert set(options.SECTIONS) == set(SECTIONS)


@pytest.mark.parametrize("form", ["md", "text", "json"])
@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_left_out_of_every_format_and_that_is_said(section: str, form: str) -> None:
    shown = made(form, Privacy(drop=(section,)))
    if form == "json":
        assert json.loads(shown)["dropped"] == [section]
    else:
        assert f"left out with --drop: {section}" in shown.lower().replace("\n", " ")
    whole, word = made(form, Privacy()), WORDS.get(section, {}).get(form != "json")
    assert word is None or (word in whole and word not in shown)


# By section: a text of its own in JSON, and in the other formats.
WORDS = {
    "evidence": {False: "last data received", True: "last data received"},
    "gateway": {False: '"adapters"', True: "qqbot adapter"},
    "sockets": {False: "receive_queue", True: "retries"},
    "timeline": {False: "4009", True: "4009"},
}


def test_all_sections_can_be_left_out() -> None:
    shown = made("json", Privacy(drop=tuple(SECTIONS)))
    document = json.loads(shown)
    assert [finding["id"] for finding in document["findings"]] == ["missing-ack"]
    assert document["findings"][0]["evidence"] == []
    assert "adapter.py" not in shown


# --- names that last -------------------------------------------------------------------------------------------------


def test_with_a_key_a_name_is_the_same_in_every_report_whatever_came_before() -> None:
    first, second = Publisher(key=KEY), Publisher(key=KEY)
    second.text(User("somebody else"))
    second.text(Address("192.168.1.1"))
    assert first.text(User("qianwei")) == second.text(User("qianwei"))
    assert first.text(Address("192.168.31.45")) == second.text(Address("::ffff:192.168.31.45"))
    assert first.text(Address("192.168.31.45")).startswith("lan-")
    assert first.text(User("qianwei")) != Publisher(key=KEY[::-1]).text(User("qianwei"))


def test_with_a_key_different_values_have_different_names() -> None:
    publisher = Publisher(key=KEY)
    assert len({publisher.text(User(str(number))) for number in range(3000)}) == 3000


def test_a_page_with_a_key_passes_its_own_check() -> None:
    assert made("md", Privacy(key=KEY)) == made("md", Privacy(key=KEY))
    assert made("md", Privacy(key=KEY)) != made("md", Privacy())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "KEY"
    file.write_bytes(KEY)
    file.chmod(mode)
    with pytest.raises(UsageError) as refused:
        pseudonym_key.read(file)
    assert "chmod 600" in refused.value.hint.template
    file.chmod(0o600)
    assert pseudonym_key.read(file) == KEY


@pytest.mark.parametrize("size", [0, 15, 4097])
def test_what_is_no_key_is_refused(tmp_path: Path, size: int) -> None:
    file = tmp_path / "KEY"
    file.write_bytes(bytes(size))
    file.chmod(0o600)
    with pytest.raises(UsageError):
        pseudonym_key.read(file)


def test_neither_a_link_nor_a_pipe_nor_nothing_is_a_key(tmp_path: Path) -> None:
    (tmp_path / "KEY").write_bytes(KEY)
    (tmp_path / "KEY").chmod(0o600)
    (tmp_path / "link").symlink_to("KEY")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("link", "pipe", "absent"):
        with pytest.raises(UsageError):
            pseudonym_key.read(tmp_path / name)


def test_the_command_that_the_refusal_names_makes_a_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        pseudonym_key.read(tmp_path / "KEY")
    os.system(f"cd '{tmp_path}' && {refused.value.hint.template.removeprefix('make one: ')}")
    assert len(pseudonym_key.read(tmp_path / "KEY")) == 32


# --- code ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["md", "text", "json"])
def test_hidden_code_is_nowhere_and_public_code_is_still_there(form: str) -> None:
    shown = made(form, Privacy(mask_code=True))
    assert "mine/bot.py" in made(form, Privacy())
    assert "bot.py" not in shown
    assert "aiohttp/client_ws.py" in shown
    assert "ClientWebSocketResponse.receive" in shown


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/usr/lib/python3.12/asyncio/tasks.py", True),
        ("/opt/venv/lib/python3.12/site-packages/aiohttp/client_ws.py", True),
        ("/opt/venv/lib/python3.12/site-packages/acme_bot/client.py", False),
        ("/opt/venv/lib/python3.12/site-packages/acme.py", False),
        ("<frozen importlib._bootstrap>", True),
        ("<string>", False),
        ("/home/qianwei/aiohttp/client.py", False),
    ],
)
def test_which_code_everybody_can_read(path: str, expected: bool) -> None:
    assert is_public(path) is expected


def test_the_function_that_a_thread_runs_is_hidden_too() -> None:
    from qqdiag.redact.masked_code import MaskedCode

    publisher = Publisher(mask=MaskedCode(hand_made.snapshot()))
    assert publisher.text(TaskName("Thread-4 (_memory_loop)")) == "Thread-4"
    assert publisher.text(Name("QQAdapter.some_new_method")) == "<code-1>"
    assert publisher.text(CodePath("/srv/bot/main.py")) == "<file-1>"
    assert publisher.text(Name("asyncio.locks.Lock")) == "asyncio.locks.Lock"


def test_public_vendors_are_named() -> None:
    publisher = Publisher()
    assert publisher.text(Host("API.sgroup.qq.com.")) == "api.sgroup.qq.com"
    assert publisher.text(Host("qianwei.api.sgroup.qq.com")) == "<host-1>"
