"""Where uploaded files wait until they are adopted.

An upload is a folder under `<home>/uploads` named by a random id. Nothing in it is trusted: a path
that would leave the folder is refused by name, a file appears only when it arrived whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterable
from pathlib import Path, PurePosixPath

from verdazul.model.errors import NotFound, UserError
from verdazul.ports import Clock

ABANDONED_SECONDS = 24 * 3600.0
LONGEST_NAME = 200  # bytes; leaves room for the suffix of a file that is arriving
_ID = re.compile(r"[0-9a-f]{32}")


class FolderUploads:
    """Uploads on disk; `start()` clears those that were abandoned a day ago."""

    def __init__(self, home: Path, *, clock: Clock) -> None:
        self._root = home / "uploads"
        self._clock = clock

    def start(self) -> None:
        """Make the folder and drop abandoned uploads."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
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

    async def write(
        self, upload: str, path: str, chunks: AsyncIterable[bytes], *, executable: bool = False
    ) -> None:
        target = Path(self.folder(upload)).joinpath(*_parts(path))
        arriving = target.with_name(f".{secrets.token_hex(8)}.arriving")
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with arriving.open("wb") as file:
                async for chunk in chunks:
                    await asyncio.to_thread(file.write, chunk)
            arriving.chmod(0o700 if executable else 0o600)
            arriving.replace(target)
        except OSError as error:
            raise UserError(
                f'"{path}" could not be stored: {error.strerror}', code="UploadFailed"
            ) from error
        finally:
            with contextlib.suppress(OSError):
                arriving.unlink()


def _parts(path: str) -> tuple[str, ...]:
    parts = PurePosixPath(path).parts
    bad = not parts or path.startswith("/") or any(p in {".", ".."} for p in path.split("/"))
    if bad or "\0" in path or any(len(os.fsencode(part)) > LONGEST_NAME for part in parts):
        raise UserError(
            f'"{path}" is not a path inside an upload',
            code="InvalidPath",
            fix="use relative paths without `..`",
        )
    return parts
