"""`verdazul datastore`: where files of models and data lie. A home has one."""

from __future__ import annotations

from typing import Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session

_COLUMNS: tuple[render.Column, ...] = (
    ("Name", lambda store: store["name"]),
    ("Type", lambda store: store.get("type")),
    ("Container", lambda store: store.get("container_name")),
)


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    commands = grammar.add_noun(nouns, "datastore", "Show where files of assets lie.")
    one = grammar.add_resource_command(
        commands,
        "show",
        show,
        summary="Show a datastore. Its secrets are never shown.",
        examples=["verdazul datastore show -n workspaceblobstore"],
    )
    one.add_argument("-n", "--name", required=True, metavar="NAME", help="its name (required)")
    grammar.add_resource_command(
        commands,
        "list",
        list_all,
        summary="List the datastores.",
        examples=["verdazul datastore list -o table"],
    )


def show(session: Session, arguments: Arguments) -> None:
    """Show one."""
    from verdazul.model.entity import asset_entity

    with session.work() as work:
        body = work.workspace.datastore(arguments.name).get().body
    render.show(asset_entity(body), session.how, columns=_COLUMNS)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all of them."""
    from verdazul.model.entity import asset_entity

    del arguments
    with session.work() as work:
        found = [asset_entity(body) for body in work.workspace.datastores().list()]
    render.show(found, session.how, columns=_COLUMNS)
