"""How much may be asked of an endpoint: what its deployment says, else itself, else the server.

0 means "no limit" everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from verdazul.core.records import DeploymentRecord, EndpointRecord
from verdazul.model import properties


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one endpoint, all its deployments together; `max_*_bytes` hold for each request."""

    requests_per_second: int = 0
    bandwidth_kib_per_second: int = 0
    max_request_bytes: int = 0
    max_response_bytes: int = 0
    connections_per_second: int = 0


@dataclass(frozen=True, slots=True)
class DeploymentLimits:
    """Of one deployment; what it does not say is the endpoint's."""

    requests_per_second: int = 0
    max_request_bytes: int = 0
    max_response_bytes: int = 0


NO_LIMITS = Limits()
NO_OWN_LIMITS = DeploymentLimits()


def limits_of(endpoint: EndpointRecord, defaults: Limits) -> Limits:
    """What holds for the whole endpoint."""

    def value(name: str, default: int) -> int:
        found = properties.count(endpoint.spec.properties, name)
        return default if found is None else found

    return Limits(
        value(properties.REQUESTS_PER_SECOND, defaults.requests_per_second),
        value(properties.BANDWIDTH, defaults.bandwidth_kib_per_second),
        value(properties.MAX_REQUEST_BYTES, defaults.max_request_bytes),
        value(properties.MAX_RESPONSE_BYTES, defaults.max_response_bytes),
        value(properties.CONNECTIONS_PER_SECOND, defaults.connections_per_second),
    )


def deployment_limits(deployment: DeploymentRecord, owners: Limits) -> DeploymentLimits:
    """What holds for one deployment, given the limits of its endpoint."""

    def value(name: str, default: int) -> int:
        found = properties.count(deployment.spec.properties, name)
        return default if found is None else found

    return DeploymentLimits(
        value(properties.REQUESTS_PER_SECOND, 0),
        value(properties.MAX_REQUEST_BYTES, owners.max_request_bytes),
        value(properties.MAX_RESPONSE_BYTES, owners.max_response_bytes),
    )
