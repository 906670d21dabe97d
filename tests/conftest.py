"""Brings what the tests need to a bare machine, and says at the end on which interpreters they ran.

Environment:
    QQDIAG_TEST_CACHE     folder of what is made once and used again (default: $XDG_CACHE_HOME/qqdiag-tests)
    QQDIAG_SID_ROOT       a folder that has Debian's unstable suite already, with what debian_unstable.py lists
    QQDIAG_HERMES_PYTHON  the Python of a virtual environment that has hermes-agent already
    QQDIAG_NO_SKIPS=1     a skipped test fails, unless its reason is one of MAY_SKIP
    QQDIAG_INTERPRETERS   names, as the table at the end has them: a run that has no test on one of them fails
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import hermes_environment
import interpreters
import pytest
from interpreters import INTERPRETER, Interpreter, ran_on

pytest_plugins = ["pytester"]
PACKAGES = {  # by program
    "debootstrap": "debootstrap",
    "fish": "fish",
    "ip": "iproute2",
    "openssl": "openssl",
    "setpriv": "util-linux",
    "systemd-cat": "systemd",  # and systemd-analyze
    "mkfs.ext4": "e2fsprogs",
    "gcc": "gcc libc6-dev",
    "gcore": "gdb",
    "groff": "groff",
    "lz4": "lz4",
    "man": "man-db",
    "mandoc": "mandoc",
    "readelf": "binutils",
    "tmux": "tmux",
    "xz": "xz-utils",
    "zsh": "zsh",
    "zstd": "zstd",
}
LONG = {
    *("test_hermes_patched.py", "test_hermes_cases.py", "test_hermes_versions.py", "test_fuzz.py", "test_matrix.py"),
    *("test_judged.py", "test_canaries.py", "test_story.py", "test_soak.py", "test_ps.py", "test_diff.py"),
}
MAY_SKIP = (
    "no hypno",  # it has wheels up to CPython 3.11 and needs a compiler beyond
    "not Linux",  # the parts that read /proc
    "no such architecture here",  # a layout of the other architecture
    "let every user read the interpreter",  # root's own pyenv lies in a folder that is closed to others
)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # once, before pytest-xdist starts its workers
        install_packages()
        config.option.loadscopereorder = False  # files with many tests first: minutes of few tests would end alone


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes begins first, so that no process is left alone with it."""
    items.sort(key=lambda item: item.path.name not in LONG)


def install_packages() -> None:
    """What the tests call and the machine lacks, by apt. Without root the tests that need it say what to install."""
    needed = {package: program for program, packages in PACKAGES.items() for package in packages.split()}
    lacking = sorted(package for package, program in needed.items() if shutil.which(program) is None)
    if not lacking or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *lacking]):
        subprocess.run(["apt-get", *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)


# --- what tests ask for ----------------------------------------------------------------------------------------------


@pytest.fixture(params=interpreters.WANTED)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    """Each CPython that qqdiag reads, in turn."""
    found = interpreters.find(request.param)
    if found is None:
        pytest.skip(interpreters.CURE[request.param])
    ran_on(request.node, found)
    return found


@pytest.fixture(scope="session")
def hermes_python() -> Path:
    """The Python of the virtual environment that has the real hermes-agent; made on first use."""
    try:
        return hermes_environment.python()
    except hermes_environment.NotMade as error:
        pytest.skip(str(error))


# --- a skip is a failure when asked so -------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        fail_if_forbidden(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        fail_if_forbidden(report)
    return report


def fail_if_forbidden(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if os.environ.get("QQDIAG_NO_SKIPS") != "1" or any(allowed in reason for allowed in MAY_SKIP):
        return
    report.outcome = "failed"
    report.longrepr = f"skipped, and QQDIAG_NO_SKIPS=1: {reason}"


# --- which interpreters ran ------------------------------------------------------------------------------------------


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Notes every interpreter that a test has as a parameter, whatever its fixture is called."""
    parameters = getattr(item, "callspec", None)
    for value in parameters.params.values() if parameters else ():
        if isinstance(value, Interpreter):
            ran_on(item, value)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ran = interpreters_of(terminalreporter)
    if ran:
        terminalreporter.section("interpreters")
        for name, count in sorted(ran.items()):
            terminalreporter.line(f"{name}: {count} tests")
    if lacking := not_run(ran):
        terminalreporter.line(f"no test ran on {', '.join(lacking)}: QQDIAG_INTERPRETERS names them", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(session.config, "workerinput") and not_run(interpreters_of(reporter)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def interpreters_of(reporter: pytest.TerminalReporter) -> Counter[str]:
    """How many tests ran on each."""
    return Counter(
        str(value)
        for outcome in ("passed", "failed")
        for report in reporter.stats.get(outcome, [])
        for key, value in getattr(report, "user_properties", ())
        if key == INTERPRETER
    )


def not_run(ran: Counter[str]) -> list[str]:
    """The names of QQDIAG_INTERPRETERS that no test ran on."""
    names = {name.partition("(")[2].rstrip(")").partition(",")[0] for name in ran}
    return [name for name in os.environ.get("QQDIAG_INTERPRETERS", "").split() if name not in names]
