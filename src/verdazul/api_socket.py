"""Where the control API listens: a unix socket of the home, whose only client is the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp


@contextlib.asynccontextmanager
async def listening(app: ASGIApp, path: Path) -> AsyncIterator[None]:
    """The control API on its unix socket; the gateway is its only client."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve([_unix_socket(path)]), name="control api")
        await server.began.wait()
        try:
            yield
        finally:
            server.should_exit = True
    path.unlink(missing_ok=True)  # noqa: ASYNC240 - one quick call, at the very end


def _unix_socket(path: Path) -> socket.socket:
    """Bound through its folder's descriptor: a socket's path may have 108 bytes, a home more."""
    path.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        bound.bind(f"/proc/self/fd/{folder}/{path.name}")
        path.chmod(0o600)
    finally:
        os.close(folder)
    return bound


class _Server(uvicorn.Server):
    """Tells when it listens; signals are the composition root's business."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.began = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.began.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
