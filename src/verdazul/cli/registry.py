"""`verdazul registry`: shelves of models, environments and data that several workspaces read.

A registry is a folder below VERDAZUL_REGISTRIES; docs/operations.md says what lies in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session
from verdazul.model.errors import UserError

_COLUMNS: tuple[render.Column, ...] = (
    ("Name", lambda registry: registry["name"]),
    ("Location", lambda registry: registry.get("location")),
    ("Description", lambda registry: registry.get("description")),
)


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    commands = grammar.add_noun(nouns, "registry", "Manage registries of shared assets.")
    making = grammar.add_resource_command(
        commands,
        "create",
        create,
        summary="Make a registry: a folder that models, environments and data are shared to. One "
        "that is there gets the description and tags that are given.",
        examples=["verdazul registry create -n shared", "verdazul registry create -f registry.yml"],
    )
    making.add_argument("-n", "--name", metavar="NAME", help="its name")
    making.add_argument("-f", "--file", metavar="YAML", help="the YAML file")
    making.add_argument("-l", "--location", metavar="REGION", help="its region: this home's")
    making.add_argument("--no-wait", action="store_true", help="as in az: nothing takes long")
    one = grammar.add_resource_command(
        commands,
        "show",
        show,
        summary="Show a registry.",
        examples=["verdazul registry show -n shared"],
    )
    one.add_argument("-n", "--name", required=True, metavar="NAME", help="(required)")
    grammar.add_resource_command(
        commands,
        "list",
        list_all,
        summary="List registries by name.",
        examples=["verdazul registry list -o table"],
    )
    ending = grammar.add_resource_command(
        commands,
        "delete",
        delete,
        summary="Delete a registry and all it holds, unless a deployment names an asset of it.",
        examples=["verdazul registry delete -n shared --yes"],
    )
    ending.add_argument("-n", "--name", required=True, metavar="NAME", help="(required)")
    ending.add_argument("-y", "--yes", action="store_true", help="do not ask")
    ending.add_argument("--no-wait", action="store_true", help="as in az: nothing takes long")


def create(session: Session, arguments: Arguments) -> None:
    """Make it, or say something else about it."""
    from verdazul.model.registry import load_registry, registry_to_arm

    location = session.settings.location
    flags = {"name": arguments.name, "location": arguments.location}
    file = Path(arguments.file) if arguments.file else None
    spec = load_registry(file, flags, location=location)
    with session.work() as work:
        registry = work.workspace.registry(str(spec.name)).itself()
        body = registry.put(registry_to_arm(spec, location)).body
    _show(session, body)


def show(session: Session, arguments: Arguments) -> None:
    """Show one."""
    with session.work() as work:
        body = work.workspace.registry(arguments.name).itself().get().body
    _show(session, body)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all."""
    from verdazul.model.entity import registry_entity

    del arguments
    with session.work() as work:
        found = [registry_entity(body) for body in work.workspace.registries().list()]
    render.show(found, session.how, columns=_COLUMNS)


def delete(session: Session, arguments: Arguments) -> None:
    """Delete it."""
    name = arguments.name
    what = f'registry "{name}" and all that it holds'
    if not arguments.yes and not render.confirm(f"Delete {what}?"):
        raise UserError(f"{what} was not deleted: you said no", code="NotConfirmed")
    with session.work() as work:
        registry = work.workspace.registry(name).itself()
        registry.get()
        registry.delete()
    session.note(f"{what} is deleted")


def _show(session: Session, body: dict[str, Any]) -> None:
    from verdazul.model.entity import registry_entity

    render.show(registry_entity(body), session.how, columns=_COLUMNS)
