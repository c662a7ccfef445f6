"""What requests hold, as JSON Schema, with an example of each that the API takes.

Declared things are described by the tables and types that read them, small bodies by api/bodies.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from verdazul.api import bodies
from verdazul.api.deployments import PATCHABLE as DEPLOYMENT_PATCH
from verdazul.api.endpoints import PATCHABLE as ENDPOINT_PATCH
from verdazul.api.openapi.answers import SINGULAR
from verdazul.model.arm import DEPLOYMENT, ENDPOINT
from verdazul.model.asset_bodies import VERSIONS
from verdazul.model.datastore import DatastoreSpec
from verdazul.model.datastore_bodies import TABLE as DATASTORE
from verdazul.model.deployment import DeploymentSpec
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.registry import REGISTRY, RegistryBody
from verdazul.model.schema import Schema, nullable, request_schema

_TAGS = {"project": "credit"}
_UPLOADED = "azureml://datastores/workspaceblobstore/paths/LocalUpload/1/model"
_EXAMPLES: dict[str, dict[str, Any]] = {
    "OnlineEndpointBody": {
        "location": "local",
        "tags": _TAGS,
        "properties": {"authMode": "Key", "description": "Scores loans.", "traffic": {}},
    },
    "OnlineEndpointPatch": {"tags": _TAGS},
    "OnlineDeploymentBody": {
        "location": "local",
        "sku": {"name": "Default", "capacity": 1},
        "properties": {
            "endpointComputeType": "Managed",
            "codeConfiguration": {"codeId": "azureml:code:1", "scoringScript": "score.py"},
            "environmentId": "azureml:sklearn:1",
            "environmentVariables": {"LOG_LEVEL": "info"},
            "instanceType": "Standard_DS3_v2",
            "requestSettings": {"requestTimeout": "PT5S"},
        },
    },
    "OnlineDeploymentPatch": {"sku": {"capacity": 2}},
    "RegenerateKeys": {"keyType": "Secondary"},
    "GetLogs": {"containerType": "InferenceServer", "tail": 100},
    "ListSecrets": {"expirableSecret": True, "expireAfterHours": 1},
    "PendingUploadBody": {"pendingUploadType": "TemporaryBlobReference"},
    "AssetContainerBody": {"properties": {"isArchived": True}},
    "CodeVersionBody": {"properties": {"codeUri": _UPLOADED, "isAnonymous": True}},
    "ModelVersionBody": {
        "properties": {"modelType": "custom_model", "modelUri": _UPLOADED, "tags": _TAGS}
    },
    "EnvironmentVersionBody": {
        "properties": {
            "image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04",
            "condaFile": "dependencies:\n- python=3.11\n- pip:\n  - scikit-learn\n",
            "osType": "Linux",
        }
    },
    "DataVersionBody": {"properties": {"dataType": "uri_file", "dataUri": f"{_UPLOADED}.csv"}},
    "LockBody": {"properties": {"level": "CanNotDelete", "notes": "serves customers"}},
    "ConnectionBody": {
        "properties": {
            "authType": "ApiKey",
            "category": "AzureOpenAI",
            "target": "https://models.example",
            "credentials": {"key": "the-key"},
        }
    },
    "RegistryBody": {"location": "local", "tags": _TAGS, "properties": {"regionDetails": []}},
    "RegistryImport": {
        "properties": {
            "referenceType": "Id",
            "destinationName": "credit",
            "destinationVersion": "1",
            "sourceAssetId": "azureml://locations/local/workspaces/"
            "00000000-0000-0000-0000-000000000000/models/credit/versions/1",
        }
    },
    "TemporaryData": {"temporaryDataReferenceType": "TemporaryBlobReference"},
    "DataReference": {"assetId": "azureml://registries/shared/models/credit/versions/1"},
    "DatastoreBody": {
        "properties": {
            "datastoreType": "AzureBlob",
            "accountName": "mymodels",
            "containerName": "production",
            "credentials": {
                "credentialsType": "Sas",
                "secrets": {"secretsType": "Sas", "sasToken": "sv=..."},
            },
        }
    },
    "UserBody": {
        "userPrincipalName": "alice@example.com",
        "displayName": "Alice",
        "passwordProfile": {"password": "correct horse battery"},
    },
    "UserPatch": {"passwordProfile": {"password": "another horse battery"}},
    "ServicePrincipalBody": {"displayName": "ci"},
    "AddPassword": {"passwordCredential": {"displayName": "of the build server"}},
    "RemovePassword": {"keyId": "11111111-2222-3333-4444-555555555555"},
    "ChangePassword": {
        "currentPassword": "correct horse battery",
        "newPassword": "another horse battery",
    },
    "GetByIds": {"ids": ["11111111-2222-3333-4444-555555555555"], "types": ["user"]},
    "TemplateDeploymentBody": {
        "properties": {
            "mode": "Incremental",
            "template": {
                "$schema": "https://schema.management.azure.com/schemas/2019-04-01/"
                "deploymentTemplate.json#",
                "contentVersion": "1.0.0.0",
                "parameters": {"name": {"type": "string"}},
                "resources": [],
            },
            "parameters": {"name": {"value": "credit"}},
        }
    },
    "RoleAssignmentBody": {
        "properties": {
            "roleDefinitionId": "AzureML Data Scientist",
            "principalId": "11111111-2222-3333-4444-555555555555",
            "principalType": "User",
        }
    },
    "RoleDefinitionBody": {
        "properties": {
            "roleName": "Endpoint caller",
            "description": "calls endpoints, and sees them",
            "assignableScopes": ["/subscriptions/00000000-0000-0000-0000-000000000000"],
            "permissions": [
                {
                    "actions": [
                        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/*/read",
                        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action",
                    ]
                }
            ],
        }
    },
}


def request_schemas() -> dict[str, Schema]:
    """Every component that request bodies refer to."""
    endpoint = request_schema(EndpointSpec, ENDPOINT)
    deployment = request_schema(DeploymentSpec, DEPLOYMENT)
    versions = {
        f"{one}VersionBody": {**request_schema(*VERSIONS[kind]), "required": ["properties"]}
        for kind, one in SINGULAR.items()
    }
    found: dict[str, Schema] = {
        "OnlineEndpointBody": endpoint,
        "OnlineEndpointPatch": _part(endpoint, ENDPOINT_PATCH),
        "OnlineDeploymentBody": deployment,
        "OnlineDeploymentPatch": _part(deployment, DEPLOYMENT_PATCH),
        **versions,
        "AssetContainerBody": bodies.CONTAINER,
        "PendingUploadBody": bodies.PENDING_UPLOAD,
        "ListSecrets": bodies.LIST_SECRETS,
        "DatastoreBody": {**request_schema(DatastoreSpec, DATASTORE), "required": ["properties"]},
        "ConnectionBody": bodies.CONNECTION,
        "RegenerateKeys": bodies.REGENERATE_KEYS,
        "GetLogs": bodies.GET_LOGS,
        "LockBody": bodies.LOCK,
        "RoleAssignmentBody": bodies.ROLE_ASSIGNMENT,
        "RoleDefinitionBody": bodies.ROLE_DEFINITION,
        "UserBody": bodies.USER,
        "UserPatch": bodies.USER_PATCH,
        "ServicePrincipalBody": bodies.SERVICE_PRINCIPAL,
        "AddPassword": bodies.ADD_PASSWORD,
        "RemovePassword": bodies.REMOVE_PASSWORD,
        "GetByIds": bodies.GET_BY_IDS,
        "ChangePassword": bodies.CHANGE_PASSWORD,
        "RegistryBody": request_schema(RegistryBody, REGISTRY),
        "RegistryImport": bodies.IMPORT,
        "TemporaryData": bodies.TEMPORARY_DATA,
        "DataReference": bodies.DATA_REFERENCE,
        "TemplateDeploymentBody": bodies.TEMPLATE_DEPLOYMENT,
    }
    return {name: {**schema, "examples": [_EXAMPLES[name]]} for name, schema in found.items()}


def _part(schema: Schema, names: Iterable[str]) -> Schema:
    """A merge patch: some of the keys, where null takes one away."""
    properties = {name: nullable(schema["properties"][name]) for name in sorted(names)}
    return {"type": "object", "properties": properties, "additionalProperties": False}
