"""An instance's log: the last lines of it across rotated files, and what is kept after it is gone.

Kept logs lie in home/logs/instances/<endpoint>.<deployment>/, a few files each, so that `get-logs`
answers after a crash or a removal.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from verdazul.compute.folder import Folder, make_private

KEPT_FILES = 3
KEPT_DEPLOYMENTS = 200
_BLOCK = 65536


def tail(log: Path, lines: int, *, since: float = 0.0) -> list[str]:
    """The last lines of log.txt, going back into log.txt.1, .2 as far as needed.

    `since` leaves out older files, those of an earlier run.
    """
    found: list[str] = []
    for path in _with_rotated(log):
        if len(found) >= lines or _changed(path) < since * 1e9:
            break
        found = _last_lines(path, lines - len(found)) + found
    return found


def keep(folder: Folder) -> None:
    """Save the log of an instance that is about to be forgotten."""
    target = kept_folder(folder.home, folder.id.endpoint, folder.id.deployment)
    try:
        newest = next(p for p in _with_rotated(folder.log) if p.stat().st_size)
    except StopIteration:
        return  # it never printed
    make_private(target)
    stamp = newest.stat().st_mtime_ns
    newest.replace(target / f"{stamp:020}.{folder.id.revision}-{folder.id.ordinal}.txt")
    for old in sorted(target.glob("*.txt"))[:-KEPT_FILES]:
        old.unlink(missing_ok=True)
    for stale in sorted(target.parent.iterdir(), key=_changed)[:-KEPT_DEPLOYMENTS]:
        shutil.rmtree(stale, ignore_errors=True)


def newest_kept(home: Path, endpoint: str, deployment: str) -> Path | None:
    """The log of the instance that was forgotten last."""
    return max(kept_folder(home, endpoint, deployment).glob("*.txt"), default=None)


def kept_folder(home: Path, endpoint: str, deployment: str) -> Path:
    """Where the logs of a deployment's forgotten instances lie."""
    return home / "logs" / "instances" / f"{endpoint}.{deployment}"


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # it was rotated away a moment ago
        return 0


def _with_rotated(log: Path) -> Iterator[Path]:
    """Newest first; log.txt itself is missing for a moment while it is rotated."""
    if log.exists():
        yield log
    number = 1
    while (path := log.with_name(f"{log.name}.{number}")).exists():
        yield path
        number += 1


def _last_lines(path: Path, lines: int) -> list[str]:
    if lines <= 0:
        return []
    try:
        with path.open("rb") as file:
            position = file.seek(0, os.SEEK_END)
            data = b""
            while position > 0 and data.count(b"\n") <= lines:
                step = min(max(_BLOCK, len(data)), position)  # doubling: a line may be huge
                position = file.seek(position - step)
                data = file.read(step) + data
    except FileNotFoundError:
        return []
    if not data:
        return []
    return data.decode("utf-8", errors="replace").removesuffix("\n").split("\n")[-lines:]
