"""`verdazul connection`: addresses elsewhere and what opens them, as deployments name them.

Credentials are shown to nobody but who asks with --populate-secrets.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session
from verdazul.model.errors import UserError

if TYPE_CHECKING:
    from verdazul.client.workspace import Resource

_COLUMNS: tuple[render.Column, ...] = (
    ("Name", lambda connection: connection["name"]),
    ("Type", lambda connection: connection.get("type")),
    ("Target", lambda connection: connection.get("target")),
    ("Credentials", lambda connection: connection["credentials"].get("type")),
)
_OK = 200


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    commands = grammar.add_noun(nouns, "connection", "Manage connections and their credentials.")
    making = grammar.add_resource_command(
        commands,
        "create",
        create,
        summary="Keep a connection from a YAML file; one of that name becomes what the file says.",
        examples=[
            "verdazul connection create -f llm.yml",
            'verdazul connection create -f llm.yml --set credentials.key="$KEY"',
        ],
    )
    _name(making, required=False)
    making.add_argument("-f", "--file", required=True, metavar="YAML", help="(required)")
    grammar.add_set(making)
    changing = grammar.add_resource_command(
        commands,
        "update",
        update,
        summary="Change a connection, credentials too; what is not named stays.",
        examples=[
            "verdazul connection update -n llm --set target=https://other.example",
            'verdazul connection update -n llm --set credentials.key="$KEY"',
        ],
    )
    _name(changing)
    grammar.add_set(changing)
    grammar.add_add_and_remove(changing)
    one = grammar.add_resource_command(
        commands,
        "show",
        show,
        summary="Show a connection.",
        examples=["verdazul connection show -n llm --query target -o tsv"],
    )
    _name(one)
    _secrets(one)
    every = grammar.add_resource_command(
        commands,
        "list",
        list_all,
        summary="List the connections.",
        examples=["verdazul connection list -o table"],
    )
    every.add_argument("--type", metavar="TYPE", help="only those of this type")
    _secrets(every)
    ending = grammar.add_resource_command(
        commands,
        "delete",
        delete,
        summary="Delete a connection with its credentials. Asks first.",
        examples=["verdazul connection delete -n llm --yes"],
    )
    _name(ending)
    ending.add_argument("-y", "--yes", action="store_true", help="do not ask")


def create(session: Session, arguments: Arguments) -> None:
    """Keep one."""
    from verdazul.model.connection import connection_to_arm, load_connection

    spec = load_connection(Path(arguments.file), name=arguments.name, sets=arguments.sets)
    with session.work() as work:
        body = work.workspace.connection_named(spec.name).put(connection_to_arm(spec)).body
    _show(session, body)


def update(session: Session, arguments: Arguments) -> None:
    """Change one; its credentials are read to be kept, and not shown."""
    from verdazul.model.connection import changed_connection, connection_to_arm

    with session.work() as work:
        connection = work.workspace.connection_named(arguments.name)
        spec = changed_connection(
            connection.act("listSecrets").body,
            sets=arguments.sets,
            adds=arguments.adds,
            removes=arguments.removes,
            force_string=arguments.force_string,
        )
        body = connection.put(connection_to_arm(spec)).body
    _show(session, body)


def show(session: Session, arguments: Arguments) -> None:
    """Show one."""
    with session.work() as work:
        body = _read(work.workspace.connection_named(arguments.name), arguments)
    _show(session, body)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all, or those of a type."""
    from verdazul.model.connection import connection_entity

    with session.work() as work:
        bodies = list(work.workspace.connections().list())
        if arguments.populate_secrets:
            named = (work.workspace.connection_named(body["name"]) for body in bodies)
            bodies = [_read(one, arguments) for one in named]
    found = [connection_entity(body) for body in bodies]
    if arguments.type:
        found = [one for one in found if str(one["type"]).lower() == arguments.type.lower()]
    render.show(found, session.how, columns=_COLUMNS)


def delete(session: Session, arguments: Arguments) -> None:
    """Forget one."""
    what = f'connection "{arguments.name}"'
    if not arguments.yes and not render.confirm(f"Delete {what}?"):
        raise UserError(f"{what} was not deleted: you said no", code="NotConfirmed")
    with session.work() as work:
        was_there = work.workspace.connection_named(arguments.name).delete().status == _OK
    gone = "is deleted" if was_there else "does not exist; there was nothing to delete"
    session.note(f"{what} {gone}")


def _read(connection: Resource, arguments: Arguments) -> dict[str, Any]:
    answer = connection.act("listSecrets") if arguments.populate_secrets else connection.get()
    body: dict[str, Any] = answer.body
    return body


def _show(session: Session, body: dict[str, Any]) -> None:
    from verdazul.model.connection import connection_entity

    render.show(connection_entity(body), session.how, columns=_COLUMNS)


def _name(parser: Any, *, required: bool = True) -> None:
    parser.add_argument(
        "-n",
        "--name",
        required=required,
        metavar="NAME",
        help="its name" + " (required)" * required,
    )


def _secrets(parser: Any) -> None:
    parser.add_argument("--populate-secrets", action="store_true", help="with its credentials")
