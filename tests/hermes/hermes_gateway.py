"""Runs the real `hermes gateway run` offline, with only its QQ platform, against servers on loopback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

COMPRESS = Path(__file__).parent / "compress"
STEP = 0.02  # seconds between two looks at a log or at /proc

# What no output may hold: the gateway has them in its environment, its configuration, its memory and its logs.
APP_ID = "102087654"
CLIENT_SECRET = "planted-client-secret"
MODEL_KEY = "planted-model-key"

CONFIG = """\
model: {{default: stand-in, provider: custom, base_url: "http://127.0.0.1:{model_port}/v1", api_key: {model_key}}}
gateway:
  platforms:
    qqbot: {{enabled: true, extra: {{dm_policy: open, group_policy: open}}}}
security: {{tirith_enabled: false, allow_lazy_installs: false}}
"""


@dataclass(frozen=True)
class Setting:
    """What a case changes in the gateway's surroundings."""

    constants: dict[str, object] = field(default_factory=dict)  # of qqbot/constants.py: shorter waits
    first_beat: float | None = None  # seconds until the first heartbeat
    arguments: tuple[str, ...] = ()  # after `gateway run`
    wrapper: tuple[str, ...] = ()  # a command that execs the gateway
    environment: dict[str, str] = field(default_factory=dict)
    stderr: int | IO[bytes] | None = None
    files: dict[str, str] = field(default_factory=dict)  # text by the path below its home
    config: str = ""  # added to its config.yaml


@dataclass(frozen=True)
class Gateway:
    """A running gateway."""

    process: subprocess.Popen[bytes]
    home: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        path = self.home / "logs" / "agent.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def output(self) -> str:
        return (self.home / "output").read_text(errors="replace")

    def wait_log(self, pattern: str, seconds: float = 20.0, count: int = 1) -> list[str]:
        """Waits until `pattern` occurs `count` times in the log; the lines that have it."""
        found: list[str] = []

        def there() -> bool:
            found[:] = [line for line in self.log().splitlines() if re.search(pattern, line)]
            return len(found) >= count

        self.wait(there, f"{count} x {pattern!r} in its log", seconds)
        return found

    def wait(self, condition: object, what: str, seconds: float = 20.0) -> None:
        """Waits until the condition (a function without arguments) holds, or fails with what the gateway said."""
        assert callable(condition)
        end = time.monotonic() + seconds
        while not condition():
            status = self.process.poll()
            if status is not None or time.monotonic() > end:
                ended = f"exited with {status}" if status is not None else f"not within {seconds:g} s"
                raise AssertionError(f"waited for {what}: {ended}\n{self.output()[-2000:]}\n{self.log()[-4000:]}")
            time.sleep(STEP)

    def platform_state(self, platform: str = "qqbot") -> str:
        """What the gateway's own state file says of a platform."""
        status = json.loads((self.home / "gateway_state.json").read_text())
        return str(status["platforms"][platform]["state"])


@contextmanager
def gateway(
    python: Path, home: Path, api: str, trusted: Path | None, model_port: int, setting: Setting
) -> Iterator[Gateway]:
    """The gateway from its start to its end; ready is for the caller to wait for.

    :param api: URL of the platform's server
    :param trusted: a certificate of the server, when it speaks TLS
    """
    home.mkdir(parents=True, exist_ok=True)
    config = CONFIG.format(model_port=model_port, model_key=MODEL_KEY) + setting.config
    for path, text in {"config.yaml": config, **setting.files}.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
    with (home / "output").open("wb") as output:
        process = subprocess.Popen(
            command(python, setting),
            cwd=home,
            env=environment(home, api, trusted, setting),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output if setting.stderr is None else setting.stderr,
            start_new_session=True,
        )
    try:
        yield Gateway(process, home)
    finally:
        # Never SIGTERM first: a hung gateway ignores it, and nothing here needs an orderly end.
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def command(python: Path, setting: Setting) -> Sequence[str]:
    """setpriv (util-linux) execs, so that the pid stays; the gateway dies with the test that started it."""
    bound = ("setpriv", "--pdeathsig", "KILL")
    return (*bound, *setting.wrapper, str(python.parent / "hermes"), "gateway", "run", *setting.arguments)


def environment(home: Path, api: str, trusted: Path | None, setting: Setting) -> dict[str, str]:
    """Nothing of the tester's own: no proxy, no home, no credentials."""
    constants = {"API_BASE": api, "TOKEN_URL": f"{api}/app/getAppAccessToken", **setting.constants}
    made = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "TZ": os.environ.get("TZ", "UTC"),
        "HOME": str(home),
        "HERMES_HOME": str(home),
        "PYTHONPATH": str(COMPRESS),
        "PYTHONDONTWRITEBYTECODE": "1",
        "QQ_APP_ID": APP_ID,
        "QQ_CLIENT_SECRET": CLIENT_SECRET,
        "QQ_ALLOW_ALL_USERS": "true",
        "GATEWAY_ALLOW_ALL_USERS": "true",
        "TIRITH_ENABLED": "0",
        "HERMES_DISABLE_LAZY_INSTALLS": "1",
        "QQDIAG_TEST_CONSTANTS": json.dumps(constants),
    }
    if setting.first_beat is not None:
        made["QQDIAG_TEST_FIRST_BEAT"] = str(setting.first_beat)
    if trusted is not None:
        made["SSL_CERT_FILE"] = str(trusted)
    return made | setting.environment
