"""What comes out of redaction: each class of text in its public form, numbers for people, one name for one value."""

from __future__ import annotations

import json
import pickle
from typing import Any

import hand_made
import pytest

from qqdiag.model import (
    Address,
    Bytes,
    CodePath,
    Command,
    FreeText,
    Hex,
    Host,
    Id,
    Millis,
    Name,
    Path,
    Percent,
    Say,
    Seconds,
    Secret,
    TaskName,
    Text,
    User,
    Value,
    Word,
)
from qqdiag.redact import RULE, Redacted, Shown, redact
from qqdiag.redact.publisher import Publisher
from qqdiag.redact.shown import show
from qqdiag.redact.texts import convert
from qqdiag.render import jsonout, lines, rows
from qqdiag.report.document import Line


class Unheard(Text):
    """A class that redact knows nothing of."""


PUBLIC: list[tuple[Value, str]] = [
    (Word("ep_poll"), "ep_poll"),
    (Word("CLOSE-WAIT"), "CLOSE-WAIT"),
    (Word("session 8813377420"), "<word>"),
    (Word("line\nbreak"), "<word>"),
    (Name("QQAdapter._listen.<locals>.<lambda>"), "QQAdapter._listen.<locals>.<lambda>"),
    (Name("_cython_3_0_11.coroutine_wrapper"), "_cython_3_0_11.coroutine_wrapper"),
    (Name("agent:main:qqbot:dm:OPENID"), "<name>"),
    (Name("handler_1903695542"), "<name>"),
    (Name("aB3dE5fG7hJ9kL1mN3pQ5rS7"), "<name>"),
    (Name("BaseHTTPRequestHandlerV2.ClientWebSocketResponse"), "BaseHTTPRequestHandlerV2.ClientWebSocketResponse"),
    (Name("x" * 300), "<name>"),
    (Name("消息"), "<name>"),
    (CodePath("/opt/venv/lib/python3.12/site-packages/aiohttp/client_ws.py"), "aiohttp/client_ws.py"),
    (CodePath("/usr/lib/python3/dist-packages/yaml/__init__.py"), "yaml/__init__.py"),
    (CodePath("/usr/lib/python3.12/asyncio/tasks.py"), "asyncio/tasks.py"),
    (CodePath("/opt/lib/python3.13t/selectors.py"), "selectors.py"),
    (CodePath("/home/qianwei/bots/mine/bot.py"), "mine/bot.py"),
    (CodePath("/home/qianwei/bot.py"), "bot.py"),
    (CodePath("/Users/qianwei/bot.py"), "bot.py"),
    (CodePath("/bot.py"), "bot.py"),
    (CodePath("<frozen importlib._bootstrap>"), "<frozen importlib._bootstrap>"),
    (CodePath("<string>"), "<string>"),
    (CodePath("/srv/我的/机器人 .py"), "?/?"),
    (CodePath("/srv/bot/3f9c2b77d1e04a5599ab.py"), "bot/?"),
    (CodePath("/srv/someone@mail.example"), "<file>"),
    (CodePath(""), "<file>"),
    (TaskName("Task-7"), "Task-7"),
    (TaskName("ThreadPoolExecutor-0_3"), "ThreadPoolExecutor-0_3"),
    (TaskName("asyncio_0"), "asyncio_0"),
    (TaskName("Thread-4 (_memory_loop)"), "Thread-4 (_memory_loop)"),
    (TaskName("agent:main:qqbot:dm:OPENID"), "<task-1>"),
    (Address("127.0.0.1"), "127.0.0.1"),
    (Address("::1"), "::1"),
    (Address("::ffff:127.0.0.1"), "127.0.0.1"),
    (Address("0.0.0.0"), "any"),
    (Address("::"), "any"),
    (Address("192.168.31.45"), "lan-1"),
    (Address("fd12::7"), "lan-1"),
    (Address("169.254.3.4"), "linklocal-1"),
    (Address("fe80::1%eth0"), "linklocal-1"),
    (Address("100.64.9.9"), "cgnat-1"),
    (Address("198.18.0.5"), "fakeip-1"),
    (Address("203.0.113.77"), "pub-1"),
    (Address("not an address"), "<address-1>"),
    (Host("nas.local"), "<host-1>"),
    (User("qianwei"), "<user-1>"),
    (Id("hermes-qianwei.service"), "<id-1>"),
    (Path("/home/qianwei/.hermes"), "<path-1>"),
    (Secret("hunter2"), "<argument 1-8>"),
    (Secret(""), "<argument 0>"),
    (FreeText("x" * 100), "<text 33-128>"),
    (FreeText("x" * 1000), "<text >128>"),
    (Command("sudo qqdiag inspect 1234"), "sudo qqdiag inspect 1234"),
    (Command("sudo qqdiag inspect /home/qianwei/x"), "sudo qqdiag inspect <argument>"),
    (Seconds(2472.4), "41 m 12 s"),
    (Seconds(0.0004), "0.40 ms"),
    (Seconds(0.43), "430 ms"),
    (Seconds(0), "0 s"),
    (Seconds(59.96), "1 m 00 s"),
    (Seconds(3599.7), "1 h 00 m"),
    (Seconds(12.34), "12.3 s"),
    (Seconds(3 * 3600 + 310), "3 h 05 m"),
    (Seconds(2 * 86400 + 3 * 3600), "2 d 3 h"),
    (Seconds(-3), "-3.0 s"),
    (Seconds(float("inf")), "unknown"),
    (Millis(0.43), "0.43 ms"),
    (Bytes(0), "0 B"),
    (Bytes(999), "999 B"),
    (Bytes(3_660_000), "3.66 MB"),
    (Percent(98.4), "98 %"),
    (Percent(-0.1), "0 %"),
    (Hex(0x7F3A), "0x7f3a"),
    (4009, "4009"),
    (41.25, "41.25"),
    (True, "yes"),
]


