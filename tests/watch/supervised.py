"""A gateway of the lab under a supervisor: in its failure at first, and in good health each time it is started again.

Says the pid of each once it is in its state. The bound is part of the command line, which tells them from others.
"""

import itertools
import sys

from qqdiag.lab.start import start

for case in itertools.chain([sys.argv[1]], itertools.repeat("idle")):
    with start(case, bound=float(sys.argv[2])) as running:
        print(running.pid, flush=True)
        running.gateway.process.wait()
