"""All gateway processes as one, for whoever publishes: what holds must hold in each that lives.

A process that is gone serves nothing, and reads the newest files when it starts: it is not waited
for. One that is there and does not answer is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from verdazul.gateway.admin import Admin, Unanswered

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Admins:
    """One or more. All calls raise Unanswered when no process lives, or a living one is mute."""

    each: tuple[Admin, ...]

    async def in_force(self, kind: str) -> str:
        """The version that each has accepted; "" while they differ."""
        found = set(await self._ask(lambda admin: admin.in_force(kind)))
        return found.pop() if len(found) == 1 else ""

    async def rejections(self, kind: str) -> int:
        """How often a file of this kind was refused, over all."""
        return sum(await self._ask(lambda admin: admin.rejections(kind)))

    async def aclose(self) -> None:
        """Close all."""
        for admin in self.each:
            await admin.aclose()

    async def _ask(self, question: Callable[[Admin], Coroutine[Any, Any, T]]) -> list[T]:
        asked = [admin for admin in self.each if admin.pid() is not None]
        if not asked:
            raise Unanswered("no gateway process runs")
        return await asyncio.gather(*(question(admin) for admin in asked))
