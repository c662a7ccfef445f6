"""Two things at the same time, the second some turns of the event loop behind the first.

Whoever wins, the world must become what is declared, and what is declared must make sense.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.sim.simulation import NAMES, Simulation, YieldingStore

CREDIT = NAMES[0]
Call = tuple[object, ...]

LOOK = ("look", CREDIT)
DELETE = ("delete", CREDIT)
CREATE = ("create", CREDIT)
RENEW = ("renew", CREDIT)
SCALE = ("deploy", CREDIT, "blue", 3)
REPLACE = ("deploy", CREDIT, "blue", 1, "2")
NEW = ("deploy", CREDIT, "red")
UNDEPLOY = ("undeploy", CREDIT, "green")
TO_GREEN = ("split", CREDIT, (("green", 100),))


def named(call: Call) -> str:
    return "-".join(str(part) for part in call if part != CREDIT)


async def after(turns: int, work: Coroutine[Any, Any, object]) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    await work


def race(home: Path, turns: int, first: Call, second: Call) -> None:
    async def story() -> None:
        simulation = Simulation(home, store=YieldingStore())
        await simulation.prepare()
        await simulation.serving(CREDIT, ("blue", 100), ("Green", 0))

        def call(what: Call) -> Coroutine[Any, Any, object]:
            method: Coroutine[Any, Any, object] = getattr(simulation, str(what[0]))(*what[1:])
            return method

        async with asyncio.TaskGroup() as group:
            group.create_task(after(0, call(first)))
            group.create_task(after(turns, call(second)))
        await simulation.rest()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *[(LOOK, each) for each in (RENEW, SCALE, REPLACE, NEW, UNDEPLOY, TO_GREEN, DELETE)],
        *[(DELETE, each) for each in (CREATE, RENEW, UNDEPLOY, TO_GREEN, DELETE)],
        *[(UNDEPLOY, each) for each in (RENEW, REPLACE, NEW, UNDEPLOY)],
        *[(REPLACE, each) for each in (SCALE, TO_GREEN, RENEW)],
    ],
    ids=named,
)
def test_two_at_once(tmp_path: Path, first: Call, second: Call) -> None:
    for turns in range(0, 12, 2):
        race(tmp_path / str(turns), turns, first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [(DELETE, NEW), (REPLACE, DELETE), (UNDEPLOY, TO_GREEN), (TO_GREEN, UNDEPLOY)],
    ids=named,
)
def test_two_at_once_of_which_one_must_lose(tmp_path: Path, first: Call, second: Call) -> None:
    for turns in range(12):
        race(tmp_path / str(turns), turns, first, second)
