"""Clusters, in Envoy's words: where the requests to one deployment go, and how many at a time.

A deployment is one cluster, whatever routes lead to it (resources.py). While it is paused, that is
the activator which holds its requests.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from verdazul.core.route import Backend, DeploymentRoute, Hold, Route
from verdazul.gateway import balancing
from verdazul.model.names import same_name

Json = dict[str, Any]

CONTROL_CLUSTER = "control-api"
UNLIMITED = 1_000_000
# Copies wait here, and not their callers, until a target that is slow has read them.
WHOLE_BODY = 2**32 - 1
_HELD = ".held"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_TYPE = "type.googleapis.com/"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class Unroutable(ValueError):
    """A Route that breaks its own promises; the message says which and how."""


def cluster_name(endpoint: str, deployment: str) -> str:
    """`credit.blue`; lower-case, as names are equal in any case."""
    return f"{endpoint}.{deployment}".lower()


def cluster_of(route: Route, deployment: str) -> str:
    """Where requests go now. A gate has a name of its own: routes and times change together."""
    name = cluster_name(route.endpoint, deployment)
    return name + _HELD if route.hold else name


def socket_of(endpoint: str, deployment: str) -> str:
    """Where the gate of a paused deployment listens, below the home; short for any name."""
    name = cluster_name(endpoint, deployment)
    return f"run/hold/{hashlib.sha256(name.encode()).hexdigest()[:16]}.sock"


def check(route: Route) -> None:
    """Raise Unroutable where Envoy would accept what makes no sense."""
    names = [deployment.name.lower() for deployment in route.deployments]
    for name in (route.endpoint, *names):
        if not _NAME.fullmatch(name):
            raise Unroutable(f"{name!r} is not a name of letters, digits, - and _")
    if len(set(names)) != len(names):
        raise Unroutable(f'endpoint "{route.endpoint}" has two deployments of one name: {names}')
    total = sum(deployment.weight for deployment in route.deployments)
    if total not in (0, 100) or any(deployment.weight < 0 for deployment in route.deployments):
        raise Unroutable(f'weights of endpoint "{route.endpoint}" sum to {total}, not 0 or 100')
    if route.mirror and route.mirror.deployment.lower() not in names:
        raise Unroutable(
            f'endpoint "{route.endpoint}" mirrors to "{route.mirror.deployment}", which it lacks'
        )


def clusters(routes: Iterable[Route]) -> dict[str, Json]:
    """Every deployment's cluster by name, and its gate's while it is paused.

    The deployment's own stays: a request whose body still comes was led there before the pause.
    """
    made: dict[str, Json] = {}
    for route in sorted(routes, key=lambda route: route.endpoint.lower()):
        for deployment in route.deployments:
            name = cluster_name(route.endpoint, deployment.name)
            made[name] = deployment_cluster(route, deployment)
            if route.hold:
                made[name + _HELD] = gate_cluster(route, deployment, route.hold)
    return made


def gates_left(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Clusters of gates that are no more wanted, but may have been chosen for a request before."""
    return {
        name: cluster
        for name, cluster in old.items()
        if name.endswith(_HELD) and name not in new and name.removesuffix(_HELD) in new
    }


def gate_cluster(route: Route, deployment: DeploymentRoute, hold: Hold) -> Json:
    """Where the requests of a paused deployment wait, each on a connection of its own."""
    name = cluster_of(route, deployment.name)
    gate = Backend("held", f"unix:{socket_of(route.endpoint, deployment.name)}")
    options = protocol_of(deployment)
    options["common_http_protocol_options"]["max_requests_per_connection"] = 1
    return {
        "@type": _TYPE + "envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "circuit_breakers": {"thresholds": [thresholds(hold.most)]},
        "typed_extension_protocol_options": {_HTTP_OPTIONS: options},
        "load_assignment": load_assignment(name, (gate,)),
    }


def deployment_cluster(route: Route, deployment: DeploymentRoute) -> Json:
    """The instances of one deployment and how many requests they may hold together.

    Backends stand in the cluster itself: by file, each EDS cluster would cost Envoy an inotify
    instance, of which Linux grants a user 128, and Envoy aborts at the next one.
    """
    name = cluster_name(route.endpoint, deployment.name)
    is_mirror = route.mirror is not None and same_name(route.mirror.deployment, deployment.name)
    return {
        "@type": _TYPE + "envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        **balancing.least_loaded(),
        "circuit_breakers": {"thresholds": [thresholds(deployment.max_requests)]},
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: protocol_of(deployment) | balancing.no_answer_is_an_error()
        },
        "load_assignment": load_assignment(name, deployment.backends),
        **({"per_connection_buffer_limit_bytes": WHOLE_BODY} if is_mirror else {}),
    }


def control_cluster(address: str) -> Json:
    """The control API, which takes what no endpoint takes."""
    return {
        "name": CONTROL_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "2s",
        "circuit_breakers": {"thresholds": [thresholds(UNLIMITED)]},
        "typed_extension_protocol_options": {_HTTP_OPTIONS: http1(idle_timeout="3s")},
        "load_assignment": load_assignment(CONTROL_CLUSTER, (Backend("control", address),)),
    }


def thresholds(max_requests: int) -> Json:
    """Only `max_requests` may bind: connection counts are not exact over several workers."""
    unlimited = ("max_connections", "max_pending_requests", "max_retries")
    return {**dict.fromkeys(unlimited, UNLIMITED), "max_requests": max_requests}


def protocol_of(deployment: DeploymentRoute) -> Json:
    """What the instances speak; a gate passes bytes on, so it is led to in the same words."""
    return http2() if deployment.http2 else http1(idle_timeout="30s")


def http1(*, idle_timeout: str) -> Json:
    """HTTP/1.1 to upstream; idle connections are closed here before the other side does."""
    return {
        "@type": _TYPE + _HTTP_OPTIONS,
        "common_http_protocol_options": {"idle_timeout": idle_timeout},
        "explicit_http_config": {"http_protocol_options": {}},
    }


def http2() -> Json:
    """HTTP/2 without TLS to upstream, known beforehand: what gRPC servers speak."""
    return {
        "@type": _TYPE + _HTTP_OPTIONS,
        "common_http_protocol_options": {"idle_timeout": "30s"},
        "explicit_http_config": {"http2_protocol_options": {}},
    }


def load_assignment(name: str, backends: Iterable[Backend]) -> Json:
    """Where the requests of one cluster go."""
    hosts = [{"endpoint": {"address": address(backend.address)}} for backend in backends]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": hosts}] if hosts else []}


def address(text: str) -> Json:
    """`unix:<path relative to home>` or `ip:port` (`[ip]:port`) as Envoy's Address."""
    if text.startswith("unix:"):
        return {"pipe": {"path": text.removeprefix("unix:")}}
    host, _, port = text.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        ipaddress.ip_address(host)
        return {"socket_address": {"address": host, "port_value": int(port)}}
    except ValueError:
        raise Unroutable(
            f'backend address "{text}" is neither unix:<path> nor <ip>:<port>'
        ) from None
