"""The program that is put into a gateway: it starts an aiomonitor beside its loop, and takes it away again.

It runs in the main thread at whatever place that stands, so it only looks which loop runs there and starts a thread;
the thread imports, starts, and waits at a FIFO until qqdiag lets go of it, or ends: nothing else has to be put into the
gateway to undo it. The garbage collector rests as long as the monitor is there: a collection can destroy the very task
that hangs, as the registries of tasks are weak.
"""

from __future__ import annotations

import json

KEY = "_qqdiag_monitor"  # in sys.modules of the gateway

PROGRAM = """
def _qqdiag():
    import _thread, gc, json, os, sys
    given = json.loads({given!r})
    def tell(word):
        try:
            with open(given["told"], "w") as file:
                file.write(word)
        except OSError:  # nobody listens any more
            pass
    events = sys.modules.get("asyncio.events")
    loop = events._get_running_loop() if events else None
    if loop is None:
        return tell("no-loop")
    if {key!r} in sys.modules:
        return tell("there-already")
    tell("begun")
    collects = gc.isenabled()
    gc.disable()
    def wait():
        try:
            fd = os.open(given["leave"], os.O_RDONLY | os.O_NONBLOCK)  # else it would wait for one who writes
        except OSError:
            return
        try:
            os.set_blocking(fd, True)
            os.read(fd, 1)
        finally:
            os.close(fd)
    def start():
        from aiomonitor import Monitor
        monitor = Monitor(loop, termui_port=given["port"], webui_port=given["port"] + 1, console_enabled=False)
        monitor.start()
        return monitor
    def stay():
        added = [path for path in given["paths"] if path not in sys.path]
        try:
            sys.path.extend(added)  # until the end: its console imports what a command needs, and asks its own version
            monitor = start()
            sys.modules[{key!r}] = monitor
            try:
                tell("started")
                wait()
            finally:
                del sys.modules[{key!r}]
                monitor.close()
            tell("stopped")
        except BaseException as error:  # in the gateway: its collector must run again, whatever became of this
            tell(type(error).__name__)
        finally:
            for path in added:
                sys.path.remove(path)
            threads = sys.modules.get("threading")  # it keeps a thread that it did not start itself
            getattr(threads, "_active", {{}}).pop(_thread.get_ident(), None)
            if collects:
                gc.enable()  # last: what is destroyed now logs that, in the thread that meets it
    _thread.start_new_thread(stay, ())
_qqdiag()
del _qqdiag
"""


def program(told: str, leave: str, port: int, paths: list[str]) -> str:
    """What runs in the gateway. `told`: the file in which it says what became of it. `leave`: the FIFO, whose end is
    the sign to leave. `paths`: where aiomonitor is, for a gateway that lacks it."""
    return PROGRAM.format(given=json.dumps({"told": told, "leave": leave, "port": port, "paths": paths}), key=KEY)
