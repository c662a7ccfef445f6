"""Which endpoint a request is for: by host name where endpoints have one, else by path.

The endpoint is found first, so that a request is not compared with the deployments of all others.
What is for no endpoint is the control API's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

_BASE = "(?i)/api/v1/(?:endpoint|service)/"
_TYPE = "type.googleapis.com/"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The routes of one endpoint: of requests that name it by path, and by host."""

    name: str
    by_path: list[Json]
    host: str
    by_host: list[Json]


def matcher(endpoints: Iterable[Endpoint], *, nowhere: Json, control: Json) -> Json:
    """Envoy's matcher tree: host, then path, then the control API."""
    known = tuple(endpoints)
    below = _first_of(
        [_when(":path", _path_of(one.name), _try_in_turn(one.by_path)) for one in known],
        otherwise=_try_in_turn([nowhere]),
    )
    hosts = [
        _when(":authority", _host_of(one.host), _try_in_turn(one.by_host))
        for one in known
        if one.host
    ]
    found = _first_of(
        [*hosts, _when(":path", _BASE + ".*", below)], otherwise=_try_in_turn([control])
    )
    made: Json = found["matcher"]
    return made


def _path_of(endpoint: str) -> str:
    """The endpoint's base path and all below it, in any case; no other name that begins so."""
    return f"{_BASE}{re.escape(endpoint)}([/?].*)?"


def _host_of(host: str) -> str:
    """In any case, on any port."""
    return f"(?i){re.escape(host)}(:[0-9]+)?"


def _first_of(choices: list[Json], *, otherwise: Json) -> Json:
    tree: Json = {"on_no_match": otherwise}
    if choices:
        tree["matcher_list"] = {"matchers": choices}
    return {"matcher": tree}


def _when(header: str, pattern: str, then: Json) -> Json:
    value = {"safe_regex": {"google_re2": {}, "regex": pattern}}
    return {
        "predicate": {"single_predicate": {"input": _input(header), "value_match": value}},
        "on_match": then,
    }


def _input(header: str) -> Json:
    kind = _TYPE + "envoy.type.matcher.v3.HttpRequestHeaderMatchInput"
    return {
        "name": "envoy.matching.inputs.request_headers",
        "typed_config": {"@type": kind, "header_name": header},
    }


def _try_in_turn(routes: list[Json]) -> Json:
    kind = _TYPE + "envoy.config.route.v3.RouteList"
    return {"action": {"name": "routes", "typed_config": {"@type": kind, "routes": routes}}}
