"""How much may be asked of an endpoint, in Envoy's words.

    requests/s    429   one bucket an endpoint, one a deployment that has a limit of its own
    bandwidth     slow  one bucket an endpoint, both directions; trailers tell the delay
    request size  413   counted while it passes: nothing is gathered
    response size 424   filter.lua, by the length that the answer announces
    pending       429   the cluster's circuit breaker (clusters.py)

Buckets are found by name, not by route: they are shared by all routes of an endpoint, and a change
of traffic does not refill them. Envoy has to be told a bucket's size at its start, while limits
come and go; so all buckets are of one size, and a request costs as much of it as makes the limit:

    limit 500/s  ->  each request costs 1,000,000,000 / 500 of 1,000,000,000 that return each second
"""

from __future__ import annotations

from typing import Any

from verdazul.core.route import DeploymentRoute, Route
from verdazul.gateway.headers import switched_on

Json = dict[str, Any]

BUCKET = 1_000_000_000
MOST_BUCKETS = 2000  # of 100 endpoints with 20 deployments each; over it, the oldest starts afresh
TRAILER_PREFIX = "ms-azureml-"
_ALL, _OWN = "endpoint_bucket", "deployment_bucket"
_ALL_RATE, _OWN_RATE = "verdazul.endpoint_rate", "verdazul.deployment_rate"
_BANDWIDTH = "envoy.filters.http.bandwidth_share"
_SIZE = "envoy.filters.http.filter_chain"
_TYPE = "type.googleapis.com/envoy.extensions.filters.http."


def filters() -> list[Json]:
    """In the order that requests pass them; each is off but where a route switches it on."""
    chain = {"@type": _TYPE + "filter_chain.v3.FilterChainConfig"}
    return [
        {"name": _ALL_RATE, "typed_config": _buckets(_ALL), "disabled": True},
        {"name": _OWN_RATE, "typed_config": _buckets(_OWN), "disabled": True},
        {"name": _SIZE, "typed_config": chain, "disabled": True},
        {"name": _BANDWIDTH, "typed_config": _share(), "disabled": True},
    ]


def _buckets(name: str) -> Json:
    bucket = {"max_tokens": BUCKET, "tokens_per_fill": BUCKET, "fill_interval": "1s"}
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return {
        "@type": _TYPE + "local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": name,
        "filter_enabled": always,
        "filter_enforced": always,
        "descriptors": [{"entries": [{"key": name}], "token_bucket": bucket}],
        "max_dynamic_descriptors": MOST_BUCKETS,
        "rate_limits": [_takes(name)],
    }


def _takes(bucket: str) -> Json:
    """Out of the bucket that a route's metadata names."""
    place = {"key": "verdazul", "path": [{"key": bucket}]}
    name = {"descriptor_key": bucket, "metadata_key": place, "source": "ROUTE_ENTRY"}
    return {
        "actions": [{"metadata": name}],
        "hits_addend": {"format": f"%METADATA(ROUTE:verdazul:{bucket}_cost)%"},
    }


def costs(route: Route, deployment: DeploymentRoute) -> dict[str, str]:
    """Metadata of a route: what a request takes out of which buckets."""
    endpoint = route.endpoint.lower()
    return {
        **_cost(_ALL, endpoint, route.limits.requests_per_second),
        **_cost(
            _OWN, f"{endpoint}.{deployment.name.lower()}", deployment.limits.requests_per_second
        ),
    }


def _cost(bucket: str, name: str, per_second: int) -> dict[str, str]:
    return {bucket: name, f"{bucket}_cost": str(BUCKET // per_second)} if per_second else {}


def rates_text(route: Route, deployment: DeploymentRoute) -> str:
    """The limits as the refused are told them."""
    own = deployment.limits.requests_per_second
    told = f"{route.limits.requests_per_second or 'any number of'} for all its deployments"
    return f"{told}, {own} for this one" if own else told


def per_route(route: Route, deployment: DeploymentRoute) -> Json:
    """On every route to this deployment."""
    made = {}
    if route.limits.requests_per_second:
        made[_ALL_RATE] = switched_on()
    if deployment.limits.requests_per_second:
        made[_OWN_RATE] = switched_on()
    if route.limits.bandwidth_kib_per_second:
        made[_BANDWIDTH] = _share(_bandwidth(route))
    if deployment.limits.max_request_bytes:
        made[_SIZE] = _at_most(deployment.limits.max_request_bytes)
    return made


def _bandwidth(route: Route) -> Json:
    """Copies count, too: they take their share off what is left for the callers.

    A bucket's name holds its size: Envoy has one size for each name.
    """
    copied = route.mirror.percent if route.mirror else 0
    rest = max(1, route.limits.bandwidth_kib_per_second * 100 // (100 + copied))
    return {"bucket_id": f"{route.endpoint.lower()} {rest}", "kbps": {"default_value": rest}}


def _share(limit: Json | None = None) -> Json:
    return {
        "@type": _TYPE + "bandwidth_share.v3.BandwidthShare",
        **({"request_limit": limit, "response_limit": limit} if limit else {}),
        "enable_response_trailers": True,
        "response_trailer_prefix": TRAILER_PREFIX,
    }


def _at_most(size: int) -> Json:
    limit = {"@type": _TYPE + "body_size_limit.v3.BodySizeLimit", "max_request_bytes": size}
    chain = {"filters": [{"name": "envoy.filters.http.body_size_limit", "typed_config": limit}]}
    return {"@type": _TYPE + "filter_chain.v3.FilterChainConfigPerRoute", "filter_chain": chain}
