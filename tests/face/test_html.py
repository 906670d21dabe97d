"""The HTML page in a real browser: what it shows, that it asks nobody for anything, and that no name can harm it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import hand_made as made
import pixels
import pytest
from browser import Browser, NotMade, Tab, browser
from msgspec.structs import replace
from planted import plant

from qqdiag.lab.start import start
from qqdiag.model import Name
from qqdiag.redact import redact
from qqdiag.redact.leave_out import SECTIONS
from qqdiag.redact.selfcheck import rendered
from qqdiag.render import html
from qqdiag.report.order import Place
from qqdiag.snapshot import Snapshot

DIAGNOSIS = made.diagnosis(made.finding())
Load = Callable[..., Tab]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    try:
        with browser(tmp_path_factory.mktemp("profile")) as running:
            yield running
    except NotMade as error:
        pytest.skip(str(error))


@pytest.fixture
def load(chromium: Browser, tmp_path: Path) -> Load:
    """Opens a text as a page of a file of its own."""

    def opened(text: str, **options: Any) -> Tab:
        path = tmp_path / "page.html"
        path.write_text(text)
        return chromium.tab(path, **options)

    return opened


def page(snapshot: Snapshot | None = None, raw: bool = False) -> str:
    return rendered(html.text, made.snapshot() if snapshot is None else snapshot, DIAGNOSIS, raw)


# --- a real gateway that hangs ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deadlock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a lab's gateway whose tasks wait for each other, as an operator makes it."""
    path = tmp_path_factory.mktemp("deadlock") / "report.html"
    with start("await-deadlock") as running:
        command = [sys.executable, "-m", "qqdiag", "report", str(running.pid), "--format", "html", "-o", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return path


@pytest.mark.lab
def test_a_hung_gateway_in_light_and_dark(chromium: Browser, deadlock: Path) -> None:
    """It is drawn, in both schemes; nothing complains, and nothing but the page itself is asked for."""
    shots = {}
    for dark in (False, True):
        tab = chromium.tab(deadlock, dark=dark)
        shots[dark] = pixels.decode(tab.screenshot(scale=0.25))
        assert tab.complaints() == []
        assert tab.requests() == [deadlock.as_uri()]
        assert tab.evaluate("document.querySelector('h1').textContent").startswith("2 tasks wait for each other")
        assert tab.evaluate("document.querySelector('.verdict .badge').textContent") == "HANG"
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for shot in shots.values():
        assert 330 <= shot.width <= 340
        assert shot.height > 250
        assert len(set(shot.pixels)) > 100, "it is blank"
    assert shots[False].brightness > 200
    assert shots[True].brightness < 70


RING = """(() => {
  const boxes = [...document.querySelectorAll(".graph .box")].map((box) => {
    const {x, y, width, height} = box.querySelector(".face").getBBox();
    return {name: box.querySelector(".name").textContent, bad: box.classList.contains("bad"), x, y, width, height};
  });
  const at = (point) => boxes.find((box) => point.x >= box.x - 1 && point.x <= box.x + box.width + 1
                                         && point.y >= box.y - 1 && point.y <= box.y + box.height + 1);
  const arrows = [...document.querySelectorAll(".graph .arrow.ring path")].map((path) => [
    at(path.getPointAtLength(0))?.name, at(path.getPointAtLength(path.getTotalLength()))?.name]);
  return {boxes, arrows};
})()"""


@pytest.mark.lab
def test_tasks_that_wait_for_each_other_are_drawn_as_a_ring(chromium: Browser, deadlock: Path) -> None:
    """Each arrow begins at the box where another one ends, back to the first; and the boxes do not stand in a row."""
    drawn = chromium.tab(deadlock).evaluate(RING)
    follows = dict(drawn["arrows"])
    assert len(follows) == len(drawn["arrows"]) == 3
    way = ["Lock"]
    while follows[way[-1]] not in way:
        way.append(follows[way[-1]])
    assert follows[way[-1]] == "Lock"
    assert len(way) == 3
    bad = [box for box in drawn["boxes"] if box["bad"]]
    assert sorted(box["name"] for box in bad) == sorted(way[1:])
    ringed = [box for box in drawn["boxes"] if box["name"] in way]
    assert len({box["x"] for box in ringed}) > 1
    assert len({box["y"] for box in ringed}) > 1


INSIDE = """[...document.querySelectorAll(".graph .box")].every((box) => {
  const face = box.querySelector(".face").getBBox();
  return [...box.querySelectorAll("text")].map((text) => text.getBBox()).every((text) =>
    text.x >= face.x && text.x + text.width <= face.x + face.width &&
    text.y >= face.y && text.y + text.height <= face.y + face.height);
})"""


@pytest.mark.lab
def test_texts_stay_in_their_boxes(chromium: Browser, deadlock: Path) -> None:
    assert chromium.tab(deadlock).evaluate(INSIDE)


@pytest.mark.lab
def test_the_culprit_stands_out(chromium: Browser, deadlock: Path) -> None:
    strokes = chromium.tab(deadlock).evaluate(
        "[...document.querySelectorAll('.graph .box')].map((box) => [box.classList.contains('bad'), "
        "getComputedStyle(box.querySelector('.face')).stroke])"
    )
    guilty, others = ({stroke for bad, stroke in strokes if bad is wanted} for wanted in (True, False))
    assert len(guilty) == 1
    assert guilty.isdisjoint(others)


# --- the page -------------------------------------------------------------------------------------------------------


def test_it_says_the_same_without_javascript(load: Load) -> None:
    texts = []
    for script in (True, False):
        tab = load(page(), script=script)
        texts.append(tab.evaluate("document.querySelector('main').textContent").split())
        assert tab.complaints() == []
        assert bool(tab.evaluate("document.querySelectorAll('th button').length")) is script
    assert texts[0] == texts[1]
    assert len(texts[0]) > 200


def test_the_head_tells_of_other_findings_and_of_what_is_missing(load: Load) -> None:
    two = made.diagnosis(made.finding(), made.finding(id="half-open"))
    tab = load(rendered(html.text, made.snapshot(), two))
    links = "Object.fromEntries([...document.querySelectorAll('header a')].map((one) => [one.hash, one.textContent]))"
    assert tab.evaluate(links) == {"#evidence": "and 1 more, below", "#missing": "what, and what to type"}
    assert "half-open" in tab.evaluate("document.querySelector('#evidence').textContent")


def test_each_section_has_its_place() -> None:
    assert set(SECTIONS) == set(Place) - {"other"}
    report = redact(made.snapshot(), DIAGNOSIS)
    ids = re.findall(r'<section id="([a-z]+)"', html.text(report))
    assert [id for id in ids if id != "graph"] == [id for id in Place if id in ids]
    assert ids[:2] == ["evidence", "graph"]


AGES = (41 * 60 + 12.0, 0.3, 5.0, 7300.0, 86400.0 * 3)


def test_a_table_is_sorted_by_the_amounts_it_shows(load: Load) -> None:
    rows = [
        made.socket(fd=fd, tcp=made.tcp(last_data_sent=age)) for fd, age in zip((9, 10, 11, 100, 7), AGES, strict=True)
    ]
    sockets = replace(made.sample().sockets, rows=rows)
    tab = load(page(made.snapshot(samples=[made.sample(sockets=sockets)])))
    column = "[...document.querySelectorAll('#sockets tbody tr')].map((row) => row.cells[6].textContent.trim())"
    head = "document.querySelectorAll('#sockets th')[6]"
    tab.evaluate(f"{head}.querySelector('button').click()")
    assert tab.evaluate(column) == ["300 ms", "5.0 s", "41 m 12 s", "2 h 01 m", "3 d 0 h"]
    assert tab.evaluate(f"{head}.getAttribute('aria-sort')") == "ascending"
    tab.evaluate(f"{head}.querySelector('button').click()")
    assert tab.evaluate(column)[0] == "3 d 0 h"
    tab.evaluate("document.querySelectorAll('#sockets th')[0].querySelector('button').click()")
    assert tab.evaluate(f"{head}.hasAttribute('aria-sort')") is False
    numbers = "[...document.querySelectorAll('#sockets tbody tr')].map((row) => row.cells[0].textContent.trim())"
    assert tab.evaluate(numbers) == ["7", "9", "10", "11", "100"]
    assert tab.complaints() == []


def test_reconnects_are_a_plot_with_times(load: Load) -> None:
    """Older events stand further left; each label of the axis is a time."""
    tab = load(page())
    dots = tab.evaluate(
        "[...document.querySelectorAll('.plot circle')].map((dot) => [dot.textContent.trim(), +dot.getAttribute('cx')])"
    )
    places = {says.partition(",")[0]: x for says, x in dots}
    assert places["connected"] < places["closed"] < places["ready"]
    labels = tab.evaluate("[...document.querySelectorAll('.plot .at')].map((label) => label.textContent)")
    assert len(labels) > 1
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", label) for label in labels)
    assert tab.evaluate("document.querySelectorAll('.plot .up').length") == 1


CONTRAST = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (colour) => rgb(colour).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const face = element.closest("svg") && element.querySelector(":scope > .face");
      const colour = face ? getComputedStyle(face).fill : getComputedStyle(element).backgroundColor;
      if (!["rgba(0, 0, 0, 0)", "none"].includes(colour)) return colour;
    }
  };
  return [...document.querySelectorAll("body *")]
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .filter((element) => !["SCRIPT", "STYLE", "title", "desc"].includes(element.tagName))
    .map((element) => {
      const style = getComputedStyle(element);
      const one = light(element.tagName === "text" ? style.fill : style.color), other = light(behind(element));
      return [(Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05), element.outerHTML.slice(0, 80)];
    }).sort((one, other) => one[0] - other[0])[0];
})()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_has_contrast(load: Load, dark: bool) -> None:
    """4.5 to 1 (WCAG 2.2, 1.4.3), also in boxes and on marked rows."""
    least, where = load(page(), dark=dark).evaluate(CONTRAST)
    assert least >= 4.5, where


