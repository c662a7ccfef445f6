"""One gateway takes over from another, with callers about: what several tests need."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.gateway.gateway_upstream import eventually
from tests.gateway.gateway_world import World, plane_at
from verdazul.gateway import EnvoyDataPlane, hot_restart

needs_shared_memory = pytest.mark.skipif(
    not hot_restart.is_possible(), reason="needs /dev/shm for hot restarts"
)


async def replaced(world: World, **options: object) -> EnvoyDataPlane:
    """A new control plane with other settings takes over from the world's."""
    await world.plane.detach()
    new = plane_at(world.home, world.port, **options)
    world.stack.push_async_callback(new.stop)
    await new.start()
    world.plane = new
    return new


@contextlib.asynccontextmanager
async def asking(world: World) -> AsyncIterator[list[object]]:
    """Requests one after the other on new connections; everything that was not a 200."""
    failed: list[object] = []
    counted, is_over = 0, False

    async def ask() -> None:
        nonlocal counted
        while not is_over:
            try:
                answer = await world.ask("/name")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a lost request
                failed.append(repr(error))
                continue
            counted += 1
            if answer.status != 200:
                failed.append(answer.status)

    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(ask())
        try:
            yield failed
            before = counted
            await eventually(lambda: counted > before + 10)
        finally:
            is_over = True
