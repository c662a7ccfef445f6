"""The real API behind a real port, on a clock moved by hand: what logging in is tried on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from tests.api.door import TOKEN, open_door
from tests.api.identity_kit import PASSWORD
from tests.control.bench import Bench

from verdazul.api.app import Api
from verdazul.api.arm import Links
from verdazul.clock import SystemClock


@dataclass(frozen=True, slots=True)
class Real:
    """`client` has the home's token."""

    address: str
    bench: Bench
    client: httpx.Client

    def person(self, name: str = "alice@example.com", password: str = PASSWORD) -> str:
        """Make one who can log in; returns the id."""
        body = {"userPrincipalName": name, "passwordProfile": {"password": password}}
        return str(self.client.post("/v1.0/users", json=body).json()["id"])

    @contextlib.contextmanager
    def somebody(self) -> Iterator[str]:
        """A person for a while."""
        id_ = self.person()
        try:
            yield id_
        finally:
            self.client.delete(f"/v1.0/users/{id_}")


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, up: threading.Event) -> None:
        super().__init__(config)
        self._up = up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def running(home: Path) -> Iterator[Real]:
    """A fresh control plane in that folder, listening on a free port of this machine."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"http://localhost:{listening.getsockname()[1]}"
        ready: list[Any] = []
        up = threading.Event()
        thread = threading.Thread(
            target=asyncio.run, args=(_serve(home, address, listening, ready, up),)
        )
        thread.start()
        up.wait(20)
        server, bench = ready
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=address, headers=headers) as client:
            yield Real(address, bench, client)
        server.should_exit = True
        thread.join()


async def _serve(
    home: Path, address: str, listening: socket.socket, ready: list[Any], up: threading.Event
) -> None:
    async with open_door(home) as door:
        bench = door.bench
        bench.world = replace(bench.world, address=address, clock=SystemClock())
        links = Links(bench.settings, address)
        api = Api(bench.world, links, token=TOKEN, report=partial(dict[str, Any]))  # type: ignore[arg-type] # not asked
        config = uvicorn.Config(api, log_config=None, lifespan="off")
        server = _Server(config, up)
        ready += [server, bench]
        await server.serve([listening])
