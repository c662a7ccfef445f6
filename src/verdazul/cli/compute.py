"""`verdazul compute`: which instance types there are, and how much of what may be used is used."""

from __future__ import annotations

from typing import Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session, wrong_workspace

_USAGE: tuple[render.Column, ...] = (
    ("Name", lambda usage: usage["name"]["value"]),
    ("Used", lambda usage: usage["current_value"]),
    ("Limit", lambda usage: usage["limit"]),
    ("Unit", lambda usage: usage["unit"]),
)
_SIZES: tuple[render.Column, ...] = (
    ("Name", lambda size: size["name"]),
    ("CPUs", lambda size: size["v_cp_us"]),
    ("MemoryGB", lambda size: size["memory_gb"]),
    ("GPUs", lambda size: size["gpus"]),
    ("Family", lambda size: size["family"]),
)


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    commands = grammar.add_noun(nouns, "compute", "Show what deployments can run on.")
    for name, run, summary in (
        ("list-usage", list_usage, "List what is used of what may be used."),
        ("list-sizes", list_sizes, "List the instance types that deployments can name."),
    ):
        parser = grammar.add_resource_command(
            commands, name, run, summary=summary, examples=[f"verdazul compute {name} -o table"]
        )
        parser.add_argument("-l", "--location", metavar="REGION", help="this home's region")


def list_usage(session: Session, arguments: Arguments) -> None:
    """Show usages."""
    from verdazul.model.entity import usage_entity

    found = [usage_entity(body) for body in _listed(session, arguments, "usages")]
    render.show(found, session.how, columns=_USAGE)


def list_sizes(session: Session, arguments: Arguments) -> None:
    """Show instance types."""
    from verdazul.model.entity import size_entity

    found = [size_entity(body) for body in _listed(session, arguments, "vmSizes")]
    render.show(found, session.how, columns=_SIZES)


def _listed(session: Session, arguments: Arguments, kind: str) -> list[dict[str, Any]]:
    here = session.settings.location
    if arguments.location and arguments.location.lower() != here.lower():
        raise wrong_workspace("--location", arguments.location, "location", here)
    with session.work() as work:
        return list(work.workspace.capacity(here, kind).list())
