"""Code, frames and threads of the interpreter, and the values that frames hold."""

from __future__ import annotations

import msgspec

from qqdiag.model import CodePath, FreeText, Id, Name, TaskName, Word

# Names that code calls to read a WebSocket or to send on it: aiohttp's ClientWebSocketResponse, websockets' Connection.
RECEIVES = frozenset({"receive", "receive_str", "receive_bytes", "receive_json", "recv", "recv_streaming"})
SENDS = frozenset({"send", "send_str", "send_bytes", "send_json", "ping"})


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """A code object, once; levels and frames refer to it by index."""

    qualname: Name
    name: Name
    path: CodePath
    first_line: int
    calls: list[Word] = []  # of its co_names, those of a known list: receive, recv, send_json, drain …


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One frame of a thread's stack."""

    code: int
    line: int | None
    address: int
    offset: int | None  # of the current instruction, in bytes


class PyThread(msgspec.Struct, frozen=True, kw_only=True):
    """A thread as the interpreter knows it; frames innermost first."""

    native_id: int | None
    frames: list[Frame] = []
    loop: int | None = None  # the event loop that runs in it
    name: TaskName | None = None  # of its threading.Thread; the kernel knows it since 3.14
    truncated: bool = False


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A local or an attribute, as far as memory alone tells what it is."""

    name: Name
    type: Name
    scope: Word  # local cell free attribute
    kind: Word  # none bool int float enum text bytes container callable class object unreadable
    address: int
    number: int | float | None = None  # below a million; a float to three digits
    truth: bool | None = None
    length: int | None = None  # of a container; of a text or bytes where there are more than 128
    text: FreeText | None = None  # the first 200 characters, or bytes
    digits: Id | None = None  # a number from a million on
    called: Name | None = None  # an enum's member, a function or method, a class
    fd: int | None = None  # of a socket, transport, stream or WebSocket
    key: Id | None = None  # of an attribute that the class's code does not name: its name, which is data then
    attributes: list[Variable] = []  # of `self`, where it is first met in a chain from the inside
    omitted: int = 0  # attributes beyond the bound


class FrameLocals(msgspec.Struct, frozen=True, kw_only=True):
    """The locals of one level of a task's chain, or of a thread's frame, that are set, by the order of their names."""

    task: int  # 0: of a thread
    level: int  # the level's address, of a thread the frame's
    variables: list[Variable] = []
    omitted: int = 0  # locals beyond the bound
    readable: bool = True


class Locals(msgspec.Struct, frozen=True, kw_only=True, tag="locals"):
    """Locals of the innermost levels of the chains, and how many levels there were no room for."""

    frames: list[FrameLocals] = []
    omitted: int = 0
