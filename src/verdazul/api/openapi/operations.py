"""Every route of the API by method and path: what `/openapi.json` says of it.

Paths are as in the rules; those below a workspace begin there. A route that is not here, and an
entry that has no route, fail tests/api/test_api_openapi.py.
"""

from __future__ import annotations

from verdazul.api.openapi.activity import ACTIVITY
from verdazul.api.openapi.answers import SINGULAR
from verdazul.api.openapi.identities import IDENTITIES
from verdazul.api.openapi.operation import (
    ASYNC,
    Answer,
    Operation,
    begins,
    deletes,
    lists,
    puts,
    shows,
)
from verdazul.api.openapi.registries import PACKAGE, REGISTRIES
from verdazul.api.openapi.roles import role_assignments, role_definitions, shown_role_definitions
from verdazul.api.openapi.storage import STORAGE
from verdazul.api.openapi.subscriptions import SUBSCRIPTIONS
from verdazul.api.openapi.templates import TEMPLATES

_PAGED = ("$skip", "$top")
_MATCH = ("If-Match", "If-None-Match")
_SUBSCRIPTION = "subscriptions/{subscription}"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/{{group}}"
_ENDPOINT = "onlineEndpoints/{endpoint}"
_DEPLOYMENT = f"{_ENDPOINT}/deployments/{{deployment}}"
_LOCATION = (
    "subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{location}"
)
_DELETION: dict[int, Answer] = {
    202: Answer("It goes down; wait at Azure-AsyncOperation or Location.", headers=ASYNC),
    204: Answer("There was none."),
}

_ENDPOINTS = {
    "GET onlineEndpoints": Operation(
        "OnlineEndpoints_List",
        "Online endpoints",
        "List endpoints by name",
        lists("OnlineEndpoint"),
        query=_PAGED,
    ),
    f"GET {_ENDPOINT}": Operation(
        "OnlineEndpoints_Get",
        "Online endpoints",
        "Show an endpoint",
        shows("OnlineEndpoint", "ETag"),
    ),
    f"PUT {_ENDPOINT}": Operation(
        "OnlineEndpoints_CreateOrUpdate",
        "Online endpoints",
        "Declare an endpoint, new or changed: its door, traffic and mirror",
        puts("OnlineEndpoint", *ASYNC, "ETag"),
        body="OnlineEndpointBody",
        headers=_MATCH,
    ),
    f"PATCH {_ENDPOINT}": Operation(
        "OnlineEndpoints_Update",
        "Online endpoints",
        "Change an endpoint's tags or identity",
        puts("OnlineEndpoint", *ASYNC, "ETag"),
        body="OnlineEndpointPatch",
        headers=_MATCH,
    ),
    f"DELETE {_ENDPOINT}": Operation(
        "OnlineEndpoints_Delete",
        "Online endpoints",
        "Take an endpoint and its deployments down",
        _DELETION,
    ),
    f"POST {_ENDPOINT}/listKeys": Operation(
        "OnlineEndpoints_ListKeys",
        "Online endpoints",
        "Show both keys of an endpoint with authMode Key",
        shows("EndpointKeys", says="Both keys."),
    ),
    f"POST {_ENDPOINT}/regenerateKeys": Operation(
        "OnlineEndpoints_RegenerateKeys",
        "Online endpoints",
        "Replace one key while the other goes on opening the endpoint",
        begins("It is replaced; wait until the gateway knows it."),
        body="RegenerateKeys",
    ),
    f"POST {_ENDPOINT}/token": Operation(
        "OnlineEndpoints_GetToken",
        "Online endpoints",
        "Make a token that opens an endpoint with authMode AMLToken for a while",
        shows("EndpointToken", says="The token."),
        errors=(503,),
    ),
    f"POST {_ENDPOINT}/pause": Operation(
        "OnlineEndpoints_Pause",
        "Online endpoints",
        "Let requests wait (not in Azure)",
        {**begins("It pauses."), 204: Answer("It was paused already.")},
    ),
    f"POST {_ENDPOINT}/resume": Operation(
        "OnlineEndpoints_Resume",
        "Online endpoints",
        "Let requests pass again (not in Azure)",
        {**begins("It resumes."), 204: Answer("It was not paused.")},
    ),
}

