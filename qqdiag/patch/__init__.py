"""Judges which reference fixes an installed adapter has, and writes the diff that gives it those it lacks.

    source ── code ── roles ── walk ── one module a fix: judge, change ── edits ── diff

The judging follows what the code does in a situation (walk.py); neither a hash nor a version number is asked for. It
needs libcst (extra `fixes`), which nothing here imports before `require` was called.
"""

from __future__ import annotations

import importlib.util

from qqdiag.errors import UsageError
from qqdiag.model import Say


def require() -> None:
    """:raises UsageError: libcst is not installed"""
    if importlib.util.find_spec("libcst") is None:
        raise UsageError(
            Say("an adapter's source is read with libcst, which is not installed"),
            Say("pip install 'qqdiag[fixes]'"),
        )
