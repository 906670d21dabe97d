"""What redaction costs on hostile input: 20 lines of 100 kB, and a report whose log has 1 MB.

    python -P benchmarks/redaction.py     (-P: there is an inspect.py beside it)

CPU seconds, the worst of three runs. The bounds are those of the project: 0.2 s a line, 3 s the whole report.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from qqdiag.diagnose import diagnose
from qqdiag.model import FreeText, Missing, Path, Say, Word
from qqdiag.publish import page
from qqdiag.redact import Privacy
from qqdiag.redact.net import Net
from qqdiag.redact.pseudonyms import Pseudonyms
from qqdiag.snapshot import LogFile, LogLine, Logs, Sample, Snapshot

LINE, LOG = 100_000, 1_000_000
PARTS = (
    "a", ".", "a.", "-", "@", "a@", "a@a.", "=", "token=", "API_KEY_", "1", "1.", "1-", ":", "0:", "/", "/a",
    "\\", "'", '"',
)  # fmt: skip
NOTHING = Missing(Say("not looked at"), Say("-"))


def cost(work: Callable[[], object]) -> float:
    """CPU seconds, the worst of three."""
    times = []
    for _ in range(3):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return max(times)


def snapshot(lines: list[str]) -> Snapshot:
    rows = [LogLine(age=1.0, level=Word("INFO"), logger=None, text=FreeText(line)) for line in lines]
    file = LogFile(name=Word("agent"), path=Path("/x"), size=LOG, age=0.0, last=rows)
    sample = Sample(taken_at=0.0, process=NOTHING, sockets=NOTHING, python=NOTHING, gateway=NOTHING)
    logs = Logs(profile=Word("hermes"), files=[file])
    return Snapshot(
        origin=Word("core"), pid=1, wall_time=0.0, samples=[sample], witness=NOTHING, logs=logs, monitor=None
    )


def main() -> None:
    net = Net([], Pseudonyms())
    lines = [(part * LINE)[: LINE - 2] + "=x" for part in PARTS]
    costs = {part: cost(lambda line=line: net.clean(line)) for part, line in zip(PARTS, lines, strict=True)}  # type: ignore[misc]
    worst = max(costs, key=lambda part: costs[part])
    print(f"a line of 100 kB: at most {costs[worst]:.3f} s, of {worst!r}")
    text = "WebSocket closed: code=4009 from 203.0.113.7, session_id=a1b2c3d4e5f6, retry in 30s /home/x/y token=abc "
    whole = snapshot([text * 10] * (LOG // (10 * len(text))))
    for name, privacy in (("", Privacy()), (" with --with-log-text", Privacy(log_text=True))):
        for form in ("md", "json"):
            seconds = cost(lambda form=form, privacy=privacy: page(whole, diagnose(whole), form, privacy=privacy))  # type: ignore[misc]
            print(f"a report of a log of 1 MB{name}, {form}: {seconds:.2f} s")
    hostile = snapshot(lines[:10])
    print(f"a report of ten such lines: {cost(lambda: page(hostile, diagnose(hostile), 'md')):.2f} s")


if __name__ == "__main__":
    main()
