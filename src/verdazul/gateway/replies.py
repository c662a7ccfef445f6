"""Replies that Envoy makes itself, as JSON: status, code, words and reason header of each.

The tables are the complete list; the first that fits counts. What a model answers is shaped in
answers.lua.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from verdazul.gateway.headers import KUBERNETES_HEADER, PATH_HEADER, REASON_HEADER, overwrite
from verdazul.gateway.limits import TOO_MANY_CONNECTIONS

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a caller is told when one of `flags` (Envoy's response flags) says why.

    Without flags, the status that Envoy chose says it: `chosen`, else `status` itself, `unless`
    filter.lua has noted another cause. On Kubernetes endpoints it is `on_kubernetes` where that is
    another (with flags only: before, the kind is not noted yet). gRPC callers are told a
    `grpc_status`; where none is given, Envoy derives one from the HTTP status, and knows few.
    """

    flags: tuple[str, ...]
    status: int
    code: str
    message: str
    reason: str = ""
    unless: str = ""
    chosen: int = 0
    grpc_status: int = 0
    on_kubernetes: int = 0


_DEADLINE_EXCEEDED, _RESOURCE_EXHAUSTED = 4, 8  # of gRPC
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
        grpc_status=_DEADLINE_EXCEEDED,
        on_kubernetes=504,
    ),
    Reply(
        ("UO",),
        429,
        "TooManyPendingRequests",
        f"{_WHO} holds as many requests as it may"
        " (%METADATA(ROUTE:verdazul:max_requests)%); try again later",
        "too_many_pending_request",
        on_kubernetes=503,
    ),
    Reply(
        (),
        429,
        "TooManyRequests",
        'endpoint "%METADATA(ROUTE:verdazul:endpoint)%" is asked too often: it takes'
        " %METADATA(ROUTE:verdazul:requests_per_second)% requests a second; try again later",
        "rate_limited",
        unless="locked_out",
    ),
    Reply(
        (),
        429,
        "TooManyConnections",
        'endpoint "%METADATA(ROUTE:verdazul:endpoint)%" is connected to too often: it takes'
        " %METADATA(ROUTE:verdazul:connections_per_second)% new connections a second"
        " (verdazul.connections_per_second); keep connections open, or try again later",
        "rate_limited",
        chosen=TOO_MANY_CONNECTIONS,
    ),
    Reply(
        (),
        413,
        "PayloadTooLarge",
        f"{_WHO} takes requests of at most"
        " %METADATA(ROUTE:verdazul:max_request_bytes)% bytes (max_request_bytes)",
        grpc_status=_RESOURCE_EXHAUSTED,
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
        on_kubernetes=502,
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


def local_replies() -> Json:
    """Every reply of Envoy's own as `{"error": {"code", "message"}}`; the first match counts."""
    return {
        "mappers": [
            *(mapper for reply in FOR_ENDPOINTS for mapper in _of_endpoints(reply)),
            *(_mapper(reply, _cause(reply)) for reply in FOR_THE_CONTROL_API),
            *(_by_status(status, code) for status, code in CODES.items()),
        ],
        "body_format": _body("GatewayError", "%LOCAL_REPLY_BODY%"),
    }


def _of_endpoints(reply: Reply) -> list[Json]:
    of_all = _mappers(reply, OF_AN_ENDPOINT)
    if not reply.on_kubernetes:
        return of_all
    return [*_mappers(replace(reply, status=reply.on_kubernetes), _OF_KUBERNETES), *of_all]


def _mappers(reply: Reply, which: Json) -> list[Json]:
    plain = _mapper(reply, _and(which, _cause(reply)))
    if not reply.grpc_status:
        return [plain]
    grpc = _mapper(reply, _and(which, _BY_GRPC, _cause(reply)))
    status = overwrite("grpc-status", str(reply.grpc_status))
    return [grpc | {"headers_to_add": [*grpc.get("headers_to_add", []), status]}, plain]


def _mapper(reply: Reply, when: Json) -> Json:
    mapper = {
        "filter": when,
        "status_code": reply.status,
        "body_format_override": _body(reply.code, reply.message),
    }
    if reply.reason:
        mapper["headers_to_add"] = [overwrite(REASON_HEADER, reply.reason)]
    return mapper


def _by_status(status: int, code: str) -> Json:
    return {
        "filter": _status(status),
        "body_format_override": _body(code, "%LOCAL_REPLY_BODY%"),
    }


def _body(code: str, message: str) -> Json:
    return {"json_format": {"error": {"code": code, "message": message}}}


# Noted on each route of one, before anything can fail.
OF_AN_ENDPOINT: Json = {
    "header_filter": {"header": {"name": PATH_HEADER, "present_match": True}},
}
_OF_KUBERNETES: Json = {
    "header_filter": {"header": {"name": KUBERNETES_HEADER, "present_match": True}},
}
_BY_GRPC: Json = {
    "header_filter": {
        "header": {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    },
}


def _without(key: str) -> Json:
    """filter.lua has not noted this in the stream's metadata."""
    matcher = {
        "filter": "verdazul",
        "path": [{"key": key}],
        "value": {"string_match": {"exact": ""}},
    }
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": True}}


def _cause(reply: Reply) -> Json:
    if reply.flags:
        return {"response_flag_filter": {"flags": list(reply.flags)}}
    status = _status(reply.chosen or reply.status)
    return _and(status, _without(reply.unless)) if reply.unless else status


def _status(status: int) -> Json:
    value = {"default_value": status, "runtime_key": f"verdazul.status.{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _and(*filters: Json) -> Json:
    return {"and_filter": {"filters": list(filters)}}
