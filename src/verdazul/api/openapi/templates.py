"""Template deployments: what `/openapi.json` says of them."""

from __future__ import annotations

from verdazul.api.bodies import TEXT
from verdazul.api.openapi.operation import Answer, Operation, deletes, lists, shows
from verdazul.control.templates import TemplateState
from verdazul.model.schema import Schema

_TAG = "Template deployments"
_ALL = (
    "subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Resources/deployments"
)
_ONE = f"{_ALL}/{{template}}"
_WAIT = ("Azure-AsyncOperation", "Retry-After")
_STATES: Schema = {"type": "string", "enum": list(TemplateState)}
_BODY = "TemplateDeploymentBody"
_ANY: Schema = {"type": "object"}
_IDS: Schema = {"type": "array", "items": {"type": "object", "properties": {"id": TEXT}}}


def _named(properties: Schema, *optional: str) -> Schema:
    return {
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "properties": properties,
        "additionalProperties": False,
    }


TEMPLATES = {
    f"GET {_ALL}": Operation(
        "Deployments_ListByResourceGroup",
        _TAG,
        "List template deployments, newest first",
        lists("TemplateDeployment"),
        query=("$skip", "$top"),
    ),
    f"GET {_ONE}": Operation("Deployments_Get", _TAG, "Show one", shows("TemplateDeployment")),
    f"PUT {_ONE}": Operation(
        "Deployments_CreateOrUpdate",
        _TAG,
        "Check a template whole, then put its resources in their order",
        {
            200: Answer("Again, under a name that was there.", "TemplateDeployment", _WAIT),
            201: Answer("It begins.", "TemplateDeployment", _WAIT),
        },
        body=_BODY,
    ),
    f"DELETE {_ONE}": Operation(
        "Deployments_Delete", _TAG, "Drop one from the history; resources stay", deletes()
    ),
    f"GET {_ALL.replace('providers/Microsoft.Resources/', '')}/{{template}}/operations": Operation(
        "DeploymentOperations_ListAtGroup",
        _TAG,
        "List what became of each resource, at Azure's own path",
        lists("TemplateOperation"),
        query=("$skip", "$top"),
    ),
    f"POST {_ONE}/validate": Operation(
        "Deployments_Validate",
        _TAG,
        "Check a template and change nothing",
        shows("TemplateValidation", says="It can be."),
        body=_BODY,
    ),
    f"POST {_ONE}/cancel": Operation(
        "Deployments_Cancel",
        _TAG,
        "Put no further resource",
        {204: Answer("It is canceled.")},
    ),
    f"GET {_ONE}/operations": Operation(
        "DeploymentOperations_List",
        _TAG,
        "List what became of each resource",
        lists("TemplateOperation"),
        query=("$skip", "$top"),
    ),
    f"GET {_ONE}/operationStatuses/{{status}}": Operation(
        "Deployments_GetStatus",
        _TAG,
        "Say how far it is",
        shows("TemplateStatus", "Retry-After"),
    ),
}
TEMPLATE_RESOURCES: dict[str, Schema] = {
    "TemplateDeployment": _named(
        {
            "id": TEXT,
            "name": TEXT,
            "type": TEXT,
            "properties": _named(
                {
                    "provisioningState": _STATES,
                    "correlationId": TEXT,
                    "timestamp": {"type": "string", "format": "date-time"},
                    "duration": {"type": "string", "format": "duration"},
                    "mode": TEXT,
                    "parameters": _ANY,
                    "outputs": {"type": ["object", "null"]},
                    "outputResources": _IDS,
                    "error": {"$ref": "#/components/schemas/ErrorDetail"},
                },
                "error",
            ),
        }
    ),
    "TemplateOperation": _named({"id": TEXT, "operationId": TEXT, "properties": _ANY}),
}
TEMPLATE_ANSWERS: dict[str, Schema] = {
    "TemplateStatus": _named(
        {"status": _STATES, "error": {"$ref": "#/components/schemas/ErrorDetail"}}, "error"
    ),
    "TemplateValidation": _named({"id": TEXT, "name": TEXT, "type": TEXT, "properties": _ANY}),
}
