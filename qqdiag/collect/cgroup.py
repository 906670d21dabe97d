"""Which systemd unit and which container a process belongs to, by its control groups (v1 and v2)."""

from __future__ import annotations

import re

from qqdiag.model import Id

# docker-<id>.scope, libpod-<id>.scope, cri-containerd-<id>.scope, /docker/<id>, /kubepods/…/<id>: 64 hex digits each;
# ECS puts a suffix behind 32 of them.
_CONTAINER = re.compile(r"(?:^|[/:_-])([0-9a-f]{64}|[0-9a-f]{32}-[0-9]{8,12})(?:\.scope)?(?=/|$)")
_NAMED = re.compile(r"/(?:lxc(?:\.payload)?[./]|machine\.slice/machine-)([\w.@\\-]{1,255}?)(?:\.scope)?(?=/|$)")
_SERVICE = re.compile(r"^[\w.@:\\-]{1,255}\.service$")
_USER = re.compile(r"user@(\d{1,10})\.service$")


def paths(groups: str) -> list[str]:
    """The group paths of a /proc/PID/cgroup, systemd's own hierarchies first (v2 `0::`, v1 `name=systemd`)."""
    rows = [line.split(":", 2) for line in groups.split("\n")]
    rows = [row for row in rows if len(row) == 3]
    return [row[2] for row in sorted(rows, key=lambda row: (row[1] != "name=systemd", row[0] != "0"))]


def unit(groups: str) -> Id | None:
    """The innermost service, as systemctl names it; a login session (a scope) is none."""
    service = _service(groups)
    return Id(service[-1]) if service else None


def manager(groups: str) -> int | None:
    """The uid of the user whose own systemd (user@UID.service) has that unit; None for the system's.

    systemd.special(7): app.slice and its neighbours lie below user@.service.
    """
    users = [user[1] for part in _service(groups)[:-1] if (user := _USER.match(part))]
    return int(users[-1]) if users else None


def _service(groups: str) -> list[str]:
    """The services on the way to the innermost one, which is the last; none where there is none."""
    for path in paths(groups):
        services = [part for part in path.split("/") if _SERVICE.match(part)]
        if services and not _USER.match(services[-1]):
            return services
    return []


def container(groups: str) -> Id | None:
    """The container's id (Docker, Podman, containerd, CRI-O) or name (LXC, systemd-nspawn)."""
    for pattern in (_CONTAINER, _NAMED):
        for path in paths(groups):
            if found := pattern.findall(path):
                return Id(found[-1])
    return None
