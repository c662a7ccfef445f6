"""`verdazul deployment group`: ARM templates, with the flags of `az deployment group`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session, Work
from verdazul.model.errors import UserError

if TYPE_CHECKING:
    from verdazul.client.workspace import Resource

_COLUMNS: tuple[render.Column, ...] = (
    ("Name", lambda one: one["name"]),
    ("State", lambda one: one["properties"]["provisioningState"]),
    ("Timestamp", lambda one: one["properties"]["timestamp"]),
    ("Mode", lambda one: one["properties"]["mode"]),
    ("ResourceGroup", lambda one: one["resourceGroup"]),
)
_NAME = "azuredeploy"


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    deployment = grammar.add_noun(nouns, "deployment", "Deploy ARM templates.")
    commands = grammar.add_noun(deployment, "group", "Deploy ARM templates to the resource group.")
    _declare(commands)


def create(session: Session, arguments: Arguments) -> None:
    """Deploy and wait."""
    from verdazul.client.operations import wait

    body = _request(arguments)
    name = arguments.name or _name_of(arguments.template_file)
    with session.work() as work:
        one = work.workspace.template_deployment(name)
        accepted = one.put(body)
        if not arguments.no_wait:
            count = len(body["properties"]["template"].get("resources") or [])
            work.progress.happened(f"{name}: {count} resource{'s' * (count != 1)} in the template")
            url, tell = accepted.operation, work.progress.happened
            wait(work.workspace.connection, url, patience=work.patience, on_progress=tell)
        told = one.get().body
    render.show(_entity(session, told), session.how, columns=_COLUMNS)


def validate(session: Session, arguments: Arguments) -> None:
    """Check and change nothing."""
    name = arguments.name or _name_of(arguments.template_file)
    with session.work() as work:
        told = work.workspace.template_deployment(name).act("validate", _request(arguments)).body
    render.show({**told, "resourceGroup": session.settings.resource_group}, session.how)


def show(session: Session, arguments: Arguments) -> None:
    """Show one."""
    with session.work() as work:
        told = _existing(work, arguments).get().body
    render.show(_entity(session, told), session.how, columns=_COLUMNS)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all, newest first."""
    del arguments
    with session.work() as work:
        found = [_entity(session, one) for one in work.workspace.template_deployments().list()]
    render.show(found, session.how, columns=_COLUMNS)


def delete(session: Session, arguments: Arguments) -> None:
    """Drop one from the history."""
    with session.work() as work:
        _existing(work, arguments).delete()


def cancel(session: Session, arguments: Arguments) -> None:
    """Let one put no further resource."""
    with session.work() as work:
        _existing(work, arguments).act("cancel")


def _existing(work: Work, arguments: Arguments) -> Resource:
    return work.workspace.template_deployment(arguments.name)


def _entity(session: Session, body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "resourceGroup": session.settings.resource_group}


def _request(arguments: Arguments) -> dict[str, Any]:
    template = _json_file(Path(arguments.template_file), "--template-file")
    declared = template.get("parameters")
    values: dict[str, Any] = {}
    for text in arguments.parameters:
        values |= _values(text, declared if isinstance(declared, dict) else {})
    properties = {"mode": arguments.mode, "template": template, "parameters": values}
    return {"properties": properties}


def _values(text: str, declared: dict[str, Any]) -> dict[str, Any]:
    """What one word of --parameters gives: a file, `@FILE`, JSON, or NAME=VALUE."""
    if text.startswith("@"):
        return _of_document(_json_file(Path(text[1:]), "--parameters"))
    if text.lstrip().startswith("{"):
        return _of_document(_json(text, "--parameters"))
    name, is_pair, value = text.partition("=")
    if not is_pair:
        return _of_document(_json_file(Path(text), "--parameters"))
    return {name: {"value": _typed(name, value, declared)}}


def _of_document(document: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a parameter file, or a plain object of them."""
    found = document.get("parameters", document)
    if not isinstance(found, dict):
        raise UserError("parameters is no object", code="InvalidParameters")
    return found


def _typed(name: str, text: str, declared: dict[str, Any]) -> Any:
    """As the template declares it: a text stays one, whatever it looks like."""
    if text.startswith("@"):
        text = _read(Path(text[1:]), "--parameters")
    told: Any = next((one for key, one in declared.items() if key.lower() == name.lower()), {})
    kind = str(told.get("type", "")).lower() if isinstance(told, dict) else ""
    if kind in {"string", "securestring"}:
        return text
    try:
        return json.loads(text.lower() if kind == "bool" else text)
    except ValueError:
        return text


def _json_file(path: Path, flag: str) -> dict[str, Any]:
    return _json(_read(path, flag), f"{flag} {path}")


def _read(path: Path, flag: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{flag}: {path} cannot be read: {error}", code="FileNotFound") from None


def _json(text: str, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UserError(f"{what} is not JSON: {error}", code="InvalidJson") from None
    if not isinstance(found, dict):
        raise UserError(f"{what} is JSON, but no object", code="InvalidJson")
    return found


def _name_of(template_file: str) -> str:
    """As az calls one that has no name: after its file."""
    return Path(template_file).stem or _NAME


def _declare(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "create",
        create,
        summary="Deploy a template: check it whole, then put its resources in their order. What "
        "is there already stays as it is or is changed; nothing is deleted.",
        examples=(
            "verdazul deployment group create -f endpoint.json -p endpoint=credit",
            "verdazul deployment group create -n d1 -f endpoint.json -p @parameters.json",
        ),
    )
    _add_template(parser)
    grammar.add_wait(parser)
    parser = grammar.add_resource_command(
        commands,
        "validate",
        validate,
        summary="Check a template and its parameters, and change nothing.",
        examples=("verdazul deployment group validate -f endpoint.json -p endpoint=credit",),
    )
    _add_template(parser)
    for name, run, summary in (
        ("show", show, "Show a deployment, with its outputs."),
        ("delete", delete, "Drop a deployment from the history; what it made stays."),
        ("cancel", cancel, "Let a running deployment put no further resource."),
    ):
        parser = grammar.add_resource_command(
            commands,
            name,
            run,
            summary=summary,
            examples=(f"verdazul deployment group {name} -n d1",),
        )
        parser.add_argument("-n", "--name", required=True, metavar="NAME", help="(required)")
    grammar.add_resource_command(
        commands,
        "list",
        list_all,
        summary="List deployments, newest first.",
        examples=("verdazul deployment group list -o table",),
    )


def _add_template(parser: Any) -> None:
    parser.add_argument("-n", "--name", metavar="NAME", help="default: the template's file name")
    parser.add_argument(
        "-f", "--template-file", required=True, metavar="FILE", help="the template (required)"
    )
    parser.add_argument(
        "-p",
        "--parameters",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="values: KEY=VALUE, a parameter file, @FILE or JSON",
    )
    parser.add_argument(
        "--mode",
        choices=("Incremental",),
        type=str.capitalize,
        default="Incremental",
        help="nothing is deleted (default)",
    )
    why = "templates are read from files"
    grammar.not_yet(parser, "-u", "--template-uri", why=why, takes=1)
    grammar.not_yet(parser, "-s", "--template-spec", why=why, takes=1)
