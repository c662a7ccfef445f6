"""Environments without uv: builds end when they are told to, or at once.

It reads recipes as the real one does, so what nobody could build fails here too, in the same words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from verdazul.core.environment import (
    BuildFailed,
    Building,
    Built,
    EnvironmentState,
    Missing,
    Recipe,
)
from verdazul.environments.plan import ingredients, recipe_key
from verdazul.model.errors import Problem, UserError


class FakeEnvironments:
    """`is_instant`: `prepare` builds at once; else the test calls `finish` or `fail`."""

    def __init__(self, *, is_instant: bool = True, kept: int = 10) -> None:
        self._kept = kept
        self._is_instant = is_instant
        self._states: dict[Recipe, EnvironmentState] = {}
        self._listeners: list[Callable[[Recipe], None]] = []
        self.builds = 0

    def on_change(self, listener: Callable[[Recipe], None]) -> None:
        self._listeners.append(listener)

    def check(self, recipe: Recipe) -> None:
        ingredients(recipe)

    def state(self, recipe: Recipe) -> EnvironmentState:
        return self._states.get(recipe, Missing())

    def prepare(self, recipe: Recipe) -> None:
        if not isinstance(self.state(recipe), Missing):
            return
        self.builds += 1
        self._settle(recipe, Building("waiting for its turn"))
        if self._is_instant:
            self.finish(recipe)

    def forget_failure(self, recipe: Recipe) -> None:
        if isinstance(self.state(recipe), BuildFailed):
            del self._states[recipe]

    async def prune(self, keep: frozenset[Recipe]) -> None:
        built = [recipe for recipe, state in self._states.items() if isinstance(state, Built)]
        for recipe in [recipe for recipe in built if recipe not in keep][: -self._kept or None]:
            del self._states[recipe]

    def finish(self, recipe: Recipe) -> None:
        """The build ends as it would: with an environment, or with what is wrong."""
        folder = f"/environments/{recipe_key(recipe)}"
        try:
            notes = ingredients(recipe).notes
        except UserError as error:
            self.fail(recipe, error.problem)
            return
        self._settle(recipe, Built(f"{folder}/venv/bin/python", f"{folder}/serve", notes))

    def fail(self, recipe: Recipe, problem: Problem) -> None:
        """The build ends badly."""
        self._settle(recipe, BuildFailed(replace(problem, code="ImageBuildFailure")))

    def lose(self, recipe: Recipe) -> None:
        """Somebody deleted the environment from the disk."""
        self._states.pop(recipe, None)

    def _settle(self, recipe: Recipe, state: EnvironmentState) -> None:
        self._states[recipe] = state
        for listener in self._listeners:
            listener(recipe)
