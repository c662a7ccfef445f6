"""The parent's life: listen, serve, drain, exit.

Listening begins at once, so that nobody is refused while workers load; `GET /` tells the truth.
SIGTERM: stop accepting, finish what was received, exit 0. A second one, or SIGINT: exit now.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Coroutine
from typing import Any

from verdazul_serve import failure, reload
from verdazul_serve.app import App
from verdazul_serve.board import Boards
from verdazul_serve.connection import Connection, Connections
from verdazul_serve.failure import EXIT_CODE, Problem
from verdazul_serve.logs import server as log
from verdazul_serve.pool import Pool
from verdazul_serve.reading import Limits, Refusal
from verdazul_serve.settings import Settings
from verdazul_serve.zygote import Nursery

_WORKER_EXIT_SECONDS = 5.0
_ACCEPTS_AT_ONCE = 64
_FULL_SECONDS = 0.5  # no descriptors left: wait for some connections to end
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def run(
    settings: Settings,
    listeners: list[socket.socket],
    nursery: Nursery,
    boards: Boards,
    *,
    collector: socket.socket | None = None,
) -> int:
    """Serve until told to stop; returns the exit code."""
    return asyncio.run(Server(settings).serve(listeners, nursery, boards, collector))


class Server:
    """Wires the parts and waits for the reason to end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def serve(
        self,
        listeners: list[socket.socket],
        nursery: Nursery,
        boards: Boards,
        collector: socket.socket | None,
    ) -> int:
        settings = self._settings
        loop = asyncio.get_running_loop()
        self._problem: asyncio.Future[Problem] = loop.create_future()
        self._stop = asyncio.Event()
        self._quick = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        pool = Pool(
            nursery,
            boards,
            worker_timeout=settings.worker_timeout_seconds,
            shares=settings.worker_count > 1 and settings.worker_preload is not False,
            on_fatal=self._fail,
            survives_failures=settings.reload,
        )
        app = App(pool, boards, settings)
        connections = Connections(_log_refusal)
        doors = Doors(listeners, app, Limits.of(settings), connections)
        pool.open()
        doors.open()
        async with _collecting(settings, collector, app), reload.watching(settings, pool.restart):
            await self._first_of(self._stop.wait())
            app.is_stopping = True
            if not self._is_over():
                doors.accept_rest()
                pool.lending.return_all()
                await self._drained(connections)
            doors.close()
            connections.abort()
            await pool.close(seconds=0 if self._is_over() else _WORKER_EXIT_SECONDS)
        return self._exit_code()

    async def _drained(self, connections: Connections) -> None:
        grace = self._settings.grace_seconds
        try:
            await asyncio.wait_for(self._first_of(connections.drain()), grace)
        except asyncio.TimeoutError:
            text = "%d connections were not finished within %g s and are broken off"
            log.warning(text, len(connections), grace)

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

    def _exit_code(self) -> int:
        if not self._problem.done():
            log.info("stopped")
            return 0
        problem = self._problem.result()
        report(problem, self._settings.failure_file)
        return EXIT_CODE


class Doors:
    """The listening sockets: each client that comes in becomes a Connection."""

    def __init__(
        self, listeners: list[socket.socket], app: App, limits: Limits, connections: Connections
    ) -> None:
        self._listeners = listeners
        self._app = app
        self._limits = limits
        self._connections = connections
        self._loop = asyncio.get_running_loop()

    def open(self) -> None:
        for listener in self._listeners:
            listener.setblocking(False)  # noqa: FBT003
            self._loop.add_reader(listener, self._accept, listener)

    def accept_rest(self) -> None:
        """Take the clients that connected before now, then no more."""
        for listener in self._listeners:
            while self._accept(listener):
                pass
        self.close()

    def close(self) -> None:
        for listener in self._listeners:
            if listener.fileno() >= 0:
                self._loop.remove_reader(listener)
                listener.close()

    def _accept(self, listener: socket.socket) -> bool:
        """True if there may be more."""
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                client, _ = listener.accept()
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as reason:
                if reason.errno in _FULL:
                    self._pause(listener, reason)
                    return False
                continue  # the client has left already
            Connection(client, self._app, self._limits, self._connections)
        return True

    def _pause(self, listener: socket.socket, reason: OSError) -> None:
        log.error("no more clients can be accepted for now: %s", reason.strerror)
        self._loop.remove_reader(listener)
        self._loop.call_later(_FULL_SECONDS, self._reopen, listener)

    def _reopen(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self._loop.add_reader(listener, self._accept, listener)


@contextlib.asynccontextmanager
async def _collecting(settings: Settings, listener: socket.socket | None, app: App) -> Any:
    """The agent that takes what scripts collect, if collection is on."""
    if listener is None:
        yield
        return
    from verdazul_serve import collector

    agent = await collector.start(settings, listener)
    app.extra = agent.counters
    try:
        yield
    finally:
        await agent.close()


def report(problem: Problem, path: str | None) -> None:
    """Tell people and the control plane."""
    log.critical("%s", problem)
    if path:
        try:
            failure.write(problem, path)
        except OSError as error:
            log.critical("VERDAZUL_FAILURE_FILE %s cannot be written: %s", path, error)


def _log_refusal(refusal: Refusal) -> None:
    log.warning("refused a request: %d %s", refusal.status, refusal.message)
