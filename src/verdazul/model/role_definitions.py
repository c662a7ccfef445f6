"""Custom roles as people write them, in Azure's REST shape; what could never hold is refused.

An action of ours that nobody could ever do is a typing error, and a role with one permits less than
its author believes. What Azure has and this home has not (computes, jobs) permits nothing here and
is taken, so that a role written for Azure's workspaces needs no edit; so are other providers'.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from verdazul.model.actions import ACTIONS, AUTHORIZATION, ML
from verdazul.model.errors import UserError
from verdazul.model.nearest import nearest
from verdazul.model.principals import is_guid
from verdazul.model.roles import Role, permits_any
from verdazul.model.show import shown

_LONGEST_NAME, _LONGEST_DESCRIPTION, _MOST_ACTIONS = 512, 2048, 500
_PATTERN = re.compile(r"[A-Za-z0-9*][A-Za-z0-9.*_-]*(/[A-Za-z0-9.*_-]+)*")
_LONGEST_PATTERN = 256
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f]")
_AZURES = tuple(
    f"{ML}/{place}".lower()
    for place in (
        "register/action",
        "registries/assets/delete",
        "registries/assets/stage/write",
        "registries/connections/",
        "registries/checknameavailability/",
        "registries/privateendpointconnections/",
        "workspaces/write",
        "workspaces/delete",
        "workspaces/listkeys/action",
        "workspaces/resynckeys/action",
        "workspaces/listnotebookaccesstoken/action",
        "workspaces/batchendpoints/",
        "workspaces/components/",
        "workspaces/computes/",
        "workspaces/datadriftdetectors/",
        "workspaces/datasets/",
        "workspaces/endpoints/",
        "workspaces/environments/build/action",
        "workspaces/environments/readsecrets/action",
        "workspaces/experiments/",
        "workspaces/featuresets/",
        "workspaces/featurestoreentities/",
        "workspaces/features/",
        "workspaces/hyperdrives/",
        "workspaces/jobs/",
        "workspaces/labeling/",
        "workspaces/marketplacesubscriptions/",
        "workspaces/metadata/",
        "workspaces/metrics/",
        "workspaces/modules/",
        "workspaces/notebooks/",
        "workspaces/outboundrules/",
        "workspaces/pipelinedrafts/",
        "workspaces/pipelines/",
        "workspaces/privateendpointconnections/",
        "workspaces/reports/",
        "workspaces/schedules/",
        "workspaces/serverlessendpoints/",
        "workspaces/services/",
        "workspaces/snapshots/",
        "workspaces/datastores/write",
        "workspaces/datastores/delete",
    )
)
"""What Azure Machine Learning has besides: how their actions begin."""
_AZURES_AUTHORIZATION = tuple(
    f"{AUTHORIZATION}/{place}".lower()
    for place in (
        "classicAdministrators/",
        "dataAliases/",
        "denyAssignments/",
        "diagnosticSettings/",
        "elevateAccess/",
        "operations/",
        "permissions/",
        "policies/",
        "policyAssignments/",
        "policyDefinitions/",
        "policyExemptions/",
        "policySetDefinitions/",
        "providerOperations/",
        "roleAssignmentSchedule",
        "roleEligibilitySchedule",
        "roleManagementPolic",
    )
)
_NAMED_HERE = {ML.lower(): _AZURES, AUTHORIZATION.lower(): _AZURES_AUTHORIZATION}
"""Providers of which every action is known, here or in Azure; the rest of them is mistyped."""


def read_role(id_: str, properties: Any, *, places: Collection[str]) -> Role:
    """The role that these say. `places`, in lower case, is where it may be given.

    Raises UserError (InvalidRoleDefinition, InvalidActionOrNotAction, NotSupportedYet), each naming
    the property and what would be right.
    """
    if not isinstance(properties, Mapping):
        raise _wrong("properties", properties, "an object with roleName and permissions")
    name = _text(properties, "roleName", _LONGEST_NAME)
    if not name.strip() or name.startswith("/"):
        raise _wrong("properties.roleName", name, "a name for people that does not begin with /")
    if name != name.strip() or not name.isprintable():  # a second "Owner" for the eye
        raise _wrong("properties.roleName", name, "a name without blanks around it, all visible")
    if is_guid(name.lower()):
        raise _wrong("properties.roleName", name, "no GUID: a role's id is one")
    permissions = _only_permissions(properties.get("permissions"))
    actions, not_actions = (_actions(permissions, key) for key in ("actions", "notActions"))
    if not actions:
        raise _wrong("properties.permissions[0].actions", [], "at least one action")
    return Role(
        id_,
        name,
        actions,
        not_actions,
        _text(properties, "description", _LONGEST_DESCRIPTION),
        tuple(_scopes(properties.get("assignableScopes"), places)),
    )


def role_of(body: Mapping[str, Any]) -> Role:
    """The role that a server shows."""
    told = body["properties"]
    (permissions,) = told["permissions"]
    return Role(
        body["name"],
        told["roleName"],
        tuple(permissions["actions"]),
        tuple(permissions["notActions"]),
        told["description"],
        tuple(told["assignableScopes"]),
    )


def without_effect(role: Role) -> list[str]:
    """Its patterns that permit nothing that there is here."""
    return [one for one in role.actions if not permits_any(one, ACTIONS)]


def _only_permissions(value: Any) -> Mapping[str, Any]:
    """Azure has a list of them, and takes one."""
    at = "properties.permissions"
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], Mapping):
        raise _wrong(at, value, "a list with one object that holds actions and notActions")
    for key, inner in value[0].items():
        if key in {"actions", "notActions"} or inner in (None, []):
            continue
        raise UserError(
            f"{at}[0].{key}: {shown(inner)} is not supported: data needs no rights of its own here",
            code="NotSupportedYet",
            fix="delete it; actions and notActions say all, such as .../datastores/read",
        )
    return value[0]


def _actions(permissions: Mapping[str, Any], key: str) -> tuple[str, ...]:
    at = f"properties.permissions[0].{key}"
    found = permissions.get(key)
    if found is None:
        return ()
    if not isinstance(found, list) or len(found) > _MOST_ACTIONS:
        raise _wrong(at, found, f"a list of {_MOST_ACTIONS} actions at the most")
    for number, pattern in enumerate(found):
        _check(pattern, f"{at}[{number}]")
    return tuple(found)


def _check(pattern: Any, at: str) -> None:
    text = pattern if isinstance(pattern, str) else ""
    if len(text) > _LONGEST_PATTERN or not _PATTERN.fullmatch(text):
        raise UserError(
            f"{at} is {shown(pattern)}; it must be an action, with * for any part of it, such as "
            f"{ML}/workspaces/onlineEndpoints/*/read",
            code="InvalidActionOrNotAction",
        )
    provider = text.partition("/")[0]
    elsewhere = _NAMED_HERE.get(provider.lower())
    if elsewhere is None or text.lower().startswith(elsewhere):
        return
    if not permits_any(text, ACTIONS):
        meant = nearest(text, ACTIONS)
        raise UserError(
            f"{at} is {shown(text)}; no action of {provider} is called so",
            code="InvalidActionOrNotAction",
            fix=f"did you mean {meant}?" if meant else "docs/http.md says what each request needs",
        )


def _scopes(value: Any, places: Collection[str]) -> Iterator[str]:
    at = "properties.assignableScopes"
    if not isinstance(value, list) or not 0 < len(value) <= len(places):
        raise _wrong(at, value, f"a list with one or more of {', '.join(places)}")
    for number, scope in enumerate(value):
        if not isinstance(scope, str) or scope.rstrip("/").lower() not in places:
            raise _wrong(f"{at}[{number}]", scope, f"one of {', '.join(places)}")
        yield scope.rstrip("/")


def _text(properties: Mapping[str, Any], key: str, longest: int) -> str:
    value = properties.get(key)
    text = "" if value is None else value
    if not isinstance(text, str) or len(text) > longest or _UNREADABLE.search(text):
        raise _wrong(f"properties.{key}", value, f"a text of {longest} characters at the most")
    return text


def _wrong(at: str, value: Any, right: str) -> UserError:
    return UserError(f"{at} is {shown(value)}; it must be {right}", code="InvalidRoleDefinition")
