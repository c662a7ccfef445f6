"""Azure's clients, each version in an environment of its own."""

from __future__ import annotations

from pathlib import Path

from tests import locked

AGES = ("new", "middle", "old")


def interpreter(age: str) -> Path:
    """The Python with that version of the SDK."""
    return locked.interpreter(f"sdk-{age}")
