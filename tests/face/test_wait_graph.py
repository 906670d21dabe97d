"""The wait graph: what is in it, what is drawn together, what is left out, and that no picture overlaps itself."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from itertools import combinations
from typing import Any

import hand_made as made
import pytest
from msgspec.structs import replace

from qqdiag.model import Missing, Name, Say, Word
from qqdiag.redact import Shown, redact
from qqdiag.render import html
from qqdiag.render.graph import WIDTH, picture
from qqdiag.render.graph.columns import columns
from qqdiag.render.graph.layout import layout
from qqdiag.report.drawn import Graph, Kind, Link
from qqdiag.report.marks import Mark
from qqdiag.report.wait_graph.likeness import cycles
from qqdiag.snapshot import Lock, Snapshot, Task

LACK = Missing(Say("it was not looked for"), Say("look for it"))
GUILTY = made.diagnosis(made.finding())
NOTHING = made.diagnosis()


def seen(tasks: list[Task], **more: Any) -> Snapshot:
    """A snapshot with these tasks, and nothing else that could be drawn but the sockets of a finding."""
    return made.snapshot(samples=[made.sample(python=made.python(tasks, **more), gateway=LACK)])


def graph(tasks: list[Task], diagnosis: Any = NOTHING, **more: Any) -> Graph[Shown]:
    found = redact(seen(tasks, **more), diagnosis).report.graph
    assert found is not None
    return found


def waits(address: int, *on: int, line: int = 7, **more: Any) -> Task:
    """A task that waits for other tasks, at a line of its own."""
    end = made.leaf(on[0], "task") if len(on) == 1 else made.leaf(address + 5, "gather", children=list(on))
    return made.task(address, f"Task-{address}", chain=[made.level(3, line)], leaf=end, **more)


def titles(drawn: Graph[Shown]) -> list[str]:
    return [node.title for node in drawn.nodes]


def edges(drawn: Graph[Shown]) -> set[tuple[str, Link, str]]:
    return {(titles(drawn)[one.source], one.link, titles(drawn)[one.target]) for one in drawn.edges}


def lock(address: int, holders: list[int], waiters: list[int], kind: str = "lock") -> Lock:
    return Lock(
        address=address, kind=Word(kind), type=Name("Lock"), locked=True, holders=holders, waiters=waiters
    )  # fmt: skip


def at_lock(address: int, lock: int) -> Task:
    leaf = made.leaf(address + 5, "lock", lock=lock)
    return made.task(address, f"Task-{address}", chain=[made.level(3, 9)], leaf=leaf)


# --- what is in it ---------------------------------------------------------------------------------------------------


def test_who_waits_at_a_lock_waits_for_who_holds_it() -> None:
    tasks = [at_lock(10, 900), at_lock(20, 900), waits(30, 40), made.task(40, "Task-40", leaf=made.leaf(9, "timer"))]
    drawn = graph(tasks, locks=[lock(900, [30], [10, 20])])
    assert edges(drawn) == {
        ("2 x Task-10", Link.WAITS, "Lock"),
        ("Lock", Link.HELD, "Task-30"),
        ("Task-30", Link.WAITS, "Task-40"),
    }


def test_who_waits_while_the_loop_is_taken_waits_for_the_task_that_has_it() -> None:
    spins = made.task(made.LISTENER, "Task-2", "running", leaf=None)
    late = made.task(10, "Task-10", leaf=made.leaf(9, "timer", deadline_at=990.0))
    in_time = made.task(20, "Task-20", leaf=made.leaf(8, "timer", deadline_at=1010.0))
    drawn = graph([spins, late, in_time], GUILTY, loops=[made.loop(current_task=made.LISTENER)])
    loop = "event loop, thread 4242"
    assert edges(drawn) == {("Task-10", Link.WAITS, loop), (loop, Link.RUNS, "Task-2")}
    assert "Task-10 cannot go on before what is marked does" in drawn.says


def test_a_reader_leads_to_its_socket_and_both_are_marked() -> None:
    gateway = made.gateway()
    gateway = replace(gateway, websockets=[replace(gateway.websockets[0], readers=[made.LISTENER])])
    sample = made.sample(gateway=gateway)
    drawn = redact(made.snapshot(samples=[sample]), GUILTY).report.graph
    assert drawn is not None
    assert ("Task-7", Link.WAITS, "fd 9, tcp ESTAB") in edges(drawn)
    assert {node.title for node in drawn.nodes if node.mark is Mark.BAD} == {"Task-7", "fd 9, tcp ESTAB"}
    assert "to pub-1:443" in drawn.nodes[titles(drawn).index("fd 9, tcp ESTAB")].lines
    assert "listener of qqbot" in drawn.nodes[0].lines


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 12])
def test_a_ring_is_drawn_with_each_of_its_tasks(size: int) -> None:
    """Though they are all alike."""
    drawn = graph([waits(number, number % size + 1) for number in range(1, size + 1)])
    assert len(drawn.nodes) == len(drawn.edges) == size
    assert all(edge.ring for edge in drawn.edges)
    assert any("in a ring" in sentence for sentence in drawn.says)


def test_a_way_into_a_ring_is_no_part_of_it() -> None:
    drawn = graph([waits(1, 2), waits(2, 1), waits(3, 1, line=8), waits(4, 3, line=8)])
    assert [edge.ring for edge in drawn.edges].count(True) == 2
    assert len(drawn.edges) == 4


def test_equal_tasks_are_one_box_and_others_are_not() -> None:
    tasks = [waits(number, 900) for number in range(1, 30)] + [waits(40, 901)]
    ends = [made.task(end, f"Task-{end}", chain=[made.level(0, end)], leaf=made.leaf(7, "timer")) for end in (900, 901)]
    drawn = graph([*tasks, *ends])
    assert edges(drawn) == {("29 x Task-1", Link.WAITS, "Task-900"), ("Task-40", Link.WAITS, "Task-901")}


def test_the_marked_come_first_and_the_rest_is_counted() -> None:
    others = [made.task(number, f"Task-{number}", chain=[made.level(0, number)]) for number in range(1, 500)]
    far = [waits(1000 + number, 1001 + number, line=number) for number in range(60)]
    guilty = made.task(made.LISTENER, "Task-7", chain=[made.level(1, 1)])
    waiting = [waits(5000 + number, made.LISTENER, line=number) for number in range(10)]
    drawn = graph([*others, *far, *waiting, guilty], GUILTY)
    assert len(drawn.nodes) <= 32
    assert titles(drawn)[0] == "Task-7"
    assert {f"Task-{5000 + number}" for number in range(10)} <= set(titles(drawn))
    hidden = 499 + 60 + 10 + 1 - sum(node.count for node in drawn.nodes if node.kind is Kind.TASK)
    assert drawn.hidden == f"Tasks not drawn, for want of room: {hidden}."


def test_what_cannot_be_seen_is_not_drawn() -> None:
    sample = made.sample(python=LACK, gateway=LACK, sockets=LACK)
    assert redact(made.snapshot(samples=[sample]), NOTHING).report.graph is None


@pytest.mark.parametrize("kind", ["gather", "chain", "ring"])
def test_any_number_of_tasks_ends(kind: str) -> None:
    """Also in the trees of the report: gathers of gathers have more ways down than there are seconds."""
    source = random.Random(3)
    onward = {
        "gather": lambda number: [source.randrange(1, 1500) for _ in range(20)],
        "chain": lambda number: [number + 1],
        "ring": lambda number: [number % 3000 + 1],
    }[kind]
    tasks = [waits(number, *onward(number)) for number in range(1, 1500 if kind == "gather" else 3001)]
    page = html.text(redact(seen(tasks), NOTHING, facts=False))
    assert len(page) < 400_000


def test_a_page_does_not_depend_on_the_seed_of_hashes() -> None:
    """The order of boxes and edges is that of the tables, never of a set."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import hand_made as made, test_wait_graph as graphs; "
        "print(graphs.fingerprint())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program, os.path.dirname(__file__)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1


