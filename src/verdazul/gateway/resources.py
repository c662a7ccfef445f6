"""Routes in Envoy's words: pure functions from `Route` to dicts, checked by golden files.

The one idea: every deployment is one cluster, and every way to reach it is one Envoy route that
names it (by header, or by a share of the traffic). So timeout, queue wait and answering name stand
on the route and belong to the deployment. Shares are cumulative runtime fractions: Envoy draws one
random number a request and compares it with each route in turn. The numbers come apart from the
routes (split.py).

    blue 30, green 70  ->  number < 30: blue;  else number < 100: green;  else no traffic assigned

A request that names no deployment may be copied to the mirror's target; one that does never is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from verdazul.core.route import DeploymentRoute, Hold, Route
from verdazul.gateway import answers, auth, balancing, cors, headers, limits, matching, split
from verdazul.gateway.clusters import CONTROL_CLUSTER, WHOLE_BODY, cluster_name, cluster_of

Json = dict[str, Any]

ROUTES = "endpoints"  # the name of the only route configuration
# An instance drops what nobody waits for any more. It hears of that later than the gateway does,
# whose answer (408) would otherwise race with the instance's own (500, hence 424).
LEEWAY_MS = 500
_MARGIN_MS = 10_000  # in which the activator should have ended what is over its time
_TREE = "(tree)"
_ANY_PATH: Json = {"prefix": "/"}
_TYPE = "type.googleapis.com/"


def by_path(route: Route) -> Json:
    """Requests that name the endpoint by path, and where they go."""
    return matching.by_path(route.endpoint, endpoint_routes(route))


def by_host(route: Route) -> Json:
    """Requests to the endpoint's own host name, and where they go."""
    return matching.by_host(route.host, endpoint_routes(route, base=False))


def route_configuration(paths: Mapping[str, str], hosts: Sequence[str]) -> str:
    """All endpoints, as JSON text; found by matching.py.

    `paths` has the text of `by_path` for every endpoint, `hosts` those of `by_host`.
    """
    tree = matching.matcher(paths, hosts, nowhere=_no_such_endpoint(), control=_control_route())
    head = json.dumps(
        {
            "@type": _TYPE + "envoy.config.route.v3.RouteConfiguration",
            "name": ROUTES,
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "matcher": _TREE, **headers.to_nobody()}
            ],
        },
        separators=(",", ":"),
    )
    return head.replace(f'"{_TREE}"', tree)


def endpoint_routes(route: Route, *, base: bool = True) -> list[Json]:
    """By header, then "no such deployment", then by share, then "no traffic assigned".

    `base`: paths begin with the endpoint's base, which the instance does not see.
    """
    return [
        *(_to_named(route, deployment, base) for deployment in route.deployments),
        _no_such_deployment(route),
        *_to_shares(route, base),
        *_preflight(route),
        _no_traffic(route),
    ]


def _to_named(route: Route, deployment: DeploymentRoute, base: bool) -> Json:  # noqa: FBT001 - as in endpoint_routes
    value = {"exact": deployment.name, "ignore_case": True}
    header = {"name": headers.DEPLOYMENT_HEADER, "string_match": value}
    return _to(route, deployment, {**_ANY_PATH, "headers": [header]}, _rewritten(base))


def _to_shares(route: Route, base: bool) -> list[Json]:  # noqa: FBT001 - as in endpoint_routes
    action = _rewritten(base) | _copied(route)
    return [
        _to(route, deployment, _share(route, deployment), action) | _buffers(route)
        for deployment in route.deployments
    ]


def _share(route: Route, deployment: DeploymentRoute) -> Json:
    return {**_ANY_PATH, "runtime_fraction": split.share(route, deployment)}


def _rewritten(base: bool) -> Json:  # noqa: FBT001 - as in endpoint_routes
    rewrite = {"pattern": {"regex": "^(/[^/]+){4}/?"}, "substitution": "/"}
    return {"regex_rewrite": rewrite} if base else {}


def _copied(route: Route) -> Json:
    """Copies of some requests to the mirror's target.

    Envoy makes a caller wait for a copy that is read too slowly, once the buffers between are full:
    so they may hold a whole body (`WHOLE_BODY`, also in the target's cluster).
    """
    if route.mirror is None or route.hold:
        return {}
    fraction = {"default_value": {"numerator": route.mirror.percent, "denominator": "HUNDRED"}}
    policy = {
        "cluster": cluster_name(route.endpoint, route.mirror.deployment),
        "runtime_fraction": fraction,
        "disable_shadow_host_suffix_append": True,
    }
    return {"request_mirror_policies": [policy]}


