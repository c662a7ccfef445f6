"""`--reload`, for development: start the workers anew whenever a Python file of the user changes.

Files are looked at once or twice a second; that costs little, needs no package and works on every
file system. A script that does not load meanwhile ends nothing: its problem is the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable

from verdazul_serve.logs import server as log
from verdazul_serve.settings import Settings

_LOOK_SECONDS = 0.5
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})
_WATCHED = (".py", ".json")


@contextlib.asynccontextmanager
async def watching(settings: Settings, restart: Callable[[], None]) -> AsyncIterator[None]:
    """Call `restart` after each change while the body runs, if that is wanted."""
    if not settings.reload:
        yield
        return
    task = asyncio.get_running_loop().create_task(_watch(_folders(settings), restart))
    log.info("watching %s for changes", ", ".join(_folders(settings)))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _watch(folders: list[str], restart: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    seen = await loop.run_in_executor(None, look, folders)
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        now = await loop.run_in_executor(None, look, folders)
        changed = sorted(path for path in {*seen, *now} if seen.get(path) != now.get(path))
        seen = now
        if changed:
            log.info("%s changed: starting anew", ", ".join(changed[:5]))
            restart()


def look(folders: list[str]) -> dict[str, tuple[int, int]]:
    """When each file was modified, and its size."""
    found = {}
    for folder in folders:
        for place, names, files in os.walk(folder):
            names[:] = [n for n in names if n not in _SKIPPED and not n.startswith(".")]
            for name in files:
                if name.endswith(_WATCHED):
                    with contextlib.suppress(OSError):
                        stat = os.stat(os.path.join(place, name))  # noqa: PTH116, PTH118
                        found[os.path.join(place, name)] = (stat.st_mtime_ns, stat.st_size)  # noqa: PTH118
    return found


def _folders(settings: Settings) -> list[str]:
    script = os.path.join(settings.app_root, settings.entry_script or "")  # noqa: PTH118
    folders = {os.path.abspath(settings.app_root), os.path.dirname(os.path.abspath(script))}  # noqa: PTH100, PTH120
    return sorted(folders)
