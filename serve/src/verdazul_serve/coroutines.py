"""`async def run` in a worker: one event loop for its whole life.

A loop per call (asyncio.run) would break clients and pools that init() or an earlier run() opened.
When a call is torn out of the loop (the scoring timeout), the loop is given up with all it held.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


class Coroutines:
    """Finishes coroutines, one at a time. asyncio is imported for scripts that need it only."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Made when it is first needed."""
        import asyncio

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop

    def finish(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        import asyncio

        loop = self.loop
        task = loop.create_task(coroutine)
        try:
            return loop.run_until_complete(task)
        finally:
            if not task.done():
                self._give_up(asyncio)

    def _give_up(self, asyncio: Any) -> None:
        loop, self._loop = self._loop, None
        for task in asyncio.all_tasks(loop):
            task.cancel()
            task._log_destroy_pending = False  # noqa: SLF001  # we know, and say Scoring timeout
        asyncio.set_event_loop(None)
        if loop is not None:
            loop.close()
