"""`verdazul account`: who is asking, and which subscription. A home is one subscription."""

from __future__ import annotations

from typing import Any

from verdazul.cli import access_token, grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session
from verdazul.cli.subscription import add_flag, refuse_other, subscription


def register(groups: grammar.Subparsers[Any]) -> None:
    """Declare the group."""
    commands = grammar.add_noun(groups, "account", "Who is asking, and the subscription.")
    _declare_readers(commands)
    setting = grammar.add_command(
        commands,
        "set",
        choose,
        summary="Choose the subscription. There is one, by its id or name; another is refused.",
        examples=("verdazul account set --subscription 00000000-0000-0000-0000-000000000000",),
    )
    add_flag(setting, required=True)
    access_token.declare(commands)


def show(session: Session, arguments: Arguments) -> None:
    """Show the subscription, and who is logged in."""
    refuse_other(session.settings, arguments.subscription)
    render.show(subscription(session), session.how)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all subscriptions: one."""
    del arguments
    render.show([subscription(session)], session.how)


def list_locations(session: Session, arguments: Arguments) -> None:
    """Show all regions: one."""
    del arguments
    name = session.settings.location
    found = {"name": name, "displayName": name, "regionalDisplayName": name, "type": "Region"}
    render.show([found], session.how)


def choose(session: Session, arguments: Arguments) -> None:
    """Confirm the subscription."""
    refuse_other(session.settings, arguments.subscription)


def _declare_readers(commands: grammar.Subparsers[Any]) -> None:
    one = grammar.add_command(
        commands,
        "show",
        show,
        summary="Show the subscription, and who is logged in.",
        examples=("verdazul account show --query user.name -o tsv",),
    )
    add_flag(one, required=False)
    every = grammar.add_command(
        commands,
        "list",
        list_all,
        summary="List the subscriptions: this home is one.",
        examples=('verdazul account list --query "[?isDefault].id" -o tsv',),
    )
    every.add_argument("--all", action="store_true", help="disabled ones too (there are none)")
    grammar.add_command(
        commands,
        "list-locations",
        list_locations,
        summary="List the regions: this home is one.",
        examples=("verdazul account list-locations --query [].name -o tsv",),
    )
