"""`verdazul role assignment`: who may do what, with `az role assignment`'s flags."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from verdazul.cli import grammar, grants, render, role_definition
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session, Work
from verdazul.model.errors import UserError

if TYPE_CHECKING:
    from verdazul.client.workspace import Resource, Workspace
    from verdazul.model.roles import Role

_COLUMNS: tuple[render.Column, ...] = (
    ("Principal", lambda given: given["principalId"]),
    ("Type", lambda given: given["principalType"]),
    ("Role", lambda given: given["roleDefinitionName"]),
    ("Scope", lambda given: given["scope"]),
)
_TYPES = ("User", "Group", "ServicePrincipal")


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    roles = grammar.add_noun(nouns, "role", "Say who may do what.")
    role_definition.register(roles)
    commands = grammar.add_noun(roles, "assignment", "Give roles to identities, and take them.")
    _declare_create(commands)
    _declare_list(commands)
    _declare_delete(commands)


def create(session: Session, arguments: Arguments) -> None:
    """Give a role."""
    place, asked = _place(session, arguments), _principal(arguments)
    name = arguments.assignment_name or str(uuid.uuid4())
    with session.work() as work:
        definition = grants.definition_of(session, work, arguments.role, at=place)
        principal, kind = asked, arguments.principal_type
        if arguments.assignee:
            principal, kind = grants.resolved(work, asked, kind)
        properties = {
            "roleDefinitionId": definition,
            "principalId": principal,
            "principalType": kind,
        }
        made = work.workspace.role_assignment(place, name).put({"properties": properties}).body
        (given,) = _entities(work, [made], place)
    render.show(given, session.how, columns=_COLUMNS)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show who has which role at a place; with --all, also at each endpoint below it."""
    place = _place(session, arguments)
    with session.work() as work:
        found = _found(work, place, arguments, at_scope=not arguments.all)
    if not (arguments.include_inherited or arguments.all):
        found = [one for one in found if one["scope"].lower() == place.lower()]
    render.show(found, session.how, columns=_COLUMNS)


def delete(session: Session, arguments: Arguments) -> None:
    """Take roles away, by their ids or by who has them at a place."""
    _refuse_everything(arguments)
    with session.work() as work:
        chosen = _by_ids(session, work.workspace, arguments) or _at_place(session, work, arguments)
        for assignment in chosen:
            assignment.delete()
    taken = "1 role assignment is" if len(chosen) == 1 else f"{len(chosen)} role assignments are"
    session.note(f"{taken} deleted" if chosen else "no such role assignment; nothing was deleted")


def _by_ids(session: Session, workspace: Workspace, arguments: Arguments) -> list[Resource]:
    return [
        workspace.role_assignment(grants.place_of(session, scope), name)
        for scope, _, name in (
            text.rpartition("/providers/Microsoft.Authorization/roleAssignments/")
            for text in arguments.ids
        )
    ]


def _at_place(session: Session, work: Work, arguments: Arguments) -> list[Resource]:
    place = _place(session, arguments)
    if arguments.ids:
        return []
    found = _found(work, place, arguments, at_scope=True)
    here = [one for one in found if one["scope"].lower() == place.lower()]
    return [work.workspace.role_assignment(place, one["name"]) for one in here]


def _found(work: Work, place: str, arguments: Arguments, *, at_scope: bool) -> list[dict[str, Any]]:
    from verdazul.model.roles import find_role

    role = None
    if arguments.role:
        role = find_role(arguments.role, grants.roles_for(work, arguments.role, at=place)).name
    assignee = grants.resolved(work, arguments.assignee)[0] if arguments.assignee else ""
    query = {"$filter": "atScope()"} if at_scope else {}
    every = _entities(work, list(work.workspace.role_assignments(place).list(**query)), place)
    return [
        one
        for one in every
        if assignee in {"", one["principalId"]} and role in {None, one["roleDefinitionName"]}
    ]


