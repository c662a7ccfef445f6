"""What to build for a recipe: Python, packages, notes; and the digest it is cached under. Pure.

Two recipes that need the same packages on the same Python share one environment. The digest holds
Python's minor version only: a security patch of Python does not rebuild every environment, while a
better match for what was asked for does.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from verdazul.core.environment import Recipe
from verdazul.environments.conda import parse_conda
from verdazul.environments.images import KnownImage, known_image, known_names
from verdazul.environments.interpreters import Interpreter, choose
from verdazul.model.errors import UserError

_SCHEMA = 1  # raise it when the same plan gives another environment
_OURS = sys.version_info[:2]


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What a recipe says, before a machine is looked at. `python` as in `interpreters.choose`."""

    python: str | None
    requirements: tuple[str, ...]
    options: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """One environment to build or find. `requirements_text` is the file that uv reads."""

    digest: str
    interpreter: Interpreter
    requirements_text: str
    arguments: tuple[str, ...]
    notes: tuple[str, ...]


def ingredients(recipe: Recipe) -> Ingredients:
    """Read a recipe. Raises UserError (InvalidCondaFile, ImageBuildFailure)."""
    known = known_image(recipe.image)
    image_python = f"=={known.python}.*" if known and known.python else None
    if not recipe.conda.strip():
        if known is None:
            raise _unknown_image(recipe.image)
        return Ingredients(image_python, known.requirements, notes=_stands_for(recipe.image, known))
    file = parse_conda(recipe.conda)
    python = image_python if file.python is None else file.python
    is_foreign = bool(recipe.image) and known is None
    notes = (*file.notes, _unknown_ground(recipe.image)) if is_foreign else file.notes
    return Ingredients(python, file.requirements, file.options, file.arguments, notes)


def plan(recipe: Recipe, interpreters: Sequence[Interpreter]) -> BuildPlan:
    """Decide what to build. Raises UserError for recipes that nobody could build here."""
    if not interpreters:
        raise UserError(
            "no Python of 3.9 or newer was found on this machine",
            code="ImageBuildFailure",
            fix="install Python 3.12",
        )
    parts = ingredients(recipe)
    interpreter, difference = choose(parts.python, interpreters, ours=_OURS)
    lines = [*parts.options, *sorted(parts.requirements)]
    return BuildPlan(
        digest=_digest(lines, parts.arguments, interpreter),
        interpreter=interpreter,
        requirements_text="".join(f"{line}\n" for line in lines),
        arguments=parts.arguments,
        notes=(difference, *parts.notes) if difference else parts.notes,
    )


def recipe_key(recipe: Recipe) -> str:
    """A recipe's own digest: known even when nothing can be planned for it."""
    return _sha256([recipe.image, recipe.conda])[:32]


def _digest(lines: list[str], arguments: Sequence[str], interpreter: Interpreter) -> str:
    machine = [sys.platform, platform.machine()]
    return _sha256([_SCHEMA, machine, interpreter.minor, lines, list(arguments)])[:32]


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=True).encode()).hexdigest()


def _unknown_image(image: str) -> UserError:
    return UserError(
        f"image {image!r} is not one that this machine can map to packages; known: {known_names()}",
        code="ImageBuildFailure",
        fix="give a conda_file that lists the packages, or a known image",
    )


def _stands_for(image: str, known: KnownImage) -> tuple[str, ...]:
    if not known.requirements:
        return ()
    packages = ", ".join(known.requirements)
    return (f"image {image!r} is not run here; these of its packages are installed: {packages}",)


def _unknown_ground(image: str) -> str:
    return (
        f"image {image!r} is not run here: its system packages and what it has installed are not "
        "there, only the conda file's packages"
    )
