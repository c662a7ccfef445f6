"""`python -m verdazul.environments CONDA_FILE`: build an environment by hand.

stdout is data (the interpreter's path), stderr is talk (progress, notes, failures).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from verdazul.core.environment import Recipe
from verdazul.environments.build import build
from verdazul.model.errors import UserError, VerdazulError
from verdazul.settings import Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 0: built; 1: the file must change; 2: the machine failed; 130: interrupted."""
    arguments = _parser().parse_args(argv)
    try:
        recipe = Recipe(arguments.image, _read(arguments.conda_file))
        built = asyncio.run(build(recipe, Settings.read(home=arguments.home).home, _tell))
    except VerdazulError as error:
        _tell(f"{error.problem.code}: {error.problem}")
        return 1 if isinstance(error, UserError) else 2
    except KeyboardInterrupt:
        return 130
    for note in built.notes:
        _tell(f"NOTE: {note}")
    sys.stdout.write(f"{built.python}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m verdazul.environments", description=__doc__)
    parser.add_argument("conda_file", type=Path, help="as `conda env export` writes it")
    parser.add_argument("--image", default="", help="the image that it is meant to stand on")
    parser.add_argument("--home", type=Path, help="folder for all state")
    return parser


def _read(conda_file: Path) -> str:
    try:
        return conda_file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise UserError(
            f"conda file {str(conda_file)!r} cannot be read: {error}", code="InvalidCondaFile"
        ) from None


def _tell(line: str) -> None:
    if line:
        sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
