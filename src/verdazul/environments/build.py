"""Building one environment with uv: `build(recipe, home, on_progress)` is the whole story.

    read the recipe -> choose a Python -> venv -> install -> mark as built -> add the serve overlay

Packages are hard-linked from uv's cache, so a second environment with the same packages costs
neither time nor disk. Modules are not compiled ahead: that takes longer than the one slow import
that it would save.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from verdazul.core.environment import Built, Recipe
from verdazul.environments.explain import explain
from verdazul.environments.folders import (
    Folders,
    is_built,
    mark_built,
    python_of,
    remove,
    touch,
)
from verdazul.environments.interpreters import discover
from verdazul.environments.overlay import ServeSource, ensure_overlay, find_serve
from verdazul.environments.plan import BuildPlan, plan
from verdazul.environments.run_uv import run_uv
from verdazul.model.errors import Fatal, UserError

OnProgress = Callable[[str], None]
_LOG_CHARACTERS = 1_000_000


async def build(recipe: Recipe, home: Path, on_progress: OnProgress) -> Built:
    """Build or find the environment of a recipe.

    Raises UserError (InvalidCondaFile, ImageBuildFailure) for what the caller can change, Retryable
    and Fatal for what the machine lacks.
    """
    folders = Folders(home)
    try:
        await asyncio.to_thread(folders.make)
        planned = plan(recipe, await asyncio.to_thread(discover))
        return await realise(planned, folders, find_serve(), on_progress)
    except OSError as error:
        raise Fatal(f"the machine refused: {error}", code="ImageBuildFailure") from error


async def realise(
    planned: BuildPlan, folders: Folders, serve: ServeSource, on_progress: OnProgress
) -> Built:
    """Build or find what was planned."""
    folder = folders.environment(planned.digest)
    async with folders.lock(
        folder.name, lambda: on_progress("waiting: another process builds this environment")
    ) as lock:
        if not is_built(folder):
            await asyncio.to_thread(remove, folder)
            await _build_in(folder, planned, on_progress=on_progress, lock=lock)
        touch(folder)
    overlay = await ensure_overlay(serve, folders, planned.interpreter, on_progress)
    return Built(str(python_of(folder)), str(overlay), planned.notes)


async def _build_in(
    folder: Path, planned: BuildPlan, *, on_progress: OnProgress, lock: int
) -> None:
    """When it fails, only its log is kept; when it is cancelled, the next sweep clears the rest."""
    _lay_out(folder, planned)
    try:
        with _Log(folder / "build.log", on_progress) as log:
            for step in _steps(folder, planned):
                await _perform(step, planned, folder=folder, log=log, lock=lock)
        mark_built(folder, {"python": str(planned.interpreter)})
    except Exception:
        await asyncio.to_thread(_keep_log_only, folder)
        raise


def _lay_out(folder: Path, planned: BuildPlan) -> None:
    folder.mkdir(mode=0o700)
    (folder / "uv.toml").touch()  # uv looks no further up for a project's settings
    requirements = folder / "requirements.txt"
    requirements.touch(mode=0o600)  # an index URL may hold a password
    requirements.write_text(planned.requirements_text)


async def _perform(
    step: Sequence[str], planned: BuildPlan, *, folder: Path, log: _Log, lock: int
) -> None:
    status, lines = await run_uv(step, folder=folder, on_line=log.line, hold=[lock])
    if status != 0:
        raise _failure(lines, planned, folder)


def _steps(folder: Path, planned: BuildPlan) -> list[Sequence[str]]:
    venv = ["venv", "--no-project", "--python", planned.interpreter.path, str(folder / "venv")]
    if not planned.requirements_text:
        return [venv]
    python = str(python_of(folder))
    install = ["pip", "install", "--python", python, "-r", str(folder / "requirements.txt")]
    return [venv, [*install, *planned.arguments]]


def _failure(lines: Sequence[str], planned: BuildPlan, folder: Path) -> UserError:
    problem = explain(lines, python=str(planned.interpreter))
    return UserError(
        problem.message,
        code=problem.code,
        fix=f"{problem.fix} (full log: {folder.parent.name}/failed/{folder.name}.log)",
        log_tail=problem.log_tail,
    )


def _keep_log_only(folder: Path) -> None:
    with contextlib.suppress(OSError):
        os.replace(  # noqa: PTH105 - one system call
            folder / "build.log", folder.parent / "failed" / f"{folder.name}.log"
        )
    remove(folder)


@dataclass(slots=True)
class _Log:
    """uv's output on disk, cut at a size; the last line goes to whoever watches."""

    path: Path
    on_progress: OnProgress
    _room: int = _LOG_CHARACTERS
    _file: TextIO | None = field(default=None)

    def line(self, text: str) -> None:
        if self._file and self._room > 0:
            self._room -= len(text) + 1
            self._file.write(f"{text}\n" if self._room > 0 else "... (cut here)\n")
            self._file.flush()
        if text.strip():
            self.on_progress(text.strip())

    def __enter__(self) -> Self:
        self._file = self.path.open("w")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file:
            self._file.close()
