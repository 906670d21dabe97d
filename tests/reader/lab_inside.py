"""Runs a case of the lab with another interpreter, says the gateway's pid as it is called where this runs, and waits.

python lab_inside.py CASE INTERPRETER
"""

from __future__ import annotations

import json
import sys

from qqdiag.lab.start import start

with start(sys.argv[1], python=sys.argv[2]) as running:
    print(json.dumps({"pid": running.pid}), flush=True)
    sys.stdin.read()
