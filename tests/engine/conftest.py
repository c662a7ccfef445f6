"""A local engine in a home with a short path, and raw requests to it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.contract.engine_worlds import OurWorld
from verdazul.client.engine import Container, Engine
from verdazul.engine.ending import stop_engine
from verdazul.engine.folders import Places
from verdazul.engine.starting import start
from verdazul.settings import Settings


@dataclass
class Local:
    """One engine of the test's own."""

    settings: Settings
    world: OurWorld

    @property
    def places(self) -> Places:
        return Places(self.settings.home)

    @property
    def engine(self) -> Engine:
        return self.world.engine

    def ask(self, method: str, path: str, **more: object) -> httpx.Response:
        transport = httpx.HTTPTransport(uds=str(self.places.socket))
        with httpx.Client(transport=transport, base_url="http://d", timeout=30) as http:
            return http.request(method, path, **more)  # type: ignore[arg-type]  # passed on

    def started(self, name: str, kind: str = "serves") -> Container:
        context = self.world.context(kind)
        list(self.engine.build([context], tag=f"contract:{kind}", dockerfile="Dockerfile"))
        self.engine.create(name, self.world.body(kind, {}))
        self.engine.start(name)
        return self.seen(name)

    def seen(self, name: str) -> Container:
        found = self.engine.inspect(name)
        assert found
        return found


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with tempfile.TemporaryDirectory(prefix="v") as text:
        settings = Settings.read({}, home=Path(text, "home"))
        with Engine.at(start(settings).docker_host) as engine:
            yield Local(settings, OurWorld(engine, Path(text)))
        asyncio.run(stop_engine(settings.home))
