"""`verdazul configure`: the group and workspace that commands mean when they name none.

A home has one workspace, so a default can only confirm it. It is checked when it is set, and again
by each command: a script that was written for another workspace does not go on in this one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import DEFAULTS, Session, stored_defaults, wrong_workspace
from verdazul.model.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the command."""
    parser = grammar.add_command(
        nouns,
        "configure",
        configure,
        summary="Set the defaults of -g and -w. They can only confirm the home's own group and "
        "workspace; AZURE_DEFAULTS_GROUP and AZURE_DEFAULTS_WORKSPACE do the same.",
        examples=(
            "verdazul configure --defaults group=local workspace=verdazul",
            "verdazul configure --defaults group=''   # no default any more",
            "verdazul configure --list-defaults",
        ),
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "-d",
        "--defaults",
        nargs="+",
        metavar="NAME=VALUE",
        help="group, workspace or location; an empty value removes one",
    )
    what.add_argument("-l", "--list-defaults", action="store_true", help="show what is set")


def configure(session: Session, arguments: Arguments) -> None:
    """Set, remove or list defaults."""
    file = session.defaults_file
    if arguments.list_defaults:
        found = stored_defaults(file)
        render.show([entry(name, found[name], file) for name in sorted(found)], session.how)
        return
    keep(session, arguments.defaults)


def keep(session: Session, words: Iterable[str]) -> None:
    """Keep NAME=VALUE; an empty value removes. Raises UserError before anything is kept."""
    changed = stored_defaults(session.defaults_file)
    for word in words:
        name, value = _checked(session, word)
        changed[name] = value
    _write(session.defaults_file, {name: value for name, value in changed.items() if value})


def entry(name: str, value: str, file: Path) -> dict[str, str]:
    """One default, as az shows it."""
    return {"name": name, "source": str(file), "value": value}


def _checked(session: Session, word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or name not in DEFAULTS:
        raise UserError(
            f"--defaults {word!r} is not understood; it must be one of "
            f"{', '.join(f'{known}=VALUE' for known in DEFAULTS)}",
            code="InvalidArguments",
        )
    ours = getattr(session.settings, DEFAULTS[name])
    if value and value.lower() != ours.lower():
        raise wrong_workspace(f"--defaults {name}", value, DEFAULTS[name], ours)
    return name, value


def _write(file: Path, defaults: dict[str, str]) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(json.dumps({"defaults": defaults}, indent=2) + "\n")
    except OSError as error:
        raise UserError(
            f"the defaults cannot be kept: {error.strerror} ({error.filename})",
            code="HomeNotWritable",
            fix="choose another folder with --home or VERDAZUL_HOME",
        ) from None
