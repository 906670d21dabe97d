"""Which known faults the source of a recognised adapter has: its methods, in the files that their code names.

Read as the operator's source lines are (sources.py): below the target's own root, what its user may read himself, and
no file that was changed after the process began, for that is not what runs.
"""

from __future__ import annotations

import time

from qqdiag import versions
from qqdiag.collect import rooted, sources
from qqdiag.model import Missing, Say, Word
from qqdiag.snapshot import Adapter, Gateway, KnownFault, Process, Sample
from qqdiag.versions.functions import Function, function

NO_SOURCE = Missing(
    Say("the adapter's source is not there, not open to its user, or was changed after the process began"),
    Say("restart the gateway at a quiet moment, so that it runs what its files say"),
)


def collect(pid: int, sample: Sample) -> list[KnownFault] | Missing | None:
    """All faults of all adapters of one sample; None where no adapter's source is known."""
    gateway, process = sample.gateway, sample.process
    if not isinstance(gateway, Gateway) or not isinstance(process, Process):
        return None
    known = [(one, versions.known(one.profile.reveal(), one.platform.reveal())) for one in gateway.adapters]
    wanted = [(adapter, source) for adapter, source in known if source is not None]
    if not wanted:
        return None
    found: list[KnownFault] = []
    for adapter, source in wanted:
        methods = _methods(pid, process, adapter)
        if methods:
            found += _judged(adapter, source, methods)
    return found or NO_SOURCE


def _methods(pid: int, process: Process, adapter: Adapter) -> dict[str, Function]:
    """Its methods, parsed; those that are not where their code says are left out."""
    root, began = rooted.root_of(pid), time.time() - process.uptime
    texts: dict[str, str] = {}
    found: dict[str, Function] = {}
    for method in adapter.methods:
        path = method.path.reveal()
        if path not in texts:
            texts[path] = sources.text_of(root, path, process.uid, began).decode("utf-8", "replace")
        parsed = function(texts[path], method.line)
        if parsed is not None and parsed.name == method.function.reveal():
            found[method.name.reveal()] = parsed
    return found


def _judged(adapter: Adapter, source: versions.Adapter, methods: dict[str, Function]) -> list[KnownFault]:
    paths = {method.function.reveal(): method.path for method in reversed(adapter.methods)}  # not of a base class
    states = versions.judged(source, methods)
    return [
        KnownFault(
            adapter=adapter.address,
            profile=adapter.profile,
            platform=adapter.platform,
            fault=Word(fault.id),
            failure=Word(fault.failure),
            state=Word(states[fault.id].state),
            path=paths.get(states[fault.id].method),
            line=states[fault.id].line,
            fixed_in=Word(fault.fixed_in) if fault.fixed_in else None,
        )
        for fault in source.faults
    ]
