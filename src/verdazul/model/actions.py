"""Everything that can be done here, by Azure's names: what roles permit, and what a log tells.

Azure's documentation names those of endpoints, deployments and connections; ours beside them
(pause, identities) are named alike. Identities and their passwords are a matter of
authorization: who may make one could else make itself the owner.
"""

from __future__ import annotations

from collections.abc import Iterator

ML = "Microsoft.MachineLearningServices"
AUTHORIZATION = "Microsoft.Authorization"
RESOURCES = "Microsoft.Resources"
_WORKSPACES = f"{ML}/workspaces"
_ENDPOINTS = f"{_WORKSPACES}/onlineEndpoints"
_EACH = ("read", "write", "delete")


def _under(place: str, *verbs: str) -> Iterator[str]:
    return (f"{place}/{verb}" for verb in verbs)


SCORE = f"{_ENDPOINTS}/score/action"
"""What calling an endpoint of auth_mode aad_token needs."""
READ_ENDPOINT = f"{_ENDPOINTS}/read"
USE_DATASTORE = f"{_WORKSPACES}/datastores/listSecrets/action"
SEE_ONESELF = f"{AUTHORIZATION}/me/read"
CHANGE_OWN_PASSWORD = f"{AUTHORIZATION}/me/changePassword/action"
"""What everybody may do about themselves, without a role."""
SEE_TENANT = f"{RESOURCES}/tenants/read"
SEE_SUBSCRIPTION = f"{RESOURCES}/subscriptions/read"
"""Whoever may do anything in a subscription may see that it is there."""
PACKAGE_MODEL = f"{_WORKSPACES}/models/package/action"
_REGISTRIES = f"{ML}/registries"
READ_REGISTRY = f"{_REGISTRIES}/read"
READ_SHELF, WRITE_SHELF = f"{_REGISTRIES}/assets/read", f"{_REGISTRIES}/assets/write"
"""One right for all kinds of assets of a registry, as in Azure."""
READ_ACTIVITY = "Microsoft.Insights/eventtypes/values/read"
ACTIONS: tuple[str, ...] = (
    *_under(_WORKSPACES, "read"),
    *_under(_ENDPOINTS, *_EACH, "listKeys/action", "regenerateKeys/action", "token/action"),
    *_under(_ENDPOINTS, "score/action", "pause/action", "resume/action"),
    *_under(f"{_ENDPOINTS}/deployments", *_EACH, "getLogs/action", "skus/read"),
    *(
        action
        for kind in ("codes", "models", "environments", "data")
        for action in (
            *_under(f"{_WORKSPACES}/{kind}", "read", "write"),
            *_under(f"{_WORKSPACES}/{kind}/versions", *_EACH),
        )
    ),
    *(
        f"{_WORKSPACES}/{kind}/versions/startPendingUpload/action"
        for kind in ("codes", "models", "data")
    ),
    PACKAGE_MODEL,
    *_under(_REGISTRIES, *_EACH),
    *(READ_SHELF, WRITE_SHELF),
    *_under(f"{_WORKSPACES}/datastores", *_EACH, "listSecrets/action"),
    *_under(f"{_WORKSPACES}/connections", *_EACH, "listSecrets/action"),
    *_under(f"{ML}/locations", "usages/read", "quotas/read", "vmSizes/read"),
    *_under(f"{ML}/locations", "mfeOperationsStatus/read", "mfeOperationResults/read"),
    *_under(f"{AUTHORIZATION}/locks", *_EACH),
    *_under(f"{AUTHORIZATION}/roleAssignments", *_EACH),
    *_under(f"{AUTHORIZATION}/roleDefinitions", *_EACH),
    *_under(f"{AUTHORIZATION}/users", *_EACH),
    *_under(f"{AUTHORIZATION}/servicePrincipals", *_EACH),
    *_under(f"{RESOURCES}/deployments", *_EACH, "validate/action", "cancel/action"),
    *_under(f"{RESOURCES}/deployments", "operations/read", "operationStatuses/read"),
    *(SEE_ONESELF, CHANGE_OWN_PASSWORD),
    *(SEE_TENANT, SEE_SUBSCRIPTION, f"{RESOURCES}/subscriptions/resourceGroups/read"),
    READ_ACTIVITY,
    "Microsoft.Verdazul/status/read",
)


def action_of(method: str, path: str) -> str:
    """What a route of Azure's shape does: its provider, its types, and read, write, delete or act.

    PUT .../onlineEndpoints/{endpoint}             .../workspaces/onlineEndpoints/write
    POST .../onlineEndpoints/{endpoint}/listKeys   .../workspaces/onlineEndpoints/listKeys/action
    """
    _, _, below = path.rpartition("providers/")
    words = [word for word in below.split("/") if not word.startswith("{")]
    verb = {"PUT": "write", "PATCH": "write", "DELETE": "delete", "POST": "action"}
    return "/".join([*words, verb.get(method, "read")])
