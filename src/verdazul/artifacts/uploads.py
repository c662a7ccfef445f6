"""Where files arrive before they are adopted: one folder for each upload.

An upload is a folder under `<home>/uploads` named by a random id. Nothing in it is trusted: a path
that would leave it is refused, and what nobody adopts within a day is removed.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
from collections.abc import AsyncIterable, Mapping
from pathlib import Path

from verdazul.artifacts.arrivals import Arrivals, parts_of
from verdazul.model.errors import NotFound
from verdazul.ports import Clock

ABANDONED_SECONDS = 24 * 3600.0
_ID = re.compile(r"[0-9a-f]{32}")


class FolderUploads:
    """Uploads on disk; `start()` clears those that were abandoned a day ago."""

    def __init__(self, home: Path, *, clock: Clock) -> None:
        self._root = home / "uploads"
        self._arrivals = Arrivals(home)
        self._clock = clock

    def start(self) -> None:
        """Make the folder and drop abandoned uploads."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._arrivals.start()
        self.prune()

    def prune(self) -> None:
        for folder in self._root.iterdir():
            if self._clock.now() - folder.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)

    def begin(self) -> str:
        upload = secrets.token_hex(16)
        (self._root / upload).mkdir(mode=0o700)
        return upload

    def folder(self, upload: str) -> str:
        folder = self._root / upload
        if not _ID.fullmatch(upload) or not folder.is_dir():
            raise NotFound(
                f"upload {upload} does not exist or was used already",
                code="UploadNotFound",
                fix="begin a new upload",
            )
        return str(folder)

    async def lay_out(self, files: Mapping[str, str]) -> str:
        upload = self.begin()
        await asyncio.to_thread(_link, Path(self.folder(upload)), files)
        return upload

    async def write(
        self, upload: str, path: str, chunks: AsyncIterable[bytes], *, executable: bool = False
    ) -> None:
        target = Path(self.folder(upload)).joinpath(*parts_of(path))
        await self._arrivals.write(target, chunks, shown=path, executable=executable)


def _link(root: Path, files: Mapping[str, str]) -> None:
    for relative, file in files.items():
        target = root.joinpath(*parts_of(relative))
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.symlink_to(file)