def test_it_can_be_read_aloud(load: Load) -> None:
    """A language, a title, one first heading, headed sections and columns, pictures with titles."""
    tab = load(page())
    assert tab.evaluate("document.documentElement.lang") == "en"
    assert " ".join(tab.evaluate("document.title").split()) == "HANG missing-ack - qqdiag report"
    assert tab.evaluate("document.querySelectorAll('h1').length") == 1
    assert tab.evaluate("document.querySelectorAll('th:not([scope])').length") == 0
    assert tab.evaluate("[...document.querySelectorAll('table')].every((table) => table.tHead?.rows[0].cells.length)")
    named = "[...document.querySelectorAll('[aria-labelledby]')].map((one) => one.getAttribute('aria-labelledby'))"
    assert tab.evaluate(f"{named}.join(' ').split(' ').every((id) => document.getElementById(id)?.textContent.trim())")
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    links = tab.evaluate("[...document.querySelectorAll('a')].map((link) => link.getAttribute('href'))")
    assert {link[1:] for link in links} <= set(ids)


@pytest.mark.parametrize("width", [390, 2560])
def test_it_fits_a_phone_and_a_wall(load: Load, width: int) -> None:
    assert load(page(), width=width).evaluate("document.documentElement.scrollWidth <= innerWidth")


