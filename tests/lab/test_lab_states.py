"""The cases of the lab on other interpreters, what stays of them, and how they are told.

That each case reaches its state, as seen from inside and from outside, is in tests/diagnose/test_matrix.py.
"""

from __future__ import annotations

import json
import os

import pytest

from qqdiag.errors import UsageError
from qqdiag.lab import outside
from qqdiag.lab.command import announcement, listing, remain
from qqdiag.lab.faults import Faults
from qqdiag.lab.start import case_of, start

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("id", ["hot-loop", "missing-ack", "close-hang", "write-stuck", "loop-blocked", "idle-pool"])
def test_a_case_reaches_its_state_on_other_interpreters(id: str, gateway_python: str) -> None:
    with start(id, tls=True, python=gateway_python) as running:
        assert running.state["outside"]


@pytest.mark.parametrize("id", ["hot-loop", "dead-listener", "dead-listener-cancelled", "loop-blocked"])
def test_it_stays_when_the_platform_is_well_again(id: str) -> None:
    with start(id) as running:
        before = running.server.seen()
        running.switch(**vars(Faults()))
        assert remain(running, 1.5), "the gateway ended"
        seen = running.server.seen()
        assert (seen["identifies"], seen["resumes"]) == (before["identifies"], before["resumes"])


def test_an_idle_pool_holds_what_tls_leaves_behind() -> None:
    with start("idle-pool") as running:
        assert running.state["outside"] == {"close_wait": [25, 32]}  # TLS 1.3, TLS 1.2 (failures.md 4.3)


def test_a_dead_path_retransmits() -> None:
    if os.geteuid() != 0:
        pytest.skip("run as root: sudo -E pytest")
    with start("half-open-dead-path") as running:
        rows = [row for row in outside.sockets(running.pid) if row["port"] == running.server_port]
        assert any(row["timer"] == 1 and row["retransmits"] >= 2 for row in rows)


def test_the_announcement_is_json() -> None:
    with start("idle") as running:
        said = json.loads(json.dumps(announcement(running)))
    assert said["id"] == "idle"
    assert said["pid"] != said["server_pid"]
    assert said["state"]["inside"]["ready"]


def test_the_listing_names_every_case_once() -> None:
    ids = [entry["id"] for entry in listing()]
    assert len(ids) == len(set(ids)) >= 25
    assert {entry["healthy"] for entry in listing()} == {True, False}


def test_no_such_case() -> None:
    with pytest.raises(UsageError):
        case_of("no-such-case")


def test_a_session_close_does_not_hang_over_tls() -> None:
    with pytest.raises(UsageError), start("close-hang-session", tls=True):
        pass
