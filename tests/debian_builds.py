"""Builds of CPython 3.11 that differ from the one of every day, out of Debian's stable packages: unpacked or linked.

Debian's own debug build is unpacked. The others are linked from Debian's archive of object files, with a few files of
CPython's source compiled anew: seconds where a whole build takes minutes. All is made once in the tests' cache folder
(about 10 s and 80 MB to fetch), beside whatever this machine has installed. Nobody needs to be root.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from cached import cache, locked
from debian_unstable import NotMade, mirror

PYTHON = "python3.11"
SUITE = "bookworm"  # the one that has it
FLAVOURS = ("static", "debug", "padded-generators", "shared-fixed")
PACKAGES = (
    f"lib{PYTHON}",
    f"lib{PYTHON}-minimal",
    f"lib{PYTHON}-stdlib",
    f"lib{PYTHON}-dev",
    f"lib{PYTHON}-dbg",
    f"{PYTHON}-dbg",
)
# What is compiled anew of CPython's source, and what it includes.
SOURCES = ("Programs/python.c", "Modules/_asynciomodule.c", "Modules/clinic/_asynciomodule.c.h")
# Whatever knows the size of a generator, and where its frame lies in it.
OF_GENERATORS = ("Objects/genobject.c", "Objects/frameobject.c", "Python/frame.c", "Python/ceval.c")
INCLUDED = (*("Python/ceval_gil.h", "Python/condvar.h", "Python/opcode_targets.h", "Python/clinic", "Objects/clinic"),)
# Name: the declaration in the struct of futures and tasks that gets another one in front of it.
PADDED = {
    "first": "PyObject *prefix##_loop;",
    "callbacks": "PyObject *prefix##_callbacks;",
    "result": "PyObject *prefix##_result;",
    "flags": "fut_state prefix##_state;",
    "weakref": "PyObject *prefix##_weakreflist;",
    "waiter": "PyObject *task_fut_waiter;",
    "coroutine": "PyObject *task_coro;",
    "name": "PyObject *task_name;",
    "cancel": "int task_must_cancel;",
    "last": "int task_num_cancels_requested;",
}
ADDED = "void *added;"
CONFIG = f"usr/lib/{PYTHON}/config-3.11-x86_64-linux-gnu"
LIBRARIES = ("-lexpat", "-lz", "-lm", "-ldl", "-lutil")
MARKER = "qqdiag-complete"  # written last: a folder without it is half made


def python(flavour: str) -> Path:
    """The executable of one of `FLAVOURS`.

    static: as python-build-standalone makes it: libpython and `_asyncio` linked in, position independent, stripped.
    debug: Debian's, --with-pydebug. padded-generators: static, with one field more in the struct of coroutines.
    shared-fixed: an executable at a fixed address (no PIE) with Debian's libpython beside it.
    """
    name = {"debug": f"{PYTHON}d"}.get(flavour, f"{PYTHON}-{flavour}")
    return root() / "usr" / "bin" / name


def asyncio_of(name: str) -> Path:
    """A folder for PYTHONPATH with the `_asyncio` of that name in `PADDED`."""
    return root() / "asyncio" / name


def root() -> Path:
    """The folder that all of it lies in."""
    folder = cache() / f"debian-{PYTHON}"
    with locked(folder.parent / f"{folder.name}.lock"):
        if not is_complete(folder):
            make(folder)
    return folder


def is_complete(folder: Path) -> bool:
    marker = folder / MARKER
    return marker.exists() and marker.read_text().split() == [*FLAVOURS, *PADDED, *PACKAGES]


def make(folder: Path) -> None:
    for program in ("gcc", "dpkg-deb"):
        if shutil.which(program) is None:
            raise NotMade(f"install {program}: apt-get install gcc libc6-dev dpkg")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    fetch_packages(folder)
    fetch_source(folder)
    link(folder, "static", folder / "usr" / "include" / PYTHON)
    link(folder, "padded-generators", padded(folder), OF_GENERATORS)
    link_shared(folder)
    for name, field in PADDED.items():
        compile_asyncio(folder, folder / "asyncio" / name, field)
    (folder / MARKER).write_text("\n".join([*FLAVOURS, *PADDED, *PACKAGES]))


# --- fetch -----------------------------------------------------------------------------------------------------------


def fetch_packages(folder: Path) -> None:
    """Debian's packages, unpacked; they are not installed."""
    with tempfile.TemporaryDirectory() as fetched:
        run([*apt(folder, "deb"), "download", "-q", *PACKAGES], Path(fetched))
        for package in sorted(Path(fetched).glob("*.deb")):
            run(["dpkg-deb", "-x", str(package), str(folder)], Path(fetched))
    shutil.rmtree(folder / "usr" / "lib" / "debug", ignore_errors=True)


