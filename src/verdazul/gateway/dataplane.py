"""The `DataPlane` port on Envoy: ledger, publisher and process put together."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from verdazul.clock import SystemClock
from verdazul.core.route import Route
from verdazul.core.trust import Trust
from verdazul.gateway import disk
from verdazul.gateway.admin import Admin
from verdazul.gateway.admins import Admins
from verdazul.gateway.bootstrap import bootstrap
from verdazul.gateway.clusters import Unroutable
from verdazul.gateway.holder import Holder
from verdazul.gateway.launch import Launch, Wrap, suffix
from verdazul.gateway.ledger import Ledger
from verdazul.gateway.listener import CONNECTIONS, Connections
from verdazul.gateway.listening import check_alone
from verdazul.gateway.publish import Publisher, Rejected
from verdazul.gateway.record import end_surplus
from verdazul.gateway.served import Served, write
from verdazul.gateway.snapshot import Discovery, Part, Snapshot, signers
from verdazul.gateway.supervise import Envoy
from verdazul.gateway.tls import Tls
from verdazul.gateway.together import Changed, Together
from verdazul.model.errors import Fatal, Problem, Retryable, UserError
from verdazul.ports import Clock

_log = logging.getLogger(__name__)


class EnvoyDataPlane:
    """One Envoy, or two on one port, with all of their state under `home`.

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
        clock: Clock | None = None,
        tls: Tls | None = None,
        processes: int = 1,
        drain_seconds: int = 600,
        look_seconds: float = 5.0,
        is_logged: bool = True,
        connections: Connections = CONNECTIONS,
        names: Iterable[str] = (),
    ) -> None:
        """`wrap` makes the command that runs an Envoy and keeps its output in home/logs.

        `drain_seconds`: how long an Envoy that was replaced may end what it holds;
        `look_seconds`: how often certificates and the port are looked at; `is_logged`: each
        request to an endpoint leaves a row on Envoy's stdout.
        `names` are host names besides the usual ones that the certificate is for.
        """
        self._home = home
        self._turn = asyncio.Lock()
        self._trusted: Trust | None = None
        self._look_seconds = look_seconds
        disk.make_folders(home)
        self._ledger = Ledger(home / "gateway" / "routes.db")
        self._snapshot = Snapshot({})
        self._together = Together(self._turn, self._publish)
        tls = tls or Tls()
        hosts = (host, socket.gethostname(), *names)
        clock = clock or SystemClock()
        self._served = Served(home, tls, hosts=hosts, clock=clock)
        numbers = range(1, processes + 1)
        self._launches = tuple(
            Launch(
                home,
                host,
                port,
                concurrency,
                bootstrap(
                    host,
                    port,
                    tls=tls,
                    number=number,
                    is_shared=processes > 1,
                    is_logged=is_logged,
                    connections=connections,
                ),
                home / "logs" / f"envoy{suffix(number)}.txt",
                wrap,
                number,
                is_shared=processes > 1,
                drain_seconds=drain_seconds,
            )
            for number in numbers
        )
        each = tuple(Admin(home, timeout_seconds=timeout_seconds, number=n) for n in numbers)
        self._admins = Admins(each)
        logs = tuple(launch.log for launch in self._launches)
        self._publisher = Publisher(home, self._admins, logs, timeout_seconds)
        self._envoys = tuple(
            Envoy(launch, admin, timeout_seconds=timeout_seconds, clock=clock, siblings=self._pids)
            for launch, admin in zip(self._launches, each, strict=True)
        )
        self._holder = Holder(home, timeout_seconds=timeout_seconds)
        self._is_left = False
        self._ticker: asyncio.Task[None] | None = None
        self._port_problem: Problem | None = None

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, or detach where that was asked for."""
        await (self.detach() if self._is_left else self.stop())

    def leave_running(self) -> None:
        """Let `async with` end with `detach`."""
        self._is_left = True

    @property
    def pid(self) -> int | None:
        """The (first) Envoy's process; None while it is being restarted."""
        return self._envoys[0].pid

    @property
    def processes(self) -> tuple[Envoy, ...]:
        """All of them."""
        return self._envoys

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the gateway now: processes, port, certificates."""
        found = (*(one.problem for one in self._envoys), self._port_problem, self._served.problem)
        return tuple(problem for problem in found if problem)

    @property
    def about(self) -> dict[str, object]:
        """What `status` tells of how it is reached, and of what waits."""
        return {**self._served.about, "held": self._holder.held}

    async def start(self) -> None:
        """Return once the gateway serves what was acknowledged before.

        Takes over an Envoy that runs already. Raises UserError (PortInUse, ...) or Fatal; then
        what was started here is ended, and an Envoy that served before goes on serving.
        """
        try:
            await self._start()
        except BaseException:
            for one in self._envoys:
                await one.abandon()
            await self._let_go()
            raise

    async def _start(self) -> None:
        self._snapshot = Snapshot.of(self._ledger.acknowledged().values())
        self._publisher.prepare(self._snapshot)
        write(self._home, self._served.read())
        await end_surplus(self._home, len(self._envoys))
        for one in self._envoys:
            await one.start_or_adopt()
        async with self._turn:
            await self._holder.want(self._ledger.acknowledged().values())
            await self._put_in_force(self._snapshot)
            self._ledger.restore()
        self._ticker = asyncio.create_task(self._keep_looking(), name="look after the gateway")

    async def stop(self) -> None:
        """End Envoy: endpoints answer no more."""
        await self._end_ticker()
        for one in self._envoys:
            await one.stop()
        await self._holder.stop()
        await self._let_go()

    async def detach(self) -> None:
        """Leave Envoy running: endpoints go on serving without the control plane."""
        await self._end_ticker()
        for one in self._envoys:
            await one.detach()
        self._holder.detach()
        await self._let_go()

    async def _let_go(self) -> None:
        await self._admins.aclose()
        self._ledger.close()

    async def publish(self, endpoint: str, route: Route | None) -> None:
        """See ports.DataPlane."""
        await self._together.publish(endpoint, route)

    async def _publish(self, wanted: Changed) -> None:
        ledger = self._ledger
        if ledger.is_settled and all(ledger.get(name) == route for name, route in wanted.items()):
            return
        parts = {name: _part(name, route) for name, route in wanted.items()}
        snapshot = self._snapshot.having(parts)
        routes = {**ledger.acknowledged(), **wanted}
        await self._holder.want(route for route in routes.values() if route)
        ledger.begin(wanted)
        await self._put_in_force(snapshot)
        ledger.settle(wanted)
        self._snapshot = snapshot

    def published(self, endpoint: str) -> Route | None:
        """See ports.DataPlane."""
        return self._ledger.get(endpoint)

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
                await self._publisher.put_alone(signers(trust))
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

    async def _keep_looking(self) -> None:
        while True:
            await self._holder.rest(self._look_seconds)
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - a full disk, say; the next look may go well
                _log.exception("looking after the gateway failed")

    async def _look(self) -> None:
        """Serve certificates that are new; see that the port is ours alone."""
        for secret in self._served.look().values():
            await self._serve(secret)
        for one in self._envoys:
            await one.end_overdue()
        async with self._turn:
            await self._holder.look()
        launch, self._port_problem = self._launches[0], None
        if launch.is_shared and self._pids():
            try:
                check_alone(launch.host, launch.port, ours=self._pids())
            except UserError as error:
                self._port_problem = error.problem

    async def _serve(self, secret: Discovery) -> None:
        try:
            async with self._turn:
                await self._publisher.put_alone(secret)
        except Rejected as refusal:
            problem = Problem("TlsCertificateRefused", f"Envoy refuses the certificate: {refusal}")
            self._served.refuse(problem)
        except Retryable as error:
            self._served.refuse(error.problem)

    def _pids(self) -> frozenset[int]:
        return frozenset(one.pid for one in self._envoys if one.pid is not None)

    async def _end_ticker(self) -> None:
        ticker, self._ticker = self._ticker, None
        if ticker:
            ticker.cancel()
            await asyncio.wait([ticker])


def _refused(refusal: Rejected) -> Fatal:
    return Fatal(f"the gateway refuses the configuration: {refusal}", code="GatewayRejected")


def _part(endpoint: str, route: Route | None) -> Part | None:
    try:
        return Part.of(route) if route else None
    except Unroutable as error:
        raise Fatal(
            f'the route of endpoint "{endpoint}" cannot be served: {error}', code="GatewayRejected"
        ) from None
