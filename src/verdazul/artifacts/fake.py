"""Artifacts without a home of their own: adopted folders stay where they are."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from verdazul.artifacts import archives
from verdazul.model.errors import NotFound, UserError
from verdazul.tree import tree_digest


class FakeArtifacts:
    """Keeps each content once, at the path where it was first adopted."""

    def __init__(self, *, kept: int = 20) -> None:
        self._kept = kept
        self._paths: dict[str, str] = {}  # the last used is the last entry
        self._unpacked: dict[str, str] = {}

    async def adopt(self, folder: str) -> str:
        if not await asyncio.to_thread(Path(folder).is_dir):
            raise UserError(f"{folder!r} is not a folder", code="UnusableFile")
        digest = await asyncio.to_thread(tree_digest, Path(folder))
        if digest in self._paths and self._paths[digest] != folder:
            await asyncio.to_thread(shutil.rmtree, folder)
        self._paths.setdefault(digest, folder)
        self.path(digest)
        return digest

    def path(self, digest: str) -> str:
        if digest not in self._paths:
            raise NotFound(f"no files with digest {digest!r} are stored")
        self._paths[digest] = self._paths.pop(digest)
        return self._paths[digest]

    async def unpack(self, digest: str) -> str:
        if digest not in self._unpacked or self._unpacked[digest] not in self._paths:
            into = Path(tempfile.mkdtemp())
            archives.unpack(archives.archive_in(Path(self.path(digest))), into)
            self._unpacked[digest] = await self.adopt(str(into))
        return self._unpacked[digest]

    async def prune(self, keep: frozenset[str]) -> None:
        unused = [digest for digest in reversed(self._paths) if digest not in keep]
        for digest in unused[self._kept :]:
            await asyncio.to_thread(shutil.rmtree, self._paths.pop(digest))
