"""`verdazul workspace`: what holds everything; a home is one."""

from __future__ import annotations

from typing import Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session

_COLUMNS: tuple[render.Column, ...] = (
    ("Name", lambda workspace: workspace["name"]),
    ("ResourceGroup", lambda workspace: workspace.get("resourceGroup")),
    ("Location", lambda workspace: workspace.get("location")),
)


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    commands = grammar.add_noun(nouns, "workspace", "Show the workspace that this home is.")
    one = grammar.add_command(
        commands,
        "show",
        show,
        summary="Show the workspace, with the names of its storage, registry and key vault.",
        examples=[
            "verdazul workspace show",
            "verdazul workspace show --query container_registry -o tsv",
        ],
    )
    one.add_argument(
        *("-n", "--name", "-w", "--workspace-name"),
        dest="workspace_name",
        metavar="NAME",
        help="the workspace's name, if it is to be confirmed",
    )
    _group_flags(one)
    every = grammar.add_command(
        commands,
        "list",
        list_all,
        summary="List the workspaces: this home is one.",
        examples=["verdazul workspace list -o table"],
    )
    every.set_defaults(workspace_name=None)
    _group_flags(every)


def show(session: Session, arguments: Arguments) -> None:
    """Show it."""
    del arguments
    render.show(_workspace(session), session.how, columns=_COLUMNS)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all of them: one."""
    del arguments
    render.show([_workspace(session)], session.how, columns=_COLUMNS)


def _workspace(session: Session) -> dict[str, object]:
    from verdazul.model.entity import workspace_entity

    with session.work() as work:
        return workspace_entity(work.workspace.itself().get().body)


def _group_flags(parser: Any) -> None:
    group = parser.add_argument_group("workspace (this home has one; others are refused)")
    group.add_argument("-g", "--resource-group", metavar="NAME")
    group.add_argument("--subscription", metavar="ID")
