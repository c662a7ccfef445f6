"""`verdazul role definition`: roles of one's own, with `az role definition`'s flags."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from verdazul.cli import grammar, grants, render, role_file
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session, Work
from verdazul.model.errors import Conflict, NotFound
from verdazul.model.show import shown

if TYPE_CHECKING:
    from verdazul.model.roles import Role

_COLUMNS: tuple[render.Column, ...] = (
    ("Name", lambda role: role["roleName"]),
    ("Type", lambda role: role["roleType"]),
    ("Description", lambda role: role["description"]),
    ("Id", lambda role: role["name"]),
)
_EXAMPLE = """'{"Name": "Caller", "AssignableScopes": ["SCOPE"], "Actions": ["ACTION"]}'"""


def register(roles: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    commands = grammar.add_noun(roles, "definition", "See roles, and make your own.")
    _declare_puts(commands)
    _declare_list(commands)
    _declare_show(commands)
    _declare_delete(commands)


def create(session: Session, arguments: Arguments) -> None:
    """Make a role; one of the same name is refused."""
    written = role_file.read(arguments.role_definition)
    with session.work() as work:
        same = _find(grants.roles_for(work, written.name), written.name)
        if same:
            raise Conflict(
                f"there is a role {shown(same.name)} already",
                code="RoleDefinitionWithSameNameExists",
                fix="change it with `update`, or choose another Name",
            )
        _put(session, work, str(uuid.uuid4()), written)


def update(session: Session, arguments: Arguments) -> None:
    """Change one that was made here: the one of its id, else of its name."""
    written = role_file.read(arguments.role_definition)
    wanted = written.id or written.name
    with session.work() as work:
        _put(session, work, _existing(work, wanted).id, written)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all roles that can be given, or those of a name."""
    place = _place(session, arguments)
    with session.work() as work:
        found = [_entity(body) for body in work.workspace.role_definitions(place).list()]
    wanted = (arguments.name or "").lower()
    chosen = [
        one
        for one in found
        if (not wanted or wanted in {one["roleName"].lower(), one["name"]})
        and (one["roleType"] == "CustomRole" or arguments.custom_role_only == "false")
    ]
    render.show(chosen, session.how, columns=_COLUMNS)


def show(session: Session, arguments: Arguments) -> None:
    """Show one."""
    place = _place(session, arguments)
    with session.work() as work:
        role = _existing(work, arguments.name, at=place)
        found = work.workspace.role_definition(role.id, place).get().body
    render.show(_entity(found), session.how, columns=_COLUMNS)


def delete(session: Session, arguments: Arguments) -> None:
    """Delete one that nobody has."""
    _place(session, arguments)
    with session.work() as work:
        role = _existing(work, arguments.name)
        if role.is_built_in and arguments.custom_role_only == "true":
            raise NotFound(
                f"there is no custom role {shown(arguments.name)}; it is a built-in one",
                code="RoleDefinitionDoesNotExist",
            )
        work.workspace.role_definition(role.id).delete()


def _put(session: Session, work: Work, id_: str, written: role_file.Written) -> None:
    from verdazul.model.role_definitions import role_of, without_effect

    resource = work.workspace.role_definition(id_)
    made = resource.put({"properties": written.properties}).body
    idle = without_effect(role_of(made))
    if idle:
        session.note(f"these permit nothing that is here: {', '.join(idle)}")
    render.show(_entity(made), session.how, columns=_COLUMNS)


def _existing(work: Work, text: str, *, at: str = "") -> Role:
    found = _find(grants.roles_for(work, text, at=at), text)
    if found is None:
        raise NotFound(
            f"there is no role {shown(text)}",
            code="RoleDefinitionDoesNotExist",
            fix="`role definition list` shows all",
        )
    return found


def _find(roles: Mapping[str, Role], text: str) -> Role | None:
    from verdazul.model.roles import role_named

    return role_named(text, roles)


def _entity(body: Mapping[str, Any]) -> dict[str, Any]:
    """Flat, as az prints it."""
    told = dict(body["properties"])
    named = {"id": body["id"], "name": body["name"], "type": body["type"]}
    return {**named, **told, "type": body["type"], "roleType": told["type"]}


def _place(session: Session, arguments: Arguments) -> str:
    return grants.place_of(session, arguments.scope) if arguments.scope else ""


def _declare_puts(commands: grammar.Subparsers[Any]) -> None:
    for name, run, summary in (
        ("create", create, "Make a role with the actions that you choose."),
        ("update", update, "Change a role that was made here, whoever has it."),
    ):
        parser = grammar.add_resource_command(
            commands,
            name,
            run,
            summary=summary,
            examples=[
                f"verdazul role definition {name} --role-definition role.json",
                f"verdazul role definition {name} --role-definition {_EXAMPLE}",
            ],
        )
        parser.add_argument(
            "--role-definition", required=True, metavar="JSON", help="JSON or its file (required)"
        )


def _declare_list(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "list",
        list_all,
        summary="List the roles that can be given.",
        examples=[
            "verdazul role definition list -o table",
            "verdazul role definition list --custom-role-only",
        ],
    )
    parser.add_argument("-n", "--name", metavar="ROLE", help="of this name or id only")
    _add_common(parser)


def _declare_show(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "show",
        show,
        summary="Show what a role permits.",
        examples=['verdazul role definition show -n "AzureML Data Scientist"'],
    )
    parser.add_argument("-n", "--name", required=True, metavar="ROLE", help="name or id (required)")
    _add_scope(parser)


def _declare_delete(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "delete",
        delete,
        summary="Delete a role that was made here and that nobody has.",
        examples=["verdazul role definition delete -n Caller"],
    )
    parser.add_argument("-n", "--name", required=True, metavar="ROLE", help="name or id (required)")
    _add_common(parser)


def _add_common(parser: Any) -> None:
    parser.add_argument(
        "--custom-role-only",
        nargs="?",
        const="true",
        default="false",
        choices=("true", "false"),
        help="leave out the built-in ones",
    )
    _add_scope(parser)


def _add_scope(parser: Any) -> None:
    parser.add_argument("--scope", metavar="ID", help="where (an endpoint's owner: the endpoint)")
