"""Which gates the activator keeps: pure functions from routes to its file.

A paused endpoint's deployments have a gate each, closed; Envoy leads their requests to its socket.
After the pause a gate stays, open, until the last that waited has gone through; by then Envoy leads
requests to the instances again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from verdazul.core.route import DeploymentRoute, Hold, Route
from verdazul.gateway.clusters import Json, cluster_name, socket_of

HELD_HEADER = "x-verdazul-held"


def gates(routes: Iterable[Route], before: Mapping[str, Json]) -> dict[str, Json]:
    """Every gate by name that there must be, given those that there were."""
    wanted: dict[str, Json] = {}
    for route in routes:
        for deployment in route.deployments:
            name = cluster_name(route.endpoint, deployment.name)
            if route.hold:
                wanted[name] = _gate(route, deployment, route.hold)
            elif name in before:
                wanted[name] = before[name] | {"is_open": True, **_led_to(deployment)}
    return wanted


def version(of: Mapping[str, Json]) -> str:
    """Equal for equal gates."""
    return hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()[:24]


def _gate(route: Route, deployment: DeploymentRoute, hold: Hold) -> Json:
    return {
        "socket": socket_of(route.endpoint, deployment.name),
        "is_open": False,
        "http2": deployment.http2,
        "hold_seconds": hold.seconds,
        "refusals": _refusals(route, deployment, hold),
        **_led_to(deployment),
    }


def _led_to(deployment: DeploymentRoute) -> Json:
    return {
        "backends": [backend.address for backend in deployment.backends],
        # half of what may be pending: what is let on is worked on at once, and never shed
        "pace": max(1, deployment.max_requests // 2),
        "answer_seconds": deployment.request_timeout_ms / 1000,
    }


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    code: str
    message: str
    reason: str = ""
    retry_after: int | None = None

    def to_json(self) -> Json:
        headers = {"content-type": "application/json", HELD_HEADER: self.code}
        if self.reason:
            headers["ms-azureml-model-error-reason"] = self.reason
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        body = {"error": {"code": self.code, "message": self.message}}
        return {"status": self.status, "headers": headers, "body": body}


def _refusals(route: Route, deployment: DeploymentRoute, hold: Hold) -> Json:
    who = f'deployment "{deployment.name}" of endpoint "{route.endpoint}"'
    paused = _Refusal(
        503,
        "EndpointPaused",
        f'endpoint "{route.endpoint}" is paused, and this request has waited for {hold.seconds} s'
        " (pause_seconds); try again later",
        retry_after=min(hold.seconds, 30),
    )
    late = _Refusal(
        504 if route.is_kubernetes else 408,
        "RequestTimeout",
        f"{who} did not answer within {deployment.request_timeout_ms} ms (request_timeout_ms)",
    )
    unready = _Refusal(
        503,
        "ModelNotReady",
        f"{who} has no instance that answers; try again later",
        "model_not_ready",
        retry_after=5,
    )
    named = {"paused": paused, "late": late, "unready": unready}
    return {name: refusal.to_json() for name, refusal in named.items()}
