"""A real Envoy on a free port with upstreams beside it, for one test."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gateway.gateway_upstream import SECONDS, Answer, Connection, Upstream
from verdazul.core.route import Backend, DeploymentRoute, Route
from verdazul.gateway import EnvoyDataPlane

KEY = "first-key-of-the-endpoint-0123456789abcdefg"
OTHER_KEY = "second-key-of-the-endpoint-0123456789abcdef"
DIGESTS = tuple(hashlib.sha256(key.encode()).hexdigest() for key in (KEY, OTHER_KEY))
BEARER = {"Authorization": f"Bearer {KEY}"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def deployment(
    name: str = "blue",
    *addresses: str,
    weight: int = 100,
    timeout_ms: int = 10_000,
    max_requests: int = 1000,
    queue_wait_ms: int = 500,
) -> DeploymentRoute:
    backends = tuple(Backend(f"{name}-{n}", address) for n, address in enumerate(addresses))
    return DeploymentRoute(name, weight, timeout_ms, queue_wait_ms, max_requests, backends)


def route(*deployments: DeploymentRoute, endpoint: str = "credit") -> Route:
    return Route(endpoint, DIGESTS, deployments)


def plane_at(home: Path, port: int, **options: Any) -> EnvoyDataPlane:
    options = {"host": "127.0.0.1", "timeout_seconds": SECONDS, **options}
    return EnvoyDataPlane(home, port=port, **options)


@dataclass
class World:
    plane: EnvoyDataPlane
    home: Path
    port: int
    stack: contextlib.AsyncExitStack

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, home: Path, *, expect_log: str = "", **options: Any
    ) -> AsyncIterator[World]:
        """A script that fails is a mistake, unless its words in the log are expected."""
        port = free_port()
        async with contextlib.AsyncExitStack() as stack:
            plane = await stack.enter_async_context(plane_at(home, port, **options))
            yield cls(plane, home, port, stack)
        log = (home / "logs" / "envoy.txt").read_text()
        assert expect_log in log, log
        assert bool(expect_log) or "[lua]" not in log, log
        assert "[critical]" not in log, log

    async def upstream(self, name: str) -> Upstream:
        return await self.stack.enter_async_context(Upstream(name, self.home).listening())

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        return Connection.open(self.port, self.home / "certs" / "ca.pem")

    async def ask(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        endpoint: str = "credit",
        body: bytes = b"",
    ) -> Answer:
        """One request on its own connection, to an endpoint, with its key unless told otherwise."""
        async with self.connect() as connection:
            whole = f"/api/v1/endpoint/{endpoint}{path}"
            return await connection.ask(whole, BEARER if headers is None else headers, body=body)


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 3 * SECONDS))
