"""The adapters of the real hermes-agent with every fix that can be written into them."""

from __future__ import annotations

import hermes_environment
import pytest
from cached import locked
from installed_adapters import ADAPTER, connection_part, original, source_of

from qqdiag.patch.changing import CHANGES, changed


@pytest.fixture(scope="session")
def patched_parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """By version: the connection's part with every fix written into it; made once for all workers."""
    folder = tmp_path_factory.getbasetemp().parent
    found = {}
    for version in hermes_environment.VERSIONS:
        path = folder / f"patched-part-{version}.py"
        with locked(folder / f"{path.name}.lock"):
            if not path.exists():
                result = changed(source_of(connection_part(original(version))), sorted(CHANGES))
                assert not result.refused
                compile(result.text, ADAPTER, "exec")
                path.write_bytes(result.text)
        found[version] = path.read_text("utf-8")
    return found
