"""What the gateway must do for one endpoint, in our words; and the pure function that says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from verdazul.core.access import ONLY_OWNER
from verdazul.core.instance import Instance, Phase
from verdazul.core.limits import (
    NO_LIMITS,
    NO_OWN_LIMITS,
    DeploymentLimits,
    Limits,
    deployment_limits,
    limits_of,
)
from verdazul.core.records import DeploymentRecord, EndpointRecord
from verdazul.core.trust import Door, Identities, OwnTokens, audience_of
from verdazul.model.endpoint import AuthMode
from verdazul.model.names import endpoint_host, same_name
from verdazul.model.properties import CORS_ALLOW_ORIGINS, HTTP2, UPSTREAM_PROTOCOL


@dataclass(frozen=True, slots=True)
class Backend:
    """One instance that takes requests, at `unix:<path relative to home>` or `host:port`."""

    instance: str
    address: str


@dataclass(frozen=True, slots=True)
class DeploymentRoute:
    """One deployment behind an endpoint; `weight` in percent, 0 when only a header reaches it.

    `max_requests` is Azure's `2 * max_concurrent_requests_per_instance * instances`: one more in
    parallel is refused (too_many_pending_request). Zero backends are answered 503
    (model_not_ready).
    """

    name: str
    weight: int
    request_timeout_ms: int
    max_queue_wait_ms: int
    max_requests: int
    backends: tuple[Backend, ...]
    limits: DeploymentLimits = NO_OWN_LIMITS
    http2: bool = False


@dataclass(frozen=True, slots=True)
class Mirror:
    """Of `percent` of the unaddressed requests, `deployment` gets a copy whose answer is dropped.

    Whatever happens to the copy, its caller is neither slowed nor failed by it.
    """

    deployment: str
    percent: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Requests wait: each at most `seconds`, at most `most` for each deployment."""

    seconds: int
    most: int


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. Weights sum to 100, or to 0: then unaddressed requests are answered 404.

    `key_digests` are lower-case hex SHA-256 digests of the keys that open it; the keys themselves
    never reach the gateway's configuration. With a `door`, tokens open it instead, and no key does.
    With a `hold`, what was let in waits in front of the instances. `is_kubernetes`: what goes wrong
    has the status that Azure's Kubernetes endpoints give it.
    """

    endpoint: str
    key_digests: tuple[str, ...]
    deployments: tuple[DeploymentRoute, ...]
    door: Door | None = None
    hold: Hold | None = None
    mirror: Mirror | None = None
    limits: Limits = NO_LIMITS
    cors_origins: tuple[str, ...] = ()
    host: str = ""
    is_kubernetes: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the server says for all endpoints: limits of those that set none, and its domain."""

    limits: Limits = NO_LIMITS
    location: str = ""
    domain: str = ""


ALONE = Surroundings()


def route(
    endpoint: EndpointRecord,
    deployments: Iterable[DeploymentRecord],
    instances: Iterable[Instance],
    callers: Identities = ONLY_OWNER,
    *,
    hold: Hold | None = None,
    around: Surroundings = ALONE,
) -> Route | None:
    """The route these declare and these instances allow; None for an endpoint that is going.

    `callers` may call it by their role (`auth_mode: aad_token`); `hold` is how requests wait while
    it is paused.

    Only READY instances are routed to, whatever their revision: old ones serve until they drain.
    """
    if endpoint.deleting:
        return None
    seen = tuple(instances)
    ordered = sorted((d for d in deployments if not d.deleting), key=lambda d: d.name)
    door = _door(endpoint, callers)
    limits = limits_of(endpoint, around.limits)
    return Route(
        endpoint.name,
        () if door else endpoint.key_digests,
        tuple(_deployment_route(endpoint, deployment, seen, limits) for deployment in ordered),
        door,
        hold if endpoint.is_paused else None,
        _mirror(endpoint, ordered),
        limits,
        tuple(endpoint.spec.properties.get(CORS_ALLOW_ORIGINS, "").split()),
        endpoint_host(endpoint.name, around.location, around.domain),
        is_kubernetes=endpoint.spec.compute is not None,
    )


def _door(endpoint: EndpointRecord, callers: Identities) -> Door | None:
    mode = endpoint.spec.auth_mode
    if mode is AuthMode.KEY:
        return None
    if mode is AuthMode.AML_TOKEN:
        return OwnTokens(audience_of(endpoint.uid))
    return callers


def _mirror(endpoint: EndpointRecord, deployments: Iterable[DeploymentRecord]) -> Mirror | None:
    """Nothing is copied to a deployment that is not there (any more), or that is live."""
    for deployment in deployments:
        percent = mirrored_to(endpoint, deployment.name)
        if percent and not weight_of(endpoint, deployment.name):
            return Mirror(deployment.name, percent)
    return None


def _deployment_route(
    endpoint: EndpointRecord,
    deployment: DeploymentRecord,
    instances: tuple[Instance, ...],
    owners: Limits,
) -> DeploymentRoute:
    limits = deployment.spec.request_settings
    return DeploymentRoute(
        name=deployment.name,
        weight=weight_of(endpoint, deployment.name),
        request_timeout_ms=limits.request_timeout_ms,
        max_queue_wait_ms=limits.max_queue_wait_ms,
        max_requests=2
        * limits.max_concurrent_requests_per_instance
        * deployment.spec.instance_count,
        backends=tuple(
            Backend(str(i.id), i.address)
            for i in sorted(instances, key=lambda i: i.id)
            if i.phase is Phase.READY and same_name(i.id.deployment, deployment.name)
        ),
        limits=deployment_limits(deployment, owners),
        http2=deployment.spec.properties.get(UPSTREAM_PROTOCOL) == HTTP2,
    )


def weight_of(endpoint: EndpointRecord, deployment: str) -> int:
    """Percent of unaddressed requests; a deployment that traffic does not name gets none."""
    return _percent_of(endpoint.spec.traffic, deployment)


def mirrored_to(endpoint: EndpointRecord, deployment: str) -> int:
    """Percent of unaddressed requests that this deployment gets a copy of."""
    return _percent_of(endpoint.spec.mirror_traffic, deployment)


def _percent_of(split: Mapping[str, int], deployment: str) -> int:
    return next((share for name, share in split.items() if same_name(name, deployment)), 0)
