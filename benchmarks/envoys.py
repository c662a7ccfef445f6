"""Envoys as people write them by hand, for `gateway_overhead.py`. Not a benchmark itself.

The shortest forwards and does nothing else. The other has the duties that ours has, each in the
plainest filter that Envoy offers for it: TLS, a key (in clear in its file, which ours never has), a
split and a header that pins a deployment, limits of requests a second, pending requests, sizes,
bandwidth and time, errors in JSON, and the same row in its access log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from verdazul.gateway.access_log import COLUMNS

Json = dict[str, Any]

BASE = "/api/v1/endpoint/overhead/"
OUT_OF_REACH = 1_000_000
_LARGEST = 1_572_864
_TYPE = "type.googleapis.com/envoy.extensions."
_HTTP = _TYPE + "filters.http."


def shortest(socket: Path, pair: tuple[Path, Path], port: int) -> Json:
    """TLS, and every request to the instance."""
    everything = {"match": {"prefix": "/"}, "route": {"cluster": "blue"}}
    hosts = [{"name": "all", "domains": ["*"], "routes": [everything]}]
    manager = {"http_filters": [_router()], "route_config": {"virtual_hosts": hosts}}
    return _config(manager, [_cluster("blue", socket)], pair, port)


def same_duties(socket: Path, pair: tuple[Path, Path], port: int, *, key: str) -> Json:
    """What ours does for an endpoint with a key, but ids, mirrors, pauses and its 424."""
    manager = {
        "http_filters": [
            _filter("api_key_auth", "v3.ApiKeyAuth", _key(key)),
            _filter("local_ratelimit", "v3.LocalRateLimit", _rate()),
            _filter("body_size_limit", "v3.BodySizeLimit", {"max_request_bytes": _LARGEST}),
            _filter("bandwidth_limit", "v3.BandwidthLimit", _bandwidth()),
            _router(),
        ],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": _routes()}]},
        "local_reply_config": {"mappers": [_error("UO", 429), _error("UT", 408)]},
        "access_log": [_log()],
    }
    clusters = [_cluster(name, socket) | _bounded() for name in ("blue", "green")]
    return _config(manager, clusters, pair, port)


def _key(key: str) -> Json:
    return {
        "credentials": [{"key": key, "client": "caller"}],
        "key_sources": [{"header": "authorization"}],
        "forwarding": {"hide_credentials": True},
    }


def _rate() -> Json:
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    bucket = dict.fromkeys(("max_tokens", "tokens_per_fill"), OUT_OF_REACH)
    return {
        "stat_prefix": "requests",
        "token_bucket": {**bucket, "fill_interval": "1s"},
        "filter_enabled": always,
        "filter_enforced": always,
    }


def _bandwidth() -> Json:
    return {
        "stat_prefix": "bandwidth",
        "enable_mode": "REQUEST_AND_RESPONSE",
        "limit_kbps": 10 * OUT_OF_REACH,
        "enable_response_trailers": True,
    }


def _routes() -> list[Json]:
    common = {"prefix_rewrite": "/", "timeout": "5s", "retry_policy": _retries()}
    pin = {"name": "azureml-model-deployment", "string_match": {"exact": "green"}}
    weights = [{"name": "blue", "weight": 90}, {"name": "green", "weight": 10}]
    return [
        {"match": {"prefix": BASE, "headers": [pin]}, "route": {"cluster": "green", **common}},
        {
            "match": {"prefix": BASE},
            "route": {"weighted_clusters": {"clusters": weights}, **common},
        },
    ]


def _retries() -> Json:
    return {"retry_on": "connect-failure,refused-stream,reset-before-request", "num_retries": 2}


def _error(flag: str, status: int) -> Json:
    return {
        "filter": {"response_flag_filter": {"flags": [flag]}},
        "status_code": status,
        "body_format_override": {"json_format": {"error": {"code": flag, "message": flag}}},
    }


def _log() -> Json:
    kind = _TYPE + "access_loggers.stream.v3.StdoutAccessLog"
    columns = COLUMNS | {"Path": "%REQ(:PATH)%"}
    typed = {"@type": kind, "log_format": {"json_format": columns}}
    return {"name": "envoy.access_loggers.stdout", "typed_config": typed}


def _bounded() -> Json:
    return {
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {"thresholds": [{"max_requests": 128, "max_pending_requests": 128}]},
    }


def _config(manager: Json, clusters: list[Json], pair: tuple[Path, Path], port: int) -> Json:
    name = "envoy.filters.network.http_connection_manager"
    kind = _TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager"
    typed = {"@type": kind, "stat_prefix": "plain", **manager}
    chain = {"transport_socket": _tls(pair), "filters": [{"name": name, "typed_config": typed}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    listener = {"address": address, "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def _tls(pair: tuple[Path, Path]) -> Json:
    chain, key = ({"filename": str(path)} for path in pair)
    context = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificates": [{"certificate_chain": chain, "private_key": key}],
    }
    kind = _TYPE + "transport_sockets.tls.v3.DownstreamTlsContext"
    typed = {"@type": kind, "common_tls_context": context}
    return {"name": "envoy.transport_sockets.tls", "typed_config": typed}


def _cluster(name: str, socket: Path) -> Json:
    hosts = [{"endpoint": {"address": {"pipe": {"path": str(socket)}}}}]
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": hosts}]}
    return {"name": name, "type": "STATIC", "load_assignment": assignment}


def _router() -> Json:
    return _filter("router", "v3.Router", {})


def _filter(name: str, kind: str, config: Json) -> Json:
    typed = {"@type": f"{_HTTP}{name}.{kind}", **config}
    return {"name": f"envoy.filters.http.{name}", "typed_config": typed}
