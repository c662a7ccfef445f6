"""`az version`: whose grammar is followed. Scripts compare with it."""

from __future__ import annotations

from typing import Any

from verdazul import __version__
from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session

_GRAMMAR = {"azure-cli": "2.77.0", "azure-cli-core": "2.77.0", "extensions": {"ml": "2.39.0"}}


def register(groups: grammar.Subparsers[Any]) -> None:
    """Declare the command."""
    grammar.add_command(
        groups,
        "version",
        show_version,
        summary="Show the versions whose grammar is followed, and Verdazul's.",
        examples=("az version",),
    )


def version() -> dict[str, object]:
    """Tell which az this is like, and what it is."""
    return {**_GRAMMAR, "verdazul": __version__}


def show_version(session: Session, arguments: Arguments) -> None:
    """Show versions."""
    del arguments
    render.show(version(), session.how)
