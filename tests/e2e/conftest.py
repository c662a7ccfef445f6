"""Homes for end-to-end tests. Whatever a test does, nothing of its home runs afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.system import System, eventually


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One running Verdazul for the tests of a module; each uses endpoints of its own."""
    yield from _system(tmp_path_factory.mktemp("v"))


@pytest.fixture
def own_system(tmp_path: Path) -> Iterator[System]:
    """A running Verdazul that the test may kill."""
    yield from _system(tmp_path)


def _system(folder: Path) -> Iterator[System]:
    system = System(folder / "home", folder / "files")
    system.up()
    try:
        yield system
    finally:
        system.down()
        eventually(lambda: not system.processes(), seconds=10)
