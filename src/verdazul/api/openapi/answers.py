"""What answers hold, as JSON Schema. No property is left out: tests hold every answer against it.

What people declare is shown by the very tables that read it; what servers add is written here.
"""

from __future__ import annotations

from typing import Any

from verdazul.api.bodies import TEXT, TEXTS, TRUTH
from verdazul.api.openapi.activity import ACTIVITY_EVENT
from verdazul.api.openapi.registries import REGISTRY_ANSWERS, REGISTRY_RESOURCES
from verdazul.api.openapi.templates import TEMPLATE_ANSWERS, TEMPLATE_RESOURCES
from verdazul.control.locks import Level
from verdazul.core.access import PrincipalType
from verdazul.core.records import OperationState
from verdazul.model.arm import DEPLOYMENT, ENDPOINT
from verdazul.model.asset_bodies import VERSIONS
from verdazul.model.deployment import DeploymentSpec
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.schema import Schema, nullable, written_schema
from verdazul.model.status import ProvisioningState

_COUNT: Schema = {"type": "integer", "minimum": 0}
_TIME: Schema = {"type": "string", "format": "date-time"}
_STATE: Schema = {"type": "string", "enum": list(ProvisioningState)}
_NOTHING: Schema = {"type": "null"}
SINGULAR = {
    "codes": "Code",
    "models": "Model",
    "environments": "Environment",
    "data": "Data",
}


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: Schema, optional: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def page(item: str) -> Schema:
    """A list, and where it goes on."""
    return _object({"value": _list(ref(item))}, {"nextLink": {"type": "string", "format": "uri"}})


def _resource(properties: Schema, *, dated: bool = True) -> Schema:
    head: Schema = {"id": TEXT, "name": TEXT, "type": TEXT, "properties": properties}
    return _object({**head, "systemData": ref("SystemData")} if dated else head)


def _declared(model: type[Any], table: Any, own: Schema, beside: Schema) -> Schema:
    """What was put, with what the server adds to `properties` and beside them."""
    schema = written_schema(model, table)
    inner = schema["properties"]["properties"]
    inner["properties"] |= own
    inner["required"] = [*inner.get("required", []), "provisioningState"]
    schema["properties"] |= {"id": TEXT, "name": TEXT, "type": TEXT, **beside}
    schema["properties"]["systemData"] = ref("SystemData")
    schema["required"] = ["id", "name", "type", "properties", "systemData"]
    return schema


def _endpoint() -> Schema:
    own = {
        "provisioningState": _STATE,
        "scoringUri": {"type": "string", "format": "uri"},
        "swaggerUri": {"type": "string", "format": "uri"},
        "isPaused": TRUTH,
    }
    schema = _declared(EndpointSpec, ENDPOINT, own, {"kind": TEXT})
    schema["properties"]["properties"]["required"] += ["authMode", "scoringUri", "traffic"]
    return schema


def _version(kind: str) -> Schema:
    own: dict[str, Schema] = {"provisioningState": _STATE}
    if kind == "environments":
        own["environmentType"] = {"type": "string", "enum": ["UserCreated"]}
    return _declared(*VERSIONS[kind], own, {})


def _container(kind: str) -> Schema:
    properties: Schema = {
        "description": _NOTHING,
        "tags": TEXTS,
        "properties": TEXTS,
        "isArchived": TRUTH,
        "latestVersion": TEXT,
        "nextVersion": TEXT,
        "provisioningState": _STATE,
    }
    if kind == "data":
        properties["dataType"] = nullable(TEXT)
    return _resource(_object(properties))


def _connection(credentials: Schema) -> Schema:
    kept = {"authType": TEXT, "category": TEXT, "credentials": credentials}
    said = {"target": TEXT, "metadata": {"type": "object"}, "isSharedToAll": TRUTH}
    schema = _object(kept, {name: nullable(one) for name, one in said.items()})
    return _resource({**schema, "additionalProperties": True})


def _roles() -> Schema:
    return _object(
        {
            "roleDefinitionId": TEXT,
            "principalId": TEXT,
            "principalType": {"type": "string", "enum": list(PrincipalType)},
            "scope": TEXT,
            "createdOn": _TIME,
            "updatedOn": _TIME,
        }
    )


