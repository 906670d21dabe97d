"""The diagnosis, which reads the methods alone and without libcst, names no fault that `fixes check` calls cured.

It knows single mistakes of the releases: that it finds none of them is no promise that the fix is there.
"""

from __future__ import annotations

import re

import hermes_environment
import pytest
from adapter_edits import KEEPS, Edit, in_turn
from fork_designs import OF_CONNECTION
from fork_session_designs import OF_SESSION
from installed_adapters import original

from qqdiag.versions import adapters, judged
from qqdiag.versions.functions import function

(QQBOT,) = adapters()
CURED_BY = {
    "spins": "closed-read",
    "silent-exit": "listener",
    "gives-up": "listener",
    "answers-uncounted": "heartbeat-ack",
    "close-on-reopen": "bounded-close",
    "close-on-request": "bounded-close",
    "requests-ignored": "session-resume",
    "renewal-drops-session": "session-resume",
    "fatal-is-retried": "session-resume",
    "counter-is-reset": "quick-disconnect",
    "nobody-is-told": "supervisor",
    "send-waits": "send-gate",
}


def faults(text: str) -> set[str]:
    """The known faults of a source, its methods cut out by their first lines, decorators included."""
    methods = {}
    for name in QQBOT.methods:
        found = re.search(rf"^(?: +@.*\n)*? +(?:async )?def {name}\(", text, re.MULTILINE)
        parsed = function(text, text[: found.start()].count("\n") + 1) if found else None
        if parsed is not None:
            methods[name] = parsed
    return {id for id, one in judged(QQBOT, methods).items() if one.state == "has"}


@pytest.mark.parametrize("version", hermes_environment.VERSIONS)
def test_the_patched_adapter_has_none_that_is_cured(version: str, patched_parts: dict[str, str]) -> None:
    assert faults(original(version).decode()) & set(CURED_BY)
    assert not faults(patched_parts[version]) & set(CURED_BY)


@pytest.mark.parametrize(
    ("edit", "version"),
    in_turn(KEEPS) + in_turn((*OF_CONNECTION, *OF_SESSION)),
    ids=lambda one: getattr(one, "id", one),
)
def test_an_edit_that_keeps_the_fix_brings_no_fault(edit: Edit, version: str, patched_parts: dict[str, str]) -> None:
    found = faults(edit.applied(patched_parts[version]))
    assert not {fault for fault in found if CURED_BY.get(fault) == edit.fix}
