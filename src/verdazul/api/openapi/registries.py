"""Registries in the description: their routes, and what answers of them hold."""

from __future__ import annotations

from verdazul.api.bodies import TEXT, TEXTS
from verdazul.api.openapi.operation import Answer as Said
from verdazul.api.openapi.operation import Operation, deletes, lists, puts, shows
from verdazul.api.registries import DISCOVERY, IN_GROUP, IN_SUBSCRIPTION, ONE
from verdazul.control.registries import KINDS
from verdazul.model.asset_yaml import FILES_AT
from verdazul.model.schema import Schema, nullable

_TAG = "Registries"
_PAGED = ("$skip", "$top")
_SINGULAR = {"models": "Model", "environments": "Environment", "data": "Data"}


def _assets(kind: str) -> dict[str, Operation]:
    one, container = _SINGULAR[kind], f"{ONE}/{kind}/{{name}}"
    version = f"{container}/versions/{{version}}"
    found = {
        f"GET {ONE}/{kind}": Operation(
            f"Registry{one}Containers_List",
            _TAG,
            f"List the names under which a registry has {kind}",
            lists(f"{one}Container"),
            query=("listViewType", *_PAGED),
        ),
        f"GET {container}": Operation(
            f"Registry{one}Containers_Get",
            _TAG,
            "Show a name with its latest and its next version",
            shows(f"{one}Container"),
        ),
        f"PUT {container}": Operation(
            f"Registry{one}Containers_CreateOrUpdate",
            _TAG,
            "Archive or restore all versions of a name",
            shows(f"{one}Container"),
            body="AssetContainerBody",
        ),
        f"GET {container}/versions": Operation(
            f"Registry{one}Versions_List",
            _TAG,
            "List the versions of a name, the highest first, or of any name by their hash",
            lists(f"{one}Version"),
            query=("listViewType", "$orderBy", "hash", "hashVersion", *_PAGED),
        ),
        f"GET {version}": Operation(
            f"Registry{one}Versions_Get", _TAG, "Show a version", shows(f"{one}Version")
        ),
        f"PUT {version}": Operation(
            f"Registry{one}Versions_CreateOrUpdate",
            _TAG,
            "Copy a version to a registry, or say something else about it",
            puts(f"{one}Version"),
            body=f"{one}VersionBody",
        ),
    }
    if kind in FILES_AT:
        found[f"POST {version}/startPendingUpload"] = Operation(
            f"Registry{one}Versions_CreateOrGetStartPendingUpload",
            _TAG,
            "Open an upload; the answer holds the signed address to send files below",
            shows("PendingUpload", says="Where to send the files."),
            body="PendingUploadBody",
        )
    return found


PACKAGE = "Refuse: images are not built here, and a deployment needs none"
REGISTRIES: dict[str, Operation] = {
    f"GET {IN_SUBSCRIPTION}": Operation(
        "Registries_ListBySubscription",
        _TAG,
        "List registries by name",
        lists("Registry"),
        query=_PAGED,
    ),
    f"GET {IN_GROUP}": Operation(
        "Registries_List", _TAG, "List registries by name", lists("Registry"), query=_PAGED
    ),
    f"GET {ONE}": Operation("Registries_Get", _TAG, "Show a registry", shows("Registry")),
    f"PUT {ONE}": Operation(
        "Registries_CreateOrUpdate",
        _TAG,
        "Make a registry, or say something else about it",
        puts("Registry"),
        body="RegistryBody",
    ),
    f"DELETE {ONE}": Operation(
        "Registries_Delete",
        _TAG,
        "Delete a registry that no deployment uses, with all that it holds",
        deletes(),
    ),
    f"GET {DISCOVERY}": Operation(
        "RegistryManagementNonWorkspace_Get",
        _TAG,
        "Say where a client finds a registry",
        shows("RegistryDiscovery"),
        errors=(401, 403, 404),
        security=("bearer",),
    ),
    f"POST {ONE}/import": Operation(
        "ResourceManagementAssetReference_ImportMethod",
        _TAG,
        "Copy a version of the workspace to a registry",
        {200: Said("It is there.")},
        body="RegistryImport",
    ),
    f"PUT {ONE}/tempdatarefs/{{name}}/versions/{{version}}": Operation(
        "TemporaryDataReferences_CreateOrGetTemporaryDataReference",
        _TAG,
        "Open an upload for a version that is going to be put",
        shows("PendingUpload", says="Where to send the files."),
        body="TemporaryData",
    ),
    f"POST {ONE}/datarefs/{{name}}/versions/{{version}}": Operation(
        "DataReferences_GetBlobReferenceSAS",
        _TAG,
        "Make a signature with which a version's files can be read for a while",
        shows("BlobReference", says="Where the files are."),
        body="DataReference",
    ),
    f"POST {ONE}/models/{{name}}/versions/{{version}}/package": Operation(
        "RegistryModelVersions_Package", _TAG, PACKAGE, {}
    ),
    **{key: one for kind in KINDS for key, one in _assets(kind).items()},
}


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


REGISTRY_RESOURCES: dict[str, Schema] = {
    "Registry": _object(
        id=TEXT,
        name=TEXT,
        type=TEXT,
        location=TEXT,
        tags=TEXTS,
        properties=_object(
            description=nullable(TEXT),
            publicNetworkAccess=TEXT,
            discoveryUrl=TEXT,
            regionDetails=_list(
                _object(
                    location=TEXT,
                    acrDetails={"type": "array", "maxItems": 0},
                    storageAccountDetails={"type": "array", "maxItems": 0},
                )
            ),
            provisioningState={"type": "string", "enum": ["Succeeded"]},
        ),
        systemData={"$ref": "#/components/schemas/SystemData"},
    ),
}
REGISTRY_ANSWERS: dict[str, Schema] = {
    "RegistryDiscovery": _object(
        registryName=TEXT,
        tenantId=TEXT,
        primaryRegion=TEXT,
        regions=_list(TEXT),
        registryFqdns={"type": "object", "additionalProperties": _object(uri=TEXT)},
        subscriptionId=TEXT,
        resourceGroup=TEXT,
        primaryRegionResourceProviderUri=TEXT,
    ),
    "BlobReference": _object(
        blobReferenceForConsumption=_object(
            blobUri=TEXT, credential=_object(credentialType=TEXT, sasUri=TEXT)
        )
    ),
}
