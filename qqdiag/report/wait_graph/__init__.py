"""Who waits for whom, as a graph to draw: tasks, and the locks, sockets, threads and futures that they wait for.

Equal ones are one node with their number. What a finding speaks of comes first, then cycles, then what is near to
these; what there is no room for is counted.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from qqdiag.finding import Diagnosis, Severity
from qqdiag.model import Say
from qqdiag.report.ages import ages
from qqdiag.report.causes import Causes, causes, names_of, working_frame
from qqdiag.report.document import Cell, Mark
from qqdiag.report.drawn import Edge, Graph, Kind, Node
from qqdiag.report.wait_graph.captions import Captions, caption
from qqdiag.report.wait_graph.edges import Key, arcs
from qqdiag.report.wait_graph.likeness import Arc, classes, cycles, nearest
from qqdiag.snapshot import Gateway, Leaf, Python, Sample, Snapshot, Socket, Task

_MOST = 32  # nodes
_MOST_ALONE = 6  # nodes without an edge, beside those of a finding
_MOST_RINGS = 3  # that are said in words
_MARKS = {Severity.HANG: Mark.BAD, Severity.DEGRADED: Mark.WARN, Severity.INFO: Mark.PLAIN}


@dataclass
class _Seen:
    """The graph of single things, before equal ones are drawn together."""

    known: Causes
    arcs: list[Arc[Key]]
    looks: dict[Key, Hashable]
    marks: dict[Key, Mark]
    rings: list[list[Key]]


def wait_graph(snapshot: Snapshot, diagnosis: Diagnosis) -> Graph[Cell] | None:
    """None where no task could be seen."""
    sample = snapshot.samples[-1]
    if not isinstance(sample.python, Python):
        return None
    seen = _look(sample, sample.python, diagnosis)
    ringed = {key for ring in seen.rings for key in ring}
    groups = classes(seen.looks, seen.arcs, ringed)
    drawn = _chosen(seen, groups)
    if not drawn:
        return None
    source = Captions(seen.known, ages(snapshot), _roles(sample), _futures(seen.known), _lone(seen))
    nodes = tuple(_node(seen, source, group) for group in drawn)
    hidden = [key for group in groups if group not in drawn for key in group]
    return Graph(nodes, _edges(seen, drawn), _sentences(seen), _count(hidden))


def _look(sample: Sample, python: Python, diagnosis: Diagnosis) -> _Seen:
    known = causes(sample, python)
    reads = _reads(sample)
    found = arcs(known, reads)
    tasks: list[Key] = [
        (Kind.TASK, one.address) for one in python.tasks if one.state.reveal() in ("pending", "running")
    ]
    ends = [key for arc in found for key in (arc.source, arc.target)]
    marks = _marked(diagnosis)
    keys = [key for key in dict.fromkeys([*tasks, *ends, *marks]) if key[0] is not Kind.TASK or key[1] in known.tasks]
    looks: dict[Key, Hashable] = {key: (key[0], marks.get(key), _appearance(known, key)) for key in keys}
    follows: dict[Key, list[Key]] = {}
    for arc in found:
        follows.setdefault(arc.source, []).append(arc.target)
    return _Seen(known, found, looks, marks, cycles(looks, follows))


def _reads(sample: Sample) -> dict[int, int]:
    websockets = sample.gateway.websockets if isinstance(sample.gateway, Gateway) else []
    return {task: websocket.fd for websocket in websockets if websocket.fd is not None for task in websocket.readers}


def _marked(diagnosis: Diagnosis) -> dict[Key, Mark]:
    """What findings speak of, by the gravest that does."""
    marks: dict[Key, Mark] = {}
    for finding in diagnosis.findings:
        if finding.severity is Severity.INFO:
            continue
        keys = [(Kind.TASK, task) for task in finding.tasks] + [(Kind.SOCKET, fd) for fd in finding.sockets]
        for key in keys:
            marks.setdefault(key, _MARKS[finding.severity])
    return marks


def _appearance(known: Causes, key: Key) -> Hashable:
    """What one that is drawn for several must have in common with them."""
    kind, id = key
    if kind is Kind.TASK:
        return _task(known.tasks[id])
    if kind is Kind.LOCK:
        lock = known.locks[id]
        return lock.kind, lock.type, lock.locked
    if kind is Kind.SOCKET:
        row = known.sockets.get(id)
        return None if row is None else _socket(row)
    if kind is Kind.THREAD:
        frame = working_frame(known, id)
        return (frame.code, frame.line) if frame else id
    return None if kind is Kind.FUTURE else id


def _task(task: Task) -> Hashable:
    leaf = task.leaf
    end = None if leaf is None else (leaf.kind, leaf.state, leaf.deadline_at is None)
    return task.state, tuple((level.name, level.code, level.line) for level in task.chain), end


def _socket(row: Socket) -> Hashable:
    return row.protocol, row.state, row.remote, row.remote_port


def _chosen(seen: _Seen, groups: list[list[Key]]) -> list[list[Key]]:
    """The groups to draw, in the order of what they are worth."""
    first = {group[0]: group for group in groups}
    leader = {key: group[0] for group in groups for key in group}
    beside: dict[Key, list[Key]] = {}
    for arc in seen.arcs:
        beside.setdefault(leader[arc.source], []).append(leader[arc.target])
        beside.setdefault(leader[arc.target], []).append(leader[arc.source])
    ringed = {leader[key] for ring in seen.rings for key in ring}
    guilty = {leader[key] for key in seen.marks if key in leader}
    near = nearest(guilty, first, beside)
    round_about = nearest(ringed, first, beside)

    def rank(key: Key) -> tuple[bool, int, int, bool, int]:
        far = len(first)
        return key not in guilty, near.get(key, far), round_about.get(key, far), key not in beside, -len(first[key])

    order = sorted(first, key=rank)
    alone = [key for key in order if key not in beside and key not in guilty]
    left_out = set(alone[_MOST_ALONE:])
    return [first[key] for key in order if key not in left_out][:_MOST]


def _node(seen: _Seen, source: Captions, group: list[Key]) -> Node[Cell]:
    title, lines = caption(source, group[0], len(group))
    return Node(group[0][0], title, lines, len(group), seen.marks.get(group[0], Mark.PLAIN))


def _edges(seen: _Seen, drawn: list[list[Key]]) -> tuple[Edge, ...]:
    places = {key: place for place, group in enumerate(drawn) for key in group}
    ring = {key: number for number, part in enumerate(seen.rings) for key in part}
    found: dict[Edge, None] = {}
    for arc in seen.arcs:
        if arc.source in places and arc.target in places:
            around = arc.source in ring and ring[arc.source] == ring.get(arc.target)
            found[Edge(places[arc.source], places[arc.target], arc.link, around)] = None
    return tuple(found)


def _sentences(seen: _Seen) -> tuple[Cell, ...]:
    says: list[Cell] = [_ring(seen, ring) for ring in seen.rings[:_MOST_RINGS]]
    if len(seen.rings) > _MOST_RINGS:
        says.append(Say("{count} more rings", count=len(seen.rings) - _MOST_RINGS))
    culprits = [key for key in seen.marks if key in seen.looks]
    blocked = _blocked(seen, culprits)
    if blocked:
        says.append(Say("{names} cannot go on before what is marked does", names=names_of(seen.known, blocked)))
    return tuple(says)


def _count(hidden: list[Key]) -> Say | None:
    tasks = sum(key[0] is Kind.TASK for key in hidden)
    return Say("Tasks not drawn, for want of room: {count}.", count=tasks) if tasks else None


def _ring(seen: _Seen, ring: list[Key]) -> Say:
    names = names_of(seen.known, [id for kind, id in ring if kind is Kind.TASK])
    return Say("{names} wait for each other, in a ring", names=names)


def _blocked(seen: _Seen, culprits: Iterable[Key]) -> list[int]:
    """The unmarked tasks that wait, directly or through others, for what is marked."""
    into: dict[Key, list[Key]] = {}
    for arc in seen.arcs:
        into.setdefault(arc.target, []).append(arc.source)
    todo = list(culprits)
    met = set(todo)
    found: list[int] = []
    for key in todo:
        for other in into.get(key, []):
            if other not in met:
                met.add(other)
                todo.append(other)
                found += [other[1]] if other[0] is Kind.TASK else []
    return found


def _roles(sample: Sample) -> dict[int, Say]:
    """What an adapter has a task for."""
    roles: dict[int, Say] = {}
    for adapter in sample.gateway.adapters if isinstance(sample.gateway, Gateway) else []:
        if adapter.listener is not None:
            roles[adapter.listener] = Say("listener of {platform}", platform=adapter.platform)
        if adapter.heartbeat is not None:
            roles[adapter.heartbeat] = Say("heartbeat of {platform}", platform=adapter.platform)
    return roles


def _lone(seen: _Seen) -> set[int]:
    """Tasks that wait for a plain future of their own."""
    sources = {arc.source[1] for arc in seen.arcs if arc.source[0] is Kind.TASK}
    waiting = [task for task in seen.known.python.tasks if task.leaf is not None and task.address not in sources]
    return {
        task.address
        for task in waiting
        if task.leaf is not None and task.leaf.kind.reveal() not in ("timer", "nothing", "lock", "semaphore")
    }


def _futures(known: Causes) -> dict[int, Say]:
    leaves: list[Leaf] = [task.leaf for task in known.python.tasks if task.leaf is not None]
    return {leaf.address: Say("{type}, {state}", type=leaf.type, state=leaf.state) for leaf in leaves}
