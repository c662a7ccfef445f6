"""How a file arrives: whole or not at all, in constant memory, at a path inside its folder.

Bytes go to a file apart from everything else first, which is renamed into place when the last one
has come. Being killed anywhere leaves only such files, and the next process removes them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncIterable
from pathlib import Path, PurePosixPath

from verdazul.model.errors import Conflict, UserError

LONGEST_NAME = 200  # bytes
_BUFFER_BYTES = 1 << 20


class Arrivals:
    """The folder where files are while they arrive; on the disk of those they go to."""

    def __init__(self, home: Path) -> None:
        self._root = home / "arriving"

    def start(self) -> None:
        """Drop what a killed process left."""
        shutil.rmtree(self._root, ignore_errors=True)
        self._root.mkdir(mode=0o700, parents=True)

    def new(self) -> Path:
        """A path that nothing is at."""
        return self._root / secrets.token_hex(16)

    async def write(
        self,
        target: Path,
        chunks: AsyncIterable[bytes],
        *,
        shown: str,
        md5: str = "",
        executable: bool = False,
    ) -> None:
        """Stream into `target`; `md5` (base64) is what the content must have, when given.

        Raises UserError (UploadFailed, Md5Mismatch), Conflict for a file that never changes again.
        """
        arriving = self.new()
        try:
            await _receive(arriving, chunks, md5)
            arriving.chmod(0o700 if executable else 0o600)
            await asyncio.to_thread(settle, arriving, target, shown)
        except OSError as error:
            raise _failed(shown, error) from error
        finally:
            with contextlib.suppress(OSError):
                arriving.unlink()


def settle(arrived: Path, target: Path, shown: str) -> None:
    """Move a file that is whole to where it belongs. Raises Conflict where nothing may change."""
    refuse_frozen(target, shown)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        arrived.replace(target)
    except OSError as error:
        raise _failed(shown, error) from error


def refuse_frozen(target: Path, shown: str) -> None:
    """What was registered is read-only, file and folder alike, whoever we are."""
    for path in (target, *target.parents):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if path.stat().st_mode & 0o200:
                return
            raise Conflict(
                f'"{shown}" belongs to a registered asset and never changes',
                code="BlobImmutableDueToPolicy",
                fix="upload it to another path and register a new version",
            )


def parts_of(path: str) -> tuple[str, ...]:
    """The path's parts. Raises UserError (InvalidPath) for one that leaves its folder."""
    parts = PurePosixPath(path).parts
    bad = not parts or path.startswith("/") or any(p in {".", ".."} for p in path.split("/"))
    if bad or "\0" in path or any(_is_too_long(part) for part in parts):
        raise UserError(
            f'"{path}" is not a path inside an upload',
            code="InvalidPath",
            fix="use relative paths without `..`",
        )
    return parts


def _is_too_long(part: str) -> bool:
    try:
        return len(os.fsencode(part)) > LONGEST_NAME
    except UnicodeEncodeError:  # half of a surrogate pair
        return True


async def _receive(target: Path, chunks: AsyncIterable[bytes], md5: str) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    buffer = bytearray()
    with target.open("wb") as file:

        def flush() -> None:
            digest.update(buffer)
            file.write(buffer)
            buffer.clear()

        async for chunk in chunks:
            buffer += chunk
            if len(buffer) >= _BUFFER_BYTES:
                await asyncio.to_thread(flush)
        await asyncio.to_thread(flush)
    if md5 and base64.b64encode(digest.digest()).decode() != md5:
        raise UserError(
            f"the content arrived with MD5 {base64.b64encode(digest.digest()).decode()}, "
            f"not {md5[:40]!r} as announced",
            code="Md5Mismatch",
            fix="send it again",
        )


def _failed(shown: str, error: OSError) -> UserError:
    return UserError(f'"{shown}" could not be stored: {error.strerror}', code="UploadFailed")