def fetch_source(folder: Path) -> None:
    """The few files of CPython's source that are compiled anew."""
    with tempfile.TemporaryDirectory() as fetched:
        run([*apt(folder, "deb-src"), "source", "-q", "--download-only", PYTHON], Path(fetched))
        (archive,) = Path(fetched).glob("*.orig.tar.*")
        wanted = [f"*/{name}" for name in (*SOURCES, *OF_GENERATORS, *INCLUDED)]
        (folder / "source").mkdir()
        unpack = ["tar", "xf", str(archive), "-C", str(folder / "source"), "--strip-components=1", "--wildcards"]
        run([*unpack, *wanted], Path(fetched))


def apt(folder: Path, kind: str) -> list[str]:
    """apt-get with one source of packages, and lists of its own: those of this machine stay as they are."""
    parts, lists = folder / "apt" / kind, folder / "apt" / f"{kind}-lists"
    options = ["-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={parts}"]
    options += ["-o", f"Dir::State::lists={lists}", "-o", "APT::Sandbox::User="]
    options += ["-o", f"Dir::Cache={folder / 'apt'}", "-o", "Debug::NoLocking=1"]
    if not parts.exists():
        (lists / "partial").mkdir(parents=True)
        parts.mkdir()
        (parts / "debian.list").write_text(f"{kind} {mirror()} {SUITE} main\n")
        run(["apt-get", *options, "update", "-q"], folder)
    return ["apt-get", *options]


# --- compile and link ------------------------------------------------------------------------------------------------


def compiler(folder: Path, headers: Path) -> list[str]:
    places = [folder / "source", headers, headers / "internal", folder / "usr" / "include"]
    return ["gcc", "-w", "-O1", "-fPIC", "-DPy_BUILD_CORE", *(f"-I{place}" for place in places)]


def link(folder: Path, flavour: str, headers: Path, sources: tuple[str, ...] = ()) -> None:
    """An executable of Debian's object files, with `_asyncio` among the built-in modules. What `sources` are compiled
    to takes the place of Debian's, as its symbols come first."""
    config = (folder / CONFIG / "config.c").read_text()
    config = config.replace("struct _inittab _Py", "extern PyObject* PyInit__asyncio(void);\nstruct _inittab _Py", 1)
    config = config.replace('{"_bisect"', '{"_asyncio", PyInit__asyncio},\n    {"_bisect"', 1)
    (folder / "source" / "config.c").write_text(config)
    files = ["config.c", "Programs/python.c", "Modules/_asynciomodule.c", *sources]
    command = [*compiler(folder, headers), "-pie", "-s", "-Wl,--export-dynamic"]
    command += ["-o", str(folder / "usr" / "bin" / f"{PYTHON}-{flavour}")]
    archive = folder / CONFIG / f"lib{PYTHON}-pic.a"
    run([*command, *(str(folder / "source" / name) for name in files), str(archive), *LIBRARIES], folder)


def link_shared(folder: Path) -> None:
    """A small executable that is loaded where it was linked for, and finds libpython in a folder beside its own."""
    command = [*compiler(folder, folder / "usr" / "include" / PYTHON), "-fno-pie", "-no-pie", "-s"]
    command += ["-o", str(folder / "usr" / "bin" / f"{PYTHON}-shared-fixed"), str(folder / "source/Programs/python.c")]
    (library,) = (folder / "usr" / "lib").glob(f"*/lib{PYTHON}.so.1.0")
    run([*command, str(library), f"-Wl,-rpath,$ORIGIN/../lib/{library.parent.name}"], folder)


def padded(folder: Path) -> Path:
    """A copy of the headers in which a coroutine has one field more, in front of its state; without the probes, whose
    header dtrace makes."""
    headers = Path(shutil.copytree(folder / "usr" / "include" / PYTHON, folder / "padded"))
    header, field = headers / "cpython" / "genobject.h", "char prefix##_hooks_inited;"
    text = header.read_text()
    assert text.count(field) == 1
    header.write_text(text.replace(field, f"void *prefix##_added; {field}"))
    probes = headers / "pydtrace.h"
    probes.write_text(probes.read_text().replace("#ifdef WITH_DTRACE", "#if 0"))
    return headers


def compile_asyncio(folder: Path, made: Path, field: str) -> None:
    """`_asyncio.so` with a field more in front of `field` of its struct."""
    source = folder / "source" / "Modules" / "_asynciomodule.c"
    text = source.read_text()
    assert text.count(field) == 1
    changed = source.with_name(f"{made.name}.c")
    changed.write_text(text.replace(field, f"{ADDED} {field}"))
    made.mkdir(parents=True)
    command = [*compiler(folder, folder / "usr" / "include" / PYTHON), "-shared", "-DPy_BUILD_CORE_MODULE"]
    run([*command, "-o", str(made / "_asyncio.so"), str(changed)], folder)


def run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        raise NotMade(f"make a network available: {' '.join(command)} failed:\n{said}")
