"""Put on the PYTHONPATH of the real gateway: other addresses and shorter waits, the same logic where
nothing else is asked for.

`QQDIAG_TEST_CONSTANTS` is a JSON object of module constants of `gateway/platforms/qqbot/constants.py` (API_BASE,
TOKEN_URL, RECONNECT_BACKOFF …), set before `adapter.py` imports them by name. `QQDIAG_TEST_FIRST_BEAT` is the
interval, in seconds, until Hello tells another one: the adapter starts with 30 s whatever Hello says, because its
heartbeat task reads the interval before Hello has arrived (adapter.py, `_heartbeat_loop`, 0.14.0).
`QQDIAG_TEST_BEFORE_0_13` gives it back a mistake of earlier releases. `QQDIAG_TEST_CANCEL_LISTENER` is the number of
a signal on which the listener's task is cancelled, as a `wait_for` that lost a race does it.
"""

import asyncio
import importlib.abc
import importlib.machinery
import importlib.util
import json
import logging
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

CONSTANTS = "gateway.platforms.qqbot.constants"
ADAPTER = "gateway.platforms.qqbot.adapter"


def change_constants(module: ModuleType) -> None:
    vars(module).update(json.loads(os.environ.get("QQDIAG_TEST_CONSTANTS", "{}")))


def change_first_beat(module: ModuleType) -> None:
    first_beat = os.environ.get("QQDIAG_TEST_FIRST_BEAT")
    if not first_beat:
        return
    made = module.QQAdapter.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        self._heartbeat_interval = float(first_beat)

    module.QQAdapter.__init__ = __init__


def change_to_before_0_13(module: ModuleType) -> None:
    """As in the releases up to 0.12: a drop of the connection says that the adapter runs no more."""
    if os.environ.get("QQDIAG_TEST_BEFORE_0_13"):
        module.QQAdapter._mark_transport_disconnected = module.QQAdapter._mark_disconnected


def change_to_be_cancelled(module: ModuleType) -> None:
    number = os.environ.get("QQDIAG_TEST_CANCEL_LISTENER")
    if not number:
        return
    made = module.QQAdapter.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)

        def cancel() -> None:
            logging.getLogger(module.__name__).warning("the listener is cancelled")
            self._listen_task.cancel()

        asyncio.get_running_loop().add_signal_handler(int(number), cancel)

    module.QQAdapter.__init__ = __init__


def change_adapter(module: ModuleType) -> None:
    change_first_beat(module)
    change_to_before_0_13(module)
    change_to_be_cancelled(module)


CHANGES = {CONSTANTS: change_constants, ADAPTER: change_adapter}


class AfterImport(importlib.abc.MetaPathFinder):
    """Runs a change right after the module that it is for was executed, before anybody can import from it."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in CHANGES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            CHANGES[name](module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, AfterImport())
