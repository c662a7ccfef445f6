"""A `DataPlane` without a gateway: the same promises kept in memory, with faults on request.

`state` is what would survive a restart: hand it to a second FakeDataPlane to restart the control
plane. `silent` makes the gateway stop answering, `refusal` makes it refuse with that reason.
"""

from __future__ import annotations

import asyncio
import json

from verdazul.core.route import Route
from verdazul.core.trust import Trust
from verdazul.gateway.clusters import Unroutable
from verdazul.gateway.ledger import Ledger
from verdazul.gateway.snapshot import Part
from verdazul.model.errors import Fatal, Retryable

_LONGEST_SOCKET_NAME = 107


class FakeDataPlane:
    """Acknowledges at the event loop's next turn."""

    def __init__(self, state: Ledger | None = None) -> None:
        self.state = state or Ledger()
        self.silent = False
        self.refusal = ""
        self._turn = asyncio.Lock()
        self._trusted: Trust | None = None

    async def publish(self, endpoint: str, route: Route | None) -> None:
        """See ports.DataPlane."""
        async with self._turn:
            if self.state.is_settled and self.state.get(endpoint) == route:
                return
            if route:
                _check(route)
            self.state.begin({endpoint: route})
            await asyncio.sleep(0)
            self._answer()
            self.state.settle({endpoint: route})

    def published(self, endpoint: str) -> Route | None:
        """See ports.DataPlane."""
        return self.state.get(endpoint)

    def endpoints(self) -> frozenset[str]:
        """See ports.DataPlane."""
        return frozenset(self.state.acknowledged())

    def routed(self, endpoint: str) -> frozenset[str]:
        """See ports.DataPlane."""
        return self.state.routed(endpoint)

    async def trust(self, trust: Trust) -> None:
        """See ports.DataPlane."""
        async with self._turn:
            await asyncio.sleep(0)
            for signer in (*([trust.own] if trust.own else []), *trust.providers):
                if not json.loads(signer.keys)["keys"]:
                    raise Fatal(f"{signer.issuer} has no key", code="GatewayRejected")
            self._answer()
            self._trusted = trust

    def trusted(self) -> Trust | None:
        """See ports.DataPlane."""
        return self._trusted

    def _answer(self) -> None:
        if self.silent:
            raise Retryable("the gateway has not acknowledged", code="GatewayNotAnswering")
        if self.refusal:
            self.state.restore()
            raise Fatal(
                f"the gateway refuses the configuration: {self.refusal}", code="GatewayRejected"
            )


def _check(route: Route) -> None:
    try:
        Part.of(route)
    except Unroutable as error:
        raise Fatal(f"the route cannot be served: {error}", code="GatewayRejected") from None
    for deployment in route.deployments:
        for backend in deployment.backends:
            if len(backend.address.removeprefix("unix:")) > _LONGEST_SOCKET_NAME:
                raise Fatal(
                    f"the gateway refuses the socket name {backend.address}: it is longer than"
                    f" {_LONGEST_SOCKET_NAME} characters",
                    code="GatewayRejected",
                )
