"""The commands on a real gateway that hangs: the same verdict from each, and nothing private in what they print."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hermes_cases import CASES
from hermes_gateway import APP_ID, CLIENT_SECRET, MODEL_KEY
from hermes_patient import Patient, hermes

pytestmark = pytest.mark.hermes
QQDIAG = Path(sysconfig.get_path("scripts")) / "qqdiag"
WORDS = "planted words of a user"
PRIVATE = (APP_ID, CLIENT_SECRET, MODEL_KEY, WORDS, "labuser", "lab-session", "lab-token")


@pytest.fixture(scope="module")
def hung(hermes_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    """A gateway in close-hang, that has answered a user before."""
    case = next(case for case in CASES if case.id == "close-hang")
    with hermes(case, hermes_python, tmp_path_factory.mktemp("planted-home"), before=served) as patient:
        yield patient


def served(patient: Patient) -> None:
    patient.server.say(WORDS)
    patient.gateway.wait_log(WORDS)
    patient.server.until("an answer to the user", lambda seen: "pong" in str(seen["contents"]))


def qqdiag(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([QQDIAG, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=30)


def report(*arguments: object) -> dict[str, Any]:
    told = qqdiag("inspect", "--json", *arguments)
    assert told.returncode == 1, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def findings(told: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["id"], one["severity"], one["fingerprint"]) for one in told["findings"]]


def assert_public(text: str, patient: Patient) -> None:
    private = [*PRIVATE, str(patient.gateway.home), patient.gateway.home.parent.name]
    assert [one for one in private if one in text] == []


def test_inspect_tells_it_first_and_last(hung: Patient) -> None:
    told = qqdiag("inspect", hung.pid)
    assert told.returncode == 1, told.stderr
    lines = told.stdout.strip().splitlines()
    assert "close-hang" in lines[0]
    assert "close-hang" in lines[-1]
    assert "ClientWebSocketResponse.close" in told.stdout
    assert_public(told.stdout + told.stderr, hung)


def test_inspect_says_where_the_log_breaks_off(hung: Patient) -> None:
    assert "by the log its last reconnect came as far as reconnecting, " in qqdiag("inspect", hung.pid).stdout


def test_json_tells_the_same_twice(hung: Patient) -> None:
    first, second = report(hung.pid), report(hung.pid)
    assert first["verdict"] == "matched"
    assert findings(first) == findings(second)
    assert [one["id"] for one in first["findings"]] == ["close-hang"]
    assert first["missing"] == []
    assert_public(json.dumps(first, ensure_ascii=False), hung)


@pytest.mark.parametrize("form", ["md", "text", "json"])
def test_report_is_public(hung: Patient, tmp_path: Path, form: str) -> None:
    page = tmp_path / f"report.{form}"
    told = qqdiag("report", hung.pid, "--format", form, "-o", page)
    assert told.returncode == 0, told.stderr
    text = page.read_text()
    assert "close-hang" in text
    assert_public(text + told.stdout + told.stderr, hung)


def test_a_capture_gives_the_same_findings(hung: Patient, tmp_path: Path) -> None:
    file = tmp_path / "capture"
    told = qqdiag("capture", hung.pid, "-o", file)
    assert told.returncode == 0, told.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert findings(report(file)) == findings(report(hung.pid))


def test_the_gateway_is_told_without_a_pid(hung: Patient) -> None:
    """The one gateway of the machine, or the list of those that there are."""
    told = qqdiag("inspect")
    assert str(hung.pid) in told.stdout + told.stderr


def test_raw_is_for_the_operator(hung: Patient, hermes_python: Path) -> None:
    """What the others leave out was there to be left out."""
    told = qqdiag("inspect", "--raw", hung.pid)
    assert "PRIVATE" in told.stdout.splitlines()[0]
    folder = str(hermes_python.parent.parent)
    assert f"{folder}/" in told.stdout
    assert folder not in qqdiag("inspect", hung.pid).stdout


def test_log_lines_are_told_by_the_calls_that_wrote_them(hung: Patient, hermes_python: Path) -> None:
    """Each line of its log, by the text of the installed source: the phrase of the event stands in that very call."""
    told = report(hung.pid)
    logs = told["snapshot"]["logs"]
    lines = [line for file in logs["files"] for line in file["last"] if line["level"]]
    known = [line for line in lines if line["template"] is not None]
    assert len(known) > 0.9 * len(lines) > 9
    announced = next(event for event in logs["files"][0]["events"] if event["event"] == "reconnecting")
    template = logs["templates"][announced["template"]]
    assert template["path"].endswith("gateway/platforms/qqbot/adapter.py")
    (installed,) = hermes_python.parent.parent.glob(f"lib/python3*/site-packages/{template['path']}")
    call = "".join(installed.read_text().splitlines()[template["line"] - 1 : template["line"] + 2])
    assert "Reconnecting in %ds (attempt %d)" in call
    assert_public(json.dumps(told), hung)


def test_the_timeline_is_in_every_format(hung: Patient) -> None:
    told = report(hung.pid)
    assert (told["timeline"]["cycle"], told["timeline"]["unread"]) == (None, 0)
    episode = told["timeline"]["episodes"][-1]
    assert (episode["cause"], episode["back"], episode["attempts"]) == ("error", None, 1)
    for form in ("md", "text"):
        page = qqdiag("report", "--format", form, hung.pid).stdout
        assert "connections lost, by the agent log" in page
        assert "gateway/platforms/qqbot/adapter.py:" in page
        assert_public(page, hung)
