"""`az group`: the resource group that this home is. It is there from the start and cannot go."""

from __future__ import annotations

from typing import Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session, wrong_workspace
from verdazul.model.errors import NotFound, UserError


def register(groups: grammar.Subparsers[Any]) -> None:
    """Declare the group."""
    commands = grammar.add_noun(groups, "group", "The resource group that this home is.")
    making = _declare(
        commands,
        "create",
        create,
        "Confirm the resource group: it is there. Another name or region is refused.",
        example="az group create -n local -l local",
    )
    making.add_argument("-l", "--location", metavar="REGION", help="its region")
    grammar.not_yet(making, "--tags", why="a home's group has no tags", takes=-1)
    _declare(
        commands,
        "show",
        show,
        "Show the group, or the one of `az configure --defaults`.",
        example="az group show -n local",
        is_needed=False,
    )
    _declare(commands, "exists", exists, "Print true or false.", example="az group exists -n local")
    grammar.add_command(
        commands, "list", list_all, summary="List the groups.", examples=("az group list",)
    )
    ending = _declare(
        commands,
        "delete",
        delete,
        "Refuse: a home goes with its folder, which no script should take along unseen.",
        example="az group delete -n local --yes",
    )
    ending.add_argument("-y", "--yes", action="store_true", help="as in az")
    ending.add_argument("--no-wait", action="store_true", help="as in az")


def create(session: Session, arguments: Arguments) -> None:
    """Confirm name and region."""
    ours = session.settings
    if arguments.name.lower() != ours.resource_group.lower():
        raise wrong_workspace("--name", arguments.name, "resource_group", ours.resource_group)
    if arguments.location and arguments.location.lower() != ours.location.lower():
        raise wrong_workspace("--location", arguments.location, "location", ours.location)
    render.show(_group(session), session.how)


def show(session: Session, arguments: Arguments) -> None:
    """Show it."""
    name = arguments.name or session.default("group")
    if not name:
        raise grammar.Misread(
            "the following arguments are required: --name/--resource-group",
            code="InvalidArguments",
            fix="name it, or `az configure --defaults group=NAME`",
        )
    _check(session, name)
    render.show(_group(session), session.how)


def exists(session: Session, arguments: Arguments) -> None:
    """Tell whether it is ours."""
    render.show(arguments.name.lower() == session.settings.resource_group.lower(), session.how)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all of them: one."""
    del arguments
    render.show([_group(session)], session.how)


def delete(session: Session, arguments: Arguments) -> None:
    """Refuse."""
    _check(session, arguments.name)
    raise UserError(
        f"group {arguments.name} is the home {session.settings.home} itself and is not deleted by "
        "a script",
        code="GroupIsHome",
        fix="delete its endpoints, or stop it with `verdazul down` and remove the folder",
    )


def _check(session: Session, name: str) -> None:
    ours = session.settings.resource_group
    if name.lower() != ours.lower():
        raise NotFound(
            f"Resource group '{name}' could not be found; this home's is {ours!r}",
            code="ResourceGroupNotFound",
        )


def _group(session: Session) -> dict[str, Any]:
    settings = session.settings
    return {
        "id": f"/subscriptions/{settings.subscription}/resourceGroups/{settings.resource_group}",
        "location": settings.location,
        "managedBy": None,
        "name": settings.resource_group,
        "properties": {"provisioningState": "Succeeded"},
        "tags": {},
        "type": "Microsoft.Resources/resourceGroups",
    }


def _declare(
    commands: grammar.Subparsers[Any],
    name: str,
    run: Any,
    summary: str,
    *,
    example: str,
    is_needed: bool = True,
) -> Any:
    parser = grammar.add_command(commands, name, run, summary=summary, examples=(example,))
    parser.add_argument(
        "-n",
        "-g",
        "--name",
        "--resource-group",
        required=is_needed,
        metavar="NAME",
        help="(required)" if is_needed else "its name",
    )
    return parser
