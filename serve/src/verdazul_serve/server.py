"""The parent's life: listen, serve, drain, exit.

Listening begins at once, so that nobody is refused while workers load; `GET /` tells the truth.
SIGTERM: stop accepting, finish what was received, exit 0. A second one, or SIGINT: exit now.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from verdazul_serve import failure
from verdazul_serve.app import App
from verdazul_serve.connection import Connection, Connections, Limits
from verdazul_serve.failure import EXIT_CODE, Problem
from verdazul_serve.logs import server as log
from verdazul_serve.pool import Pool
from verdazul_serve.reading import Refusal
from verdazul_serve.settings import Settings
from verdazul_serve.zygote import Nursery

_BACKLOG = 1024
_WORKER_EXIT_SECONDS = 5.0


def run(
    settings: Settings,
    listener: socket.socket,
    nursery: Nursery,
    *,
    first: list[tuple[int, socket.socket]],
) -> int:
    """Serve until told to stop; returns the exit code."""
    return asyncio.run(Server(settings).serve(listener, nursery, first))


class Server:
    """Wires the parts and waits for the reason to end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def serve(
        self, listener: socket.socket, nursery: Nursery, first: list[tuple[int, socket.socket]]
    ) -> int:
        loop = asyncio.get_running_loop()
        self._problem: asyncio.Future[Problem] = loop.create_future()
        self._stop = asyncio.Event()
        self._quick = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        pool = Pool(
            nursery,
            size=self._settings.worker_count,
            worker_timeout=self._settings.worker_timeout_seconds,
            on_fatal=self._fail,
        )
        app = App(pool)
        connections = Connections(_log_refusal)
        accept = partial(Connection, app, _limits(self._settings), connections)
        await pool.open(first)
        listening = await loop.create_server(accept, sock=listener, backlog=_BACKLOG)
        await self._first_of(self._stop.wait())
        app.is_stopping = True
        if not self._is_over():
            await self._accept_rest(listening, accept)
            await self._first_of(connections.drain())
        listening.close()
        connections.abort()
        await pool.close(seconds=0 if self._is_over() else _WORKER_EXIT_SECONDS)
        return self._exit_code()

    def _terminate(self) -> None:
        if self._stop.is_set():
            self._quick.set()
        else:
            log.info("SIGTERM: finishing the requests that were received")
        self._stop.set()

    def _interrupt(self) -> None:
        self._stop.set()
        self._quick.set()

    def _fail(self, problem: Problem) -> None:
        if not self._problem.done():
            self._problem.set_result(problem)
            self._stop.set()

    def _is_over(self) -> bool:
        return self._quick.is_set() or self._problem.done()

    async def _first_of(self, ending: Coroutine[Any, Any, object]) -> None:
        """Wait for `ending`, a failure or the wish to be quick."""
        loop = asyncio.get_running_loop()
        wanted, quick = loop.create_task(ending), loop.create_task(self._quick.wait())
        waited: set[asyncio.Future[Any]] = {wanted, quick, self._problem}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if wanted.done():
                wanted.result()
        finally:
            wanted.cancel()
            quick.cancel()
            await asyncio.gather(wanted, quick, return_exceptions=True)

    async def _accept_rest(
        self, listening: asyncio.AbstractServer, accept: partial[Connection]
    ) -> None:
        """Take the clients that connected before we stopped listening."""
        loop = asyncio.get_running_loop()
        for listener in listening.sockets:  # type: ignore[attr-defined]  # Server has them
            own = listener.dup()
            listening.close()
            with own, suppress(BlockingIOError):
                own.setblocking(False)  # noqa: FBT003
                while True:
                    client, _ = own.accept()
                    await loop.connect_accepted_socket(accept, client)

    def _exit_code(self) -> int:
        if not self._problem.done():
            log.info("stopped")
            return 0
        problem = self._problem.result()
        report(problem, self._settings.failure_file)
        return EXIT_CODE


def report(problem: Problem, path: str | None) -> None:
    """Tell people and the control plane."""
    log.critical("%s", problem)
    if path:
        try:
            failure.write(problem, path)
        except OSError as error:
            log.critical("VERDAZUL_FAILURE_FILE %s cannot be written: %s", path, error)


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_header_bytes=settings.max_header_bytes,
        max_body_bytes=settings.max_body_bytes,
        header_timeout=settings.header_timeout_seconds,
        idle_timeout=settings.idle_timeout_seconds,
    )


def _log_refusal(refusal: Refusal) -> None:
    log.warning("refused a request: %d %s", refusal.status, refusal.message)
