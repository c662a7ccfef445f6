"""Giving roles: to whom, and where. What `role assignment` and `ad sp create-for-rbac` share."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from verdazul.cli.session import Session, Work
from verdazul.model.errors import Conflict, UserError

if TYPE_CHECKING:
    from verdazul.model.roles import Role

_DEFINITION = "/providers/Microsoft.Authorization/roleDefinitions/"


def definition_of(session: Session, work: Work, role: str, *, at: str) -> str:
    """The ARM id of a role, by its name or id. Raises UserError for an unknown one."""
    from verdazul.model.principals import is_guid
    from verdazul.model.roles import find_role

    id_ = role.lower()
    if not is_guid(id_):
        id_ = find_role(role, roles_for(work, role, at=at)).id
    return f"/subscriptions/{session.settings.subscription}{_DEFINITION}{id_}"


def roles_for(work: Work, *texts: str, at: str = "") -> Mapping[str, Role]:
    """The roles among which these are found: Azure's, and the server's own if it takes them.

    `at` is the place where they are meant ("": the workspace): who owns one endpoint and no more
    may read them there.
    """
    from verdazul.model.role_definitions import role_of
    from verdazul.model.roles import BUILT_IN, role_named

    if all(role_named(text, BUILT_IN) for text in texts):
        return BUILT_IN
    known = (role_of(body) for body in work.workspace.role_definitions(at).list())
    return {**BUILT_IN, **{role.id: role for role in known}}


def give(session: Session, work: Work, place: str, role: str, program: str) -> None:
    """A role to a service principal of this home; one that it has already stays."""
    properties = {
        "roleDefinitionId": definition_of(session, work, role, at=place),
        "principalId": program,
        "principalType": "ServicePrincipal",
    }
    assignment = work.workspace.role_assignment(place, str(uuid.uuid4()))
    try:
        assignment.put({"properties": properties})
    except Conflict as error:
        if error.problem.code != "RoleAssignmentExists":
            raise


def resolved(work: Work, assignee: str, kind: str = "User") -> tuple[str, str]:
    """The id and type of an assignee: az takes a user name or an appId for the id, too.

    Who owns one endpoint may give roles there, and not see who else there is: then an id is taken
    as it is, as az does.
    """
    from verdazul.client.directory import Directory
    from verdazul.model.principals import one_spelling

    if kind == "Group" or assignee.startswith("//"):
        return one_spelling(assignee), kind
    try:
        found = Directory(work.workspace.connection).find(assignee)
        return found or (one_spelling(assignee), kind)
    except UserError as error:
        if not is_forbidden(error):
            raise
        return _as_an_id(assignee), kind


def is_forbidden(error: UserError) -> bool:
    """Whether the caller has no role for it."""
    return error.problem.code == "AuthorizationFailed"


def _as_an_id(assignee: str) -> str:
    from verdazul.model.principals import is_guid

    if is_guid(assignee.lower()):
        return assignee.lower()
    raise UserError(
        f"{assignee} cannot be looked up: you have no role to see people and programs",
        code="AuthorizationFailed",
        fix="name the identity by its id (oid); create takes any id as --assignee-object-id",
    )


def endpoint_place(session: Session, endpoint: str) -> str:
    """The scope of an endpoint ("": of the workspace)."""
    return (
        f"{session.workspace_id}/onlineEndpoints/{endpoint}" if endpoint else session.workspace_id
    )


def place_of(session: Session, scope: str) -> str:
    """A scope of this home as it is spelled here. Raises UserError for any other."""
    from verdazul.model.ids import EndpointId, WorkspaceId, parse_id

    settings = session.settings
    subscription = f"/subscriptions/{settings.subscription}"
    above = (subscription, f"{subscription}/resourceGroups/{settings.resource_group}")
    for place in above:
        if scope.rstrip("/").lower() == place.lower():
            return place
    found = parse_id(scope)
    match found:
        case WorkspaceId():
            workspace: Any = found
            endpoint = ""
        case EndpointId(workspace, endpoint):
            pass
        case _:
            raise UserError(
                f"{scope} is no subscription, resource group, workspace or endpoint; roles are "
                "given there",
                code="InvalidScope",
            )
    if str(workspace).lower() != session.workspace_id.lower():
        raise UserError(
            f"{scope} is not in this home's workspace, {session.workspace_id}",
            code="WrongWorkspace",
        )
    return endpoint_place(session, endpoint)
