"""Programs and libraries that are not always there: each is run or imported, not looked up."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import tempfile

from qqdiag.collect import threads
from qqdiag.doctor.check import WITHIN, Check
from qqdiag.model import Say, Word

SMALLEST = b"int main(void) { return 0; }"


def witness() -> Check:
    what = Word("second witness")
    program = threads.find()
    if program is None:
        costs = Say("nothing but qqdiag's own reading says what the threads do")
        return Check(what, False, Say("there is no py-spy"), costs, Say("pip install py-spy"))
    return Check(what, True, Say("py-spy is there ({version})", version=Word(threads.version(program))))


def debugger() -> Check:
    """gcore(1) is a script of gdb's."""
    what = Word("gcore")
    if not _runs("gdb", "--version"):
        costs = Say("no core file can be taken; a capture with --full holds as much of the memory")
        return Check(what, False, Say("there is no gdb that runs"), costs, Say("sudo apt-get install gdb"))
    return Check(what, True, Say("gdb runs, so a core file can be taken"))


def cores() -> Check:
    return _library(
        Word("core files"),
        ("zstandard", "lz4.frame"),
        Say("packed core files can be opened"),
        Say("core files that systemd-coredump has packed cannot be opened"),
        Say("pip install 'qqdiag[cores]'"),
    )


def figures() -> Check:
    return _library(
        Word("figures"),
        ("prometheus_client",),
        Say("qqdiag watch can serve figures"),
        Say("qqdiag watch serves no figures for Prometheus; its events are there"),
        Say("pip install 'qqdiag[metrics]'"),
    )


def adapters() -> Check:
    return _library(
        Word("fixes"),
        ("libcst",),
        Say("an adapter's source can be judged"),
        Say("qqdiag fixes check and diff do not run; list and show do"),
        Say("pip install 'qqdiag[fixes]'"),
    )


def injection(pid: int) -> Check:
    """Whether a program can be put into a process, which `attach --inject` alone does; tried on one made for it."""
    what, costs = Word("inject"), Say("qqdiag attach --inject does not run; an aiomonitor that is there answers")
    if _imports("hypno"):
        return _injected(what, pid, costs)
    if sys.version_info >= (3, 14):
        return _remote(what, pid, costs)
    if _compiles():
        found = Say("there is no hypno; a compiler that could build it runs")
        return Check(what, False, found, costs, Say("pip install 'qqdiag[inject]'"))
    found = Say("there is no hypno, and no compiler to build it where it has no wheel")
    return Check(what, False, found, costs, Say("sudo apt-get install gcc g++ cmake, pip install 'qqdiag[inject]'"))


def _injected(what: Word, pid: int, costs: Say) -> Check:
    program = "import hypno, sys; hypno.inject_py(int(sys.argv[1]), 'pass')"
    if _runs(sys.executable, "-c", program, str(pid)):
        return Check(what, True, Say("a program was put into a process"))
    found = Say("hypno cannot put a program into a process")
    return Check(what, False, found, costs, Say("allow it to trace: the line `pause` says how"))


def _remote(what: Word, pid: int, costs: Say) -> Check:
    """Accepted is what counts: the process waits in a call, and runs it when that ends. It is given nothing to run."""
    program = "import sys; sys.remote_exec(int(sys.argv[1]), '/dev/null')"
    if _runs(sys.executable, "-c", program, str(pid)):
        return Check(what, True, Say("by sys.remote_exec, into a Python of the same minor version"))
    found = Say("sys.remote_exec cannot put a program into a process")
    return Check(what, False, found, costs, Say("allow it to trace: the line `pause` says how"))


def _library(what: Word, modules: tuple[str, ...], found: Say, costs: Say, hint: Say) -> Check:
    if all(map(_imports, modules)):
        return Check(what, True, found)
    return Check(what, False, Say("a library for it lacks"), costs, hint)


def _imports(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def _compiles() -> bool:
    """Not to /dev/null, which some linkers replace."""
    with tempfile.TemporaryDirectory(prefix="qqdiag-") as folder:
        return _runs("cc", "-x", "c", "-o", f"{folder}/smallest", "-", given=SMALLEST)


def _runs(program: str, *arguments: str, given: bytes = b"") -> bool:
    if shutil.which(program) is None:
        return False
    try:
        done = subprocess.run([program, *arguments], input=given, capture_output=True, timeout=4 * WITHIN)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


ALL = (witness, debugger, cores, figures, adapters)
