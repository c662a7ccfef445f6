"""What is above the workspace: what `/openapi.json` says of it."""

from __future__ import annotations

from verdazul.api.bodies import TEXT
from verdazul.api.openapi.operation import Answer, Operation, lists, shows
from verdazul.model.schema import Schema

_TAG, _ONE = "Subscriptions", "subscriptions/{subscription}"
_GROUPS = f"{_ONE}/resourceGroups"


def _texts(*names: str, **others: Schema) -> Schema:
    properties: Schema = {**dict.fromkeys(names, TEXT), **others}
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


SUBSCRIPTIONS = {
    "GET tenants": Operation("Tenants_List", _TAG, "List the tenants: one", lists("Tenant")),
    "GET subscriptions": Operation(
        "Subscriptions_List", _TAG, "List the subscriptions: one", lists("Subscription")
    ),
    f"GET {_ONE}": Operation(
        "Subscriptions_Get", _TAG, "Show the subscription", shows("Subscription")
    ),
    f"GET {_ONE}/locations": Operation(
        "Subscriptions_ListLocations", _TAG, "List the regions: one", lists("Location")
    ),
    f"GET {_GROUPS}": Operation(
        "ResourceGroups_List", _TAG, "List the resource groups: one", lists("ResourceGroup")
    ),
    f"GET {_GROUPS}/{{group}}": Operation(
        "ResourceGroups_Get", _TAG, "Show the resource group", shows("ResourceGroup")
    ),
    f"HEAD {_GROUPS}/{{group}}": Operation(
        "ResourceGroups_CheckExistence",
        _TAG,
        "Tell whether there is such a resource group",
        {204: Answer("It is there.")},
    ),
}
SUBSCRIPTION_SCHEMAS: dict[str, Schema] = {
    "Tenant": _texts("id", "tenantId"),
    "Subscription": _texts(
        *("id", "subscriptionId", "tenantId", "displayName", "state", "authorizationSource"),
        managedByTenants={"type": "array", "items": {"type": "object"}},
    ),
    "Location": _texts("id", "name", "type", "displayName", "regionalDisplayName"),
    "ResourceGroup": _texts(
        *("id", "name", "type", "location"),
        tags={"type": "object", "additionalProperties": TEXT},
        properties=_texts("provisioningState"),
    ),
}
