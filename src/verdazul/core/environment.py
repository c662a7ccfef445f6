"""What a deployment's environment is made from, and how far its building has come."""

from __future__ import annotations

from dataclasses import dataclass

from verdazul.model.errors import Problem


@dataclass(frozen=True, slots=True)
class Recipe:
    """The ingredients. `conda` is the text of a conda file ("" when only an image is named)."""

    image: str
    conda: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """Nobody has asked for it yet."""


@dataclass(frozen=True, slots=True)
class Building:
    """A build runs; `progress` is its last line, for people."""

    progress: str


@dataclass(frozen=True, slots=True)
class Built:
    """Ready to start instances in.

    `python` is its interpreter, `serve_path` the folder to append to its sys.path for
    verdazul_serve. `notes` say where it differs from what was asked for (another Python than the
    conda file's, a conda package taken from PyPI).
    """

    python: str
    serve_path: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildFailed:
    """The build ended badly; `problem` has code ImageBuildFailure, the cause and the log tail."""

    problem: Problem


EnvironmentState = Missing | Building | Built | BuildFailed
