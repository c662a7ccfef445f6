"""Where environments lie, which of them are whole, and who may touch them.

    environments/<digest>/            built.json is written last: without it there is nothing
        venv/  requirements.txt  build.log  built.json  uv.toml
    environments/serve-<digest>/      verdazul_serve and what it needs, for one minor version
    environments/failed/              what failed, until somebody asks to forget it
    environments/.locks/              one lock file for each folder; the lock ends with its holder
    environments/.held/               one file for each holder besides deployments: folders it needs

A virtual environment holds its own path, so it is built in place and marked, not moved into place.
The lock is shared with uv itself: when we are killed, nobody touches the folder before uv is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.1
_MARK = "built.json"


@dataclass(frozen=True, slots=True)
class Folders:
    """The cache below one home."""

    home: Path

    @property
    def root(self) -> Path:
        return self.home.absolute() / "environments"

    def environment(self, digest: str) -> Path:
        return self.root / digest

    def serve(self, digest: str) -> Path:
        return self.root / f"serve-{digest}"

    @property
    def failed(self) -> Path:
        return self.root / "failed"

    def make(self) -> None:
        for folder in (self.root, self.root / ".locks", self._holders, self.failed):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def hold(self, holder: str, names: Collection[str]) -> None:
        """Keep these folders from being pruned until the same holder names others."""
        draft = self._holders / f"{holder}.new"
        draft.write_text(json.dumps(sorted(names)))
        draft.replace(self._holders / f"{holder}.json")

    def held(self) -> frozenset[str]:
        """What all holders need."""
        found: set[str] = set()
        for path in self._holders.glob("*.json"):
            with contextlib.suppress(OSError, ValueError):
                found.update(json.loads(path.read_text()))
        return frozenset(found)

    @property
    def _holders(self) -> Path:
        return self.root / ".held"

    @contextlib.contextmanager
    def try_lock(self, name: str) -> Iterator[int | None]:
        """Lock `name` now and give its descriptor, or None when somebody else holds it."""
        descriptor = os.open(self.root / ".locks" / name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.asynccontextmanager
    async def lock(self, name: str, on_wait: Callable[[], None]) -> AsyncIterator[int]:
        """Wait for the lock. Its holder is alive: locks of the dead are free at once."""
        is_told = False
        while True:
            with self.try_lock(name) as descriptor:
                if descriptor is not None:
                    yield descriptor
                    return
            if not is_told:
                on_wait()
                is_told = True
            await asyncio.sleep(_POLL_SECONDS)


def python_of(folder: Path) -> Path:
    """The interpreter of a built environment."""
    return folder / "venv" / "bin" / "python"


def is_built(folder: Path) -> bool:
    """Whether it is whole, and the Python that it was made from still exists."""
    return (folder / _MARK).is_file() and python_of(folder).exists()


def mark_built(folder: Path, facts: dict[str, object]) -> None:
    """Say that the folder is whole: the last step of a build."""
    draft = folder / f"{_MARK}.new"
    with draft.open("w") as file:
        json.dump(facts, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / _MARK)


def touch(folder: Path) -> None:
    """Note that it was used, for `oldest_first`."""
    with contextlib.suppress(OSError):
        os.utime(folder / _MARK if (folder / _MARK).exists() else folder)


def sweep(folders: Folders) -> None:
    """Remove what crashed builds and removals left. Skips what another process works on."""
    folders.make()
    for path in folders.root.iterdir():
        if path.name.startswith((".building-", ".trash-")):
            _remove_locked(folders, path, path.name.split("-", 1)[1].split("~")[0])
        elif _is_environment(path) and not (path / _MARK).exists():
            _remove_locked(folders, path, path.name)


def prune(folders: Folders, *, keep: frozenset[str], kept: int) -> None:
    """Remove the environments (and overlays) used longest ago, except `keep` and `kept` more."""
    needed = keep | folders.held()
    entries = [path for path in folders.root.iterdir() if path.name not in needed]
    for group in (filter(_is_environment, entries), filter(_is_overlay, entries)):
        ordered = sorted(group, key=_used, reverse=True)
        for path in ordered[kept:]:
            _remove_locked(folders, path, path.name)


def _is_environment(path: Path) -> bool:
    return len(path.name) == 32 and path.name.isalnum() and path.is_dir()  # noqa: PLR2004 - a digest


def _is_overlay(path: Path) -> bool:
    return path.name.startswith("serve-") and path.is_dir()


def _used(path: Path) -> float:
    mark = path / _MARK
    try:
        return (mark if mark.exists() else path).stat().st_mtime
    except OSError:
        return 0.0


def _remove_locked(folders: Folders, path: Path, lock: str) -> None:
    with folders.try_lock(lock) as descriptor:
        if descriptor is not None:
            remove(path)


def remove(path: Path) -> None:
    """Unmark, then delete: a crash in between leaves something that is not taken for whole."""
    with contextlib.suppress(OSError):
        (path / _MARK).unlink()
    shutil.rmtree(path, ignore_errors=True)


def newest(paths: Iterable[Path]) -> list[Path]:
    """Paths by modification time, the last written first."""
    return sorted((path for path in paths if path.exists()), key=_used, reverse=True)
