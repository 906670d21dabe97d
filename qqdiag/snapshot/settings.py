"""How the target was set up, by presence alone: no value that somebody chose."""

from __future__ import annotations

import msgspec

from qqdiag.model import Name, Word


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """An environment variable whose name is on a list. `value`: of those that have a few known ones alone."""

    name: Word
    state: Word  # set empty
    value: Word | None = None


class SettingFile(msgspec.Struct, frozen=True, kw_only=True):
    name: Word  # the profile's word: config.yaml, .env
    size: int  # bytes
    age: float  # seconds since its last change


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution that lies where the target's code was imported from."""

    name: Word
    version: Word


class Settings(msgspec.Struct, frozen=True, kw_only=True, tag="settings"):
    """Environment, command line, files and packages. What has no name on a list is only counted."""

    environment: list[Setting] = []
    others: int = 0  # environment variables of other names
    module: Name | None = None  # of `python -m`
    options: list[Word] = []  # of the command line, without dashes and values
    arguments: int = 0  # of the command line, options counted too
    files: list[SettingFile] = []
    packages: list[Package] = []
    kernel: Word | None = None  # its release, to the third number
    machine: Word | None = None  # as uname(2) has it
