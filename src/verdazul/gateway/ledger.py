"""What the gateway has acknowledged, and what it may have read besides; kept across restarts.

A route is noted as unsettled before the first file is written and struck off once the gateway's
state is known again. So `routed` never forgets an instance that may still be sent a request,
wherever the control plane dies.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from verdazul.core.limits import DeploymentLimits, Limits
from verdazul.core.route import Backend, DeploymentRoute, Hold, Mirror, Route
from verdazul.core.trust import Door, Identities, OwnTokens
from verdazul.gateway import disk
from verdazul.model.errors import Fatal

_FORMAT = "routes v1"


class Ledger:
    """Acknowledged routes by endpoint, and unsettled ones. `path` None: in memory only."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._acknowledged: dict[str, Route] = {}
        self._unsettled: list[Route] = []
        text = disk.read(path) if path else ""
        if path and text:
            self._acknowledged, self._unsettled = _parse(path, text)

    def acknowledged(self) -> dict[str, Route]:
        """A copy; changes to it change nothing here."""
        return dict(self._acknowledged)

    @property
    def is_settled(self) -> bool:
        """Whether the gateway's state is known to be what was acknowledged."""
        return not self._unsettled

    def routed(self, endpoint: str) -> frozenset[str]:
        """Instances that an acknowledged or unsettled route of the endpoint names."""
        known = self._acknowledged.get(endpoint)
        routes = [route for route in self._unsettled if route.endpoint == endpoint]
        return frozenset(
            backend.instance
            for route in [*routes, *([known] if known else [])]
            for deployment in route.deployments
            for backend in deployment.backends
        )

    def begin(self, endpoint: str, route: Route | None) -> None:
        """Note that `route` may come into force from now on (None: nothing new may)."""
        self._unsettled.append(route or Route(endpoint, (), ()))
        self._save()

    def settle(self, endpoint: str, route: Route | None) -> None:
        """The gateway acknowledged this route and all other endpoints' acknowledged ones."""
        if route:
            self._acknowledged[endpoint] = route
        else:
            self._acknowledged.pop(endpoint, None)
        self.restore()

    def restore(self) -> None:
        """The gateway serves exactly what was acknowledged."""
        self._unsettled = []
        self._save()

    def _save(self) -> None:
        if self._path is None:
            return
        body = {
            "acknowledged": {name: _plain(route) for name, route in self._acknowledged.items()},
            "unsettled": [_plain(route) for route in self._unsettled],
        }
        disk.replace(self._path, json.dumps({_FORMAT: body}), staging=self._path.parent / "new")


@lru_cache(maxsize=1000)  # most routes stay the same from one save to the next
def _plain(route: Route) -> dict[str, Any]:
    return asdict(route)


def _parse(path: Path, text: str) -> tuple[dict[str, Route], list[Route]]:
    try:
        body = json.loads(text)[_FORMAT]
        acknowledged = {name: _route(value) for name, value in body["acknowledged"].items()}
        return acknowledged, [_route(value) for value in body["unsettled"]]
    except (ValueError, KeyError, TypeError) as error:
        raise Fatal(
            f"the gateway's record of routes cannot be read: {error!r}",
            code="GatewayRecordUnreadable",
            where=str(path),
            fix="move the file away and start again; routes are then published anew",
        ) from None


def _route(value: dict[str, Any]) -> Route:
    return Route(
        value["endpoint"],
        tuple(value["key_digests"]),
        tuple(_deployment(one) for one in value["deployments"]),
        _door(value.get("door")),
        Hold(**value["hold"]) if value.get("hold") else None,
        Mirror(**value["mirror"]) if value.get("mirror") else None,
        Limits(**value.get("limits", {})),
        tuple(value.get("cors_origins", ())),
        value.get("host", ""),
    )


def _door(value: dict[str, Any] | None) -> Door | None:
    if value is None:
        return None
    if "audience" in value:
        return OwnTokens(value["audience"])
    return Identities(tuple(value["users"]), tuple(value["groups"]))


def _deployment(value: dict[str, Any]) -> DeploymentRoute:
    backends = tuple(Backend(**one) for one in value["backends"])
    limits = DeploymentLimits(**value.get("limits", {}))
    return DeploymentRoute(**{**value, "backends": backends, "limits": limits})