# --- names that would harm a page -------------------------------------------------------------------------------------

HOSTILE = (
    "<script>window.harmed = 1</script>",
    "</title></style></script></svg></details></table><script>window.harmed = 1</script>",
    "]]><img src=x onerror='window.harmed = 1'>",
    '" onmouseover="window.harmed = 1" x="',
    "' autofocus onfocus='window.harmed = 1",
    "javascript:window.harmed=1",
    "<a href='javascript:window.harmed=1'>x</a>",
    "<svg onload=window.harmed=1><foreignObject><iframe src='//127.0.0.1/x'></svg>",
    "{{ 7 * 7 }}{% for x in y %}<!-- --> <!doctype html>",
    "&lt;script&gt;&#x3c;b&#x3e;",
    "<base href='http://127.0.0.1:9/'><link rel=stylesheet href=/x><meta http-equiv=refresh content='0;url=//x'>",
    "\u202egnp.exe\u2066\u200b\ufeff",
    "\x1b[31m\x1b]0;title\x07\x00\x85\u2028",
    "\udcff\ud800 \U000e0041",
    "x" * 100_000,
    "<" * 100_000,
)
KINDS = "[...new Set([...document.querySelectorAll('*')].map((one) => one.tagName.toLowerCase()))].sort()"


def hostile() -> Snapshot:
    texts = cycle(HOSTILE)
    return plant(made.snapshot(), lambda kind: next(texts))


