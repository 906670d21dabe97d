"""Plain patterns over whole pages: what no page may hold, looked for by other means than redaction's own."""

from __future__ import annotations

import json
import random
import re
import shutil
import string
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import debian_unstable
import hand_made
import pytest
from planted import Canaries, plant

from qqdiag.redact import redact
from qqdiag.render import jsonout, markdown, terminal

PATTERNS = {
    "IPv4": r"(?<![\d.])(?!127\.)\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\d.])",
    "IPv6": r"(?<![\w:])[0-9a-f]{1,4}(:[0-9a-f]{1,4}){3,7}(?![\w:])",
    "MAC": r"(?<![\w:])[0-9a-f]{2}(:[0-9a-f]{2}){5}(?![\w:])",
    "mobile": r"(?<!\d)1[3-9]\d{9}(?!\d)",
    "32 hex": r"(?<![0-9a-zA-Z])[0-9a-fA-F]{32}(?![0-9a-zA-Z])",
    "UUID": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-",
    "JWT": r"ey[A-Za-z0-9_-]{15,}\.ey",
    "mail": r"[\w.]+@[\w.]+\.\w+",
    "home": r"/(home|Users|root)\b",
    "key": r"(?<![\w-])sk-[A-Za-z0-9]{20,}",
    "Han": r"[\u4e00-\u9fff]",
}
FORMS = {"text": terminal.text, "md": markdown.text, "json": jsonout.text}
DIAGNOSIS = hand_made.diagnosis(hand_made.finding())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(4))
def test_no_pattern_is_found_in_a_public_page(form: str, seed: int) -> None:
    snapshot = plant(hand_made.snapshot(), Canaries(seed))
    page = FORMS[form](redact(snapshot, DIAGNOSIS))
    assert {name: re.findall(pattern, page)[:3] for name, pattern in PATTERNS.items() if re.search(pattern, page)} == {}


def test_every_pattern_is_found_when_it_is_there() -> None:
    """The search above can fail: raw pages hold what was planted."""
    pages = [
        jsonout.text(redact(plant(hand_made.snapshot(), Canaries(seed)), DIAGNOSIS, raw=True)) for seed in range(4)
    ]
    text = "\n".join([*map(str, map(json.loads, pages)), "fe80:1:2:3:4", "aa:bb:cc:dd:ee:ff"])
    assert [name for name, pattern in PATTERNS.items() if not re.search(pattern, text)] == []


# --- by gitleaks' rules ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found() -> Iterator[Callable[[dict[str, str]], set[str]]]:
    """Gives the names of those pages in which gitleaks finds a secret."""
    try:
        command = debian_unstable.program("gitleaks")
    except debian_unstable.NotMade as error:
        pytest.skip(str(error))
    root = debian_unstable.root()
    folder = Path(tempfile.mkdtemp(prefix="qqdiag-pages-", dir=root / "tmp"))

    def search(pages: dict[str, str]) -> set[str]:
        shutil.rmtree(folder)
        folder.mkdir()
        for name, page in pages.items():
            (folder / name).write_text(page)
        inside, said = f"/tmp/{folder.name}", folder / "said.json"
        options = ["--no-banner", "--report-format", "json", "--report-path", f"{inside}/said.json"]
        done = subprocess.run(
            [*command, "dir", *options, inside], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode in (0, 1), done.stderr
        return {Path(finding["File"]).name for finding in json.loads(said.read_text())}

    yield search
    shutil.rmtree(folder)


def test_gitleaks_finds_nothing_in_any_page_and_finds_what_is_planted(
    found: Callable[[dict[str, str]], set[str]],
) -> None:
    pages = {
        f"{form}-{seed}": render(redact(plant(hand_made.snapshot(), Canaries(seed)), DIAGNOSIS))
        for form, render in FORMS.items()
        for seed in range(4)
    }
    pages |= {path.name: path.read_text() for path in (Path(__file__).parent / "golden").iterdir()}
    source = random.Random(1)
    token = "".join(source.choice(string.ascii_letters + string.digits) for _ in range(36))
    planted = {f"planted-{name}": f"{page}token: ghp_{token}\n" for name, page in pages.items()}
    assert found(pages | planted) == set(planted)


def test_the_verdict_is_the_same_for_the_public_and_the_operator() -> None:
    public, private = (redact(hand_made.snapshot(), DIAGNOSIS, raw=raw).document for raw in (False, True))
    assert isinstance(public["findings"], list)
    assert isinstance(private["findings"], list)
    for shown, known in zip(public["findings"], private["findings"], strict=True):
        assert isinstance(shown, dict)
        assert isinstance(known, dict)
        for field in ("id", "severity", "confidence", "because", "ruled_out", "alternatives", "tasks", "fingerprint"):
            assert shown[field] == known[field]
        assert len(shown["evidence"]) == len(known["evidence"])  # type: ignore[arg-type]
    assert public["verdict"] == private["verdict"]
