"""Changes of many endpoints at once go into force together: one that waits for its turn is taken
along by whoever has it. So a thousand changes cost a few publishes, and none waits for all others.

One that the gateway refuses harms nobody else: then each of those that went together goes alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from verdazul.core.route import Route
from verdazul.model.errors import Fatal, VerdazulError

Changed = Mapping[str, Route | None]


@dataclass(eq=False, slots=True)
class _Wish:
    endpoint: str
    route: Route | None
    error: VerdazulError | None = None


class Together:
    """`put` brings changes into force, all or none; only whoever has `turn` calls it."""

    def __init__(self, turn: asyncio.Lock, put: Callable[[Changed], Awaitable[None]]) -> None:
        self._turn = turn
        self._put = put
        self._waiting: list[_Wish] = []

    async def publish(self, endpoint: str, route: Route | None) -> None:
        """Return once it is in force. Raises what `put` raises for it."""
        wish = _Wish(endpoint, route)
        self._waiting.append(wish)
        try:
            async with self._turn:
                while wish in self._waiting:
                    await self._grant(self._first_of_each())
        finally:
            if wish in self._waiting:
                self._waiting.remove(wish)
        if wish.error:
            raise wish.error

    def _first_of_each(self) -> list[_Wish]:
        """A second wish for an endpoint comes after the first."""
        found: dict[str, _Wish] = {}
        for wish in self._waiting:
            found.setdefault(wish.endpoint, wish)
        return list(found.values())

    async def _grant(self, wishes: Sequence[_Wish]) -> None:
        """Take them off those that wait; cut short, what is left waits on."""
        try:
            await self._put({wish.endpoint: wish.route for wish in wishes})
        except Fatal as refusal:
            if len(wishes) > 1:
                for wish in wishes:
                    await self._grant([wish])
                return
            wishes[0].error = refusal
        except VerdazulError as error:
            for wish in wishes:
                wish.error = error
        self._waiting = [wish for wish in self._waiting if wish not in wishes]