@pytest.mark.parametrize("raw", [False, True], ids=["public", "raw"])
def test_hostile_names_do_nothing(load: Load, raw: bool) -> None:
    """Whatever a text of the target holds: no element, no attribute, no request, no character that hides."""
    text = html.text(redact(hostile(), DIAGNOSIS, raw=raw))
    assert len(text) < 1_000_000
    plain, tab = load(page()), load(text)
    assert tab.evaluate("typeof window.harmed") == "undefined"
    assert set(tab.evaluate(KINDS)) <= set(plain.evaluate(KINDS))
    assert tab.evaluate("document.scripts.length + document.styleSheets.length") == 2
    attributes = "[...document.querySelectorAll('*')].flatMap((one) => one.getAttributeNames())"
    assert not [
        name for name in tab.evaluate(attributes) if name.startswith("on") or name in ("style", "src", "srcdoc")
    ]
    assert all(
        link.startswith("#") for link in tab.evaluate("[...document.links].map((one) => one.getAttribute('href'))")
    )
    assert all(one.isprintable() or one == "\n" for one in tab.evaluate("document.documentElement.textContent"))
    assert tab.complaints() == []
    assert tab.requests() == tab.requests()[:1]
    assert tab.evaluate("document.querySelectorAll('.graph .box').length") > 0
    assert raw == ("<script>window.harmed = 1</script>" in tab.evaluate("document.body.textContent"))


