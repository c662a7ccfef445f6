"""What every implementation of the Environments port does, the fake like the real one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from verdazul.core.environment import BuildFailed, Building, Built, Missing, Recipe
from verdazul.environments.fake import FakeEnvironments
from verdazul.environments.uv import UvEnvironments
from verdazul.ports import Environments

BASE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest"
SIX = Recipe(BASE, "dependencies: [six]")
FOREIGN = Recipe("docker.io/me/own:1")
BROKEN = Recipe(BASE, "dependencies: 5")

Scenario = Callable[[Environments], Awaitable[None]]


@contextlib.asynccontextmanager
async def _opened(kind: str, home: Path) -> AsyncIterator[Environments]:
    if kind == "fake":
        yield FakeEnvironments()
        return
    async with UvEnvironments(home) as environments:
        yield environments


@pytest.fixture(params=["fake", "uv"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario], None]:
    async def scene(scenario: Scenario) -> None:
        async with _opened(request.param, tmp_path) as environments:
            await scenario(environments)

    return lambda scenario: asyncio.run(scene(scenario))


async def settled(environments: Environments, recipe: Recipe) -> Built | BuildFailed:
    async with asyncio.timeout(30):
        while True:
            match environments.state(recipe):
                case Built() | BuildFailed() as state:
                    return state
                case Missing():
                    environments.prepare(recipe)
                case Building():
                    await asyncio.sleep(0.01)


def test_nothing_is_there_before_it_is_prepared(play: Callable[[Scenario], None]) -> None:
    async def scenario(environments: Environments) -> None:
        assert environments.state(SIX) == Missing()

    play(scenario)


def test_prepared_environment_gets_built(play: Callable[[Scenario], None]) -> None:
    async def scenario(environments: Environments) -> None:
        environments.prepare(SIX)
        assert not isinstance(environments.state(SIX), Missing)

        built = await settled(environments, SIX)

        assert isinstance(built, Built)
        assert built.python
        assert built.serve_path
        assert "conda packages are taken from PyPI: six" in built.notes

    play(scenario)


def test_preparing_twice_changes_nothing(play: Callable[[Scenario], None]) -> None:
    async def scenario(environments: Environments) -> None:
        environments.prepare(SIX)
        environments.prepare(SIX)
        built = await settled(environments, SIX)

        environments.prepare(SIX)

        assert environments.state(SIX) == built

    play(scenario)


def test_listeners_hear_of_the_recipe_that_changed(play: Callable[[Scenario], None]) -> None:
    async def scenario(environments: Environments) -> None:
        heard: list[tuple[Recipe, type]] = []
        environments.on_change(lambda recipe: heard.append((recipe, type(environments.state(SIX)))))

        environments.prepare(SIX)
        await settled(environments, SIX)
        await asyncio.sleep(0)

        assert heard[-1] == (SIX, Built)

    play(scenario)


@pytest.mark.parametrize(
    ("recipe", "says"),
    [(FOREIGN, "not one that this machine can map"), (BROKEN, "no list `dependencies`")],
)
def test_what_cannot_be_built_fails_and_stays_failed(
    play: Callable[[Scenario], None], recipe: Recipe, says: str
) -> None:
    async def scenario(environments: Environments) -> None:
        failed = await settled(environments, recipe)
        assert isinstance(failed, BuildFailed)
        assert failed.problem.code == "ImageBuildFailure"
        assert says in failed.problem.message

        environments.prepare(recipe)

        assert environments.state(recipe) == failed

    play(scenario)


def test_forgotten_failure_is_tried_again(play: Callable[[Scenario], None]) -> None:
    async def scenario(environments: Environments) -> None:
        failed = await settled(environments, FOREIGN)

        environments.forget_failure(FOREIGN)
        assert environments.state(FOREIGN) == Missing()

        assert await settled(environments, FOREIGN) == failed

    play(scenario)


def test_forgetting_does_not_touch_what_is_built(play: Callable[[Scenario], None]) -> None:
    async def scenario(environments: Environments) -> None:
        built = await settled(environments, SIX)

        environments.forget_failure(SIX)

        assert environments.state(SIX) == built

    play(scenario)


def test_pruning_keeps_what_is_needed(play: Callable[[Scenario], None]) -> None:
    async def scenario(environments: Environments) -> None:
        built = await settled(environments, SIX)

        await environments.prune(frozenset({SIX}))

        assert environments.state(SIX) == built

    play(scenario)
