"""`az account`, `az login`, `az logout`, `az version`: who is asking, and which subscription.

A home is one subscription, and whoever can read its token file is logged in.
"""

from __future__ import annotations

from typing import Any

from verdazul import __version__
from verdazul.cli import grammar, render
from verdazul.cli.az import access
from verdazul.cli.az.subscription import add_flag, refuse_other, subscription
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session

_GRAMMAR = {"azure-cli": "2.77.0", "azure-cli-core": "2.77.0", "extensions": {"ml": "2.39.0"}}
"""The versions whose commands and formats are followed; scripts compare with them."""


def register(groups: grammar.Subparsers[Any]) -> None:
    """Declare the groups."""
    commands = grammar.add_noun(groups, "account", "The subscription that this home is.")
    _declare_readers(commands)
    setting = grammar.add_command(
        commands,
        "set",
        choose,
        summary="Choose the subscription. There is one, by its id or name; another is refused.",
        examples=("az account set --subscription 00000000-0000-0000-0000-000000000000",),
    )
    add_flag(setting, required=True)
    access.declare(commands)
    _declare_session(groups)


def version() -> dict[str, object]:
    """Tell which az this is like, and what it is."""
    return {**_GRAMMAR, "verdazul": __version__}


def show(session: Session, arguments: Arguments) -> None:
    """Show the subscription."""
    refuse_other(session.settings, arguments.subscription)
    render.show(subscription(session.settings), session.how)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all subscriptions: one."""
    del arguments
    render.show([subscription(session.settings)], session.how)


def list_locations(session: Session, arguments: Arguments) -> None:
    """Show all regions: one."""
    del arguments
    name = session.settings.location
    found = {"name": name, "displayName": name, "regionalDisplayName": name, "type": "Region"}
    render.show([found], session.how)


def choose(session: Session, arguments: Arguments) -> None:
    """Confirm the subscription."""
    refuse_other(session.settings, arguments.subscription)


def login(session: Session, arguments: Arguments) -> None:
    """Prove that the server takes us, and print the subscriptions as az does."""
    with session.work() as work:
        work.workspace.itself().get()
    list_all(session, arguments)


def logout(session: Session, arguments: Arguments) -> None:
    """Say that there is nothing to forget."""
    del arguments
    session.note(f"nothing is kept of a login; {session.settings.home}/token opens this home")


def show_version(session: Session, arguments: Arguments) -> None:
    """Show versions."""
    del arguments
    render.show(version(), session.how)


def _declare_readers(commands: grammar.Subparsers[Any]) -> None:
    one = grammar.add_command(
        commands,
        "show",
        show,
        summary="Show the subscription.",
        examples=("az account show --query id -o tsv",),
    )
    add_flag(one, required=False)
    every = grammar.add_command(
        commands,
        "list",
        list_all,
        summary="List the subscriptions: this home is one.",
        examples=('az account list --query "[?isDefault].id" -o tsv',),
    )
    every.add_argument("--all", action="store_true", help="disabled ones too (there are none)")
    grammar.add_command(
        commands,
        "list-locations",
        list_locations,
        summary="List the regions: this home is one.",
        examples=("az account list-locations --query [].name -o tsv",),
    )


def _declare_session(groups: grammar.Subparsers[Any]) -> None:
    entering = grammar.add_command(
        groups,
        "login",
        login,
        summary="See whether the server takes this person, by the token of the home, and list the "
        "subscriptions.",
        examples=("az login", "az login --identity"),
    )
    entering.add_argument("-i", "--identity", action="store_true", help="as this machine's user")
    for flag in ("--service-principal", "--use-device-code", "--allow-no-subscriptions"):
        grammar.not_yet(entering, flag, why="the home's token is what logs in")
    for flags in (("-u", "--username"), ("-p", "--password"), ("-t", "--tenant")):
        grammar.not_yet(entering, *flags, why="the home's token is what logs in", takes=1)
    grammar.add_command(
        groups,
        "logout",
        logout,
        summary="Say what there is to log out of.",
        examples=("az logout",),
    )
    grammar.add_command(
        groups,
        "version",
        show_version,
        summary="Show the versions whose grammar is followed, and Verdazul's.",
        examples=("az version",),
    )
