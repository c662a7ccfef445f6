"""Lines in files by the hour, within a number of bytes that is never passed.

`<folder>/modelDataCollector/<endpoint>/<deployment>/<collection>/2026/11/25/19/<instance>.jsonl`
A line is whole or not there: a write that fails is taken back, and the broken tail that a killed
process may leave is cut off before the next line. Room is made by removing the oldest hours; what
does not fit even then is refused, so this hour's events are never thrown away for newer ones.
Blocks on the disk: call it from one thread that may wait.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from verdazul_serve.cloud_events import Event, safe_name
from verdazul_serve.logs import server as log

_TOP = "modelDataCollector"
_FILES = "*/*/*/[0-9]*/[0-9]*/[0-9]*/[0-9]*/*"  # endpoint, deployment, collection, hour, file
_HOUR = slice(-5, -1)
_PIECE = 2**16


class Full(OSError):
    """The spool holds all it may, and nothing in it is older than this hour."""


@dataclass(frozen=True)
class Folder:
    """`private`: a folder in a shared place that must be, or become, ours alone."""

    path: Path
    private: Path | None = None


@dataclass(frozen=True)
class Dropped:
    """What was removed to make room, since the start."""

    events: int = 0
    size: int = 0


class Spool:
    """Owns the folder: another process that writes there breaks no line, but adds to the bytes."""

    def __init__(self, folder: Folder, *, limit: int, place: tuple[str, str, str]) -> None:
        """`place`: the names of endpoint, deployment and instance."""
        endpoint, deployment, self._instance = map(safe_name, place)
        self._folder = folder
        self._top = folder.path / _TOP
        self._deployment = self._top / endpoint / deployment
        self._limit = limit
        self._size: int | None = None  # what lies there; None: to be counted
        self.dropped = Dropped()

    def write(self, events: Sequence[Event], *, hour: str) -> None:
        """Append events of one collection; `hour` is `2026/11/25/19`. Raises OSError: kept none."""
        folder = self._deployment / events[0].collection / hour
        lines = b"".join(event.line for event in events)
        beside = {folder / name: body for name, body in filter(None, (e.beside for e in events))}
        needed = len(lines) + sum(map(len, beside.values()))
        if self._folder.private:
            _claim(self._folder.private)
        self._make_room(needed, hour)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path, body in beside.items():
                _create(path, body)
            _append(folder / f"{self._instance}.jsonl", lines)
        except OSError:
            self._size = None
            for path in beside:
                path.unlink(missing_ok=True)
            raise
        self._size = None if self._size is None else self._size + needed

    def _make_room(self, needed: int, hour: str) -> None:
        if self._size is not None and self._size + needed <= self._limit:
            return
        hours = self._hours()
        self._size = size = sum(sum(files.values()) for files in hours.values())
        old = sorted(key for key in hours if key[0] < hour)
        if size + needed - self._limit > sum(sum(hours[key].values()) for key in old):
            taken = f"{size} of {self._limit} bytes"
            raise Full(f"the spool is full: {taken} (VERDAZUL_SPOOL_BYTES)")
        while size + needed > self._limit:
            key = old.pop(0)
            size -= self._drop(hours[key])
            _remove_empty(key[1], self._top)
        self._size = size

    def _drop(self, files: dict[Path, int]) -> int:
        events = sum(_remove(path, size) for path, size in files.items())
        size = sum(files.values())
        self.dropped = Dropped(self.dropped.events + events, self.dropped.size + size)
        return size

    def _hours(self) -> dict[tuple[str, Path], dict[Path, int]]:
        """The files and their sizes, by hour and folder: a line goes with what lies beside it."""
        hours: dict[tuple[str, Path], dict[Path, int]] = {}
        for path in self._top.glob(_FILES):
            with suppress(FileNotFoundError):  # somebody else took it
                key = ("/".join(path.parts[_HOUR]), path.parent)
                hours.setdefault(key, {})[path] = path.lstat().st_size
        return hours


def _claim(folder: Path) -> None:
    """In a place where anyone may write, a folder of that name may be a trap."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    if not is_ours or status.st_mode & 0o022:
        raise PermissionError(f"{folder} is not a folder of ours alone; set VERDAZUL_SPOOL_DIR")


def _create(path: Path, body: bytes) -> None:
    with _open(path, os.O_EXCL) as file:
        _write(file, body)


def _append(path: Path, lines: bytes) -> None:
    with _open(path, os.O_APPEND) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
        size = _mend(file, path)
        try:
            _write(file, lines)
        except OSError:
            file.truncate(size)
            raise


def _open(path: Path, flags: int) -> FileIO:
    flags |= os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    return FileIO(os.open(path, flags, 0o600), "r+")


def _write(file: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _mend(file: FileIO, path: Path) -> int:
    """The size, once a last line that was never finished is gone."""
    size = end = file.seek(0, os.SEEK_END)
    while end:
        start = max(end - _PIECE, 0)
        found = os.pread(file.fileno(), end - start, start).rfind(b"\n") + 1
        end = start + found
        if found:
            break
    if end < size:
        log.warning("spool: cut off a broken last line of %d bytes in %s", size - end, path)
        file.truncate(end)
    return end


def _remove(path: Path, size: int) -> int:
    """The number of events that are gone with it."""
    try:
        events = _count(path)
        path.unlink()
    except FileNotFoundError:
        return 0
    log.warning("spool: full, dropped events=%d bytes=%d %s", events, size, path)
    return events


def _remove_empty(folder: Path, top: Path) -> None:
    with suppress(OSError):  # until one is not empty
        while folder != top:
            folder.rmdir()
            folder = folder.parent


def _count(path: Path) -> int:
    if path.suffix != ".jsonl":
        return 0
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(_PIECE), b""))
