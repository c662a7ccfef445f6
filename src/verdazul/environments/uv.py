"""The Environments port with uv: builds in the background, at most a few at once.

It is level-based: what is on disk is the truth, memory only holds what runs and what failed. A
restart forgets running builds; whoever needs the environment calls `prepare` again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Self
from weakref import WeakValueDictionary

from verdazul.core.environment import (
    BuildFailed,
    Building,
    Built,
    EnvironmentState,
    Missing,
    Recipe,
)
from verdazul.environments import failures
from verdazul.environments.build import realise
from verdazul.environments.folders import Folders, is_built, prune, python_of, sweep, touch
from verdazul.environments.interpreters import Interpreter, discover
from verdazul.environments.overlay import ServeSource, find_serve
from verdazul.environments.plan import ingredients, plan, recipe_key
from verdazul.model.errors import Problem, UserError, VerdazulError

_log = logging.getLogger(__name__)


class UvEnvironments:
    """Builds environments below `home`; keeps `kept` unused ones.

    Used as `async with UvEnvironments(...)`, on the event loop that it lives on; `start` and
    `close` are the same for those who cannot.
    """

    def __init__(self, home: Path, *, kept: int = 10, max_builds: int = 2) -> None:
        self._folders = Folders(home)
        self._kept = kept
        self._slots = asyncio.Semaphore(max_builds)
        self._states: dict[Recipe, EnvironmentState] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._listeners: list[Callable[[Recipe], None]] = []
        self._interpreters: tuple[Interpreter, ...] = ()
        self._serve: ServeSource | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Clear what crashed builds left, and see which Pythons there are."""
        await asyncio.to_thread(sweep, self._folders)
        self._interpreters = await asyncio.to_thread(discover)
        self._serve = await asyncio.to_thread(find_serve)

    async def close(self) -> None:
        """End the running builds; they begin again when they are asked for again."""
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def on_change(self, listener: Callable[[Recipe], None]) -> None:
        self._listeners.append(listener)

    def check(self, recipe: Recipe) -> None:
        ingredients(recipe)

    def state(self, recipe: Recipe) -> EnvironmentState:
        known = self._states.get(recipe)
        if isinstance(known, Built) and not _is_there(known):
            del self._states[recipe]
            known = None
        if known is None:
            known = self._on_disk(recipe)
        if isinstance(known, Built):
            touch(_folder(known))
        return known

    def prepare(self, recipe: Recipe) -> None:
        if not isinstance(self.state(recipe), Missing):
            return
        self._settle(recipe, Building("waiting for its turn"))
        task = asyncio.get_running_loop().create_task(self._run(recipe))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def forget_failure(self, recipe: Recipe) -> None:
        if isinstance(self.state(recipe), BuildFailed):
            self._states.pop(recipe, None)
            failures.forget(self._folders.failed, recipe_key(recipe))

    async def prune(self, keep: frozenset[Recipe]) -> None:
        """Remove environments that no recipe in `keep` needs, except the last used few."""
        building = {r for r, state in self._states.items() if isinstance(state, Building)}
        needed = keep | building
        states = [self.state(recipe) for recipe in needed]
        names = {_folder(state).name for state in states if isinstance(state, Built)}
        names |= {Path(state.serve_path).name for state in states if isinstance(state, Built)}
        self._states = {r: s for r, s in self._states.items() if r in needed}
        await asyncio.to_thread(prune, self._folders, keep=frozenset(names), kept=self._kept)

    def _on_disk(self, recipe: Recipe) -> EnvironmentState:
        problem = failures.recall(self._folders.failed, recipe_key(recipe))
        if problem:
            self._states[recipe] = BuildFailed(problem)
            return self._states[recipe]
        built = self._find_built(recipe)
        if built:
            self._states[recipe] = built
        return built or Missing()

    def _find_built(self, recipe: Recipe) -> Built | None:
        if self._serve is None:
            return None
        try:
            planned = plan(recipe, self._interpreters)
        except UserError:
            return None  # `prepare` says what is wrong with it
        folder = self._folders.environment(planned.digest)
        overlay = self._serve.folder(self._folders, planned.interpreter.minor)
        if not is_built(folder) or not overlay.is_dir():
            return None
        return Built(str(python_of(folder)), str(overlay), planned.notes)

    async def _run(self, recipe: Recipe) -> None:
        try:
            self._settle(recipe, await self._build(recipe))
        except asyncio.CancelledError:
            self._states.pop(recipe, None)
            raise
        except VerdazulError as error:
            self._fail(recipe, error.problem)
        except OSError as error:
            self._fail(recipe, Problem("", f"the machine refused: {error}", "free its resources"))
        except Exception as error:  # noqa: BLE001 - a bug must not leave it building for ever
            _log.exception("environment build broke image=%s", recipe.image)
            self._fail(recipe, Problem("", f"a bug in the builder: {error!r}", "report it"))

    async def _build(self, recipe: Recipe) -> Built:
        self._interpreters = await asyncio.to_thread(discover)
        self._serve = await asyncio.to_thread(find_serve)
        planned = plan(recipe, self._interpreters)
        for note in planned.notes:
            _log.warning("environment=%s note=%s", planned.digest, note)
        lock = self._locks.setdefault(planned.digest, asyncio.Lock())
        async with lock, self._slots:
            return await realise(planned, self._folders, self._serve, self._progress(recipe))

    def _progress(self, recipe: Recipe) -> Callable[[str], None]:
        def tell(line: str) -> None:
            self._states[recipe] = Building(line)

        return tell

    def _fail(self, recipe: Recipe, problem: Problem) -> None:
        """Azure knows one code for environments that cannot be built."""
        known = replace(problem, code="ImageBuildFailure")
        failures.remember(self._folders.failed, recipe_key(recipe), known)
        self._settle(recipe, BuildFailed(known))

    def _settle(self, recipe: Recipe, state: EnvironmentState) -> None:
        self._states[recipe] = state
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.call_soon(listener, recipe)


def _folder(built: Built) -> Path:
    return Path(built.python).parents[2]


def _is_there(built: Built) -> bool:
    return is_built(_folder(built)) and Path(built.serve_path).is_dir()
