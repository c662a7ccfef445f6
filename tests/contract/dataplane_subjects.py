"""The data planes that the contract is asked of: how each is opened, restarted and silenced."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

from verdazul.gateway import EnvoyDataPlane, FakeDataPlane
from verdazul.gateway.ledger import Ledger
from verdazul.ports import DataPlane


class Subject(Protocol):
    plane: DataPlane

    async def restart(self) -> None:
        """End the control plane without a word and put a new one in its place."""

    def silent(self) -> contextlib.AbstractContextManager[None]:
        """Meanwhile the gateway does not answer."""


class FakeSubject:
    def __init__(self) -> None:
        self.fake = FakeDataPlane(Ledger())
        self.plane: DataPlane = self.fake

    async def restart(self) -> None:
        self.fake = FakeDataPlane(self.fake.state)
        self.plane = self.fake

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        self.fake.silent = True
        yield
        self.fake.silent = False


class EnvoySubject:
    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.envoy = self._make()
        self.plane: DataPlane = self.envoy

    def _make(self) -> EnvoyDataPlane:
        return EnvoyDataPlane(self.home, host="127.0.0.1", port=self.port, timeout_seconds=2.0)

    async def restart(self) -> None:
        await self.envoy.detach()
        self.plane = self.envoy = self._make()
        await self.envoy.start()

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        pid = self.envoy.pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
        yield
        os.kill(pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def open_subject(kind: str, home: Path) -> AsyncIterator[Subject]:
    if kind == "fake":
        yield FakeSubject()
        return
    subject = EnvoySubject(home)
    await subject.envoy.start()
    try:
        yield subject
    finally:
        await subject.envoy.stop()
