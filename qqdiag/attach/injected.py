"""The program that is put into a gateway: it starts an aiomonitor beside its loop, and takes it away again.

It runs in the main thread at whatever place that stands, so it only looks which loop runs there and starts a thread;
the thread imports and starts. The garbage collector rests as long as the monitor is there: a collection can destroy
the very task that hangs, as the registries of tasks are weak.
"""

from __future__ import annotations

import json

KEY = "_qqdiag_monitor"  # in sys.modules of the gateway

START = """
def _qqdiag():
    import _thread, gc, json, sys
    given = json.loads({given!r})
    def tell(word):
        with open(given["told"], "w") as file:
            file.write(word)
    events = sys.modules.get("asyncio.events")
    loop = events._get_running_loop() if events else None
    if loop is None:
        return tell("no-loop")
    if {key!r} in sys.modules:
        return tell("there-already")
    collects = gc.isenabled()
    gc.disable()
    def forget():  # `threading` keeps a thread that it did not start itself
        threads = sys.modules.get("threading")
        getattr(threads, "_active", {{}}).pop(_thread.get_ident(), None)
    def start():
        added = [path for path in given["paths"] if path not in sys.path]
        try:
            sys.path.extend(added)
            from aiomonitor import Monitor
            monitor = Monitor(loop, termui_port=given["port"], webui_port=given["port"] + 1, console_enabled=False)
            monitor.start()
            sys.modules[{key!r}] = (monitor, collects)
            tell("started")
        except BaseException as error:  # in the gateway: its collector must run again, whatever became of this
            if collects:
                gc.enable()
            tell(type(error).__name__)
        finally:
            for path in added:
                sys.path.remove(path)
            forget()
    _thread.start_new_thread(start, ())
_qqdiag()
del _qqdiag
"""

STOP = """
def _qqdiag():
    import _thread, gc, json, sys
    given = json.loads({given!r})
    monitor, collects = sys.modules.pop({key!r}, (None, False))
    def forget():
        threads = sys.modules.get("threading")
        getattr(threads, "_active", {{}}).pop(_thread.get_ident(), None)
    def stop():
        try:
            if monitor is not None:
                monitor.close()
        finally:
            with open(given["told"], "w") as file:
                file.write("stopped")
            forget()
            if collects:
                gc.enable()  # last: what is destroyed now logs that, in the thread that meets it
    _thread.start_new_thread(stop, ())
_qqdiag()
del _qqdiag
"""


def start(told: str, port: int, paths: list[str]) -> str:
    """The program that starts it. `told`: the file in which it says what became of it. `paths`: where aiomonitor is,
    for a gateway that lacks it."""
    return START.format(given=json.dumps({"told": told, "port": port, "paths": paths}), key=KEY)


def stop(told: str) -> str:
    """The program that ends it and leaves nothing."""
    return STOP.format(given=json.dumps({"told": told}), key=KEY)