_DEPLOYMENTS = {
    f"GET {_ENDPOINT}/deployments": Operation(
        "OnlineDeployments_List",
        "Online deployments",
        "List an endpoint's deployments by name",
        lists("OnlineDeployment"),
        query=_PAGED,
    ),
    f"GET {_DEPLOYMENT}": Operation(
        "OnlineDeployments_Get",
        "Online deployments",
        "Show a deployment",
        shows("OnlineDeployment", "ETag"),
    ),
    f"PUT {_DEPLOYMENT}": Operation(
        "OnlineDeployments_CreateOrUpdate",
        "Online deployments",
        "Declare a deployment, new or changed: its model, code, environment and instances",
        puts("OnlineDeployment", *ASYNC, "ETag"),
        body="OnlineDeploymentBody",
        headers=_MATCH,
    ),
    f"PATCH {_DEPLOYMENT}": Operation(
        "OnlineDeployments_Update",
        "Online deployments",
        "Change a deployment's tags or its number of instances",
        puts("OnlineDeployment", *ASYNC, "ETag"),
        body="OnlineDeploymentPatch",
        headers=_MATCH,
    ),
    f"DELETE {_DEPLOYMENT}": Operation(
        "OnlineDeployments_Delete",
        "Online deployments",
        "Take a deployment down that takes no traffic",
        _DELETION,
    ),
    f"GET {_DEPLOYMENT}/skus": Operation(
        "OnlineDeployments_ListSkus",
        "Online deployments",
        "Say between how many instances a deployment can be scaled",
        lists("Sku"),
        query=_PAGED,
    ),
    f"POST {_DEPLOYMENT}/getLogs": Operation(
        "OnlineDeployments_GetLogs",
        "Online deployments",
        "Show the last lines of an instance, or of what went before all of them",
        shows("DeploymentLogs", says="The lines."),
        body="GetLogs",
    ),
}


def _assets(kind: str) -> dict[str, Operation]:
    one, tag = SINGULAR[kind], f"{SINGULAR[kind]} assets"
    container, version = f"{kind}/{{name}}", f"{kind}/{{name}}/versions/{{version}}"
    found = {
        f"GET {kind}": Operation(
            f"{one}Containers_List",
            tag,
            f"List the names under which there are {kind}",
            lists(f"{one}Container"),
            query=("listViewType", *_PAGED),
        ),
        f"GET {container}": Operation(
            f"{one}Containers_Get",
            tag,
            "Show a name with its latest and its next version",
            shows(f"{one}Container"),
        ),
        f"PUT {container}": Operation(
            f"{one}Containers_CreateOrUpdate",
            tag,
            "Archive or restore all versions of a name",
            shows(f"{one}Container"),
            body="AssetContainerBody",
        ),
        f"GET {container}/versions": Operation(
            f"{one}Versions_List",
            tag,
            "List the versions of a name, or of any name by their hash",
            lists(f"{one}Version"),
            query=("listViewType", "$orderBy", "hash", "hashVersion", *_PAGED),
        ),
        f"GET {version}": Operation(
            f"{one}Versions_Get", tag, "Show a version", shows(f"{one}Version")
        ),
        f"PUT {version}": Operation(
            f"{one}Versions_CreateOrUpdate",
            tag,
            "Register a version, or say something else about it; its content never changes",
            puts(f"{one}Version"),
            body=f"{one}VersionBody",
        ),
        f"DELETE {version}": Operation(
            f"{one}Versions_Delete", tag, "Delete a version that no deployment uses", deletes()
        ),
    }
    if kind != "environments":
        found[f"POST {version}/startPendingUpload"] = Operation(
            f"{one}Versions_CreateOrGetStartPendingUpload",
            tag,
            "Open an upload; the answer holds the signed address to send files below",
            shows("PendingUpload", says="Where to send the files."),
            body="PendingUploadBody",
        )
    if kind == "models":
        found[f"POST {version}/package"] = Operation("ModelVersions_Package", tag, PACKAGE, {})
    return found


def _locks(place: str, scope: str) -> dict[str, Operation]:
    tag, path = "Locks", f"{scope}providers/Microsoft.Authorization/locks"
    return {
        f"GET {path}": Operation(
            f"ManagementLocks_ListAt{place}",
            tag,
            "List locks here and below",
            lists("Lock"),
            query=_PAGED,
        ),
        f"GET {path}/{{lock}}": Operation(
            f"ManagementLocks_GetAt{place}", tag, "Show a lock", shows("Lock")
        ),
        f"PUT {path}/{{lock}}": Operation(
            f"ManagementLocks_CreateOrUpdateAt{place}",
            tag,
            "Forbid deletions, or all changes, here and below",
            puts("Lock"),
            body="LockBody",
        ),
        f"DELETE {path}/{{lock}}": Operation(
            f"ManagementLocks_DeleteAt{place}", tag, "Take a lock away", deletes()
        ),
    }


