"""Endpoints and deployments as ARM bodies, both ways: `from_arm(to_arm(spec)) == spec`.

Reading is forgiving where clients are known to differ (case of enums, nulls, what a server wrote
and a client sends back) and strict everywhere else: a property that is not known is refused by its
path. The wire knows assets by id only; what is described in place has to be uploaded first.
"""

from __future__ import annotations

from collections.abc import Mapping

from verdazul.model.arm_collector import COLLECTOR
from verdazul.model.assets import is_reference
from verdazul.model.declared import read_mapping
from verdazul.model.deployment import DeploymentSpec, DeploymentType
from verdazul.model.endpoint import Access, AuthMode, EndpointSpec, IdentityType
from verdazul.model.scale import ScaleType
from verdazul.model.skus import PREFIX
from verdazul.model.wire import (
    MILLISECONDS,
    SECONDS,
    Codec,
    Read,
    Row,
    Table,
    Wrong,
    read,
    validated,
    words,
    write,
)

# Servers write these into the free `properties` map; clients send them back with the next PUT.
SERVER_PROPERTIES = frozenset(
    {
        "createdBy",
        "createdAt",
        "lastModifiedAt",
        "azureml.onlineendpointid",
        "AzureAsyncOperationUri",
    }
)
_USUAL_INSTANCE_TYPE = "Standard_F4s_v2"  # Azure's, over REST; YAML has to name one
_PRIVATE_NETWORK = "private-network-connection"


def endpoint_to_arm(spec: EndpointSpec, *, location: str) -> dict[str, object]:
    """The PUT body of an endpoint; `location` is used when the spec names none."""
    return write({"location": location, **spec.to_mapping()}, ENDPOINT)


def endpoint_from_arm(name: str, body: object) -> EndpointSpec:
    """The endpoint a body describes. Raises UserError naming the JSON path of each problem."""
    found = read(body, ENDPOINT)
    _drop_server_properties(found)
    return validated(EndpointSpec, {**found.mapping, "name": name}, found, ENDPOINT)


def deployment_to_arm(spec: DeploymentSpec, *, location: str) -> dict[str, object]:
    """The PUT body of a deployment whose model, environment and code are ids.

    Raises ValueError for a spec that still describes one of them in place: upload it first.
    """
    _check_uploaded(spec)
    mapping = spec.to_mapping()
    if spec.private_network_connection is not None:
        text = str(spec.private_network_connection).lower()
        mapping["properties"] = {**spec.properties, _PRIVATE_NETWORK: text}
    body = write(mapping, DEPLOYMENT)
    return {"location": location, **body}


def deployment_from_arm(endpoint_name: str, name: str, body: object) -> DeploymentSpec:
    """The deployment a body describes. Raises UserError naming the JSON path of each problem."""
    found = read(body, DEPLOYMENT)
    _drop_server_properties(found)
    properties = found.mapping.get("properties")
    if isinstance(properties, dict) and _PRIVATE_NETWORK in properties:
        found.mapping["private_network_connection"] = properties.pop(_PRIVATE_NETWORK)
    if found.mapping.get("type", DeploymentType.MANAGED) == DeploymentType.MANAGED:
        found.mapping.setdefault("instance_type", _instance_type(body))
    names = {"name": name, "endpoint_name": endpoint_name}
    return validated(DeploymentSpec, {**found.mapping, **names}, found, DEPLOYMENT)


def _instance_type(body: object) -> str:
    """What a body without instanceType runs on: older templates say it as the name of the sku."""
    sku = body.get("sku") if isinstance(body, Mapping) else None
    name = sku.get("name") if isinstance(sku, Mapping) else None
    is_size = isinstance(name, str) and name.lower().startswith(PREFIX.lower())
    return str(name) if is_size else _USUAL_INSTANCE_TYPE


def _drop_server_properties(found: Read) -> None:
    properties = found.mapping.get("properties")
    if isinstance(properties, Mapping):
        found.mapping["properties"] = {
            name: value for name, value in properties.items() if name not in SERVER_PROPERTIES
        }


def _check_uploaded(spec: DeploymentSpec) -> None:
    code = spec.code_configuration.code if spec.code_configuration else None
    for key, value in (
        ("model", spec.model),
        ("environment", spec.environment),
        ("code", code),
    ):
        if value is not None and not (isinstance(value, str) and is_reference(value)):
            raise ValueError(f"{key} of {spec.name} has to be uploaded before it has an ARM body")


def _read_id(value: object) -> object:
    if not isinstance(value, str) or not is_reference(value):
        raise Wrong("the id of an uploaded asset")
    return value


def _write_identity(value: object) -> object:
    found = read_mapping(value)
    ids = found["user_assigned_identities"]
    if found["type"] == IdentityType.SYSTEM_ASSIGNED or not isinstance(ids, list):
        return {"type": "SystemAssigned"}
    return {"type": "UserAssigned", "userAssignedIdentities": {str(each): {} for each in ids}}


def _read_identity(value: object) -> object:
    """SystemAssigned is what every SDK sends unasked: it reads as if none were given."""
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        raise Wrong("an object with `type`: SystemAssigned, UserAssigned or None")
    kind = str(value["type"]).lower()
    if kind in ("systemassigned", "none"):
        return None
    if kind != "userassigned":
        raise Wrong("an object with `type`: SystemAssigned, UserAssigned or None")
    ids = value.get("userAssignedIdentities") or {}
    if not isinstance(ids, Mapping):
        raise Wrong("an object whose `userAssignedIdentities` maps ARM ids to {}")
    return {"type": "user_assigned", "user_assigned_identities": list(ids)}


