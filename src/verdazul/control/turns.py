"""One change of an endpoint at a time: what a use case has checked still holds when it commits.

Only one control plane runs in a home, so locks in memory are enough. They are held for a few reads
and one commit, never while the world follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    """A lock for each endpoint, its deployments included; names match in any case."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, endpoint: str) -> AsyncIterator[None]:
        """Wait for one's turn."""
        lock = self._locks.setdefault(endpoint.lower(), asyncio.Lock())
        async with lock:
            yield
