"""ARM resources as `az ml ... show` prints them: snake_case, in milliseconds and seconds.

What is shown is what the server said, whatever it is: nothing is validated here, so a newer server
is shown as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from verdazul.model.arm import DEPLOYMENT, ENDPOINT
from verdazul.model.datastore_bodies import spelled
from verdazul.model.wire import read


def endpoint_entity(resource: Mapping[str, object]) -> dict[str, object]:
    """An endpoint as people see it; keys are sorted."""
    properties = _object(resource.get("properties"))
    entity: dict[str, object] = {
        "tags": {},
        "properties": {},
        "traffic": {},
        "mirror_traffic": {},
        **read(resource, ENDPOINT).mapping,
        **_identified(resource),
        "kind": resource.get("kind") or "Managed",
        "provisioning_state": properties.get("provisioningState"),
        "scoring_uri": properties.get("scoringUri"),
        "openapi_uri": properties.get("swaggerUri"),
        "is_paused": properties.get("isPaused"),
    }
    return _tidy(entity)


def deployment_entity(resource: Mapping[str, object]) -> dict[str, object]:
    """A deployment as people see it; keys are sorted."""
    properties = _object(resource.get("properties"))
    entity: dict[str, object] = {
        "tags": {},
        "properties": {},
        "environment_variables": {},
        **read(resource, DEPLOYMENT).mapping,
        **_identified(resource),
        "endpoint_name": _endpoint_name(resource),
        "provisioning_state": properties.get("provisioningState"),
    }
    return _tidy(entity)


_WORDS = {
    "modelUri": "path",
    "modelType": "type",
    "dataUri": "path",
    "dataType": "type",
}


def asset_entity(resource: Mapping[str, object]) -> dict[str, object]:
    """A version of a model, environment or data, or (without a version) all of a name."""
    properties = _object(resource.get("properties"))
    system = _object(resource.get("systemData"))
    name, _, version = str(resource.get("id")).partition("/versions/")
    return _tidy(
        {
            "properties": {},
            **{_WORDS.get(word) or _snake(word): value for word, value in properties.items()},
            "tags": properties.get("tags") or {},
            "creation_context": {_snake(word): value for word, value in system.items()} or None,
            **_identified(resource),
            "name": name.rpartition("/")[2],
            "version": version or None,
        }
    )


def datastore_entity(resource: Mapping[str, object]) -> dict[str, object]:
    """A datastore as people see it; keys are sorted."""
    properties = _object(resource.get("properties"))
    return _tidy(
        {**spelled(resource), **_identified(resource), "is_default": properties.get("isDefault")}
    )


def usage_entity(resource: Mapping[str, object]) -> dict[str, object]:
    """How much of something is used; keys are sorted."""
    name = _object(resource.get("name"))
    plain = {_snake(word): value for word, value in resource.items()}
    return _tidy({**plain, "name": {_snake(word): value for word, value in name.items()}})


def size_entity(resource: Mapping[str, object]) -> dict[str, object]:
    """An instance type; `v_cp_us` is what Azure's clients make of vCPUs."""
    words = {
        "vCPUs": "v_cp_us",
        "memoryGB": "memory_gb",
        "osVhdSizeMB": "os_vhd_size_mb",
        "maxResourceVolumeMB": "max_resource_volume_mb",
        "premiumIO": "premium_io",
    }
    return _tidy({words.get(word) or _snake(word): value for word, value in resource.items()})


def workspace_entity(resource: Mapping[str, object]) -> dict[str, object]:
    """A workspace as people see it; keys are sorted."""
    properties = _object(resource.get("properties"))
    return _tidy(
        {
            **{_snake(name): value for name, value in properties.items()},
            "display_name": properties.get("friendlyName"),
            "location": resource.get("location"),
            "tags": resource.get("tags") or {},
            **_identified(resource),
        }
    )


def registry_entity(resource: Mapping[str, object]) -> dict[str, object]:
    """A registry as people see it; keys are sorted."""
    properties = _object(resource.get("properties"))
    regions = properties.get("regionDetails")
    return _tidy(
        {
            "description": properties.get("description"),
            "discovery_url": properties.get("discoveryUrl"),
            "location": resource.get("location"),
            "public_network_access": properties.get("publicNetworkAccess"),
            "replication_locations": [
                {"location": _object(region).get("location")}
                for region in (regions if isinstance(regions, list) else [])
            ],
            "tags": resource.get("tags") or {},
            **_identified(resource),
        }
    )


def _snake(name: str) -> str:
    """`friendlyName` becomes friendly_name, and `mlFlowTrackingUri` mlflow_tracking_uri."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.replace("mlFlow", "mlflow")).lower()


def _identified(resource: Mapping[str, object]) -> dict[str, object]:
    group = re.search(r"/resourceGroups/([^/]+)/", str(resource.get("id")), re.IGNORECASE)
    return {
        "name": resource.get("name"),
        "id": resource.get("id"),
        "resourceGroup": group and group[1],
    }


def _endpoint_name(resource: Mapping[str, object]) -> str | None:
    name = re.search(r"/onlineEndpoints/([^/]+)/", str(resource.get("id")), re.IGNORECASE)
    return name and name[1]


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _tidy(entity: Mapping[str, object]) -> dict[str, object]:
    return {key: entity[key] for key in sorted(entity) if entity[key] is not None}
