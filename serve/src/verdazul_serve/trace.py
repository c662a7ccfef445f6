"""A user's traceback without our frames, and the one line of their code to look at."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator

from verdazul_serve.logs import server as _log

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep  # noqa: PTH100, PTH120  # see __main__


def lines(error: BaseException) -> tuple[str, ...]:
    """The traceback as Python prints it, server and import machinery left out."""
    story = traceback.TracebackException.from_exception(error)
    for part in _parts(story):
        part.stack[:] = [frame for frame in part.stack if not _is_machinery(frame.filename)]
    return tuple("".join(story.format()).splitlines())


def log(error: BaseException) -> None:
    """For the log only: a client learns no more than that it failed."""
    _log.error("Encountered Exception: %s", "\n".join(lines(error)))


def where(error: BaseException, roots: tuple[str, ...]) -> str:
    """`score.py:12`: the deepest frame within the user's folders ("" when there is none)."""
    if isinstance(error, SyntaxError) and error.filename and _inside(error.filename, roots):
        return f"{_shown(error.filename, roots)}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _inside(frame.filename, roots):
            return f"{_shown(frame.filename, roots)}:{frame.lineno}"
    return ""


def _parts(
    story: traceback.TracebackException, seen: set[int] | None = None
) -> Iterator[traceback.TracebackException]:
    seen = seen if seen is not None else set()
    if id(story) in seen:
        return
    seen.add(id(story))
    yield story
    linked = [story.__cause__, story.__context__, *(getattr(story, "exceptions", None) or ())]
    for other in linked:
        if other is not None:
            yield from _parts(other, seen)


def _is_machinery(filename: str) -> bool:
    return (
        filename.startswith(("<frozen importlib", "<frozen runpy", _OURS))
        or f"{os.sep}importlib{os.sep}" in filename
        or filename.endswith(f"{os.sep}runpy.py")
    )


def _inside(filename: str, roots: tuple[str, ...]) -> bool:
    path = os.path.abspath(filename)  # noqa: PTH100
    packaged = f"{os.sep}site-packages{os.sep}" in path
    return not packaged and any(path.startswith(root.rstrip(os.sep) + os.sep) for root in roots)


def _shown(filename: str, roots: tuple[str, ...]) -> str:
    path = os.path.abspath(filename)  # noqa: PTH100
    inside = [root for root in roots if path.startswith(root.rstrip(os.sep) + os.sep)]
    return os.path.relpath(path, inside[0])
