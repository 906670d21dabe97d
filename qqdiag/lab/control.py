"""The lab's server, seen from its owner: start it, throw its switches, ask what it saw."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qqdiag.errors import QqdiagError
from qqdiag.lab.certificate import make_certificate
from qqdiag.lab.child import Child, child
from qqdiag.lab.faults import Faults
from qqdiag.lab.platform import USER
from qqdiag.model import Say, Seconds, Word

LOOPBACK = "127.0.0.1"


@dataclass(eq=False)
class Server:
    """A running server. Times out with QqdiagError where it does not answer."""

    child: Child
    host: str
    port: int
    ports: list[int]  # `port`, and with pools: TLS 1.3, TLS 1.2
    tls: bool
    pem: Path | None

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    @property
    def token_url(self) -> str:
        return f"{self.url}/app/getAppAccessToken"

    def switch(self, **faults: Any) -> None:
        """Throw fault switches (`faults.Faults`).

        :raises TypeError: there is no such switch
        """
        dataclasses.replace(Faults(), **faults)
        self.child.ask({"do": "switch", **faults})

    def seen(self) -> dict[str, Any]:
        """What it saw (`faults.Seen`); answered by a frozen server too."""
        return self.child.ask({"do": "seen"})

    def freeze(self) -> None:
        """Stop its event loop: nothing is answered, while the kernel acknowledges. It must not be frozen twice."""
        self.child.ask({"do": "freeze"})

    def thaw(self) -> None:
        self.child.ask({"do": "thaw"})

    def close(self, code: int) -> None:
        """CLOSE with `code`."""
        self.child.ask({"do": "close", "code": code})

    def cut(self, how: str) -> None:
        """`fin`, `rst`, `reconnect` (op 7), `invalid-session` (op 9), `bad-hello`, `deafen`, `close-idle`."""
        self.child.ask({"do": how})

    def frame(self, text: str) -> None:
        """Send `text` as a frame, whatever it is."""
        self.child.ask({"do": "frame", "text": text})

    def say(
        self,
        content: str,
        count: int = 1,
        attachments: list[dict[str, str]] | None = None,
        user: str = USER,
    ) -> None:
        """`user` sends `content`, `count` times; an attachment has `content_type`, `url`, `filename`."""
        self.child.ask({"do": "say", "content": content, "count": count, "attachments": attachments, "user": user})

    def until(self, what: str, holds: Callable[[dict[str, Any]], bool], seconds: float = 20.0) -> dict[str, Any]:
        """Wait until what it saw satisfies `holds`; `what` names it in the error."""
        end = time.monotonic() + seconds
        while not holds(seen := self.seen()):
            if time.monotonic() > end:
                message = Say("The lab did not see {what} within {time}.", what=Word(what), time=Seconds(seconds))
                failure = QqdiagError(message, Say("Try again on a machine that is less busy."))
                failure.add_note(f"seen: {seen}")
                raise failure
            time.sleep(0.01)
        return seen


@contextlib.contextmanager
def start_server(
    *,
    tls: bool = False,
    host: str = LOOPBACK,
    pools: bool = False,
    bound: float = 120.0,
) -> Iterator[Server]:
    """A server of its own process.

    :param pools: two more ports for REST, always TLS: 1.3 and at most 1.2
    :param bound: seconds after which the process ends by itself
    """
    with contextlib.ExitStack() as stack:
        pem = None
        if tls or pools:
            pem = make_certificate(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qqdiag-lab-"))), host)
        process = stack.enter_context(child("qqdiag.lab.server", bound))
        config = {"host": host, "tls": tls, "pools": pools, "pem": str(pem) if pem else None}
        answer = process.ask(config)
        yield Server(process, host, answer["ports"][0], answer["ports"], tls, pem)
