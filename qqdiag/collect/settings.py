"""How the target was set up: environment by a list of names, options without values, files and packages by presence."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Iterable, Iterator

from qqdiag.collect import accounts, homes, logs, proc, rooted
from qqdiag.collect.setting_names import NAMES, PACKAGES, TELLING, VALUES
from qqdiag.errors import QqdiagError
from qqdiag.model import Name, Secret, Word
from qqdiag.profiles import Profile
from qqdiag.snapshot import Package, Python, Sample, Setting, SettingFile, Settings

FILES = ("config.yaml", ".env")  # below the gateway's home
LARGEST = 1 << 18  # bytes of a file that are read, for its values not to be shown
MOST_VALUES = 5_000
MOST_ENTRIES = 20_000  # of one folder of packages
MOST_FOLDERS = 4
MAPS_MAX = 1 << 20  # bytes
MOST_OPTIONS = 40
_OPTION = re.compile(r"--[a-z]{2,}(?:-[a-z]+){0,4}|-[A-Za-z]")
_PACKAGE = re.compile(r"([A-Za-z0-9_.]{1,60})-([0-9][0-9A-Za-z.!+_]{0,30})\.(?:dist|egg)-info")
_FOLDER = re.compile(r"/.*?/(?:site|dist)-packages(?=/)")
_VALUE = re.compile(r"[^=:#]{0,200}[=:]\s{0,20}(.{1,8000})")


def collect(pid: int, profile: Profile | None, sample: Sample) -> Settings:
    """The settings of a running process. NotPermitted where this user may not see its environment."""
    variables = homes.environment(pid)
    known = sorted(NAMES.intersection(variables))
    words = proc.text(proc.read(f"/proc/{pid}/cmdline")).split("\0")[:-1]
    kernel = os.uname()
    return Settings(
        environment=[_setting(name, variables[name]) for name in known],
        others=len(variables) - len(known),
        module=_module(words),
        options=list(_options(words)),
        arguments=max(len(words) - 1, 0),
        files=list(_files(pid, profile, variables)),
        packages=list(_packages(pid, sample)),
        kernel=Word(".".join(kernel.release.split(".")[:3])),
        machine=Word(kernel.machine),
    )


def private_values(pid: int, profile: Profile) -> Iterator[Secret]:
    """What stands in the gateway's own settings, line by line: no page may hold it."""
    try:
        variables = homes.environment(pid)
        opened = [fd for _, fd in _open(pid, profile, variables)]
    except (OSError, QqdiagError):  # it is gone, or not ours to read: then nothing else has read them either
        return
    for fd in opened:
        with os.fdopen(fd, "rb") as file:
            data = proc.text(file.read(LARGEST))
        for line in data.splitlines()[:MOST_VALUES]:
            if found := _VALUE.match(line):
                yield Secret(found[1].strip().strip("'\""))


def _setting(name: str, value: str) -> Setting:
    told = name in TELLING and value.lower() in VALUES
    return Setting(
        name=Word(name), state=Word("set" if value else "empty"), value=Word(value.lower()) if told else None
    )


def _module(words: list[str]) -> Name | None:
    """What stands behind the first -m, where no other argument but options of Python's comes before it."""
    for word, after in itertools.pairwise(words[1:]):
        if word == "-m":
            return Name(after)
        if not word.startswith("-") or word == "-c":
            return None
    return None


def _options(words: list[str]) -> Iterator[Word]:
    """The names of options without their dashes, each once; what stands behind `-c` is source and no option."""
    named = words[: words.index("-c")] if "-c" in words else words
    found = (option[0] for word in named[1:] if (option := _OPTION.fullmatch(word.partition("=")[0])))
    yield from (Word(option.lstrip("-")) for option in list(dict.fromkeys(found))[:MOST_OPTIONS])


def _open(pid: int, profile: Profile, variables: dict[str, str]) -> Iterator[tuple[str, int]]:
    uid = accounts.effective_uid(pid)
    home = homes.home(pid, uid, profile, variables)
    for name in FILES if home is not None else ():
        fd = logs.open_own(pid, rooted.root_of(pid), os.path.join(home or "", name), uid)
        if isinstance(fd, int):
            yield name, fd


def _files(pid: int, profile: Profile | None, variables: dict[str, str]) -> Iterator[SettingFile]:
    for name, fd in _open(pid, profile, variables) if profile else ():
        status = os.fstat(fd)
        os.close(fd)
        yield SettingFile(name=Word(name), size=status.st_size, age=max(0.0, time.time() - status.st_mtime))


def _packages(pid: int, sample: Sample) -> Iterator[Package]:
    """By the names of their metadata folders, beside the code that runs and the libraries that are mapped."""
    codes = sample.python.codes if isinstance(sample.python, Python) else []
    maps = (line.split(maxsplit=5)[5:] for line in proc.lines(proc.read(f"/proc/{pid}/maps", MAPS_MAX)))
    paths = itertools.chain((code.path.reveal() for code in codes), *maps)
    folders = (found[0] for path in paths if (found := _FOLDER.match(path)))
    for folder in list(dict.fromkeys(folders))[:MOST_FOLDERS]:
        yield from _in_folder(_names(rooted.root_of(pid), folder))


def _in_folder(names: Iterable[str]) -> Iterator[Package]:
    for name in names:
        found = _PACKAGE.fullmatch(name)
        if found and (known := found[1].lower().replace("_", "-")) in PACKAGES:
            yield Package(name=Word(known), version=Word(found[2]))


def _names(root: str, folder: str) -> list[str]:
    try:
        return rooted.names(root, folder, MOST_ENTRIES)
    except (OSError, ValueError):  # ValueError: a path with a zero byte
        return []
