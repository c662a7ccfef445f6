"""How unaddressed requests are split, apart from the routes: so a change of traffic, the most
frequent of all, is a few numbers for Envoy to read and not every route of every endpoint.

Envoy draws one number a request and compares it with each share route's *runtime value* in turn.
All values of an endpoint change at once. Their keys say which deployments share: where others come
or go the keys are new ones, so old routes go by old values until the new routes are in force.

    blue 30, green 70  ->  split.credit.1f0c8b2e.blue: 30, split.credit.1f0c8b2e.green: 100
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

from verdazul.core.route import DeploymentRoute, Route

Json = dict[str, Any]

LAYER = "split"
_TYPE = "type.googleapis.com/envoy.service.runtime.v3.Runtime"


def key_of(route: Route, deployment: DeploymentRoute) -> str:
    """The runtime key of a deployment's share."""
    return f"split.{_family(route)}.{deployment.name.lower()}"


def values(route: Route) -> dict[str, int]:
    """What a request's number must be below, by key."""
    sums = accumulate(one.weight for one in route.deployments)
    keys = (key_of(route, one) for one in route.deployments)
    return dict(zip(keys, sums, strict=True))


def share(route: Route, deployment: DeploymentRoute) -> Json:
    """The fraction that a share route has; nothing where no value is known."""
    none = {"numerator": 0, "denominator": "HUNDRED"}
    return {"default_value": none, "runtime_key": key_of(route, deployment)}


def layer(known: Mapping[str, int]) -> Json:
    """Envoy's Runtime with all values."""
    return {"@type": _TYPE, "name": LAYER, "layer": dict(known)}


def runtime() -> Json:
    """Part of the bootstrap: where the values are read."""
    source = {"path": "gateway/rtds/rtds.json", "watched_directory": {"path": "gateway/rtds"}}
    config = {"resource_api_version": "V3", "path_config_source": source}
    return {"layers": [{"name": LAYER, "rtds_layer": {"name": LAYER, "rtds_config": config}}]}


def values_in(text: str) -> dict[str, int]:
    """The values of such a file; none when there is no such file yet or it is unreadable."""
    try:
        found = json.loads(text)["resources"][0]["layer"]
        return {key: int(value) for key, value in found.items()}
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return {}


def _family(route: Route) -> str:
    names: Iterable[str] = (one.name.lower() for one in route.deployments)
    digest = hashlib.sha256(" ".join(names).encode()).hexdigest()[:8]
    return f"{route.endpoint.lower()}.{digest}"
