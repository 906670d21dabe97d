"""`python -m qqdiag`: the command line, where its script is not on PATH (sudo, a container)."""

from __future__ import annotations

from qqdiag.cli import main

if __name__ == "__main__":
    main()
