"""The adapters of the real hermes-agent, whole and without what nothing is judged by."""

from __future__ import annotations

import ast

import hermes_environment
import pytest

from qqdiag.model import CodePath
from qqdiag.patch.source import Source, parse

ADAPTER = "gateway/platforms/qqbot/adapter.py"
# Methods that handle messages: nothing is judged by them, and most of the file is theirs.
KEPT = (
    *("__init__", "is_connected", "_log_tag", "connect", "disconnect", "_cleanup", "_ensure_token", "_get_gateway_url"),
    *("_open_ws", "_listen_loop", "_reconnect", "_read_events", "_heartbeat_loop", "_send_identify", "_send_resume"),
    *("_create_task", "_dispatch_payload", "_handle_ready", "_parse_json", "_wait_for_reconnection", "send"),
    *("_mark_transport_disconnected", "_fail_pending"),
)


def original(version: str) -> bytes:
    """The adapter's file as it was installed."""
    try:
        python = hermes_environment.python_of(version)
    except hermes_environment.NotMade as error:
        pytest.skip(str(error))
    (packages,) = python.parent.parent.glob("lib/python3*/site-packages")
    return (packages / ADAPTER).read_bytes()


def connection_part(text: bytes) -> bytes:
    """Without the methods that handle messages, so that it is read in a moment."""
    lines = text.splitlines(keepends=True)
    adapter = next(node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == "QQAdapter")
    for node in reversed(adapter.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name not in KEPT:
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            del lines[first - 1 : node.end_lineno]
    return b"".join(lines)


def source_of(text: bytes) -> Source:
    return parse(text, CodePath("/site-packages/gateway/platforms/qqbot/adapter.py"))
