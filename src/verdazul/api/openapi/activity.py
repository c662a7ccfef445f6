"""The activity log: what `/openapi.json` says of it."""

from __future__ import annotations

from verdazul.api.bodies import TEXT
from verdazul.api.openapi.operation import Operation, lists
from verdazul.control.activity import State
from verdazul.model.schema import Schema

_TIME: Schema = {"type": "string", "format": "date-time"}


def _object(properties: Schema) -> Schema:
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


_NAMED = _object({"value": TEXT, "localizedValue": TEXT})
_CHANGE = _object({"resource": TEXT, "property": TEXT, "before": TEXT, "after": TEXT})

ACTIVITY = {
    "GET subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values": (
        Operation(
            "ActivityLogs_List",
            "Activity log",
            "List who changed what, or asked for it in vain, newest first",
            lists("ActivityEvent"),
            query=("$filter", "$skiptoken"),
        )
    )
}
ACTIVITY_EVENT = _object(
    {
        **dict.fromkeys(
            (
                "id",
                "eventDataId",
                "caller",
                "channels",
                "level",
                "correlationId",
                "operationId",
                "resourceId",
                "resourceGroupName",
                "subscriptionId",
            ),
            TEXT,
        ),
        "eventTimestamp": _TIME,
        "submissionTimestamp": _TIME,
        "claims": {"type": "object", "additionalProperties": TEXT},
        "operationName": _NAMED,
        "category": _NAMED,
        "authorization": _object({"action": TEXT, "scope": TEXT}),
        "status": _object(
            {"value": {"type": "string", "enum": list(State)}, "localizedValue": TEXT}
        ),
        "subStatus": _object({"value": TEXT}),
        "httpRequest": _object(
            dict.fromkeys(("clientRequestId", "clientIpAddress", "method", "uri"), TEXT)
        ),
        "properties": _object(
            {
                "changes": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {"type": "array", "items": _CHANGE},
                },
                "statusMessage": TEXT,
            }
        ),
    }
)
