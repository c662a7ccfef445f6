"""Browsers of other sites: which may call, in Envoy's words.

Envoy answers their preflight (OPTIONS) itself, before any key is asked for, since browsers send
none with it. Where an endpoint names no origins nothing is added and OPTIONS is a request like any.
"""

from __future__ import annotations

import re
from typing import Any

from verdazul.core.route import Route

Json = dict[str, Any]

_NAME = "envoy.filters.http.cors"
_TYPE = "type.googleapis.com/envoy.extensions.filters.http.cors.v3."
_MAY_SEND = (
    "authorization",
    "content-type",
    "accept",
    "azureml-model-deployment",
    "x-ms-client-request-id",
    "traceparent",
    "tracestate",
)
_MAY_READ = (
    "azureml-model-deployment",
    "x-request-id",
    "x-ms-request-id",
    "x-ms-client-request-id",
    "ms-azureml-model-error-reason",
    "ms-azureml-model-error-statuscode",
    "ms-azureml-model-time",
)


def filters() -> list[Json]:
    """First of all filters; off but where a route names origins."""
    return [{"name": _NAME, "typed_config": {"@type": _TYPE + "Cors"}, "disabled": True}]


def per_route(route: Route) -> Json:
    """The same on every route of an endpoint: a preflight names no deployment."""
    if not route.cors_origins:
        return {}
    policy = {
        "@type": _TYPE + "CorsPolicy",
        "allow_origin_string_match": [_origin(origin) for origin in route.cors_origins],
        "allow_methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
        "allow_headers": ", ".join(_MAY_SEND),
        "expose_headers": ", ".join(_MAY_READ),
        "max_age": "600",
    }
    return {_NAME: policy}


def preflight(route: Route) -> list[Json]:
    """Routes of an endpoint without traffic: Envoy answers preflights on the way to somewhere only.

    They lead nowhere, as nothing sets the header that would say where to.
    """
    origins = [{"name": "origin", "string_match": _origin(one)} for one in route.cors_origins]
    asked = [
        {"name": ":method", "string_match": {"exact": "OPTIONS"}},
        {"name": "access-control-request-method", "string_match": {"safe_regex": {"regex": ".+"}}},
    ]
    nowhere = {"cluster_header": "x-verdazul-nowhere"}
    return [
        {"match": {"prefix": "/", "headers": [*asked, origin]}, "route": nowhere}
        for origin in origins
    ]


def _origin(origin: str) -> Json:
    pattern = ".*" if origin == "*" else re.escape(origin.lower())
    return {"safe_regex": {"regex": f"(?i){pattern}"}}
