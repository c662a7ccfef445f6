"""The `DataPlane` port on Envoy: ledger, publisher and process put together."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from verdazul.clock import SystemClock
from verdazul.core.route import Route
from verdazul.core.trust import Trust
from verdazul.gateway import certificates, disk
from verdazul.gateway.admin import Admin
from verdazul.gateway.bootstrap import bootstrap
from verdazul.gateway.launch import Launch, Wrap
from verdazul.gateway.ledger import Ledger
from verdazul.gateway.publish import Publisher, Rejected
from verdazul.gateway.resources import Unroutable
from verdazul.gateway.snapshot import Snapshot, signers
from verdazul.gateway.supervise import Envoy
from verdazul.model.errors import Fatal, Problem
from verdazul.ports import Clock


class EnvoyDataPlane:
    """One Envoy with all of its state under `home`.

    Use `start`, then `stop` or `detach`; or `async with`, which starts and stops.
    """

    def __init__(
        self,
        home: Path,
        *,
        host: str,
        port: int,
        concurrency: int = 2,
        timeout_seconds: float = 10.0,
        wrap: Wrap | None = None,
        log: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`wrap` makes the command that runs Envoy and keeps its output in `log`.

        That is by default home/logs/envoy.txt, with a wrapper or without.
        """
        self._home = home
        self._host = host
        self._clock = clock or SystemClock()
        self._turn = asyncio.Lock()
        self._trusted: Trust | None = None
        disk.make_folders(home)
        self._ledger = Ledger(home / "gateway" / "routes.json")
        log = log or home / "logs" / "envoy.txt"
        self._admin = Admin(home, timeout_seconds=timeout_seconds)
        self._publisher = Publisher(home, self._admin, log, timeout_seconds)
        launch = Launch(home, host, port, concurrency, bootstrap(host, port), log, wrap)
        self._envoy = Envoy(launch, self._admin, timeout_seconds=timeout_seconds)

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    @property
    def pid(self) -> int | None:
        """Envoy's process; None while it is being restarted."""
        return self._envoy.pid

    @property
    def version(self) -> str:
        """Envoy's version."""
        return self._envoy.version

    @property
    def problem(self) -> Problem | None:
        """Why Envoy does not come up again, while it does not."""
        return self._envoy.problem

    async def start(self) -> None:
        """Return once the gateway serves what was acknowledged before.

        Takes over an Envoy that runs already. Raises UserError (PortInUse, ...) or Fatal; then
        what was started here is ended, and an Envoy that served before goes on serving.
        """
        try:
            await self._start()
        except BaseException:
            await self._envoy.abandon()
            await self._admin.aclose()
            raise

    async def _start(self) -> None:
        acknowledged = Snapshot.of(self._ledger.acknowledged().values())
        self._publisher.prepare(acknowledged)
        self._renew_certificate()
        await self._envoy.start_or_adopt()
        async with self._turn:
            await self._put_in_force(acknowledged)
            self._ledger.restore()

    async def stop(self) -> None:
        """End Envoy: endpoints answer no more."""
        await self._envoy.stop()
        await self._admin.aclose()

    async def detach(self) -> None:
        """Leave Envoy running: endpoints go on serving without the control plane."""
        await self._envoy.detach()
        await self._admin.aclose()

    async def publish(self, endpoint: str, route: Route | None) -> None:
        """See ports.DataPlane. One publish at a time; others wait for their turn."""
        async with self._turn:
            wanted = self._ledger.acknowledged()
            if self._ledger.is_settled and wanted.get(endpoint) == route:
                return
            wanted.pop(endpoint, None)
            snapshot = _snapshot(endpoint, {**wanted, endpoint: route} if route else wanted)
            self._ledger.begin(endpoint, route)
            await self._put_in_force(snapshot)
            self._ledger.settle(endpoint, route)

    def published(self, endpoint: str) -> Route | None:
        """See ports.DataPlane."""
        return self._ledger.acknowledged().get(endpoint)

    def endpoints(self) -> frozenset[str]:
        """See ports.DataPlane."""
        return frozenset(self._ledger.acknowledged())

    def routed(self, endpoint: str) -> frozenset[str]:
        """See ports.DataPlane."""
        return self._ledger.routed(endpoint)

    async def trust(self, trust: Trust) -> None:
        """See ports.DataPlane."""
        async with self._turn:
            if trust == self._trusted:
                return
            try:
                await self._publisher.trust(signers(trust))
            except Rejected as refusal:
                raise _refused(refusal) from None
            self._trusted = trust

    def trusted(self) -> Trust | None:
        """See ports.DataPlane."""
        return self._trusted

    async def _put_in_force(self, snapshot: Snapshot) -> None:
        try:
            await self._publisher.put_in_force(snapshot)
        except Rejected as refusal:
            if refusal.restored:
                self._ledger.restore()
            raise _refused(refusal) from None

    def _renew_certificate(self) -> None:
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        hosts = (self._host, socket.gethostname())
        text = certificates.secret(certificates.ensure(self._home, hosts=hosts, now=now))
        path = self._home / "gateway" / "sds" / "sds.json"
        if disk.read(path) != text:
            disk.replace(path, text, staging=self._home / "gateway" / "new")


def _refused(refusal: Rejected) -> Fatal:
    return Fatal(f"the gateway refuses the configuration: {refusal}", code="GatewayRejected")


def _snapshot(endpoint: str, routes: dict[str, Route]) -> Snapshot:
    try:
        return Snapshot.of(routes.values())
    except Unroutable as error:
        raise Fatal(
            f'the route of endpoint "{endpoint}" cannot be served: {error}', code="GatewayRejected"
        ) from None
