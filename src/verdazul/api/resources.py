"""Records as ARM resources: what GET shows. Keys are never among it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from verdazul.api.arm import Links, operation_path, workspace_path
from verdazul.api.discovery import ACCOUNT
from verdazul.core.records import (
    Asset,
    DeploymentState,
    EndpointRecord,
    EndpointState,
    Operation,
    OperationState,
)
from verdazul.core.route import weight_of
from verdazul.core.versions import Container
from verdazul.model.arm import deployment_to_arm, endpoint_to_arm
from verdazul.model.errors import Problem
from verdazul.model.events import Event
from verdazul.model.names import endpoint_host, endpoint_path
from verdazul.model.status import ProvisioningState, Status

TYPE = "Microsoft.MachineLearningServices/workspaces"


def workspace_resource(links: Links) -> dict[str, Any]:
    """The workspace that a home is, with the names of what Azure would keep beside it.

    One home holds all of it: the account of its datastores, its sealed secrets, its environments.
    """
    settings = links.settings
    group = f"/subscriptions/{settings.subscription}/resourceGroups/{settings.resource_group}"
    return {
        "id": workspace_path(settings),
        "name": settings.workspace,
        "type": TYPE,
        "location": settings.location,
        "kind": "Default",
        "tags": {},
        "sku": {"name": "Basic", "tier": "Basic"},
        "properties": {
            "friendlyName": settings.workspace,
            "workspaceId": settings.subscription,
            "storageAccount": f"{group}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}",
            "keyVault": f"{group}/providers/Microsoft.KeyVault/vaults/{settings.workspace}",
            "containerRegistry": (
                f"{group}/providers/Microsoft.ContainerRegistry/registries/{settings.workspace}"
            ),
            "provisioningState": "Succeeded",
            "hbiWorkspace": False,
            "mlFlowTrackingUri": None,
        },
    }


def endpoint_id(links: Links, name: str) -> str:
    """The ARM id of an endpoint."""
    return f"{workspace_path(links.settings)}/onlineEndpoints/{name}"


def deployment_id(links: Links, endpoint: str, name: str) -> str:
    """The ARM id of a deployment."""
    return f"{endpoint_id(links, endpoint)}/deployments/{name}"


def scoring_base(links: Links, name: str) -> str:
    """Where an endpoint answers; any path below it is forwarded."""
    settings, door = links.settings, urlsplit(links.address)
    host = endpoint_host(name, settings.location, settings.domain)
    if host:
        return f"{door.scheme}://{host}" + f":{door.port}" * bool(door.port)
    return f"{links.address}{endpoint_path(name)}"


def endpoint_resource(links: Links, view: EndpointState) -> dict[str, Any]:
    """An endpoint as GET shows it. Traffic names every deployment, as Azure fills it."""
    record = view.record
    resource: dict[str, Any] = endpoint_to_arm(record.spec, location=links.settings.location)
    resource["properties"] |= {
        "traffic": {
            state.record.name: weight_of(record, state.record.name) for state in view.deployments
        },
        "scoringUri": f"{scoring_base(links, record.name)}/score",
        # told before anything serves there, as in Azure: scripts ask once, at the beginning
        "swaggerUri": f"{scoring_base(links, record.name)}/swagger.json",
        "provisioningState": state_of(record, view.status),
    }
    if record.is_paused:
        resource["properties"]["isPaused"] = True
    if record.spec.compute:
        resource["properties"]["compute"] = _compute_id(links, record.spec.compute)
    return resource | {
        "id": endpoint_id(links, record.name),
        "name": record.name,
        "type": f"{TYPE}/onlineEndpoints",
        "kind": "K8S" if record.spec.compute else "Managed",
        "systemData": system_data(record.created_at, record.modified_at),
    }


def _compute_id(links: Links, compute: str) -> str:
    return f"{workspace_path(links.settings)}/computes/{compute.removeprefix('azureml:')}"


def deployment_resource(
    links: Links, endpoint: EndpointRecord, state: DeploymentState
) -> dict[str, Any]:
    """A deployment as GET shows it."""
    record = state.record
    resource: dict[str, Any] = deployment_to_arm(record.spec, location=links.settings.location)
    generation = (record.generation, record.deleting)
    resource["properties"]["provisioningState"] = _state(*generation, state.status)
    return resource | {
        "id": deployment_id(links, endpoint.name, record.name),
        "name": record.name,
        "type": f"{TYPE}/onlineEndpoints/deployments",
        "systemData": system_data(record.created_at, record.modified_at),
    }


def state_of(record: EndpointRecord, status: Status | None) -> ProvisioningState:
    """An endpoint's provisioning state."""
    return _state(record.generation, record.deleting, status)


