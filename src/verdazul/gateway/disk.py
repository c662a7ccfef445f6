"""Writing files that others read while we write: whole or not at all, and for the owner only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

FOLDERS = (
    "run",
    "logs",
    "certs",
    "gateway",
    "gateway/cds",
    "gateway/rds",
    "gateway/rtds",
    "gateway/sds",
    "gateway/ecds",
    "gateway/new",
)


def make_folders(home: Path) -> None:
    """The folders of the gateway, mode 0700."""
    home.mkdir(parents=True, exist_ok=True)
    for name in FOLDERS:
        folder = home / name
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)


def replace(path: Path, text: str, *, staging: Path, mode: int = 0o600) -> None:
    """Put `text` at `path` by one rename from `staging` (on the same file system).

    Envoy watches the folder of `path` for renames: nothing half-written may appear there.
    """
    fresh = staging / f"{path.name}.{os.getpid()}"
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def read(path: Path) -> str:
    """The text of a file, or "" when there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a log: which file it was, and how far it went."""

    file: int = 0
    size: int = 0


def mark(path: Path) -> Mark:
    """The end of a log as it is now."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return Mark()
    return Mark(status.st_ino, status.st_size)


def tail(path: Path, *, since: Mark | None = None, most: int = 65536) -> tuple[str, ...]:
    """The lines of a log after `since`, at most the last `most` bytes.

    A log that was rotated meanwhile is newer than `since` in all its lines.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            is_same = since is not None and since.file == status.st_ino
            begin = since.size if since and is_same and since.size <= status.st_size else 0
            file.seek(max(begin, status.st_size - most))
            return tuple(file.read().decode(errors="replace").splitlines())
    except FileNotFoundError:
        return ()