def _definitions() -> Schema:
    kinds = ("actions", "notActions", "dataActions", "notDataActions")
    return _object(
        {
            "roleName": TEXT,
            "type": {"type": "string", "enum": ["BuiltInRole", "CustomRole"]},
            "description": TEXT,
            "assignableScopes": _list(TEXT),
            "permissions": _list(_object(dict.fromkeys(kinds, _list(TEXT)))),
        }
    )


_NAMED = _object({"value": TEXT, "localizedValue": TEXT})
_ERROR_DETAIL = _object(
    {"code": TEXT, "message": TEXT},
    {
        "details": _list(ref("ErrorDetail")),
        "additionalInfo": _list(_object({"type": TEXT, "info": {"type": "object"}})),
    },
)
_OPERATION = _object(
    {
        "id": TEXT,
        "name": TEXT,
        "status": {"type": "string", "enum": list(OperationState)},
        "startTime": _TIME,
        "percentComplete": {"type": "number", "minimum": 0, "maximum": 100},
        "properties": _object(
            {
                "progress": _list(
                    _object({"time": _TIME, "severity": TEXT, "reason": TEXT, "message": TEXT})
                )
            }
        ),
    },
    {"endTime": _TIME, "error": ref("ErrorDetail")},
)
_WORKSPACE = _object(
    {
        "id": TEXT,
        "name": TEXT,
        "type": TEXT,
        "location": TEXT,
        "kind": TEXT,
        "tags": TEXTS,
        "sku": _object({"name": TEXT, "tier": TEXT}),
        "properties": _object(
            {
                "friendlyName": TEXT,
                "workspaceId": TEXT,
                "storageAccount": TEXT,
                "keyVault": TEXT,
                "containerRegistry": TEXT,
                "provisioningState": _STATE,
                "hbiWorkspace": TRUTH,
                "mlFlowTrackingUri": _NOTHING,
            }
        ),
    }
)
_DATASTORE = _object(
    {
        "datastoreType": {"type": "string", "enum": ["AzureBlob", "AzureDataLakeGen2"]},
        "accountName": TEXT,
        "endpoint": TEXT,
        "isDefault": TRUTH,
        "credentials": _object(
            {
                "credentialsType": {
                    "type": "string",
                    "enum": ["AccountKey", "Sas", "ServicePrincipal", "Certificate", "None"],
                }
            },
            dict.fromkeys(
                ("tenantId", "clientId", "authorityUrl", "resourceUrl", "thumbprint"), TEXT
            ),
        ),
        "serviceDataAccessAuthIdentity": TEXT,
        "tags": TEXTS,
        "properties": TEXTS,
    },
    dict.fromkeys(("containerName", "filesystem", "protocol", "description"), TEXT),
)
_UPLOAD = _object(
    {
        "pendingUploadId": TEXT,
        "pendingUploadType": {"type": "string", "enum": ["TemporaryBlobReference"]},
        "blobReferenceForConsumption": _object(
            {
                "blobUri": TEXT,
                "storageAccountArmId": TEXT,
                "credential": _object({"credentialType": TEXT, "sasUri": TEXT}),
            }
        ),
    }
)
_SKU = _object(
    {
        "resourceType": TEXT,
        "sku": _object({"name": TEXT}),
        "capacity": _object(
            {"minimum": _COUNT, "maximum": _COUNT, "default": _COUNT, "scaleType": TEXT}
        ),
    }
)
_LIMIT = {"id": TEXT, "type": TEXT, "name": _NAMED, "limit": {"type": "integer"}, "unit": TEXT}
_SIZE = _object(
    {
        "name": TEXT,
        "family": TEXT,
        "vCPUs": {"type": "number"},
        "gpus": _COUNT,
        "memoryGB": {"type": "number"},
        "osVhdSizeMB": _COUNT,
        "maxResourceVolumeMB": _COUNT,
        "lowPriorityCapable": TRUTH,
        "premiumIO": TRUTH,
        "supportedComputeTypes": _list(TEXT),
    }
)
_CLOUD = _object(
    {
        "name": TEXT,
        "portal": TEXT,
        "resourceManager": TEXT,
        "authentication": _object(
            {
                "loginEndpoint": TEXT,
                "audiences": _list(TEXT),
                "tenant": TEXT,
                "identityProvider": TEXT,
            }
        ),
        "graph": TEXT,
        "microsoftGraphResourceId": TEXT,
        "suffixes": _object({"storage": TEXT}),
    }
)
_STATUS = {
    "type": "object",
    "required": ["address", "home", "version", "parts", "problems", "gateway", "endpoints"],
    "properties": {
        "address": TEXT,
        "home": TEXT,
        "version": TEXT,
        "parts": _list({"type": "object"}),
        "problems": _list(ref("ErrorDetail")),
        "gateway": {"type": "object"},
        "limits": TEXT,
        "endpoints": _list({"type": "object"}),
    },
}


