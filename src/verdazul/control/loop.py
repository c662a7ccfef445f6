"""One worker for each endpoint: woken by name, never twice at once, never told what happened.

A wake says only "look at this endpoint". Whatever happened meanwhile, one look sees it all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass, field
from typing import Self

from verdazul.model.errors import Problem, Retryable, VerdazulError
from verdazul.ports import Clock

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Look again at this time (unix seconds); None: only when woken, or at the next resync."""

    at: float | None


@dataclass(frozen=True, slots=True)
class Gone:
    """Nothing of that name is left, neither declared nor running."""


Reconcile = Callable[[str], Awaitable[LookAgain | Gone]]

FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 30.0
SHORTEST_PAUSE_SECONDS = 0.01


@dataclass
class _Worker:
    """`failures` counts looks in a row that failed."""

    bell: asyncio.Event = field(default_factory=asyncio.Event)
    failures: int = 0


class Loop:
    """`async with` it; `wake(name)` any time; every name is looked at again after `resync`."""

    def __init__(self, reconcile: Reconcile, *, clock: Clock, resync_seconds: float) -> None:
        self._reconcile = reconcile
        self._clock = clock
        self._resync = resync_seconds
        self._workers: dict[str, _Worker] = {}
        self._troubles: dict[str, Problem] = {}
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = False

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._is_open = True
        return self

    async def __aexit__(self, *error: object) -> None:
        self._is_open = False
        for task in self._tasks:
            task.cancel()
        await self._group.__aexit__(None, None, None)

    def wake(self, name: str) -> None:
        """Look at this endpoint soon. Ignored once the loop is closing."""
        if not self._is_open:
            return
        key = name.lower()
        if key not in self._workers:
            self._workers[key] = _Worker()
            task = self._group.create_task(
                self._work(key, name),
                name=f"reconcile {name}",
                context=Context(),  # what it does is no request's (verdazul.origin)
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._workers[key].bell.set()

    def trouble(self, name: str) -> Problem | None:
        """Why the last look at this endpoint failed; None when it did not.

        Kept in memory: what is wrong may be that nothing can be written any more.
        """
        return self._troubles.get(name.lower())

    async def _work(self, key: str, name: str) -> None:
        worker = self._workers[key]
        pause: float | None = 0.0
        while pause is not None or worker.bell.is_set():
            await _first(worker.bell, pause or 0.0)
            worker.bell.clear()
            pause = await self._look(name, worker)
        del self._workers[key]

    async def _look(self, name: str, worker: _Worker) -> float | None:
        """One look; returns how long to sleep unless woken, None when nothing is left."""
        try:
            result = await self._reconcile(name)
        except Retryable as error:
            _log.warning("retry endpoint=%s why=%s", name, error.problem.message)
            return self._after_failure(name, worker, error.problem)
        except Exception as error:  # noqa: BLE001 - one endpoint's bug must not stop the others
            _log.exception("reconcile failed endpoint=%s", name)
            return self._after_failure(name, worker, _problem_of(error))
        worker.failures = 0
        self._troubles.pop(name.lower(), None)
        match result:
            case Gone():
                return None
            case LookAgain(at):
                return self._pause(at)

    def _pause(self, at: float | None) -> float:
        if at is None:
            return self._resync
        return min(max(at - self._clock.now(), SHORTEST_PAUSE_SECONDS), self._resync)

    def _after_failure(self, name: str, worker: _Worker, problem: Problem) -> float:
        worker.failures += 1
        self._troubles[name.lower()] = problem
        doubled = FIRST_RETRY_SECONDS * 2.0 ** min(worker.failures - 1, 10)
        return min(doubled, LAST_RETRY_SECONDS)


def _problem_of(error: Exception) -> Problem:
    if isinstance(error, VerdazulError):
        return error.problem
    return Problem(
        "InternalServerError",
        f"the control plane failed on it: {type(error).__name__}: {error}",
        fix="see control.log in the home's logs folder",
    )


async def _first(bell: asyncio.Event, seconds: float) -> None:
    """Return when the bell rings or the time is over."""
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        return