def _entities(work: Work, bodies: list[dict[str, Any]], place: str) -> list[dict[str, Any]]:
    """Flat, as az prints them."""
    from verdazul.model.roles import role_named

    found = []
    ids = [body["properties"]["roleDefinitionId"] for body in bodies]
    roles = _readable_roles(work, *ids, at=place)
    for body in bodies:
        named = {"id": body["id"], "name": body["name"], "type": body["type"]}
        properties = body["properties"]
        role = role_named(properties["roleDefinitionId"], roles)
        told = role.name if role else properties["roleDefinitionId"].rpartition("/")[2]
        found.append({**named, **properties, "roleDefinitionName": told})
    return found


def _readable_roles(work: Work, *ids: str, at: str) -> Mapping[str, Role]:
    """Who may see who has which role, and not the roles, sees names of built-in ones only."""
    from verdazul.model.roles import BUILT_IN

    try:
        return grants.roles_for(work, *ids, at=at)
    except UserError as error:
        if not grants.is_forbidden(error):
            raise
        return BUILT_IN


def _principal(arguments: Arguments) -> str:
    given = {arguments.assignee, arguments.object_id} - {None}
    if len(given) != 1:
        raise UserError(
            "nobody was named" if not given else "two identities were named",
            code="InvalidArguments",
            fix="pass --assignee: a user name, an appId, or the oid (or sub) of the identity's "
            "tokens",
        )
    return str(given.pop())


def _place(session: Session, arguments: Arguments) -> str:
    """The scope that is meant; none named is the workspace."""
    if arguments.scope and arguments.endpoint_name:
        raise UserError("pass --scope or --endpoint-name, not both", code="InvalidArguments")
    if arguments.scope:
        return grants.place_of(session, arguments.scope)
    return grants.endpoint_place(session, arguments.endpoint_name or "")


def _refuse_everything(arguments: Arguments) -> None:
    if not (arguments.ids or arguments.assignee or arguments.role):
        raise UserError(
            "delete was not told which",
            code="InvalidArguments",
            fix="pass --ids, --assignee or --role",
        )


def _declare_create(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "create",
        create,
        summary="Give an identity a role, at the workspace, at one endpoint, or at a scope.",
        examples=[
            'verdazul role assignment create --assignee OID --role "Contributor" -e credit',
            "verdazul role assignment create --assignee OID --role Reader --scope SCOPE",
        ],
    )
    parser.add_argument("--role", required=True, metavar="ROLE", help="name or id (required)")
    parser.add_argument(
        "--assignee", metavar="ID", help="who: user name, appId, or oid of the tokens"
    )
    parser.add_argument(
        "--assignee-object-id", dest="object_id", metavar="ID", help="who: oid or sub of the tokens"
    )
    parser.add_argument(
        "--assignee-principal-type",
        dest="principal_type",
        choices=_TYPES,
        default="User",
        help="Group: an id that the tokens name among `groups` (default: User)",
    )
    parser.add_argument("--name", dest="assignment_name", metavar="GUID", help="default: random")
    _add_place(parser)


def _declare_list(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "list",
        list_all,
        summary="List who has which role at the workspace or at one endpoint.",
        examples=[
            "verdazul role assignment list --all -o table",
            "verdazul role assignment list -e credit --include-inherited",
        ],
    )
    parser.add_argument("--all", action="store_true", help="also at each endpoint below")
    parser.add_argument("--include-inherited", action="store_true", help="also from above")
    _add_filter(parser)


def _declare_delete(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "delete",
        delete,
        summary="Take roles away, by id or by who has them at the workspace or at one endpoint.",
        examples=[
            "verdazul role assignment delete --assignee OID -e credit",
            "verdazul role assignment delete --ids ID",
        ],
    )
    parser.add_argument("--ids", nargs="+", default=[], metavar="ID", help="these, by their ids")
    _add_filter(parser)


def _add_filter(parser: Any) -> None:
    parser.add_argument(
        "--assignee", metavar="ID", help="of this identity only, named as for create"
    )
    parser.add_argument("--role", metavar="ROLE", help="of this role only")
    _add_place(parser)


def _add_place(parser: Any) -> None:
    parser.add_argument("--scope", metavar="ID", help="id of a place (default: the workspace)")
    parser.add_argument("-e", "--endpoint-name", metavar="NAME", help="this endpoint of it")