def _buffers(route: Route) -> Json:
    return {"request_body_buffer_limit": WHOLE_BODY} if route.mirror else {}


def _to(route: Route, deployment: DeploymentRoute, match: Json, action: Json) -> Json:
    if route.hold:
        return _held(route, route.hold, deployment, match, action)
    return _direct(route, deployment, match, action)


def _held(route: Route, hold: Hold, deployment: DeploymentRoute, match: Json, action: Json) -> Json:
    """The same, but it may wait first; the activator then sees to the deployment's own times."""
    longest = hold.seconds * 1000 + 2 * deployment.request_timeout_ms + _MARGIN_MS
    # It has waited in turn, and is not to be shed now.
    patient = deployment.request_timeout_ms
    limited = replace(deployment, max_requests=hold.most, max_queue_wait_ms=patient)
    made = _direct(route, limited, match, action)
    made["route"] |= {"timeout": _seconds(longest), "idle_timeout": _seconds(longest)}
    return made


def _direct(route: Route, deployment: DeploymentRoute, match: Json, action: Json) -> Json:
    return {
        "match": match,
        **_told(route, _sentences(route, deployment), answers.told(route, deployment)),
        "route": {
            "cluster": cluster_of(route, deployment.name),
            **action,
            "timeout": _seconds(deployment.request_timeout_ms),
            "retry_policy": balancing.retry_what_was_not_sent(),
        },
        **headers.to_instance(
            max_queue_wait_ms=deployment.max_queue_wait_ms,
            time_left_ms=deployment.request_timeout_ms + LEEWAY_MS,
        ),
        **headers.to_caller(deployment.name),
        "typed_per_filter_config": _filters(route)
        | limits.per_route(route, deployment)
        | answers.per_route(deployment),
    }


def _filters(route: Route) -> Json:
    noted = headers.per_route(is_kubernetes=route.is_kubernetes)
    return noted | auth.per_route(route) | cors.per_route(route)


def _told(route: Route, about: Json | None = None, besides: Json | None = None) -> Json:
    told = {"verdazul": {"endpoint": route.endpoint, **(about or {})}, **(besides or {})}
    return {"metadata": {"filter_metadata": told}}


def _sentences(route: Route, deployment: DeploymentRoute) -> Json:
    """What the listener's sentences about this route are filled with."""
    return {
        "deployment": deployment.name,
        "request_timeout_ms": str(deployment.request_timeout_ms),
        "max_requests": str(deployment.max_requests),
        **limits.costs(route, deployment),
        "requests_per_second": limits.rates_text(route, deployment),
        "connections_per_second": str(route.limits.connections_per_second),
        "max_request_bytes": str(deployment.limits.max_request_bytes),
    }


def _no_such_deployment(route: Route) -> Json:
    # Envoy fills in the name that was asked for, and escapes it.
    text = (
        f'endpoint "{route.endpoint}" has no deployment "%REQ({headers.DEPLOYMENT_HEADER}):64%"'
        f" (named by the header {headers.DEPLOYMENT_HEADER})"
    )
    header = {"name": headers.DEPLOYMENT_HEADER, "present_match": True}
    return _not_found({**_ANY_PATH, "headers": [header]}, text) | _of_endpoint(route)


def _no_traffic(route: Route) -> Json:
    text = (
        f'endpoint "{route.endpoint}" sends no traffic to any deployment: set its traffic, '
        f"or name a deployment with the header {headers.DEPLOYMENT_HEADER}"
    )
    return _not_found(_ANY_PATH, text) | _of_endpoint(route)


def _preflight(route: Route) -> list[Json]:
    return [made | _of_endpoint(route) for made in cors.preflight(route)]


def _of_endpoint(route: Route) -> Json:
    """Of what is answered here, after the credential was judged."""
    return _told(route) | headers.to_caller() | {"typed_per_filter_config": _filters(route)}


def _no_such_endpoint() -> Json:
    found = _not_found(_ANY_PATH, "no endpoint is served at %REQ(:PATH):200%")
    return found | {"typed_per_filter_config": auth.told({"answers_here": True})}


def _not_found(match: Json, text: str) -> Json:
    body = {"text_format_source": {"inline_string": text}}
    return {"match": match, "direct_response": {"status": 404, "body_format": body}}


def _control_route() -> Json:
    return {
        "match": _ANY_PATH,
        "route": {"cluster": CONTROL_CLUSTER, "timeout": "0s", "idle_timeout": "0s"},
        "typed_per_filter_config": auth.told({"judges_itself": True}),
    }


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}s"
