"""How much may be asked of an endpoint, in Envoy's words.

    requests/s    429   one bucket an endpoint, one a deployment that has a limit of its own
    connections/s 429   one bucket an endpoint that limits them; a connection counts once
    bandwidth     slow  one bucket an endpoint, both directions; trailers tell the delay
    request size  413   counted while it passes: nothing is gathered
    response size 424   filter.lua, by the length that the answer announces
    pending       429   the cluster's circuit breaker (clusters.py)

Buckets are found by name, not by route: they are shared by all routes of an endpoint, and a change
of traffic does not refill them. Envoy has to be told a bucket's size at its start, while limits
come and go; so all buckets are of one size, and a request costs as much of it as makes the limit:

    limit 500/s  ->  each request costs 1,000,000,000 / 500 of 1,000,000,000 that return each second

A connection is new until its first request was let in: a bucket of its own, which holds one token
for good, has Envoy note in a header that a request is not the first.
"""

from __future__ import annotations

from typing import Any

from verdazul.core.route import DeploymentRoute, Route
from verdazul.gateway.headers import KNOWN_CONNECTION_HEADER, overwrite, switched_on

Json = dict[str, Any]

BUCKET = 1_000_000_000
MOST_BUCKETS = 20_000  # made when first asked for; over it, the oldest starts afresh
TRAILER_PREFIX = "ms-azureml-"
TOO_MANY_CONNECTIONS = 428  # within the gateway: tells one 429 from the other (replies.py)
_ALL, _OWN, _NEW = "endpoint_bucket", "deployment_bucket", "connection_bucket"
_ALL_RATE, _OWN_RATE = "verdazul.endpoint_rate", "verdazul.deployment_rate"
_KNOWN, _NEW_RATE = "verdazul.known_connection", "verdazul.connection_rate"
_FOR_GOOD = f"{10**9}s"
_BANDWIDTH = "envoy.filters.http.bandwidth_share"
_SIZE = "envoy.filters.http.filter_chain"
_TYPE = "type.googleapis.com/envoy.extensions.filters.http."


def filters() -> list[Json]:
    """In the order that requests pass them; each is off but where a route switches it on."""
    chain = {"@type": _TYPE + "filter_chain.v3.FilterChainConfig"}
    return [
        {"name": _ALL_RATE, "typed_config": _buckets(_ALL), "disabled": True},
        {"name": _OWN_RATE, "typed_config": _buckets(_OWN), "disabled": True},
        {"name": _KNOWN, "typed_config": _one_token_a_connection(), "disabled": True},
        {"name": _NEW_RATE, "typed_config": _of_new_connections(), "disabled": True},
        {"name": _SIZE, "typed_config": chain, "disabled": True},
        {"name": _BANDWIDTH, "typed_config": _share(), "disabled": True},
    ]


def _buckets(name: str, *conditions: Json) -> Json:
    bucket = {"max_tokens": BUCKET, "tokens_per_fill": BUCKET, "fill_interval": "1s"}
    entries = [{"key": name}, *({"key": "header_match", "value": "true"} for _ in conditions)]
    return {
        "@type": _TYPE + "local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": name,
        "filter_enabled": _share_of(100),
        "filter_enforced": _share_of(100),
        "descriptors": [{"entries": entries, "token_bucket": bucket}],
        "max_dynamic_descriptors": MOST_BUCKETS,
        "rate_limits": [_takes(name, *conditions)],
    }


def _takes(bucket: str, *conditions: Json) -> Json:
    """Out of the bucket that a route's metadata names."""
    place = {"key": "verdazul", "path": [{"key": bucket}]}
    name = {"descriptor_key": bucket, "metadata_key": place, "source": "ROUTE_ENTRY"}
    return {
        "actions": [{"metadata": name}, *conditions],
        "hits_addend": {"format": f"%METADATA(ROUTE:verdazul:{bucket}_cost)%"},
    }


def _one_token_a_connection() -> Json:
    """Refuses nothing: whoever finds no token is told to be known."""
    return {
        "@type": _TYPE + "local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "known_connection",
        "filter_enabled": _share_of(100),
        "filter_enforced": _share_of(0),
        "local_rate_limit_per_downstream_connection": True,
        "token_bucket": {"max_tokens": 1, "tokens_per_fill": 1, "fill_interval": _FOR_GOOD},
        "request_headers_to_add_when_not_enforced": [overwrite(KNOWN_CONNECTION_HEADER, "1")],
    }


def _of_new_connections() -> Json:
    is_known = {"name": KNOWN_CONNECTION_HEADER, "present_match": True}
    is_new = {"descriptor_value": "true", "expect_match": False, "headers": [is_known]}
    status = {"status": {"code": TOO_MANY_CONNECTIONS}}
    return _buckets(_NEW, {"header_value_match": is_new}) | status


def _share_of(percent: int) -> Json:
    return {"default_value": {"numerator": percent, "denominator": "HUNDRED"}}


def costs(route: Route, deployment: DeploymentRoute) -> dict[str, str]:
    """Metadata of a route: what a request takes out of which buckets."""
    endpoint = route.endpoint.lower()
    return {
        **_cost(_ALL, endpoint, route.limits.requests_per_second),
        **_cost(
            _OWN, f"{endpoint}.{deployment.name.lower()}", deployment.limits.requests_per_second
        ),
        **_cost(_NEW, endpoint, route.limits.connections_per_second),
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
    if route.limits.connections_per_second:
        made |= {_KNOWN: switched_on(), _NEW_RATE: switched_on()}
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
