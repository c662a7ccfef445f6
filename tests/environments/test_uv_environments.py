"""What only the real adapter can show: restarts, limits, deletion behind its back."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from verdazul.core.environment import (
    BuildFailed,
    Building,
    Built,
    EnvironmentState,
    Missing,
    Recipe,
)
from verdazul.environments.uv import UvEnvironments

BASE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest"
SIX = Recipe(BASE, "dependencies: [six]")
SAME = Recipe(BASE, "name: other\ndependencies: [six]")
TYPO = Recipe(BASE, "dependencies: [scikit-lern]")


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - what is on the disk sends no events
            await asyncio.sleep(0.005)


async def ended(environments: UvEnvironments, recipe: Recipe) -> EnvironmentState:
    environments.prepare(recipe)
    await until(lambda: not isinstance(environments.state(recipe), Building))
    return environments.state(recipe)


async def built(environments: UvEnvironments, recipe: Recipe) -> Built:
    state = await ended(environments, recipe)
    assert isinstance(state, Built)
    return state


def break_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nonexistent/python")


def exists(path: str) -> bool:
    return Path(path).exists()


def folder(state: Built) -> Path:
    return Path(state.python).parents[2]


def test_built_environment_is_found_after_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with UvEnvironments(tmp_path) as before:
            state = await built(before, SIX)

        async with UvEnvironments(tmp_path) as after:
            assert after.state(SIX) == state
            assert after.state(SAME) == state

    asyncio.run(scenario())


def test_failure_is_remembered_after_a_restart_until_it_is_forgotten(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with UvEnvironments(tmp_path) as before:
            failed = await ended(before, TYPO)
        assert isinstance(failed, BuildFailed)
        assert "scikit-lern" in failed.problem.message

        async with UvEnvironments(tmp_path) as after:
            assert after.state(TYPO) == failed
            after.forget_failure(TYPO)
            assert after.state(TYPO) == Missing()

    asyncio.run(scenario())


def test_closing_ends_builds_and_the_next_start_begins_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with UvEnvironments(tmp_path) as before:
            before.prepare(SIX)
            await until(lambda: before.state(SIX) != Building("waiting for its turn"))
        assert before.state(SIX) == Missing()

        async with UvEnvironments(tmp_path) as after:
            assert after.state(SIX) == Missing()
            await built(after, SIX)

    asyncio.run(scenario())


def test_recipes_for_the_same_packages_share_one_environment(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with UvEnvironments(tmp_path) as environments:
            one, other = await asyncio.gather(built(environments, SIX), built(environments, SAME))
            assert one == other

    asyncio.run(scenario())


def test_no_more_builds_than_allowed_run_at_once(tmp_path: Path) -> None:
    recipes = [Recipe(BASE, f"dependencies: [six, {name}]") for name in ("pip", "wheel", "idna")]

    async def scenario() -> int:
        most = 0
        async with UvEnvironments(tmp_path, max_builds=1) as environments:
            for recipe in recipes:
                environments.prepare(recipe)
            while not all(isinstance(environments.state(recipe), Built) for recipe in recipes):
                unmarked = [
                    path
                    for path in (tmp_path / "environments").glob("*/requirements.txt")
                    if not (path.parent / "built.json").exists()
                ]
                most = max(most, len(unmarked))
                await asyncio.sleep(0.005)
        return most

    assert asyncio.run(scenario()) == 1


def test_environment_deleted_behind_its_back_is_missing_and_built_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with UvEnvironments(tmp_path) as environments:
            state = await built(environments, SIX)
            await asyncio.to_thread(shutil.rmtree, folder(state))

            assert environments.state(SIX) == Missing()
            assert await built(environments, SIX) == state

    asyncio.run(scenario())


def test_serve_overlay_deleted_behind_its_back_is_made_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with UvEnvironments(tmp_path) as environments:
            state = await built(environments, SIX)
            await asyncio.to_thread(shutil.rmtree, state.serve_path)

            assert environments.state(SIX) == Missing()
            assert await built(environments, SIX) == state
            assert exists(f"{state.serve_path}/verdazul_serve")

    asyncio.run(scenario())


def test_half_environment_of_a_crash_is_removed_at_start(tmp_path: Path) -> None:
    half = tmp_path / "environments" / ("a" * 32)
    left = tmp_path / "environments" / ".building-serve-x~1234"
    for path in (half / "venv", left):
        path.mkdir(parents=True)

    async def scenario() -> None:
        async with UvEnvironments(tmp_path):
            assert not half.exists()
            assert not left.exists()

    asyncio.run(scenario())


def test_environment_whose_python_was_removed_is_built_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with UvEnvironments(tmp_path) as environments:
            state = await built(environments, SIX)
            break_link(Path(state.python))

            assert environments.state(SIX) == Missing()
            await built(environments, SIX)
            assert exists(state.python)

    asyncio.run(scenario())


def test_pruning_removes_the_longest_unused(tmp_path: Path) -> None:
    names = ("six", "idna", "wheel", "pip")
    recipes = [Recipe(BASE, f"dependencies: [{name}]") for name in names]

    async def scenario() -> None:
        async with UvEnvironments(tmp_path, kept=1) as environments:
            states = [await built(environments, recipe) for recipe in recipes]
            for age, state in enumerate(reversed(states)):
                os.utime(folder(state) / "built.json", (1000 - age, 1000 - age))

            await environments.prune(frozenset({recipes[0]}))

            assert [exists(state.python) for state in states] == [True, False, False, True]
            assert environments.state(recipes[1]) == Missing()
            assert exists(states[0].serve_path)

    asyncio.run(scenario())


def test_progress_is_shown_while_building(tmp_path: Path) -> None:
    async def scenario() -> None:
        seen: set[str] = set()
        async with UvEnvironments(tmp_path) as environments:
            environments.prepare(SIX)
            while isinstance(state := environments.state(SIX), Building):
                seen.add(state.progress)
                await asyncio.sleep(0.001)
        assert any("Using" in line or "Resolved" in line for line in seen)

    asyncio.run(scenario())


def test_machine_that_refuses_fails_the_build_and_says_why(tmp_path: Path) -> None:
    async def scenario() -> EnvironmentState:
        async with UvEnvironments(tmp_path) as environments:
            locks = tmp_path / "environments" / ".locks"
            locks.rmdir()
            locks.touch()
            return await ended(environments, SIX)

    state = asyncio.run(scenario())
    assert isinstance(state, BuildFailed)
    assert state.problem.code == "ImageBuildFailure"
    assert "the machine refused" in state.problem.message
