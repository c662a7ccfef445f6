"""Pause and resume: requests to an endpoint wait, and then go on in order; none is refused.

For maintenance behind the endpoint. It is declared like everything else, so it outlives a restart;
what waits is held by the gateway's activator.
"""

from __future__ import annotations

from dataclasses import replace

from verdazul.control.endpoints import Accepted, declare, existing_endpoint, refuse_deleting
from verdazul.control.world import World
from verdazul.core.records import OperationKind
from verdazul.core.route import Hold
from verdazul.settings import Settings


async def pause(world: World, name: str) -> Accepted | None:
    """Let requests wait from now on. None: they do already.

    Raises NotFound, or Conflict while another operation holds the endpoint.
    """
    return await _set(world, name, OperationKind.PAUSE, is_paused=True)


async def resume(world: World, name: str) -> Accepted | None:
    """Let requests pass, those that waited first. None: they do already. Raises as `pause`."""
    return await _set(world, name, OperationKind.RESUME, is_paused=False)


def hold_of(settings: Settings) -> Hold:
    """How requests wait in this home."""
    return Hold(settings.pause_seconds, settings.pause_requests)


async def _set(world: World, name: str, kind: OperationKind, *, is_paused: bool) -> Accepted | None:
    async with world.turns.of(name):
        known = await existing_endpoint(world, name)
        refuse_deleting(known)
        if known.is_paused == is_paused:
            return None
        record = replace(
            known,
            is_paused=is_paused,
            generation=known.generation + 1,
            modified_at=world.clock.now(),
        )
        message = "requests wait" if is_paused else "requests pass"
        return await declare(world, record, known.generation, kind, message)
