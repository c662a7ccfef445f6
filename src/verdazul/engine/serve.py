"""The local engine as a process: it listens, serves, and ends by itself when nobody needs it.

Who starts it holds the lock and listens already (see starting.py), so that nobody has to wait for
it: requests queue until it is there. Ended or killed, it leaves its containers running.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from verdazul import processes
from verdazul.clock import SystemClock
from verdazul.engine.api import EngineApi
from verdazul.engine.building import Builder
from verdazul.engine.containers import Containers
from verdazul.engine.folders import Places
from verdazul.engine.images import Images

_LOOKS = 20.0  # how often, in the time that it may idle, it looks whether it is needed


def serve(places: Places, listener: socket.socket, *, idle_seconds: float) -> None:
    """Serve until told to end, or until nothing was asked and nothing ran for so long."""
    asyncio.run(_serve(places, listener, idle_seconds))


async def _serve(places: Places, listener: socket.socket, idle_seconds: float) -> None:
    places.clear_leavings()
    images, containers, clock = Images(places), Containers(places), SystemClock()
    images.hold()
    api = _Busy(EngineApi(images, containers, Builder(places, images, containers, clock), clock))
    server = _Server(
        uvicorn.Config(
            api, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=5
        )
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.end)
    record = processes.record_of(os.getpid())
    if record:
        processes.write_record(places.record, record)
    try:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(_end_when_idle(server, api, containers, idle_seconds))
            await server.serve([listener])
            watch.cancel()
    finally:
        with contextlib.suppress(OSError):
            places.socket.unlink()
            places.record.unlink()


class _Server(uvicorn.Server):
    """Ends when it is told to, without raising the signal once more: the end has work to do."""

    def end(self) -> None:
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Busy:
    """Knows whether something is asked, and when something was asked last."""

    def __init__(self, api: EngineApi) -> None:
        self._api = api
        self._running = 0
        self._last = asyncio.get_running_loop().time()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._running += 1
        try:
            await self._api(scope, receive, send)
        finally:
            self._running -= 1
            self._last = asyncio.get_running_loop().time()

    def idle_seconds(self) -> float:
        return 0.0 if self._running else asyncio.get_running_loop().time() - self._last


async def _end_when_idle(
    server: _Server, busy: _Busy, containers: Containers, idle_seconds: float
) -> None:
    while busy.idle_seconds() < idle_seconds or _is_needed(containers):  # noqa: ASYNC110 - a clock
        await asyncio.sleep(idle_seconds / _LOOKS)
    server.end()


def _is_needed(containers: Containers) -> bool:
    return any(container.state().status == "running" for container in containers.all())
