"""The places of a runbook's commands, filled with what is known of this gateway on this machine."""

from __future__ import annotations

import os
import pwd
import re
import shlex
from collections.abc import Mapping

from qqdiag.finding import Finding
from qqdiag.model import Missing
from qqdiag.snapshot import Process, Snapshot, Socket
from qqdiag.triage.steps import PLACE, Command

SAFE = re.compile(
    r"[A-Za-z0-9@._:][A-Za-z0-9@._:/-]*"
)  # what the target chose goes into a shell only if it is of these

# What may be shown to anybody: numbers. A unit, a peer or a user may name somebody.
PUBLIC = frozenset({"pid", "fd", "port", "uid"})

# A container may lie below the unit of its engine, which to restart would end every container.
ENGINES = frozenset({"containerd.service", "crio.service", "docker.service", "k3s.service", "kubelet.service"})


def values(snapshot: Snapshot, finding: Finding | None) -> dict[str, str]:
    """By place, as far as it is known; what the target chose only where no shell can misread it."""
    found = {"pid": str(snapshot.pid)}
    process = snapshot.samples[-1].process
    if isinstance(process, Process) and process.unit is not None and process.unit.reveal() not in ENGINES:
        found["unit"] = process.unit.reveal()
        if process.unit_manager is not None:
            found |= {"uid": str(process.unit_manager), "owner": _name(process.unit_manager)}
    socket = _socket(snapshot, finding)
    if socket is not None:
        found["fd"] = str(socket.fd)
        if socket.remote is not None:
            found |= {"peer": socket.remote.reveal(), "port": str(socket.remote_port)}
    return {name: value for name, value in found.items() if SAFE.fullmatch(value)}


def shown(text: str, known: Mapping[str, str]) -> str:
    """A command, or a text with commands in it, as it is shown: what is not known stays as the runbook has it."""
    return PLACE.sub(lambda place: known.get(place[1], place[0]), text)


def _socket(snapshot: Snapshot, finding: Finding | None) -> Socket | None:
    """The first socket that the finding names."""
    sockets = snapshot.samples[-1].sockets
    if isinstance(sockets, Missing) or finding is None:
        return None
    return next((row for fd in finding.sockets for row in sockets.rows if row.fd == fd), None)


def here(command: Command, known: Mapping[str, str]) -> Command:
    """The command as it is on this machine: where the process is of no systemd unit, it is told to end, and whatever
    supervises it (a container's engine, supervisord, a shell) starts it again. A unit of a user's own manager is for
    that manager, which nobody else's systemctl asks."""
    if "unit" not in known:
        return command._replace(text=command.text.replace("systemctl restart {unit}", "kill {pid}"))
    if "uid" in known and "{unit}" in command.text:
        return command._replace(text=re.sub(r"(sudo )?\bsystemctl\b", _for_manager(int(known["uid"])), command.text))
    return command


def _for_manager(uid: int) -> str:
    """The systemctl that asks a user's manager (systemctl(1), --user and --machine). A shell that `su` or `sudo` made
    has no XDG_RUNTIME_DIR, in which the manager's socket lies."""
    if os.geteuid() != uid:
        return "sudo systemctl --user -M {owner}@"
    return f"{'' if 'XDG_RUNTIME_DIR' in os.environ else 'XDG_RUNTIME_DIR=/run/user/{uid} '}systemctl --user"


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def filled(command: str, known: Mapping[str, str]) -> str | None:
    """The command with its places filled; None where one is not known. Root needs no `sudo`, which may not be there."""
    lacks = [name for name in PLACE.findall(command) if name not in known]
    if lacks:
        return None
    text = PLACE.sub(lambda place: shlex.quote(known[place[1]]), command)
    return re.sub(r"\bsudo ", "", text) if os.geteuid() == 0 else text
