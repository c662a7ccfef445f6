"""`verdazul az install-shim DIR`: an executable `az` that is Verdazul.

It is three lines of shell that start this very interpreter in the home of today, so that a script
finds both whatever PATH and VERDAZUL_HOME are there.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session
from verdazul.model.errors import Conflict, UserError

_MARK = "# az, as Verdazul speaks it"


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its command."""
    commands = grammar.add_noun(nouns, "az", "Let scripts that call `az ml` run unchanged.")
    parser = grammar.add_command(
        commands,
        "install-shim",
        install,
        summary="Write an executable `az` into a folder. Put that folder first in PATH, and a "
        "script written for Azure's online endpoints manages this home; deleting the file undoes "
        "it.",
        examples=(
            "verdazul az install-shim ~/.local/verdazul-az",
            'PATH="$HOME/.local/verdazul-az:$PATH" ./deploy-managed-online-endpoint.sh',
        ),
    )
    parser.add_argument("dir", metavar="DIR", help="the folder; made when it is missing")
    parser.add_argument("--force", action="store_true", help="replace an az that is not ours")


def install(session: Session, arguments: Arguments) -> None:
    """Write the file, and say what is left to do."""
    folder = Path(arguments.dir).expanduser().absolute()
    file = folder / "az"
    if file.exists() and not arguments.force and not _is_ours(file):
        raise Conflict(
            f"{file} exists and is not Verdazul's",
            code="FileExists",
            fix="choose another folder, or pass --force to replace it",
        )
    try:
        _write(file, _script(session.settings.home))
    except OSError as error:
        raise UserError(
            f"cannot write {file}: {error.strerror} ({error.filename})", code="FolderNotWritable"
        ) from None
    if shutil.which("az") != str(file):
        session.note(f"put it first: export PATH={shlex.quote(str(folder))}:$PATH")
    render.show({"path": str(file), "home": str(session.settings.home)}, session.how)


def azures_own() -> str:
    """Find an `az` on PATH that is not ours; "" when there is none."""
    for folder in os.get_exec_path():
        file = Path(folder or ".", "az")
        if os.access(file, os.X_OK) and file.is_file() and not _is_ours(file):
            return str(file)
    return ""


def _script(home: Path) -> str:
    return f"""#!/bin/sh
{_MARK} (`verdazul az install-shim`); delete this file to undo it.
[ -n "${{VERDAZUL_HOME:-}}" ] || VERDAZUL_HOME={shlex.quote(str(home))}
export VERDAZUL_HOME
exec {shlex.quote(sys.executable)} -P -m verdazul.cli.az.front "$@"
"""


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".az.{os.getpid()}")
    temporary.write_text(text)
    temporary.chmod(0o755)
    temporary.replace(file)


def _is_ours(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return _MARK.encode() in opened.read(200)
    except OSError:
        return False
