"""Tasks that have ended: since 3.14 no registry has them, and the listener that failed is one of them."""

from __future__ import annotations

import patients
from interpreters import Interpreter

from qqdiag.diagnose import diagnose
from qqdiag.run import take
from qqdiag.snapshot import Python
from qqdiag.target import live


def test_a_listener_that_failed_unnoticed_is_found(interpreter: Interpreter) -> None:
    with patients.start(interpreter.path, "ended.py") as patient:
        snapshot, truth = take(live(patient.pid), 0.3), patient.truth
    python = snapshot.samples[-1].python
    assert isinstance(python, Python)
    tasks = {task.address: task for task in python.tasks}
    ended, left, beating = (tasks[truth[name]] for name in ("ended", "left", "beating"))
    assert (ended.state.reveal(), left.state.reveal(), beating.state.reveal()) == ("failed", "cancelled", "pending")
    assert [level.name.reveal() for level in ended.chain] == ["Listener.listen"]
    assert ended.exception is not None
    assert (ended.exception.reveal(), ended.exception_fetched) == ("ConnectionError", False)
    found = diagnose(snapshot)
    assert [(finding.id, finding.tasks) for finding in found.findings] == [("dead-listener", (ended.address,))]
