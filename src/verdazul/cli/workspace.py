"""`verdazul workspace`: what holds everything; a home is one.

It is there from the start and goes with its folder: `create` confirms it, `delete` refuses.
"""

from __future__ import annotations

from typing import Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session, wrong_workspace
from verdazul.model.errors import UserError

_COLUMNS: tuple[render.Column, ...] = (
    ("Name", lambda workspace: workspace["name"]),
    ("ResourceGroup", lambda workspace: workspace.get("resourceGroup")),
    ("Location", lambda workspace: workspace.get("location")),
)
# az ml workspace create has them; here nothing could follow from them
_FIXED = (
    (("-f", "--file"), 1),
    (("--set",), -1),
    (("--tags",), -1),
    (("--display-name",), 1),
    (("--description",), 1),
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
    _name(one, is_needed=False)
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
    _register_life(commands)


def _register_life(commands: grammar.Subparsers[Any]) -> None:
    making = grammar.add_command(
        commands,
        "create",
        create,
        summary="Confirm the workspace: it is there. Another name or region is refused.",
        examples=["verdazul workspace create -n verdazul -l local"],
    )
    _name(making, is_needed=True)
    making.add_argument("-l", "--location", metavar="REGION", help="its region")
    making.add_argument("--no-wait", action="store_true", help="as in az")
    for flags, takes in _FIXED:
        grammar.not_yet(making, *flags, why="a home's workspace is as it is", takes=takes)
    _group_flags(making)
    ending = grammar.add_command(
        commands,
        "delete",
        delete,
        summary="Refuse: a home goes with its folder, which no script should take along unseen.",
        examples=["verdazul workspace delete -n verdazul --yes"],
    )
    _name(ending, is_needed=True)
    for flags in (
        ("-y", "--yes"),
        ("--no-wait",),
        ("--all-resources",),
        ("-p", "--permanently-delete"),
    ):
        ending.add_argument(*flags, action="store_true", help="as in az")
    _group_flags(ending)


def create(session: Session, arguments: Arguments) -> None:
    """Confirm name and region."""
    _refuse_no_name(session, arguments)
    ours = session.settings.location
    if arguments.location is not None and arguments.location.lower() != ours.lower():
        raise wrong_workspace("--location", arguments.location, "location", ours)
    render.show(_workspace(session), session.how, columns=_COLUMNS)


def delete(session: Session, arguments: Arguments) -> None:
    """Refuse."""
    _refuse_no_name(session, arguments)
    raise UserError(
        f"workspace {arguments.workspace_name} is the home {session.settings.home} itself and is "
        "not deleted by a script",
        code="WorkspaceIsHome",
        fix="delete its endpoints, or stop it with `verdazul down` and remove the folder",
    )


def show(session: Session, arguments: Arguments) -> None:
    """Show it."""
    del arguments
    render.show(_workspace(session), session.how, columns=_COLUMNS)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all of them: one."""
    del arguments
    render.show([_workspace(session)], session.how, columns=_COLUMNS)


def _refuse_no_name(session: Session, arguments: Arguments) -> None:
    """An empty name is a variable that a script did not set; it confirms nothing."""
    if not arguments.workspace_name:
        ours = session.settings.workspace
        raise UserError(
            f"--name is '', but this home's is {ours!r}",
            code="WrongWorkspace",
            fix=f"name it: -n {ours}",
        )


def _workspace(session: Session) -> dict[str, object]:
    from verdazul.model.entity import workspace_entity

    with session.work() as work:
        return workspace_entity(work.workspace.itself().get().body)


def _name(parser: Any, *, is_needed: bool) -> None:
    parser.add_argument(
        *("-n", "--name", "-w", "--workspace-name"),
        dest="workspace_name",
        required=is_needed,
        metavar="NAME",
        help="(required)" if is_needed else "the workspace's name, if it is to be confirmed",
    )


def _group_flags(parser: Any) -> None:
    group = parser.add_argument_group("workspace (this home has one; others are refused)")
    group.add_argument("-g", "--resource-group", metavar="NAME")
    group.add_argument("--subscription", metavar="ID")
