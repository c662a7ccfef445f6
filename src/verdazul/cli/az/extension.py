"""`az extension`: the extension `ml` is built in; there is no other."""

from __future__ import annotations

from typing import Any

from verdazul.cli import grammar, render
from verdazul.cli.az.version import version
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session
from verdazul.model.errors import UserError

_ML = "ml"


def register(groups: grammar.Subparsers[Any]) -> None:
    """Declare the group."""
    commands = grammar.add_noun(groups, "extension", "The extension `ml`, which is built in.")
    adding = _declare(commands, "add", keep, "Add an extension: `ml` is there.")
    adding.add_argument("-y", "--yes", action="store_true", help="do not ask (nothing is asked)")
    adding.add_argument("--upgrade", "-U", action="store_true", help="update it, if it is there")
    adding.add_argument("--version", dest="wanted", metavar="V", help="only this version")
    grammar.not_yet(adding, "-s", "--source", why="nothing is installed", takes=1)
    grammar.not_yet(adding, "--allow-preview", why="nothing is installed", takes=1)
    _declare(commands, "update", keep, "Update an extension: `ml` comes with Verdazul.")
    _declare(commands, "remove", remove, "Remove an extension: `ml` stays.")
    _declare(commands, "show", show, "Show an extension.")
    grammar.add_command(
        commands,
        "list",
        list_all,
        summary="List the extensions.",
        examples=("az extension list --query [].name -o tsv",),
    )


def keep(session: Session, arguments: Arguments) -> None:
    """Confirm that it is there."""
    _check(arguments.name)
    wanted, ours = getattr(arguments, "wanted", None), _extension()["version"]
    if wanted and wanted != ours:
        raise UserError(
            f"extension ml {wanted} cannot be had: what is built in follows {ours}",
            code="ExtensionNotFound",
            fix="leave out --version",
        )
    session.note("extension ml is part of Verdazul; nothing was installed")


def remove(session: Session, arguments: Arguments) -> None:
    """Say that it stays."""
    _check(arguments.name)
    session.note("extension ml is part of Verdazul; it stays")


def show(session: Session, arguments: Arguments) -> None:
    """Show it."""
    _check(arguments.name)
    render.show(_extension(), session.how)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all of them: one."""
    del arguments
    render.show([_extension()], session.how)


def _extension() -> dict[str, Any]:
    extensions: Any = version()["extensions"]
    return {
        "experimental": False,
        "extensionType": "built-in",
        "name": _ML,
        "path": None,
        "preview": False,
        "version": extensions[_ML],
    }


def _check(name: str) -> None:
    if name.lower() != _ML:
        raise UserError(
            f"The extension {name} is not installed, and cannot be: only ml is there, built in",
            code="ExtensionNotFound",
        )


def _declare(commands: grammar.Subparsers[Any], name: str, run: Any, summary: str) -> Any:
    parser = grammar.add_command(
        commands, name, run, summary=summary, examples=(f"az extension {name} -n ml",)
    )
    parser.add_argument("-n", "--name", required=True, metavar="NAME", help="ml (required)")
    return parser
