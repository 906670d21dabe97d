"""The contract of hermes_contract.py: the reference adapter, and the real one of each version."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hermes_environment
import pytest
from hermes_contract import Subject, keeps_the_contract, leaves
from hermes_patched import subject_of
from hermes_patient import HEARTBEAT_INTERVAL, Case, hermes
from hermes_thrown import SETTING

from qqdiag.lab.control import start_server

REFERENCE = Path(__file__).with_name("reference_gateway.py")


@contextmanager
def reference(*without: str) -> Iterator[Subject]:
    with start_server() as server:
        server.switch(heartbeat_interval=HEARTBEAT_INTERVAL)
        command = [sys.executable, "-P", str(REFERENCE), server.token_url, server.url, *without]
        with subprocess.Popen(command) as process:
            try:
                yield Subject(process, server)
            finally:
                process.kill()


@pytest.mark.lab
def test_the_reference_adapter() -> None:
    with reference() as subject:
        keeps_the_contract(subject)
        leaves(subject)
        assert subject.process.returncode == 0


@pytest.mark.hermes
@pytest.mark.parametrize("version", hermes_environment.VERSIONS)
def test_the_real_adapter(version: str, tmp_path: Path) -> None:
    """The patched copies keep it in test_hermes_patched, before the faults."""
    try:
        python = hermes_environment.python_of(version)
    except hermes_environment.NotMade as error:
        pytest.skip(str(error))
    case = Case("contract", lambda _: None, setting=SETTING)
    with hermes(case, python, tmp_path / "home") as patient:
        subject = subject_of(patient)
        keeps_the_contract(subject)
        leaves(subject)