_WORKSPACE = {
    "GET ": Operation("Workspaces_Get", "Workspace", "Show the workspace", shows("Workspace")),
    "GET datastores": Operation(
        "Datastores_List",
        "Workspace",
        "List datastores by name, the workspace's own first",
        lists("Datastore"),
        query=("isDefault", "names", "searchText", "count", "orderBy", "orderByAsc", *_PAGED),
    ),
    "GET datastores/{name}": Operation(
        "Datastores_Get", "Workspace", "Show a datastore, without its secret", shows("Datastore")
    ),
    "PUT datastores/{name}": Operation(
        "Datastores_CreateOrUpdate",
        "Workspace",
        "Keep a datastore, or change its credentials and words; its secret is sealed at once",
        puts("Datastore", "ETag"),
        body="DatastoreBody",
        query=("skipValidation",),
        headers=_MATCH,
    ),
    "DELETE datastores/{name}": Operation(
        "Datastores_Delete",
        "Workspace",
        "Forget a datastore; what is in its account stays",
        deletes(),
        headers=_MATCH,
    ),
    "POST datastores/{name}/listSecrets": Operation(
        "Datastores_ListSecrets",
        "Workspace",
        "Show what opens the datastore; the workspace's own by a signature, for a while",
        shows("DatastoreSecrets", says="The secret."),
        body="ListSecrets",
    ),
    "GET connections": Operation(
        "WorkspaceConnections_List",
        "Connections",
        "List connections, without credentials",
        lists("Connection"),
        query=("category", *_PAGED),
    ),
    "GET connections/{name}": Operation(
        "WorkspaceConnections_Get", "Connections", "Show a connection", shows("Connection")
    ),
    "PUT connections/{name}": Operation(
        "WorkspaceConnections_Create",
        "Connections",
        "Keep a connection; its credentials are sealed at once",
        shows("Connection"),
        body="ConnectionBody",
    ),
    "DELETE connections/{name}": Operation(
        "WorkspaceConnections_Delete", "Connections", "Forget a connection", deletes()
    ),
    "POST connections/{name}/listSecrets": Operation(
        "WorkspaceConnections_ListSecrets",
        "Connections",
        "Show a connection with its credentials",
        shows("ConnectionWithSecrets"),
    ),
}

_ROOT = {
    "GET healthz": Operation("Health_Get", "Server", "Say that it answers", shows("Health")),
    "GET openapi.json": Operation(
        "OpenApi_Get", "Server", "Describe this API", shows("Description")
    ),
    "GET metadata/endpoints": Operation(
        "Clouds_List", "Server", "Say where a client finds everything", shows("Clouds")
    ),
    "GET msi/token": Operation(
        "ManagedIdentity_GetToken",
        "Server",
        "Make a token for whoever has the home's (App Service's managed-identity protocol)",
        shows("AccessToken", says="The token."),
        query=("resource",),
        errors=(400, 401),
        security=("identityHeader",),
    ),
    "GET verdazul/v1/status": Operation(
        "Status_Get", "Server", "Show every part, endpoint and instance", shows("Status")
    ),
    f"GET {_LOCATION}/mfeOperationsStatus/{{operation}}": Operation(
        "Operations_GetStatus",
        "Operations",
        "Say how far a change is (Azure-AsyncOperation leads here)",
        shows("Operation", "Retry-After"),
    ),
    f"GET {_LOCATION}/mfeOperationResults/{{operation}}": Operation(
        "Operations_GetResult",
        "Operations",
        "Say what a deletion or an action came to (Location leads here)",
        {
            202: Answer("It goes on.", headers=("Retry-After",)),
            204: Answer("It has succeeded."),
        },
        errors=(409, 503),
    ),
    f"GET {_LOCATION}/usages": Operation(
        "Usages_List",
        "Capacity",
        "List what is declared, against what may be",
        lists("Usage"),
        query=_PAGED,
    ),
    f"GET {_LOCATION}/quotas": Operation(
        "Quotas_List", "Capacity", "List the limits", lists("Quota"), query=_PAGED
    ),
    f"GET {_LOCATION}/vmSizes": Operation(
        "VirtualMachineSizes_List",
        "Capacity",
        "List every instance type, on one page",
        lists("VirtualMachineSize"),
    ),
}

OPERATIONS: dict[str, Operation] = {
    **_ROOT,
    **STORAGE,
    **IDENTITIES,
    **ACTIVITY,
    **TEMPLATES,
    **REGISTRIES,
    **_WORKSPACE,
    **_ENDPOINTS,
    **_DEPLOYMENTS,
    **{key: one for kind in SINGULAR for key, one in _assets(kind).items()},
    **_locks("Workspace", ""),
    **_locks("OnlineEndpoint", f"{_ENDPOINT}/"),
    **_locks("OnlineDeployment", f"{_DEPLOYMENT}/"),
    **SUBSCRIPTIONS,
    **role_assignments("Subscription", f"{_SUBSCRIPTION}/"),
    **role_assignments("ResourceGroup", f"{_GROUP}/"),
    **role_assignments("Workspace", ""),
    **role_assignments("OnlineEndpoint", f"{_ENDPOINT}/"),
    **shown_role_definitions("Root", "/"),
    **role_definitions("Subscription", f"{_SUBSCRIPTION}/"),
    **role_definitions("ResourceGroup", f"{_GROUP}/"),
    **role_definitions("Workspace", ""),
    **shown_role_definitions("OnlineEndpoint", f"{_ENDPOINT}/"),
}
