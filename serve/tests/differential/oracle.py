"""The interpreters the servers run in: one with the original server, one with all but it.

Ours runs where the original is not installed, so that a script's imports from it are answered by
ours; one group of cases runs beside the original.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests import locked

ORIGINAL = "azureml-inference-server-http"
_NAME = "oracle"


@dataclass(frozen=True)
class Interpreters:
    """Paths of two Python programs with the same packages, but for the original server."""

    original: Path
    ours: Path


def prepare() -> Interpreters:
    """Make the environments unless they are there."""
    return Interpreters(
        original=locked.interpreter(_NAME), ours=locked.interpreter(_NAME, without=ORIGINAL)
    )


def version() -> str:
    """The original's, as locked."""
    lines = (locked.LOCKS / f"{_NAME}.lock").read_text().splitlines()
    name, _, rest = next(line.partition("==") for line in lines if line.startswith(ORIGINAL))
    assert name == ORIGINAL
    return rest.split()[0]
