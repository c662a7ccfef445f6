"""Ending the local engine and all that it started: for `verdazul down`."""

from __future__ import annotations

from pathlib import Path

from verdazul import processes
from verdazul.engine.containers import Containers
from verdazul.engine.folders import Places

_ENGINE_SECONDS = 10.0
_CONTAINER_SECONDS = 10.0


async def stop_engine(home: Path) -> bool:
    """End the engine, then its containers; they stay known, as exited. False: nothing ran."""
    places = Places(home)
    if not places.root.is_dir():
        return False
    ended = await processes.stop_recorded(places.record, grace_seconds=_ENGINE_SECONDS) is not None
    containers = Containers(places)
    for container in containers.all():
        ended |= await containers.stop(container, grace_seconds=_CONTAINER_SECONDS)
    return ended
