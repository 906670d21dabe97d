"""What the machine does to the real gateway: its disk stops answering, or another gateway has its account."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import hermes_outside as outside
from hermes_gateway import APP_ID, Setting
from hermes_patient import Patient

DISK = Path(tempfile.gettempdir()) / f"qqdiag-hermes-disk-{os.getpid()}"
SIZE = 16 << 20  # bytes


def stalled(patient: Patient) -> None:
    """The file system of its logs is frozen; the next line that it writes waits for it."""
    subprocess.run(["fsfreeze", "--freeze", DISK], check=True)

    def waiting() -> bool:
        patient.server.say("hello")
        return outside.main_thread_state(patient.pid) == "D"

    patient.gateway.wait(waiting, "the loop's thread in state D")


def thaw(patient: Patient | None = None) -> None:
    """Before the gateway is ended: who waits for a frozen file system cannot be."""
    subprocess.run(["fsfreeze", "--unfreeze", DISK], check=False, capture_output=True)


@contextmanager
def logs_on_a_disk_of_their_own(setting: Setting) -> Iterator[Setting]:
    """A small file system in a file, where the gateway's logs are. Needs root. It is thawed even if we are killed."""
    with tempfile.NamedTemporaryFile(prefix="qqdiag-hermes-", suffix=".ext4") as image:
        image.truncate(SIZE)
        subprocess.run(["mkfs.ext4", "-q", "-F", image.name], check=True)
        DISK.mkdir(exist_ok=True)
        subprocess.run(["mount", "-o", "loop", image.name, DISK], check=True)
        end = 'cat >/dev/null; fsfreeze --unfreeze "$0" 2>/dev/null; umount --lazy "$0"; rmdir "$0"'
        guard = subprocess.Popen(["sh", "-c", end, DISK], stdin=subprocess.PIPE, start_new_session=True)
        try:
            linked = f'ln -s {DISK} "$HERMES_HOME/logs" && exec "$@"'
            yield replace(setting, wrapper=(*setting.wrapper, "sh", "-c", linked, "sh"))
        finally:
            guard.communicate()


def refused(patient: Patient) -> None:
    """F22: its account's lock belongs to a process that lives; another platform came up."""
    patient.gateway.wait_log("already in use")
    patient.gateway.wait(lambda: patient.gateway.platform_state() == "fatal", "state fatal")
    patient.gateway.wait_log("Gateway running with")


@contextmanager
def another_gateway(setting: Setting) -> Iterator[Setting]:
    """A lock as a gateway writes it, of a process that lives; and a second platform, so that this one stays up."""
    with tempfile.TemporaryDirectory(prefix="qqdiag-hermes-locks-") as folder, socket.socket() as free:
        other = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        started = int(Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19])
        name = f"qqbot-appid-{hashlib.sha256(APP_ID.encode()).hexdigest()[:16]}.lock"
        (Path(folder) / name).write_text(json.dumps({"pid": other.pid, "start_time": started}))
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        environment = {
            "HERMES_GATEWAY_LOCK_DIR": folder,
            "API_SERVER_ENABLED": "true",
            "API_SERVER_HOST": "127.0.0.1",
            "API_SERVER_PORT": str(port),
        }
        try:
            yield replace(setting, environment={**setting.environment, **environment})
        finally:
            other.communicate()
