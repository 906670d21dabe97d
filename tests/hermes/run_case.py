"""Puts the real gateway into the state of a case, for a look by hand; ends with the end of stdin.

python tests/hermes/run_case.py hot-loop      prints its pid when the state is reached
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import hermes_environment
from hermes_cases import CASES
from hermes_patient import hermes


def main() -> None:
    cases = {case.id: case for case in CASES}
    if sys.argv[1:] == [] or sys.argv[1] not in cases:
        sys.exit(f"usage: {sys.argv[0]} {' | '.join(cases)}")
    folder = tempfile.TemporaryDirectory(prefix="hermes-", ignore_cleanup_errors=True)
    with folder as home, hermes(cases[sys.argv[1]], hermes_environment.python(), Path(home)) as patient:
        print(patient.pid, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
