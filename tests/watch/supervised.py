"""A gateway of the lab under a supervisor: in its failure at first, and in good health each time it is started again.

Says the pid of each once it is in its state. The bound is part of the command line, which tells them from others. Each
goes on with the log of the one before it. As long as the file `failing` is there, what fails from outside goes on.
"""

import itertools
import sys
import time
from pathlib import Path

from qqdiag.lab.start import Running, case_of, start

STORM_EVERY = 1.0  # seconds; the adapter's pause before it connects again


def storm(running: Running, failing: Path) -> None:
    """The service closes each connection."""
    while failing.exists():
        opened = running.server.seen()["dispatched"]
        running.server.close(4000)
        while failing.exists() and running.server.seen()["dispatched"] == opened:
            time.sleep(0.05)
        time.sleep(0.05)


def main(case: str, bound: float, folder: Path) -> None:
    well = "session-resumed" if case_of(case).hosted else "idle"
    for id in itertools.chain([case], itertools.repeat(well)):
        with start(id, bound=bound, log=folder) as running:
            print(running.pid, flush=True)
            if id == "flapping":
                storm(running, folder / "failing")
            running.gateway.process.wait()


main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
