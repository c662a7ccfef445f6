"""`verdazul az install-shim DIR`: an executable `az` that is Verdazul; with --curl a `curl`, too.

The first is three lines of shell that start this very interpreter in the home of today, so that a
script finds both whatever PATH and VERDAZUL_HOME are there. The second is for scripts that call
REST at https://management.azure.com: that address, where a word begins with it, becomes the home's,
and the next curl on PATH does the rest.
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
_AZURE = "https://management.azure.com"


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
    parser.add_argument(
        "--curl",
        action="store_true",
        help=f"also a `curl` that takes {_AZURE} for this home, for scripts that call REST",
    )


def install(session: Session, arguments: Arguments) -> None:
    """Write the file, and say what is left to do."""
    folder = Path(arguments.dir).expanduser().absolute()
    home = session.settings.home
    scripts = {"az": _script(home), **({"curl": _curl(home)} if arguments.curl else {})}
    for name in scripts:
        if (folder / name).exists() and not arguments.force and not _is_ours(folder / name):
            raise Conflict(
                f"{folder / name} exists and is not Verdazul's",
                code="FileExists",
                fix="choose another folder, or pass --force to replace it",
            )
    try:
        for name, text in scripts.items():
            _write(folder / name, text)
    except OSError as error:
        raise UserError(
            f"cannot write into {folder}: {error.strerror} ({error.filename})",
            code="FolderNotWritable",
        ) from None
    if shutil.which("az") != str(folder / "az"):
        session.note(f"put it first: export PATH={shlex.quote(str(folder))}:$PATH")
    render.show({"path": str(folder / "az"), "home": str(home)}, session.how)


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


def _curl(home: Path) -> str:
    """The address is read at each call: a home may listen elsewhere tomorrow.

    `for` walks the words of the beginning while `set` changes them: each word is moved to the end.
    """
    return f"""#!/bin/sh
{_MARK} (`verdazul az install-shim --curl`); delete this file to undo it.
[ -n "${{VERDAZUL_HOME:-}}" ] || VERDAZUL_HOME={shlex.quote(str(home))}
address=$(cat "$VERDAZUL_HOME/run/address" 2>/dev/null)
ours=
for word do
  shift
  case $word in
  {_AZURE}|{_AZURE}[/?]*)
    [ -n "$address" ] || {{ echo "no Verdazul runs in $VERDAZUL_HOME: verdazul up" >&2; exit 7; }}
    word=$address${{word#{_AZURE}}} ;;
  esac
  case $word in "${{address:-nowhere:}}"*) ours=1 ;; esac
  set -- "$@" "$word"
done
[ -z "$ours" ] || set -- --cacert "$VERDAZUL_HOME/certs/ca-bundle.pem" "$@"
here=$(cd "$(dirname "$0")" && pwd -P)
others=
IFS=:
for folder in $PATH; do
  [ "$(cd "${{folder:-.}}" 2>/dev/null && pwd -P)" = "$here" ] || others=$others:${{folder:-.}}
done
PATH=${{others#:}} exec curl "$@"
"""


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.chmod(0o755)
    temporary.replace(file)


def _is_ours(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return _MARK.encode() in opened.read(200)
    except OSError:
        return False