def deployment_state_of(state: DeploymentState) -> ProvisioningState:
    """A deployment's provisioning state."""
    return _state(state.record.generation, state.record.deleting, state.status)


def operation_resource(
    links: Links, operation: Operation, events: tuple[Event, ...], trouble: Problem | None = None
) -> dict[str, Any]:
    """What a poll answers; `progress` is ours: what happened since it began."""
    body: dict[str, Any] = {
        "id": operation_path(links.settings, operation.id),
        "name": operation.id,
        "status": operation.state,
        "startTime": iso(operation.started_at),
        "percentComplete": 0.0 if operation.state is OperationState.IN_PROGRESS else 100.0,
        "properties": {"progress": _progress(operation, events, trouble)},
    }
    if operation.finished_at is not None:
        body["endTime"] = iso(operation.finished_at)
    if operation.problem:
        body["error"] = operation.problem.to_arm()
    if operation.state is OperationState.CANCELED:
        body["error"] = {
            "code": "OperationCanceled",
            "message": "the operation was overtaken by a deletion of the same resource",
        }
    return body


def _progress(
    operation: Operation, events: tuple[Event, ...], trouble: Problem | None
) -> list[dict[str, str]]:
    """What happened, and last what keeps it from going on."""
    told = [
        (event.time, event.severity.value, event.reason, event.message)
        for event in events
        if event.reason != "Failed"  # said in full by `error`
    ]
    if trouble and operation.state is OperationState.IN_PROGRESS:
        message = f"it cannot go on for now: {trouble}"
        told.append((operation.started_at, "Warning", trouble.code, message))
    names = ("time", "severity", "reason", "message")
    return [dict(zip(names, (iso(at), *words), strict=True)) for at, *words in told]


def asset_resource(links: Links, asset: Asset, properties: dict[str, Any]) -> dict[str, Any]:
    """One version of an asset."""
    key = asset.key
    path = f"{workspace_path(links.settings)}/{key.kind}/{key.name}/versions/{key.version}"
    return {
        "id": path,
        "name": key.version,
        "type": f"{TYPE}/{key.kind}/versions",
        "properties": properties | {"provisioningState": "Succeeded"},
        "systemData": system_data(asset.created_at, asset.modified_at or asset.created_at),
    }


def container_resource(links: Links, kind: str, container: Container) -> dict[str, Any]:
    """All versions of one name, as one resource."""
    newest = container.versions[0]
    first = container.versions[-1].created_at
    return {
        "id": f"{workspace_path(links.settings)}/{kind}/{container.name}",
        "name": container.name,
        "type": f"{TYPE}/{kind}",
        "properties": {
            "description": None,
            "tags": {},
            "properties": {},
            "isArchived": container.is_archived,
            "latestVersion": container.latest,
            "nextVersion": container.next,
            "provisioningState": "Succeeded",
            **({"dataType": json.loads(newest.body).get("dataType")} if kind == "data" else {}),
        },
        "systemData": system_data(first, newest.modified_at or newest.created_at),
    }


def iso(seconds: float) -> str:
    """UTC, microseconds, as Azure writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _state(generation: int, deleting: bool, status: Status | None) -> ProvisioningState:  # noqa: FBT001 - private, read in one line
    if deleting:
        return ProvisioningState.DELETING
    if status is None or status.observed_generation < generation:
        first = generation == 1
        return ProvisioningState.CREATING if first else ProvisioningState.UPDATING
    return status.state


def system_data(created_at: float, modified_at: float) -> dict[str, str]:
    """Who made and changed a resource, and when; clients fail without it."""
    return {
        "createdAt": iso(created_at),
        "createdBy": "owner",
        "createdByType": "User",
        "lastModifiedAt": iso(modified_at),
        "lastModifiedBy": "owner",
        "lastModifiedByType": "User",
    }
