"""The one public listener in Envoy's words: TLS, then HTTP, then who may pass (auth.py), then the
routes.

Every reply that Envoy makes itself is JSON here, chosen by the flag that says why it was made; the
tables below are the complete list. A model's own answers are shaped in filter.lua.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from verdazul.gateway import auth
from verdazul.gateway.access_log import traffic_log
from verdazul.gateway.resources import REASON_HEADER, ROUTES, Json
from verdazul.gateway.tls import Tls, transport
from verdazul.model.errors import UserError

STAT_PREFIX = "public"
UPSTREAM_MARK = "x-verdazul-upstream"
_TYPE = "type.googleapis.com/envoy.extensions."
_MANAGER = "envoy.filters.network.http_connection_manager"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a caller is told when one of `flags` (Envoy's response flags) says why."""

    flags: tuple[str, ...]
    status: int
    code: str
    message: str
    reason: str = ""


_WHO = (
    'deployment "%METADATA(ROUTE:verdazul:deployment)%"'
    ' of endpoint "%METADATA(ROUTE:verdazul:endpoint)%"'
)

FOR_ENDPOINTS = (
    Reply(
        ("UT", "SI"),
        408,
        "RequestTimeout",
        f"{_WHO} did not answer within %METADATA(ROUTE:verdazul:request_timeout_ms)% ms"
        " (request_timeout_ms)",
    ),
    Reply(
        ("UO",),
        429,
        "TooManyPendingRequests",
        f"{_WHO} holds as many requests as it may"
        " (%METADATA(ROUTE:verdazul:max_requests)%); try again later",
        "too_many_pending_request",
    ),
    Reply(
        ("UH", "UF", "NC"),
        503,
        "ModelNotReady",
        f"{_WHO} has no instance that answers; try again later",
        "model_not_ready",
    ),
    Reply(
        ("UC", "UR", "LR", "UPE"),
        424,
        "ModelError",
        f"an instance of {_WHO} broke off before it answered; its log says why",
        "model_error",
    ),
)

FOR_THE_CONTROL_API = (
    Reply(
        ("UH", "UF", "UC", "UR", "LR", "UPE", "NC"),
        503,
        "ControlPlaneUnavailable",
        "the control API does not answer; endpoints go on serving."
        " A change that was under way may or may not have been made",
    ),
)

CODES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    408: "RequestTimeout",
    413: "PayloadTooLarge",
    426: "UpgradeRequired",
    429: "TooManyRequests",
    431: "RequestHeaderFieldsTooLarge",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}


def listener(
    host: str, port: int, tls: Tls, *, is_shared: bool = False, is_logged: bool = True
) -> Json:
    """Envoy's Listener. One socket for all workers; `is_logged`: each request leaves a row.

    With SO_REUSEPORT a second Envoy could share the port and steal requests unnoticed; only two
    gateway processes of one home do so, and look for strangers (listening.py).
    """
    return {
        "name": STAT_PREFIX,
        "address": {"socket_address": {"address": numeric(host), "port_value": port}},
        "enable_reuse_port": is_shared,
        "filter_chains": [
            {
                **transport(tls),
                "filters": [_typed(_MANAGER, _http() | _logs(is_logged=is_logged))],
            }
        ],
    }


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
        "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "localhost"},
        "http2_protocol_options": {"allow_connect": True},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "request_id_extension": _guids(),
        "early_header_mutation_extensions": [_forget_what_only_we_say()],
        "local_reply_config": local_replies(),
        "http_filters": [*auth.filters(), _router()],
    }


def _logs(*, is_logged: bool) -> Json:
    return {"access_log": [traffic_log(_of_endpoint)]} if is_logged else {}


def _guids() -> Json:
    uuids = "request_id.uuid.v3.UuidRequestIdConfig"
    return {"typed_config": {"@type": _TYPE + uuids, "pack_trace_reason": False}}


def _forget_what_only_we_say() -> Json:
    """Drop request headers by which a caller could steer Envoy or an instance."""
    return _typed(
        "envoy.http.early_header_mutation.header_mutation",
        {
            "@type": _TYPE + "http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": [{"remove": "x-request-id"}, _remove_ours, _remove_envoys],
        },
    )


def _remove(**key: Json | str) -> Json:
    return {"remove_on_match": {"key_matcher": key}}


_remove_ours = _remove(prefix="x-verdazul-")
_remove_envoys = _remove(prefix="x-envoy-")
# All but x-envoy-expected-rq-timeout-ms, which a route sets.
_remove_all_but_the_time_left = _remove(
    safe_regex={"google_re2": {}, "regex": "x-envoy-([^e].*|e[^x].*|ex[^p].*)"}
)


def _router() -> Json:
    """Forward; and mark what truly came from upstream, in a filter only such answers pass."""
    mark = {
        "append": {
            "header": {"key": UPSTREAM_MARK, "value": "1"},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
    }
    mutation = {
        "@type": _TYPE + "filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {
            "request_mutations": [_remove_all_but_the_time_left],
            "response_mutations": [_remove_envoys, mark],
        },
    }
    codec = {"@type": _TYPE + "filters.http.upstream_codec.v3.UpstreamCodec"}
    router = {
        "@type": _TYPE + "filters.http.router.v3.Router",
        "upstream_http_filters": [
            _typed("envoy.filters.http.header_mutation", mutation),
            _typed("envoy.filters.http.upstream_codec", codec),
        ],
    }
    return _typed("envoy.filters.http.router", router)


def local_replies() -> Json:
    """Every reply of Envoy's own as `{"error": {"code", "message"}}`; the first match counts."""
    return {
        "mappers": [
            *(_mapper(reply, _and(_of_endpoint, _flags(reply))) for reply in FOR_ENDPOINTS),
            *(_mapper(reply, _flags(reply)) for reply in FOR_THE_CONTROL_API),
            *(_by_status(status, code) for status, code in CODES.items()),
        ],
        "body_format": _body("GatewayError", "%LOCAL_REPLY_BODY%"),
    }


def _mapper(reply: Reply, when: Json) -> Json:
    mapper = {
        "filter": when,
        "status_code": reply.status,
        "body_format_override": _body(reply.code, reply.message),
    }
    if reply.reason:
        header = {"key": REASON_HEADER, "value": reply.reason}
        mapper["headers_to_add"] = [
            {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        ]
    return mapper


def _by_status(status: int, code: str) -> Json:
    value = {"default_value": status, "runtime_key": f"verdazul.status.{status}"}
    return {
        "filter": {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}},
        "body_format_override": _body(code, "%LOCAL_REPLY_BODY%"),
    }


def _body(code: str, message: str) -> Json:
    return {"json_format": {"error": {"code": code, "message": message}}}


# filter.lua notes the endpoint in the stream's metadata before anything can fail.
_of_endpoint: Json = {
    "metadata_filter": {
        "matcher": {
            "filter": "verdazul",
            "path": [{"key": "endpoint"}],
            "value": {"present_match": True},
        },
        "match_if_key_not_found": False,
    }
}


def _flags(reply: Reply) -> Json:
    return {"response_flag_filter": {"flags": list(reply.flags)}}


def _and(*filters: Json) -> Json:
    return {"and_filter": {"filters": list(filters)}}


def _typed(name: str, config: Json) -> Json:
    return {"name": name, "typed_config": config}
