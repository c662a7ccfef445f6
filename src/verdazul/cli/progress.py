"""Telling a waiting person what happens: always on stderr, never in the way of the data.

At a terminal there is one moving line and a line for each thing that happened; elsewhere (a log, a
pipe) there are plain lines with the seconds since the start, and no more than one each 5 s of what
merely moves.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from verdazul.cli import render

_EVERY_SECONDS = 5.0


class Progress(Protocol):
    """What a command tells while it works. `happened` stays; `moving` may be overwritten."""

    def happened(self, message: str) -> None: ...

    def moving(self, message: str) -> None: ...


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """Choose how to tell; the moving line is gone when the block ends."""
    if quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        with _terminal() as terminal:
            yield terminal
    else:
        yield _Plain(time.monotonic)


class _Silent:
    def happened(self, message: str) -> None: ...

    def moving(self, message: str) -> None: ...


class _Plain:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = self._last_moving = clock()

    def happened(self, message: str) -> None:
        render.say(f"{self._clock() - self._started:4.0f} s  {render.clean(message)}")

    def moving(self, message: str) -> None:
        if self._clock() - self._last_moving >= _EVERY_SECONDS:
            self._last_moving = self._clock()
            self.happened(message)


@contextmanager
def _terminal() -> Iterator[Progress]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("working")

        class Terminal:
            def happened(self, message: str) -> None:
                line = render.clean(message)
                bar.console.print(line, markup=False, highlight=False)
                self.moving(line)

            def moving(self, message: str) -> None:
                bar.update(task, description=escape(message))

        yield Terminal()
