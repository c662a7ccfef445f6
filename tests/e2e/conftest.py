"""Homes for end-to-end tests. Whatever a test does, nothing of its home runs afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.system import System, running


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One running Verdazul for the tests of a module; each uses endpoints of its own."""
    with running(tmp_path_factory.mktemp("v")) as started:
        yield started


@pytest.fixture
def own_system(tmp_path: Path) -> Iterator[System]:
    """A running Verdazul that the test may kill."""
    with running(tmp_path) as started:
        yield started
