"""A stand-in for the model's API on loopback (OpenAI's chat completions, streaming included)."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER = "pong"


class QuietServer(ThreadingHTTPServer):
    """Says nothing of a client that is gone: the gateways here are killed in the middle of a request."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class ModelApi:
    """Listens on `port`. After `stick()` requests wait until `answer()`; each that came releases `asked` once."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self._may_answer = threading.Event()
        self._may_answer.set()
        self.server = QuietServer(("127.0.0.1", 0), _handler(self))
        self.port = int(self.server.server_address[1])

    def stick(self) -> None:
        self._may_answer.clear()

    def answer(self) -> None:
        self._may_answer.set()

    def wait_for_leave(self) -> None:
        self._may_answer.wait()


def _handler(api: ModelApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing: the test's own output is what counts."""

        def do_GET(self) -> None:
            self.reply("application/json", json.dumps({"object": "list", "data": [{"id": "stand-in"}]}).encode())

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
            if not self.path.endswith("/chat/completions"):
                self.reply("application/json", b"{}", status=404)
                return
            api.asked.release()
            api.wait_for_leave()
            if asked.get("stream"):
                self.reply("text/event-stream", b"".join(streamed()))
            else:
                self.reply("application/json", json.dumps(completion()).encode())

        def reply(self, kind: str, body: bytes, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def completion() -> dict[str, object]:
    message = {"role": "assistant", "content": ANSWER}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "stand-in",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def streamed() -> Iterator[bytes]:
    for delta, finish in (({"role": "assistant", "content": ANSWER}, None), ({}, "stop")):
        chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "stand-in"}
        chunk["choices"] = [{"index": 0, "delta": delta, "finish_reason": finish}]
        yield b"data: " + json.dumps(chunk).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


@contextmanager
def model_api() -> Iterator[ModelApi]:
    api = ModelApi()
    thread = threading.Thread(target=api.server.serve_forever, name="model-api", daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.answer()
        api.server.shutdown()
        api.server.server_close()
        thread.join()
