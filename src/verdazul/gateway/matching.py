"""Which endpoint a request is for: by host name where endpoints have one, else by path.

The endpoint is found first, so that a request is not compared with the deployments of all others;
where there are many endpoints their group is found before, so that it is not compared with all
names either. What is for no endpoint is the control API's.

Endpoints come as text that was made before (`by_path`, `by_host`): with a thousand of them, putting
all in words again would be most of the cost of changing one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

_BASE = "(?i)/api/v1/(?:endpoint|service)/"
_TYPE = "type.googleapis.com/"
_UNGROUPED = 16  # so few are compared with one by one
_PLACE = re.compile(r'"(\((?:path|host) [0-9]+\))"')  # where a text made before belongs


def by_path(endpoint: str, routes: list[Json]) -> Json:
    """The endpoint's base path and all below it, in any case; no other name that begins so."""
    return _when(":path", _path_of(re.escape(endpoint)), _try_in_turn(routes))


def by_host(host: str, routes: list[Json]) -> Json:
    """In any case, on any port."""
    return _when(":authority", f"(?i){re.escape(host)}(:[0-9]+)?", _try_in_turn(routes))


def matcher(paths: Mapping[str, str], hosts: Sequence[str], *, nowhere: Json, control: Json) -> str:
    """Envoy's matcher tree as JSON text: host, then path, then the control API.

    `paths` are texts of `by_path` by endpoint, `hosts` texts of `by_host`.
    """
    places = {name: f"(path {number})" for number, name in enumerate(paths)}
    below = _first_of(_grouped(places), otherwise=_try_in_turn([nowhere]))
    is_below = _when(":path", _BASE + ".*", below)
    host_places = [f"(host {number})" for number in range(len(hosts))]
    found = _first_of([*host_places, is_below], otherwise=_try_in_turn([control]))
    texts = dict(zip(places.values(), paths.values(), strict=True))
    texts |= dict(zip(host_places, hosts, strict=True))
    tree = json.dumps(found["matcher"], sort_keys=True, separators=(",", ":"))
    return _PLACE.sub(lambda place: texts[place[1]], tree)


def _grouped(places: Mapping[str, str]) -> list[Json | str]:
    """As many groups as each has members: 2 x 32 comparisons find one of 1,000."""
    if len(places) <= _UNGROUPED:
        return list(places.values())
    names = list(places)
    size = math.isqrt(len(names) - 1) + 1
    groups = (names[at : at + size] for at in range(0, len(names), size))
    return [_group(names, [places[name] for name in names]) for names in groups]


def _group(names: Sequence[str], places: list[Json | str]) -> Json:
    any_of = "|".join(re.escape(name) for name in names)
    return _when(":path", _path_of(f"(?:{any_of})"), {"matcher": _one_of(places)})


def _path_of(name: str) -> str:
    return f"{_BASE}{name}([/?].*)?"


def _first_of(choices: list[Json | str], *, otherwise: Json) -> Json:
    return {"matcher": {"on_no_match": otherwise} | (_one_of(choices) if choices else {})}


def _one_of(choices: list[Json | str]) -> Json:
    return {"matcher_list": {"matchers": choices}}


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
