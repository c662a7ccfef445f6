"""What the gateway must do for one endpoint, in our words; and the pure function that says so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backend:
    """One instance that takes requests, at `unix:<path relative to home>` or `host:port`."""

    instance: str
    address: str


@dataclass(frozen=True, slots=True)
class DeploymentRoute:
    """One deployment behind an endpoint; `weight` in percent, 0 when only a header reaches it.

    `max_requests` is Azure's `2 * max_concurrent_requests_per_instance * instances`: one more in
    parallel is answered 429 (too_many_pending_request). Zero backends are answered 503
    (model_not_ready).
    """

    name: str
    weight: int
    request_timeout_ms: int
    max_queue_wait_ms: int
    max_requests: int
    backends: tuple[Backend, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. Weights sum to 100, or to 0: then unaddressed requests are answered 404.

    `key_digests` are lower-case hex SHA-256 digests of the keys that open it; the keys themselves
    never reach the gateway's configuration.
    """

    endpoint: str
    key_digests: tuple[str, ...]
    deployments: tuple[DeploymentRoute, ...]
