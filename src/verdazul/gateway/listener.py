"""The one public listener in Envoy's words: TLS, then HTTP, then who may pass (auth.py), then the
routes.

What Envoy answers itself is in replies.py, what becomes of headers in headers.py.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from verdazul.gateway import access_log, answers, auth, cors, headers, limits
from verdazul.gateway.replies import OF_AN_ENDPOINT, local_replies
from verdazul.gateway.resources import ROUTES, Json
from verdazul.gateway.tls import Tls, transport
from verdazul.model.errors import UserError

STAT_PREFIX = "public"
_TYPE = "type.googleapis.com/envoy.extensions."
_MANAGER = "envoy.filters.network.http_connection_manager"


@dataclass(frozen=True, slots=True)
class Connections:
    """How many callers may open, for all endpoints and the control API together; 0: no limit.

    One too many is closed before TLS: who it is for is not known by then.
    """

    at_once: int = 8000
    per_second: int = 0


CONNECTIONS = Connections()


def listener(
    host: str,
    port: int,
    tls: Tls,
    connections: Connections,
    *,
    is_shared: bool = False,
    is_logged: bool = True,
) -> Json:
    """Envoy's Listener. One socket for all workers; `is_logged`: each request leaves a row.

    With SO_REUSEPORT a second Envoy could share the port and steal requests unnoticed; only two
    gateway processes of one home do so, and look for strangers (listening.py).
    """
    return {
        "name": STAT_PREFIX,
        "address": {"socket_address": {"address": numeric(host), "port_value": port}},
        "enable_reuse_port": is_shared,
        "listener_filters": _rate(connections.per_second) if connections.per_second else [],
        "filter_chains": [
            {
                **transport(tls),
                "filters": [_typed(_MANAGER, _http() | _logs(is_logged=is_logged))],
            }
        ],
    }


def _rate(per_second: int) -> list[Json]:
    bucket = {"max_tokens": per_second, "tokens_per_fill": per_second, "fill_interval": "1s"}
    config = {
        "@type": _TYPE + "filters.listener.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "connections",
        "token_bucket": bucket,
    }
    return [_typed("envoy.filters.listener.local_ratelimit", config)]


def numeric(host: str) -> str:
    """The address to bind. Raises UserError (InvalidSetting) for a name that is not of here."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        raise UserError(
            f'host "{host}" is neither an address nor a name that this machine resolves',
            code="InvalidSetting",
            fix="use 127.0.0.1 for this machine only, 0.0.0.0 for all its addresses",
        ) from None
    # localhost gives ::1 first on many machines; clients that try IPv4 only must get in.
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return str(found[0][4][0])


def _http() -> Json:
    source = {"path": "gateway/rds/rds.json", "watched_directory": {"path": "gateway/rds"}}
    config = {"resource_api_version": "V3", "path_config_source": source}
    return {
        "@type": _TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": STAT_PREFIX,
        "rds": {"route_config_name": ROUTES, "config_source": config},
        "server_name": "verdazul",
        "use_remote_address": True,
        "normalize_path": True,
        "request_headers_timeout": "30s",
        "stream_idle_timeout": "900s",
        # ApacheBench and proxies with old defaults still speak 1.0.
        # Trailers tell how long bandwidth held a request up.
        "http_protocol_options": {
            "accept_http_10": True,
            "default_host_for_http_10": "localhost",
            "enable_trailers": True,
        },
        "http2_protocol_options": {"allow_connect": True},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "request_id_extension": _guids(),
        "early_header_mutation_extensions": [headers.on_entry()],
        "local_reply_config": local_replies(),
        "http_filters": [
            *cors.filters(),
            headers.path_is_noted(),
            *auth.filters(),
            *limits.filters(),
            _router(),
        ],
    }


def _logs(*, is_logged: bool) -> Json:
    return {"access_log": [access_log.traffic_log(OF_AN_ENDPOINT)]} if is_logged else {}


def _guids() -> Json:
    uuids = "request_id.uuid.v3.UuidRequestIdConfig"
    return {"typed_config": {"@type": _TYPE + uuids, "pack_trace_reason": False}}


def _router() -> Json:
    """Forward. Answers pass its filters from the last to the first; only they do.

    The router itself adds no headers, and counts nothing that nobody reads.
    """
    codec = {"@type": _TYPE + "filters.http.upstream_codec.v3.UpstreamCodec"}
    router = {
        "@type": _TYPE + "filters.http.router.v3.Router",
        "suppress_envoy_headers": True,
        "dynamic_stats": False,
        "upstream_http_filters": [
            headers.from_instance(),
            *answers.filters(),
            _typed("envoy.filters.http.upstream_codec", codec),
        ],
    }
    return _typed("envoy.filters.http.router", router)


def _typed(name: str, config: Json) -> Json:
    return {"name": name, "typed_config": config}