def answer_schemas() -> dict[str, Schema]:
    """Every component that answers refer to."""
    versions = {f"{one}Version": _version(kind) for kind, one in SINGULAR.items()}
    containers = {f"{one}Container": _container(kind) for kind, one in SINGULAR.items()}
    resources = {
        "OnlineEndpoint": _endpoint(),
        "OnlineDeployment": _declared(
            DeploymentSpec, DEPLOYMENT, {"provisioningState": _STATE}, {"location": TEXT}
        ),
        **versions,
        **containers,
        "Connection": _connection(_NOTHING),
        "Datastore": _resource(_DATASTORE),
        "Lock": _resource(
            _object({"level": {"type": "string", "enum": list(Level)}, "notes": TEXT}), dated=False
        ),
        "RoleAssignment": _resource(_roles(), dated=False),
        "RoleDefinition": _resource(_definitions(), dated=False),
        "ActivityEvent": ACTIVITY_EVENT,
        **TEMPLATE_RESOURCES,
        **REGISTRY_RESOURCES,
        "Sku": _SKU,
        "Usage": _object({**_LIMIT, "currentValue": _COUNT, "amlWorkspaceLocation": TEXT}),
        "Quota": _object(_LIMIT),
        "VirtualMachineSize": _SIZE,
    }
    return {
        **resources,
        **{f"{name}List": page(name) for name in resources},
        "ConnectionWithSecrets": _connection(nullable({"type": "object"})),
        "Workspace": _WORKSPACE,
        "SystemData": _object(
            {
                "createdAt": _TIME,
                "createdBy": TEXT,
                "createdByType": TEXT,
                "lastModifiedAt": _TIME,
                "lastModifiedBy": TEXT,
                "lastModifiedByType": TEXT,
            }
        ),
        "Error": _object({"error": ref("ErrorDetail")}),
        "ErrorDetail": _ERROR_DETAIL,
        "Operation": _OPERATION,
        "EndpointKeys": _object({"primaryKey": TEXT, "secondaryKey": TEXT}),
        "EndpointToken": _object(
            {
                "accessToken": TEXT,
                "expiryTimeUtc": _COUNT,
                "refreshAfterTimeUtc": _COUNT,
                "tokenType": TEXT,
            }
        ),
        "DeploymentLogs": _object({"content": TEXT}),
        "DatastoreSecrets": _object(
            {
                "secretsType": {
                    "type": "string",
                    "enum": ["AccountKey", "Sas", "ServicePrincipal", "Certificate"],
                }
            },
            dict.fromkeys(("key", "sasToken", "clientSecret", "certificate"), TEXT),
        ),
        "PendingUpload": _UPLOAD,
        "Clouds": _list(_CLOUD),
        "AccessToken": _object(
            {
                "access_token": TEXT,
                "expires_on": TEXT,
                "resource": TEXT,
                "token_type": TEXT,
                "client_id": TEXT,
            }
        ),
        **TEMPLATE_ANSWERS,
        **REGISTRY_ANSWERS,
        "Health": _object({"status": TEXT, "version": TEXT}),
        "Status": _STATUS,
        "Description": {"type": "object"},
    }
