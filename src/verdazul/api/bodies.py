"""Small request bodies: what each may hold, as JSON Schema.

The description of the API shows these very schemas, and a property that is not in one of them is
refused by its path. What a value must be is judged, in its own words, by who reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from verdazul.control.locks import Level
from verdazul.core.access import PrincipalType
from verdazul.model.errors import UserError
from verdazul.model.nearest import nearest
from verdazul.model.schema import SERVERS_OWN, Schema, nullable
from verdazul.model.show import shown

TAIL_DEFAULT = 5000
TAIL_LIMIT = 100_000
MOST_HOURS = 24
TEXT: Schema = {"type": "string"}
TRUTH: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
_WRITTEN: Schema = {"readOnly": True, "description": SERVERS_OWN}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _resource(properties: Schema, *needed: str, **beside: Schema) -> Schema:
    """A body that says everything in `properties`; what GET shows may be sent back."""
    shown = dict.fromkeys(("id", "name", "type", "systemData"), _WRITTEN)
    inner = {**properties, "required": list(needed)} if needed else properties
    return {**_object(properties=inner, **shown, **beside), "required": ["properties"]}


def _optional(**properties: Schema) -> Schema:
    return _object(**{name: nullable(schema) for name, schema in properties.items()})


LIST_SECRETS = _optional(
    expirableSecret=TRUTH,
    expireAfterHours={"type": "integer", "minimum": 1, "maximum": MOST_HOURS, "default": 1},
)
GET_LOGS = _optional(
    containerType={
        "type": "string",
        "enum": ["InferenceServer", "StorageInitializer"],
        "default": "InferenceServer",
    },
    tail={"type": "integer", "minimum": 1, "maximum": TAIL_LIMIT, "default": TAIL_DEFAULT},
)
REGENERATE_KEYS = _object(
    keyType={"type": "string", "enum": ["Primary", "Secondary"], "default": "Primary"},
    keyValue=nullable({"type": "string", "minLength": 1}),
)
PENDING_UPLOAD = _optional(
    pendingUploadId=TEXT,
    pendingUploadType={"type": "string", "enum": ["TemporaryBlobReference"]},
)
CONTAINER = _resource(
    _optional(
        isArchived={"type": "boolean", "default": False},
        description=TEXT,
        tags=TEXTS,
        properties=TEXTS,
        **dict.fromkeys(
            ("dataType", "latestVersion", "nextVersion", "provisioningState"), _WRITTEN
        ),
    )
)
LOCK = _resource(
    _object(level={"type": "string", "enum": list(Level)}, notes=nullable(TEXT)), "level"
)
CONNECTION = _resource(
    {
        **_object(
            authType={"type": "string", "minLength": 1},
            category={"type": "string", "minLength": 1},
            target=nullable(TEXT),
            credentials=nullable({"type": "object"}),
            metadata=nullable({"type": "object"}),
            isSharedToAll=nullable(TRUTH),
        ),
        "additionalProperties": True,
    },
    "authType",
    "category",
)
ROLE_ASSIGNMENT = _resource(
    _object(
        roleDefinitionId=TEXT,
        principalId=TEXT,
        principalType=nullable({"type": "string", "enum": list(PrincipalType)}),
        **dict.fromkeys(("scope", "createdOn", "updatedOn", "createdBy", "updatedBy"), _WRITTEN),
    ),
    "roleDefinitionId",
    "principalId",
)
_ACTIONS = nullable({"type": "array", "items": TEXT})
ROLE_DEFINITION = _resource(
    _object(
        roleName={"type": "string", "minLength": 1},
        description=nullable(TEXT),
        assignableScopes={"type": "array", "items": TEXT, "minItems": 1},
        permissions={
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": _object(
                actions={"type": "array", "items": TEXT, "minItems": 1},
                notActions=_ACTIONS,
                dataActions=nullable({"type": "array", "maxItems": 0}),
                notDataActions=nullable({"type": "array", "maxItems": 0}),
            ),
        },
        **dict.fromkeys(("type", "createdOn", "updatedOn", "createdBy", "updatedBy"), _WRITTEN),
    ),
    "roleName",
    "permissions",
    "assignableScopes",
)
_PASSWORD_PROFILE = _object(
    password={"type": "string", "minLength": 1},
    forceChangePasswordNextSignIn=nullable({"type": "boolean", "enum": [False]}),
)
USER = {
    **_object(
        userPrincipalName={"type": "string", "minLength": 1},
        displayName=nullable(TEXT),
        mailNickname=nullable(TEXT),
        accountEnabled=nullable({"type": "boolean", "enum": [True]}),
        passwordProfile=_PASSWORD_PROFILE,
    ),
    "required": ["userPrincipalName", "passwordProfile"],
}
USER_PATCH = {**_object(passwordProfile=_PASSWORD_PROFILE), "required": ["passwordProfile"]}
SERVICE_PRINCIPAL = {
    **_object(displayName={"type": "string", "minLength": 1}),
    "required": ["displayName"],
}
ADD_PASSWORD = _optional(
    passwordCredential=_optional(
        displayName=TEXT, endDateTime={"type": "string", "format": "date-time"}
    )
)
TEMPLATE_DEPLOYMENT = {
    **_object(
        properties=_object(
            mode=nullable(TEXT),
            template={"type": "object"},
            parameters=nullable({"type": "object"}),
        ),
    ),
    "required": ["properties"],
}
_FILLED_TEXT: Schema = {"type": "string", "minLength": 1}
CHANGE_PASSWORD = {
    **_object(currentPassword=_FILLED_TEXT, newPassword=_FILLED_TEXT),
    "required": ["currentPassword", "newPassword"],
}
GET_BY_IDS = {
    **_object(
        ids={"type": "array", "items": _FILLED_TEXT, "minItems": 1, "maxItems": 1000},
        types=nullable({"type": "array", "items": TEXT}),
    ),
    "required": ["ids"],
}
REMOVE_PASSWORD = {**_object(keyId={"type": "string", "minLength": 1}), "required": ["keyId"]}
IMPORT = _resource(
    _object(
        referenceType=nullable({"type": "string", "enum": ["Id"]}),
        destinationName=nullable(TEXT),
        destinationVersion=nullable(TEXT),
        sourceAssetId=TEXT,
    ),
    "sourceAssetId",
)
TEMPORARY_DATA = _optional(
    assetId=TEXT,
    temporaryDataReferenceId=TEXT,
    temporaryDataReferenceType={"type": "string", "enum": ["TemporaryBlobReference"]},
)
DATA_REFERENCE = {**_object(assetId=TEXT, blobUri=nullable(TEXT)), "required": ["assetId"]}


def refuse_no_texts(body: Mapping[str, Any], schema: Schema) -> None:
    """Raise UserError (InvalidValue) where a text, or one of a few words, is something else."""
    for name, inner in schema["properties"].items():
        value, words = body.get(name), inner.get("enum")
        if value is not None and (not isinstance(value, str) or (words and value not in words)):
            must = f"must be {words[0]}" if words else "must be a text"
            raise UserError(f"{name} is {shown(value)}; it {must}", code="InvalidValue")


def refuse_unknown(body: Mapping[str, Any], schema: Schema, *at: str) -> None:
    """Raise UserError (UnknownKey) for a property that the schema does not have."""
    known = schema.get("properties", {})
    for name, value in body.items():
        path = ".".join((*at, name[:80]))
        if name not in known:
            if schema.get("additionalProperties") is not False:
                continue
            close = nearest(name, known)
            hint = f"did you mean {close}?" if close else f"known there: {', '.join(sorted(known))}"
            raise UserError(f"unknown property {path}; {hint}", code="UnknownKey")
        if isinstance(value, Mapping):
            refuse_unknown(value, known[name], *at, name)
