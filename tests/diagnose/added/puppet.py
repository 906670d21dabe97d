"""A profile of one file: the framework of `frameworks.py` on aiohttp."""

from __future__ import annotations

from qqdiag.profiles import AdapterShape, Profile

PROFILE = Profile(
    id="puppet",
    argv=("frameworks.py",),
    home_variable="PUPPET_HOME",
    default_home=".puppet",
    adapters=(
        AdapterShape(
            platform="theatre",
            type_name="Puppet",
            module="__main__",
            attributes={"websocket": "line.end", "listener": "ear"},
        ),
    ),
)
