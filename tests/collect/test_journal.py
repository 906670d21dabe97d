"""A real journald, in a mount namespace of its own, and what it has of a process that logs to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qqdiag.collect import logs
from qqdiag.collect.logs import journal
from qqdiag.collect.logs.templates import Templates
from qqdiag.model import Missing
from qqdiag.profiles.hermes import PROFILE
from qqdiag.snapshot import LogFile

# /run is what journald, systemd-cat and journalctl meet in; outside of this namespace nothing of it is seen.
NAMESPACE = """
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir -p /run/systemd/journal
for program in /usr/lib/systemd/systemd-journald /lib/systemd/systemd-journald; do
    test -x $program && break
done
setpriv --pdeathsig KILL $program >/dev/null 2>&1 &
while ! test -S /run/systemd/journal/stdout; do sleep 0.02; done
exec "$@"
"""

# What systemd does for a service: its streams lead to the journal, and JOURNAL_STREAM says which (systemd.exec(5)).
SERVICE = """
JOURNAL_STREAM=$(stat --dereference --format=%d:%i /proc/self/fd/2)
export JOURNAL_STREAM
exec setpriv --pdeathsig KILL "$@"
"""

GATEWAY = r"""
import os, sys
for line in (
    b"INFO gateway.platforms.qqbot.adapter: [QQBot:1] Session resumed",
    b"WARNING gateway.platforms.qqbot.adapter: [QQBot:1] WebSocket closed: code=4009 reason=x",
    b"2026-05-25 02:30:33,484 - gateway.platforms.qqbot.adapter - INFO - [QQBot:1] Reconnecting in 2s (attempt 7)...",
    b"plain text of somebody",
    b"\xff\xfe not UTF-8 \x1b[31m",
    b"x" * 10000,
):
    os.write(2, line + b"\n")
open(sys.argv[1], "w").close()  # a FIFO: its reader knows then that all is written
sys.stdin.read()
"""

DRIVER = r"""
import json, os, subprocess, sys, time
from qqdiag.collect import homes
from qqdiag.collect.logs import journal
from qqdiag.collect.logs.templates import Templates
from qqdiag.profiles.hermes import PROFILE
from qqdiag.snapshot import LogFile
fifo = sys.argv[1]
os.mkfifo(fifo)
gateway = subprocess.Popen(["systemd-cat", *sys.argv[2:], fifo], stdin=subprocess.PIPE)
open(fifo).read()
end = time.monotonic() + 15
while time.monotonic() < end:
    found = journal.collect(gateway.pid, None, PROFILE, Templates((), lambda path: b""), time.time())
    if isinstance(found, LogFile) and len(found.last) >= 6:
        break
print(json.dumps({
    "there": journal.leads_there(gateway.pid, homes.environment(gateway.pid)),
    "here": journal.leads_there(os.getpid(), dict(os.environ)),
    "events": [[e.event.reveal(), e.numbers, e.age < 30] for e in found.events],
    "last": [[l.level and l.level.reveal(), l.text.reveal()[:30]] for l in found.last],
    "other": type(journal.collect(gateway.pid, "no-such.service", PROFILE, Templates((), bytes), 0.0)).__name__,
}))
"""


@pytest.mark.root
def test_a_real_journal(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a mount namespace takes root: sudo pytest")
    gateway = ["sh", "-c", SERVICE, "sh", sys.executable, "-c", GATEWAY]
    inside = ["sh", "-c", NAMESPACE, "sh", sys.executable, "-c", DRIVER, str(tmp_path / "fifo"), *gateway]
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", *inside],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    seen = json.loads(done.stdout)
    assert (seen["there"], seen["here"]) == (True, False)
    assert seen["events"] == [["resumed", [], True], ["closed", [4009.0], True], ["reconnecting", [2.0, 7.0], True]]
    levels, texts = zip(*seen["last"], strict=True)
    assert levels[:4] == ("INFO", "WARNING", "INFO", "INFO")
    assert texts[3] == "plain text of somebody"
    assert texts[4].startswith("\\xff\\xfe not UTF-8")
    assert seen["other"] == "Missing"


# --- with a stand-in for journalctl, for what a real one does not do when asked --------------------------------------


def stand_in(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> LogFile | Missing:
    program = folder / "journalctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return journal.collect(1, "bot.service", PROFILE, Templates((), lambda path: b""), time.time())


def test_one_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "TIMEOUT", 0.5)
    found = stand_in(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 100", monkeypatch)
    assert isinstance(found, Missing)
    assert "did not end" in found.reason.template
    assert not os.path.exists(f"/proc/{(tmp_path / 'pid').read_text().strip()}")


def test_what_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = stand_in(tmp_path, f'echo "$@" > {tmp_path}/asked', monkeypatch)
    assert isinstance(found, Missing)
    asked = (tmp_path / "asked").read_text().split()
    assert asked[-3:] == ["_SYSTEMD_UNIT=bot.service", "+", "_SYSTEMD_USER_UNIT=bot.service"]
    assert "--output=json" in asked


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"__REALTIME_TIMESTAMP":"1795277449583310","MESSAGE":"a text"}', "a text"),
        ('{"__REALTIME_TIMESTAMP":"1795277449583310","MESSAGE":[104,105]}', "hi"),
        ('{"__REALTIME_TIMESTAMP":"1795277449583310","MESSAGE":[255,1000,-1]}', None),
        ('{"__REALTIME_TIMESTAMP":"1795277449583310","MESSAGE":null,"PRIORITY":"9"}', ""),
        ('{"__REALTIME_TIMESTAMP":"1795277449583310","PRIORITY":""}', ""),
        ('{"__REALTIME_TIMESTAMP":"1795277449583310","MESSAGE":"a text","PRIORITY":"12"}', "a text"),
        ('{"__REALTIME_TIMESTAMP":"9999999999999999999999","MESSAGE":"x"}', None),
        ('{"__REALTIME_TIMESTAMP":"-1","MESSAGE":"x"}', None),
        ('{"MESSAGE":"no time"}', None),
        ("[" * 5000, None),
        ("not JSON", None),
    ],
)
def test_whatever_it_writes_is_read(
    line: str, text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "said").write_text(line + "\n")
    found = stand_in(tmp_path, f"cat {tmp_path}/said", monkeypatch)
    if text is not None:
        assert isinstance(found, LogFile)
        assert [line.text.reveal() for line in found.last] == [text]


def test_without_journalctl_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("journalctl") is None
    found = journal.collect(1, None, PROFILE, Templates((), lambda path: b""), time.time())
    assert isinstance(found, Missing)


def test_without_a_home_the_journal_says_why_it_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(tmp_path / "stream", "wb") as stream:
        status = os.fstat(stream.fileno())
        service = {"PATH": os.environ["PATH"], "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        program = "print('ready', flush=True)\nimport sys\nsys.stdin.read()"
        # In a user namespace of its own its accounts are not ours, and it has no HOME.
        command = ["unshare", "--user", sys.executable, "-c", program]
        with subprocess.Popen(
            command, env=service, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream
        ) as gateway:
            assert gateway.stdout is not None
            assert gateway.stdout.readline() == b"ready\n"
            monkeypatch.setenv("PATH", str(tmp_path))
            found = logs.collect(gateway.pid, PROFILE)
            gateway.kill()
    assert isinstance(found, Missing)
    assert "there is no journalctl here" in found.reason.template
