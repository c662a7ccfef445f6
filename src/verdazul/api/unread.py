"""A request's body is taken in before it is answered, also where nobody reads it.

Whoever is answered while still sending may see a reset stream and no status at all (HTTP/2): a
wrong token would look like a broken server.
"""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive

MOST_BYTES = 65_536
"""As much as the gateway gathers before it passes a request on; so it is there already."""
_MOST_SECONDS = 2.0


class Body:
    """An ASGI `receive` that knows whether all has come."""

    def __init__(self, receive: Receive, announced: str) -> None:
        self._receive = receive
        is_small = announced.isascii() and announced.isdigit() and len(announced) < len("1000000")
        self._is_due = is_small and 0 < int(announced) <= MOST_BYTES

    async def receive(self) -> Message:
        """The next part."""
        message = await self._receive()
        if not message.get("more_body"):
            self._is_due = False
        return message

    async def drop(self) -> None:
        """Let the rest of a small body come, and forget it."""
        try:
            async with asyncio.timeout(_MOST_SECONDS):
                while self._is_due:
                    await self.receive()
        except TimeoutError:
            return