@pytest.mark.parametrize(("value", "expected"), PUBLIC, ids=lambda value: type(value).__name__)
def test_the_public_form_of_each_class(value: Value, expected: str) -> None:
    assert Publisher().cell(value) == expected


def test_a_class_without_a_public_form_is_refused() -> None:
    with pytest.raises(TypeError, match="Unheard"):
        Publisher().text(Unheard("x"))
    with pytest.raises(TypeError, match="no public form"):
        convert(Unheard("x"), Publisher().names)


def test_one_value_has_one_name_in_every_spelling() -> None:
    publisher = Publisher()
    spellings = ["10.0.0.1", "::ffff:10.0.0.1", "::FFFF:0a00:0001"]
    assert {publisher.text(Address(spelling)) for spelling in spellings} == {"lan-1"}
    assert publisher.text(Address("10.0.0.2")) == "lan-2"
    assert publisher.text(Host("NAS.local.")) == publisher.text(Host("nas.local"))


def test_text_and_json_use_the_same_names() -> None:
    shown = redact(hand_made.snapshot(), hand_made.diagnosis(hand_made.finding()))
    document = json.loads(jsonout.text(shown))
    assert document["snapshot"]["samples"][-1]["sockets"]["rows"][0]["remote"] == "pub-1"
    assert "from pub-1" in document["findings"][0]["evidence"][0]["text"]
    assert shown.masked["User"] == 1


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[31mred\x1b[0m", "a\u202eb", "a\u200bb", "\x00\x07", "\r\nfake: line", "\ud800", "\x9b31m", "é"],
)
def test_a_text_is_escaped_wherever_it_comes_from(hostile: str) -> None:
    assert all(" " <= character <= "~" for character in show(hostile))
    raw = Publisher(raw=True).text(FreeText(hostile))
    assert raw.isprintable()
    raw.encode("utf-8")


def test_raw_keeps_the_letters_of_every_script() -> None:
    assert Publisher(raw=True).text(FreeText("消息 from 老王")) == "消息 from 老王"


def test_a_text_is_bounded() -> None:
    assert len(show("x" * 100_000)) <= 400
    assert len(Publisher(raw=True).text(FreeText("x" * 100_000))) <= 3200


def test_nothing_but_redact_makes_public_values() -> None:
    with pytest.raises(TypeError):
        Shown("x")
    with pytest.raises(TypeError):
        Redacted(redact(hand_made.snapshot(), hand_made.diagnosis()).report, {}, {}, False, RULE)
    with pytest.raises(TypeError):
        type("Other", (Redacted,), {})(None, {}, {}, False)


@pytest.mark.parametrize("text", [Secret("hunter2"), FreeText("hello"), Word("R")])
def test_a_private_text_has_no_other_way_out(text: Text) -> None:
    for way in (str, format, pickle.dumps, lambda value: f"{value}", lambda value: f"{value}"):
        with pytest.raises(TypeError):
            way(text)
    assert text.reveal() not in repr(text)


BARE: Any = "bare"


def test_a_renderer_refuses_a_bare_str() -> None:
    with pytest.raises(TypeError):
        lines.one_line(Line(BARE))
    with pytest.raises(TypeError):
        jsonout.plain({"a": [BARE]})
    with pytest.raises(TypeError):
        rows.rows([{"a": BARE}], as_json=False)
    with pytest.raises(TypeError):
        rows.rows([{"a": BARE}], as_json=True)


def test_a_sentence_in_a_sentence_is_filled_once() -> None:
    """A value that looks like a template is not one."""
    inner = Say("{path}", path=CodePath("{task}.py"))
    assert Publisher().say(Say("at {inner}", inner=inner)) == "at ?"
    assert Publisher(raw=True).say(Say("at {inner}", inner=inner)) == "at {task}.py"


def test_a_table_too_long_for_a_page_is_cut_and_said() -> None:
    many = hand_made.snapshot(
        samples=[hand_made.sample(tasks=[hand_made.task(0x1000 + number) for number in range(2_007)])]
    )
    document = json.loads(jsonout.text(redact(many, hand_made.diagnosis())))
    assert len(document["snapshot"]["samples"][0]["python"]["tasks"]) == 2_000
    assert document["omitted"] == {"tasks": 7}
    assert json.loads(jsonout.text(redact(hand_made.snapshot(), hand_made.diagnosis())))["omitted"] == {}
