"""The runner, shared by the session; it begins with all that the chosen tests will ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from serve.tests.differential.runner import Runner, runner
from serve.tests.differential.table import Boot, Group


@pytest.fixture(scope="session")
def both(request: pytest.FixtureRequest) -> Iterator[Runner]:
    with runner() as made:
        for item in request.session.items:
            chosen = getattr(item, "callspec", None)
            things = chosen.params.values() if chosen else ()
            made.begin(thing for thing in things if isinstance(thing, Group | Boot))
        yield made