HARMFUL = """<!doctype html><meta charset=utf-8>{policy}<title>x</title>
<b onclick="1"></b><img src="http://127.0.0.1:9/x"><script>window.harmed = 1</script>"""
POLICY = re.compile(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>")


def test_the_policy_of_the_page_refuses_script_and_requests(load: Load) -> None:
    """A second wall: were a name to become markup, it could do nothing. And the tests above can see that it did."""
    found = POLICY.search(page())
    assert found is not None
    behind = load(HARMFUL.format(policy=found.group()))
    assert behind.evaluate("typeof window.harmed") == "undefined"
    assert len(behind.complaints()) >= 2
    open_ = load(HARMFUL.format(policy=""))
    assert open_.evaluate("window.harmed") == 1
    assert "http://127.0.0.1:9/x" in open_.requests()


HOSTILE_PROGRAM = r"""
import asyncio, sys, threading

async def wait():
    await asyncio.Event().wait()

named = type(wait)(wait.__code__.replace(co_qualname="<img src=x onerror=window.harmed=1>", co_name="<b>"), globals())
named.__qualname__ = named.__name__ = "</script><script>window.harmed = 1</script>"

async def main():
    lock = type("<style>*{display:none}</style>", (asyncio.Lock,), {})()
    async def hold():
        async with lock:
            await named()
    async def enter():
        async with lock:
            pass
    tasks = [asyncio.create_task(hold(), name="<script>window.harmed = 1</script>")]
    await asyncio.sleep(0)
    name = "]]>'\"><svg onload=window.harmed=1>" + "A" * 100_000
    tasks += [asyncio.create_task(enter(), name=name) for _ in range(3)]
    threading.Thread(target=threading.Event().wait, name="<iframe>", daemon=True).start()
    await asyncio.sleep(0.05)
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("option", ["--redact", "--no-redact"])
def test_a_real_process_with_hostile_names(chromium: Browser, tmp_path: Path, option: str) -> None:
    command = [sys.executable, "-m", "qqdiag", "report", "--format", "html", "--interval", "0", option]
    with subprocess.Popen([sys.executable, "-c", HOSTILE_PROGRAM], stdout=subprocess.PIPE, text=True) as patient:
        assert patient.stdout is not None
        assert patient.stdout.readline() == "ready\n"
        done = subprocess.run([*command, str(patient.pid)], capture_output=True, text=True, timeout=60)
        patient.kill()
    assert done.returncode == 0, done.stderr
    path = tmp_path / "page.html"
    path.write_text(done.stdout)
    tab = chromium.tab(path)
    assert tab.evaluate("typeof window.harmed") == "undefined"
    assert tab.complaints() == []
    assert tab.requests() == [path.as_uri()]
    assert tab.evaluate("document.querySelectorAll('img, iframe').length") == 0
    assert tab.evaluate("document.scripts.length + document.styleSheets.length") == 2
    assert tab.evaluate("document.querySelectorAll('.graph .arrow').length") >= 2
    assert ("PRIVATE" in done.stdout.splitlines()[0]) is (option == "--no-redact")


# --- texts that are not public ----------------------------------------------------------------------------------------


def test_a_bare_string_is_no_public_text() -> None:
    redacted = redact(made.snapshot(), DIAGNOSIS)
    assert redacted.report.graph is not None
    for change in (
        {"verdict": made_line("CLEAR")},
        {"graph": redacted.report.graph.__class__((node("Task-1"),), ())},
    ):
        broken = redact(made.snapshot(), DIAGNOSIS)
        broken.report = replaced(broken.report, **change)
        with pytest.raises(TypeError, match="not public"):
            html.text(broken)


def made_line(text: str) -> Any:
    from qqdiag.report.document import Line

    return Line(text)


def node(text: str) -> Any:
    from qqdiag.report.drawn import Kind, Node

    return Node(Kind.TASK, text)


def replaced(report: Any, **changes: Any) -> Any:
    from dataclasses import replace as changed

    if "verdict" in changes:
        changes["headline"] = None
    return changed(report, **changes)


def test_text_that_is_said_to_be_safe_is_no_public_text() -> None:
    """A template cannot switch the escape off."""
    template = html._environment().from_string("{{ name | safe }}")
    name = redact(made.snapshot(), DIAGNOSIS).report.verdict.text
    assert html._environment().from_string("{{ name }}").render(name=name) == name
    with pytest.raises(TypeError, match="not public"):
        template.render(name=name)


def test_a_leaking_conversion_is_stopped_though_it_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The self-check reads the page as a browser does."""
    from qqdiag.errors import LeakRefused
    from qqdiag.redact import texts

    monkeypatch.setitem(texts._CONVERSIONS, Name, lambda value, names: value)
    secret = "<&'\">&<'&\">\"&'><"
    with pytest.raises(LeakRefused):
        page(plant(made.snapshot(), lambda kind: secret if kind is Name else None))


def test_what_makes_the_page_is_loaded_for_the_page_alone() -> None:
    """`qqdiag --help` and `inspect` do not pay for it."""
    program = (
        "import sys; from qqdiag.cli import run; run(['report', '--help']); import qqdiag.publish; "
        "sys.exit('jinja2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0
