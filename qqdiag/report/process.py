"""The process and its interpreter, how they were looked at, and for how long they stood still."""

from __future__ import annotations

from qqdiag import __version__
from qqdiag.model import Bytes, Millis, Moment, Percent, Say, Seconds, Word
from qqdiag.report.document import Cell, Line, Mark, Section
from qqdiag.report.settings import version_lines
from qqdiag.snapshot import Monitor, Process, Python, Snapshot, Witness


def process_section(snapshot: Snapshot) -> Section[Cell]:
    """A line for each: process, CPU, interpreter, second witness, samples and pause."""
    last = snapshot.samples[-1]
    now = Moment(snapshot.wall_time)
    lines: list[Line[Cell]] = [Line(Say("seen at {now} UTC by qqdiag {version}", now=now, version=Word(__version__)))]
    if isinstance(last.process, Process):
        lines += _process(last.process)
        lines += _cpu(snapshot, last.process)
    if isinstance(last.python, Python):
        lines.append(_python(last.python))
    lines += version_lines(snapshot)
    if isinstance(snapshot.witness, Witness):
        text = Say("second witness of the threads: py-spy {version}", version=snapshot.witness.version)
        lines.append(Line(text))
    if isinstance(snapshot.monitor, Monitor):
        lines.append(_monitor(snapshot.pid, snapshot.monitor))
    lines.append(_samples(snapshot))
    return Section("process", Say("Process"), tuple(lines))


def _process(process: Process) -> list[Line[Cell]]:
    limit: Cell = Say("?") if process.fd_limit is None else process.fd_limit
    fds: Cell = Say("?") if process.fds is None else process.fds
    text = Say(
        "pid {pid}, state {state}, up {uptime}, threads: {threads}, fds: {fds} of {limit}, memory: {memory}",
        pid=process.pid,
        state=process.state,
        uptime=Seconds(process.uptime),
        threads=len(process.threads),
        fds=fds,
        limit=limit,
        memory=Bytes(process.rss),
    )
    lines: list[Line[Cell]] = [Line(text)]
    if process.state.reveal() in ("T", "t"):
        lines.append(Line(Say("it is stopped: nothing in it can move until it is continued"), mark=Mark.WARN))
    lines += _held_up(process)
    if process.tracer:
        lines.append(Line(Say("process {tracer} traces it", tracer=process.tracer), mark=Mark.WARN))
    if process.user is not None:
        lines.append(Line(Say("user {user}", user=process.user)))
    if process.unit is not None:
        lines.append(Line(Say("systemd unit {unit}", unit=process.unit)))
        if process.unit_manager is not None:
            lines.append(Line(Say("it is of a user's own systemd: systemctl --user, as that user")))
    if process.namespace_pid not in (None, process.pid):
        lines.append(Line(Say("pid {pid} inside its container", pid=process.namespace_pid or 0)))
    if process.container is not None:
        lines.append(Line(Say("in a container {container}", container=process.container)))
    return lines


def _held_up(process: Process) -> list[Line[Cell]]:
    """What it may run into: swap, the limit of its control group, a lock of a file."""
    lines: list[Line[Cell]] = []
    if process.swapped:
        lines.append(Line(Say("swapped out: {size}", size=Bytes(process.swapped)), mark=Mark.WARN))
    if process.memory_limit is not None and process.private is not None:
        held, limit = Bytes(process.private), Bytes(process.memory_limit)
        lines.append(Line(Say("memory of its own: {held} of {limit} that it may have", held=held, limit=limit)))
    if process.lock_holder:
        text = Say("it waits for a lock of a file that process {holder} holds", holder=process.lock_holder)
        lines.append(Line(text, mark=Mark.WARN))
    return lines


def _cpu(snapshot: Snapshot, last: Process) -> list[Line[Cell]]:
    first = snapshot.samples[0].process
    elapsed = snapshot.samples[-1].taken_at - snapshot.samples[0].taken_at
    if not isinstance(first, Process) or elapsed <= 0:
        return []
    used = last.user_seconds + last.system_seconds - first.user_seconds - first.system_seconds
    text = Say("CPU {share} of a core over {elapsed}", share=Percent(100 * used / elapsed), elapsed=Seconds(elapsed))
    return [Line(text)]


def _python(python: Python) -> Line[Cell]:
    major, minor, micro = [*python.version, 0, 0, 0][:3]
    version = Say("{major}.{minor}.{micro}", major=major, minor=minor, micro=micro)
    for flavour in python.flavour:
        version = Say("{version} {flavour}", version=version, flavour=flavour)
    text = Say(
        "Python {version}, read by layout {layout}, {method}",
        version=version,
        layout=python.layout,
        method=python.method,
    )
    return Line(text)


def _monitor(pid: int, monitor: Monitor) -> Line[Cell]:
    text = Say(
        "it runs aiomonitor {version} on port {port}, which lists its tasks ({count}): qqdiag attach {pid}",
        version=monitor.version,
        port=monitor.web_port,
        count=len(monitor.tasks),
        pid=pid,
    )
    return Line(text)


def _samples(snapshot: Snapshot) -> Line[Cell]:
    pause = Millis(snapshot.pause * 1000)
    if len(snapshot.samples) < 2:
        return Line(Say("one sample ({origin}), paused for {pause}", origin=snapshot.origin, pause=pause))
    gap = Seconds(snapshot.samples[-1].taken_at - snapshot.samples[0].taken_at)
    text = Say(
        "two samples {gap} apart ({origin}), paused for {pause} in all", gap=gap, origin=snapshot.origin, pause=pause
    )
    return Line(text)
