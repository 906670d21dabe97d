"""Inside of a container: a supervisor of the program in its arguments. It says each pid as JSON, the later ones when it
is asked by a line; it ends with its stdin."""

import json
import subprocess
import sys

asked = True
while asked:
    with subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.PIPE) as gateway:
        assert gateway.stdout is not None
        print(json.dumps({"pid": int(gateway.stdout.readline())}), flush=True)
        gateway.wait()
    asked = bool(sys.stdin.readline())