ID = Codec(
    lambda value: value,
    _read_id,
    {
        "type": "string",
        "description": "The ARM id of a version, azureml:NAME:VERSION or azureml:NAME@LABEL.",
    },
)
IDENTITY = Codec(
    _write_identity,
    _read_identity,
    {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"type": "string", "enum": ["SystemAssigned", "UserAssigned", "None"]},
            "userAssignedIdentities": {
                "type": "object",
                "additionalProperties": {"type": "object"},
            },
        },
    },
)
_RESOURCE = frozenset({"id", "name", "type", "kind", "etag", "systemData"})

ENDPOINT = Table(
    rows=(
        Row("location", "location"),
        Row("tags", "tags"),
        Row("identity", "identity", IDENTITY),
        Row(
            "properties.authMode",
            "auth_mode",
            words(AuthMode, AML_TOKEN="AMLToken", AAD_TOKEN="AADToken"),  # noqa: S106 - spellings
        ),
        Row("properties.description", "description"),
        Row("properties.properties", "properties"),
        Row("properties.traffic", "traffic"),
        Row("properties.mirrorTraffic", "mirror_traffic"),
        Row("properties.publicNetworkAccess", "public_network_access", words(Access)),
        Row("properties.compute", "compute"),
    ),
    dropped=_RESOURCE
    | {
        "sku",
        "properties.provisioningState",
        "properties.scoringUri",
        "properties.swaggerUri",
        "properties.isPaused",
    },
)


def _probe_rows(json: str, spec: str) -> tuple[Row, ...]:
    return (
        Row(f"{json}.initialDelay", f"{spec}.initial_delay", SECONDS),
        Row(f"{json}.period", f"{spec}.period", SECONDS),
        Row(f"{json}.timeout", f"{spec}.timeout", SECONDS),
        Row(f"{json}.successThreshold", f"{spec}.success_threshold"),
        Row(f"{json}.failureThreshold", f"{spec}.failure_threshold"),
    )


_P = "properties"
_REQUEST = f"{_P}.requestSettings"
_SCALE = f"{_P}.scaleSettings"
_RESOURCES = f"{_P}.containerResourceRequirements"

DEPLOYMENT = Table(
    rows=(
        Row("tags", "tags"),
        Row("sku.capacity", "instance_count"),
        Row(f"{_P}.endpointComputeType", "type", words(DeploymentType)),
        Row(f"{_P}.description", "description"),
        Row(f"{_P}.properties", "properties"),
        Row(f"{_P}.model", "model", ID),
        Row(f"{_P}.modelMountPath", "model_mount_path"),
        Row(f"{_P}.codeConfiguration.codeId", "code_configuration.code", ID),
        Row(f"{_P}.codeConfiguration.scoringScript", "code_configuration.scoring_script"),
        Row(f"{_P}.environmentId", "environment", ID),
        Row(f"{_P}.environmentVariables", "environment_variables"),
        Row(f"{_P}.instanceType", "instance_type"),
        Row(f"{_P}.appInsightsEnabled", "app_insights_enabled"),
        Row(f"{_SCALE}.scaleType", "scale_settings.type", words(ScaleType)),
        Row(f"{_SCALE}.minInstances", "scale_settings.min_instances"),
        Row(f"{_SCALE}.maxInstances", "scale_settings.max_instances"),
        Row(
            f"{_SCALE}.targetUtilizationPercentage", "scale_settings.target_utilization_percentage"
        ),
        Row(f"{_SCALE}.pollingInterval", "scale_settings.polling_interval", SECONDS),
        Row(f"{_REQUEST}.requestTimeout", "request_settings.request_timeout_ms", MILLISECONDS),
        Row(
            f"{_REQUEST}.maxConcurrentRequestsPerInstance",
            "request_settings.max_concurrent_requests_per_instance",
        ),
        Row(f"{_REQUEST}.maxQueueWait", "request_settings.max_queue_wait_ms", MILLISECONDS),
        *_probe_rows(f"{_P}.livenessProbe", "liveness_probe"),
        *_probe_rows(f"{_P}.readinessProbe", "readiness_probe"),
        Row(f"{_P}.egressPublicNetworkAccess", "egress_public_network_access", words(Access)),
        Row(f"{_P}.dataCollector", "data_collector", COLLECTOR),
        Row(f"{_RESOURCES}.containerResourceRequests.cpu", "resources.requests.cpu"),
        Row(f"{_RESOURCES}.containerResourceRequests.memory", "resources.requests.memory"),
        Row(f"{_RESOURCES}.containerResourceLimits.cpu", "resources.limits.cpu"),
        Row(f"{_RESOURCES}.containerResourceLimits.memory", "resources.limits.memory"),
        Row(f"{_RESOURCES}.containerResourceLimits.gpu", "resources.limits.gpu"),
    ),
    dropped=_RESOURCE
    | {
        "location",
        "sku.name",
        "sku.tier",
        "sku.size",
        "sku.family",
        f"{_P}.provisioningState",
    },
)