def fingerprint() -> str:
    source = random.Random(5)
    tasks = [waits(number, source.randrange(1, 60), line=source.randrange(4)) for number in range(1, 60)]
    return hashlib.sha256(html.text(redact(seen(tasks), GUILTY)).encode()).hexdigest()


# --- cycles and columns -----------------------------------------------------------------------------------------------


def reaches(follows: dict[int, list[int]], start: int) -> set[int]:
    found: set[int] = set()
    todo = list(follows[start])
    while todo:
        node = todo.pop()
        if node not in found:
            found.add(node)
            todo += follows[node]
    return found


@pytest.mark.parametrize("seed", range(5))
def test_cycles_are_what_reaches_itself(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(60):
        count = source.randrange(1, 9)
        follows = {node: [other for other in range(count) if source.random() < 0.25] for node in range(count)}
        reach = {node: reaches(follows, node) for node in follows}
        wanted = {
            frozenset(other for other in reach[node] if node in reach[other]) for node in follows if node in reach[node]
        }
        assert {frozenset(part) for part in cycles(follows, follows)} == wanted


def test_a_ring_is_folded_so_that_it_comes_back() -> None:
    ring = [(number, (number + 1) % 6) for number in range(6)]
    assert columns(range(6), ring) == {0: 0, 1: 1, 2: 2, 3: 3, 4: 2, 5: 1}


@pytest.mark.parametrize("seed", range(8))
def test_no_box_covers_another_and_edges_lead_right(seed: int) -> None:
    source = random.Random(seed)
    count = source.randrange(2, 33)
    pairs = [(source.randrange(count), source.randrange(count)) for _ in range(source.randrange(2 * count))]
    heights = [source.choice((50, 66, 84)) for _ in range(count)]
    laid = layout(WIDTH, heights, pairs)
    assert layout(WIDTH, heights, pairs) == laid
    for (one, (x1, y1)), (other, (x2, y2)) in combinations(enumerate(laid.corners), 2):
        apart = x1 + WIDTH <= x2 or x2 + WIDTH <= x1 or y1 + heights[one] <= y2 or y2 + heights[other] <= y1
        assert apart, (one, other)
    follows: dict[int, list[int]] = {node: [] for node in range(count)}
    for begin, end in pairs:
        follows[begin].append(end)
    around = {node: place for place, part in enumerate(cycles(follows, follows)) for node in part}
    for begin, end in pairs:
        if around.get(begin, -1) != around.get(end, -2):
            assert laid.corners[begin][0] < laid.corners[end][0]
    assert all(0 <= x <= laid.width - WIDTH for x, _ in laid.corners)
    assert all(0 <= y <= laid.height - height for (_, y), height in zip(laid.corners, heights, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_arrows_begin_and_end_at_their_boxes(seed: int) -> None:
    source = random.Random(seed)
    tasks = [waits(number, source.randrange(1, 25), line=number) for number in range(1, 25)]
    drawn = graph(tasks)
    shown = picture(drawn)
    for edge, arrow in zip(drawn.edges, shown.arrows, strict=True):
        for point, place in ((arrow.route.start, edge.source), (arrow.route.curves[-1][4:], edge.target)):
            box = shown.boxes[place]
            assert box.x <= point[0] <= box.x + WIDTH
            assert box.y <= point[1] <= box.y + box.height


def test_long_names_are_cut_and_stand_whole_in_the_title() -> None:
    name = "Task-" + "1" * 9
    where = made.level(0, 123456)
    drawn = picture(graph([made.task(1, name, chain=[where], leaf=made.leaf(5, "lock"))]))
    (box,) = drawn.boxes
    path = "gateway/platforms/qqbot/adapter.py:123456"
    assert path in box.full
    assert [line.text for line in box.lines if line.text.startswith("...")] == ["..." + path[-31:]]
    assert all(len(line.text) <= 34 for line in box.lines)
