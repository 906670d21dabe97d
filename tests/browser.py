"""A headless Chromium for the tests, spoken to over a pipe in the DevTools protocol.

Installed on demand by apt, once: about 25 s, 100 MB. A page is a fresh tab, which remembers what it asked for over
the network and what its console said.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cached import cache, locked

PACKAGES = ("chromium", "fonts-dejavu-core")  # without a font no letter is drawn
PATIENCE = 60.0  # seconds for one answer


class NotMade(Exception):
    """It cannot be had here; the message says what to do."""


def chromium() -> str:
    """The program, installed where it is lacking and this is root."""
    with locked(cache() / "chromium.lock"):
        found = shutil.which("chromium") or shutil.which("chromium-browser")
        if found is None:
            install()
            found = shutil.which("chromium")
    if found is None:
        raise NotMade("install a browser: apt-get install chromium")
    return found


def install() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NotMade(f"install a browser: apt-get install {' '.join(PACKAGES)}")
    # The lists of packages are fetched anew only where they do not do: others may read them at the same time.
    get = ["install", "-q", "-y", "--no-install-recommends", *PACKAGES]
    if apt(*get).returncode:
        apt("update", "-q")
        done = apt(*get)
        if done.returncode:
            raise NotMade(f"make a network available: apt-get install failed:\n{done.stderr[-500:]}")


def apt(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=120", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


class Browser:
    """A running Chromium; `events` has what every tab has told, by its session."""

    def __init__(self, write: int, read: int) -> None:
        self.write, self.read = write, read
        self.number = 0
        self.buffer = b""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """The answer to one command of the protocol."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.write, data) :]
        while True:
            answer = self.hear()
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])

    def hear(self) -> dict[str, Any]:
        """The next message; an event is kept."""
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            data = os.read(self.read, 1 << 20)
            assert data, "the browser has ended"
            self.buffer += data
        first, _, self.buffer = self.buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        if "method" in message:
            self.events.append(message)
        return message

    def tab(self, path: Path, *, dark: bool = False, script: bool = True, width: int = 1360) -> Tab:
        """A page of a file, loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        tab = Tab(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        tab.call("Emulation.setEmulatedMedia", features=[scheme])
        tab.call("Emulation.setScriptExecutionDisabled", value=not script)
        tab.call("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
        tab.call("Page.navigate", url=path.as_uri())
        while not tab.told("Page.loadEventFired"):
            self.hear()
        return tab


class Tab:
    """One page."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.browser, self.session = browser, session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def told(self, method: str) -> list[dict[str, Any]]:
        """The parameters of each such event of this page."""
        events = self.browser.events
        return [one["params"] for one in events if one.get("sessionId") == self.session and one["method"] == method]

    def evaluate(self, expression: str) -> Any:
        """What a JavaScript expression is, in the page, whatever the page's own policy says of script."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, uncaught exceptions, and what the page's policy has refused."""
        said = [entry["entry"]["text"] for entry in self.told("Log.entryAdded")]
        said += [str(call["args"]) for call in self.told("Runtime.consoleAPICalled")]
        return said + [thrown["exceptionDetails"]["text"] for thrown in self.told("Runtime.exceptionThrown")]

    def requests(self) -> list[str]:
        """Every address that it asked for."""
        return [sent["request"]["url"] for sent in self.told("Network.requestWillBeSent")]

    def screenshot(self, scale: float = 1.0) -> bytes:
        """The whole page as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": scale}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A Chromium with a profile of its own in `folder`, ended at the end."""
    command = [
        chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank",
    ]  # fmt: skip
    low_in, ours_out = os.pipe()
    ours_in, low_out = os.pipe()
    theirs_in, theirs_out = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (low_in, low_out))  # 3 and 4 stay free
    os.close(low_in)
    os.close(low_out)
    shell = ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", *command]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(shell, pass_fds=(theirs_in, theirs_out), stdout=log, stderr=log)
    try:
        os.close(theirs_in)
        os.close(theirs_out)
        running = Browser(ours_out, ours_in)
        running.call("Browser.getVersion")
        yield running
        running.call("Browser.close")
    finally:
        os.close(ours_out)
        os.close(ours_in)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
