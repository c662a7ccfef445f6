"""When answers.lua looks at a model's answer, in Envoy's words.

It runs on answers from upstream only, before anything else does. A good answer that claims nothing
and is not long passes it unseen: that is nearly all of them, and a script is the most costly thing
in a request's way.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from verdazul.core.route import DeploymentRoute, Route
from verdazul.gateway.headers import REASON_HEADER, STATUS_HEADER

Json = dict[str, Any]

ANSWERS = "verdazul.answers"  # the filter, and what a route tells it
_LONG = 1_000_000  # bytes; limits under it have every answer looked at
_TYPE = "type.googleapis.com/"
_MATCHING = _TYPE + "envoy.extensions.common.matching.v3."
_INPUT = _TYPE + "envoy.type.matcher.v3.HttpResponseHeaderMatchInput"
_SKIP = _TYPE + "envoy.extensions.filters.common.matcher.action.v3.SkipFilter"


def filters() -> list[Json]:
    """For the router's list of filters in front of an instance."""
    simply_good = _all(
        _any(_says(":status", exact="200"), _says(":status", exact="101")),
        _not(_has(REASON_HEADER)),
        _not(_has(STATUS_HEADER)),
        _not(_says("content-length", pattern="[0-9]{7,}")),
    )
    return [spared(ANSWERS, script("answers.lua"), simply_good)]


def told(route: Route, deployment: DeploymentRoute) -> Json:
    """Metadata of a route."""
    told: Json = {
        "endpoint": route.endpoint,
        "max_response_bytes": deployment.limits.max_response_bytes,
    }
    if route.hold:
        told["held"] = True
    if route.is_kubernetes:
        told["kubernetes"] = True
    return {ANSWERS: told}


def per_route(deployment: DeploymentRoute) -> Json:
    """A limit under what counts as long: nothing is spared."""
    if not 0 < deployment.limits.max_response_bytes < _LONG:
        return {}
    kind = _MATCHING + "ExtensionWithMatcherPerRoute"
    return {ANSWERS: {"@type": kind, "xds_matcher": {}}}


def script(name: str) -> Json:
    """A Lua filter."""
    source = files("verdazul.gateway").joinpath(name).read_text(encoding="utf-8")
    kind = _TYPE + "envoy.extensions.filters.http.lua.v3.Lua"
    return {"@type": kind, "default_source_code": {"inline_string": source}}


def spared(name: str, config: Json, which: Json) -> Json:
    """A filter that does not see answers of which this is true (requests it always sees)."""
    skip = {"action": {"name": "skip", "typed_config": {"@type": _SKIP}}}
    return {
        "name": name,
        "typed_config": {
            "@type": _MATCHING + "ExtensionWithMatcher",
            "extension_config": {"name": name, "typed_config": config},
            "xds_matcher": {"matcher_list": {"matchers": [{"predicate": which, "on_match": skip}]}},
        },
    }


def answered_200() -> Json:
    """True of good answers, whoever made them."""
    return _says(":status", exact="200")


def _has(header: str) -> Json:
    return _says(header, pattern=".*")


def _says(header: str, *, exact: str = "", pattern: str = "") -> Json:
    regex = {"google_re2": {}, "regex": pattern}
    value = {"safe_regex": regex} if pattern else {"exact": exact}
    name = "envoy.matching.inputs.response_headers"
    told_by = {"name": name, "typed_config": {"@type": _INPUT, "header_name": header}}
    return {"single_predicate": {"input": told_by, "value_match": value}}


def _any(*predicates: Json) -> Json:
    return {"or_matcher": {"predicate": list(predicates)}}


def _all(*predicates: Json) -> Json:
    return {"and_matcher": {"predicate": list(predicates)}}


def _not(predicate: Json) -> Json:
    return {"not_matcher": predicate}
