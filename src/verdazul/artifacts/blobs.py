"""Blobs on disk: the small part of Azure's Blob service that its clients need, in plain folders.

home/blobs/data/<container>/<path> is a blob; an upload is a container too, its folder under
home/uploads. What a caller says about a blob (its metadata) and the blocks of one that is being put
together lie apart, so that a container's folder holds content only. Once an asset is made from
blobs, they are hard links to the artifact's files: stored once, and never written again.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from pathlib import Path

from verdazul.artifacts.arrivals import Arrivals, parts_of, refuse_frozen, settle
from verdazul.artifacts.uploads import ABANDONED_SECONDS, FolderUploads
from verdazul.core.blobs import LOCAL_UPLOADS, Blob, Place
from verdazul.model.errors import NotFound, Retryable, UserError
from verdazul.ports import Clock

_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}")
_UPLOAD = re.compile(r"[0-9a-f]{32}")
_CHUNK_BYTES = 1 << 20
_BLOCK_LIMIT = 50_000


class FolderBlobs:
    """The Blobs port. `start()` drops blocks that nobody put together within a day."""

    def __init__(self, home: Path, uploads: FolderUploads, *, clock: Clock) -> None:
        self._root = home / "blobs"
        self._uploads = uploads
        self._arrivals = Arrivals(home)
        self._clock = clock

    def start(self) -> None:
        """Make the folders and drop what was left behind."""
        for name in ("data", "meta", "blocks"):
            (self._root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._drop_old(self._root / "blocks")

    async def write(
        self,
        place: Place,
        chunks: AsyncIterable[bytes],
        *,
        metadata: Mapping[str, str],
        md5: str = "",
    ) -> Blob:
        target = self._path(place)
        await self._arrivals.write(
            target, chunks, shown=place.path, md5=md5, executable=_executable(metadata)
        )
        return await asyncio.to_thread(self._described, place, metadata)

    async def write_block(
        self, place: Place, block: str, chunks: AsyncIterable[bytes], *, md5: str = ""
    ) -> None:
        refuse_frozen(self._path(place), place.path)
        folder = self._blocks(place)
        await self._arrivals.write(folder / _block_name(block), chunks, shown=place.path, md5=md5)

    async def commit_blocks(
        self, place: Place, blocks: tuple[str, ...], *, metadata: Mapping[str, str]
    ) -> Blob:
        return await asyncio.to_thread(self._commit, place, blocks, metadata)

    async def describe(self, place: Place, metadata: Mapping[str, str]) -> Blob:
        await self.find(place)
        return await asyncio.to_thread(self._described, place, metadata)

    async def find(self, place: Place) -> Blob:
        return await asyncio.to_thread(self._find, place)

    async def list(self, container: str, prefix: str) -> tuple[Blob, ...]:
        return await asyncio.to_thread(lambda: tuple(self._all(container, prefix)))

    async def read(self, place: Place, *, start: int, length: int) -> AsyncIterator[bytes]:
        left = length
        with self._path(place).open("rb") as file:
            file.seek(start)
            while left > 0:
                chunk = await asyncio.to_thread(file.read, min(_CHUNK_BYTES, left))
                if not chunk:
                    return
                left -= len(chunk)
                yield chunk

    async def gather(self, place: Place, *, under_its_name: bool) -> str:
        return await asyncio.to_thread(self._gather, place, under_its_name)

    async def share(self, place: Place, source: str) -> None:
        try:
            await asyncio.to_thread(self._share, place, Path(source))
        except OSError as error:
            raise Retryable(
                f'"{place.path}" could not be stored: {error}', code="StorageFailed"
            ) from error

    async def prune(self, container: str, keep: frozenset[str]) -> None:
        await asyncio.to_thread(self._prune, container, keep)

    def _container(self, name: str) -> Path:
        if _UPLOAD.fullmatch(name):
            return Path(self._uploads.folder(name))
        if not _CONTAINER.fullmatch(name):
            raise NotFound(f"there is no container {name[:80]!a}", code="ContainerNotFound")
        return self._root / "data" / name

    def _path(self, place: Place) -> Path:
        return self._container(place.container).joinpath(*parts_of(place.path))

    def _beside(self, kind: str, place: Place) -> Path:
        key = hashlib.sha256("/".join(parts_of(place.path)).encode()).hexdigest()
        return self._root / kind / place.container / key

    def _blocks(self, place: Place) -> Path:
        return self._beside("blocks", place)

    def _commit(self, place: Place, blocks: tuple[str, ...], metadata: Mapping[str, str]) -> Blob:
        target = self._path(place)
        refuse_frozen(target, place.path)
        folder = self._blocks(place)
        files = [folder / _block_name(block) for block in blocks]
        missing = [name for name, file in zip(blocks, files, strict=True) if not file.is_file()]
        if missing or len(set(blocks)) != len(blocks) or len(blocks) > _BLOCK_LIMIT:
            raise UserError(
                f'the list of blocks of "{place.path}" names one that has not arrived, one twice, '
                f"or more than {_BLOCK_LIMIT}: {(missing or [''])[0][:80]!a}",
                code="InvalidBlockList",
                fix="send every block once, then the list",
            )
        whole = self._arrivals.new()
        try:
            _join(files, whole)
            whole.chmod(0o700 if _executable(metadata) else 0o600)
            settle(whole, target, place.path)
        finally:
            with contextlib.suppress(OSError):
                whole.unlink()
        shutil.rmtree(folder, ignore_errors=True)
        return self._described(place, metadata)

    def _described(self, place: Place, metadata: Mapping[str, str]) -> Blob:
        file = self._beside("meta", place)
        if not metadata:
            file.unlink(missing_ok=True)
            return self._find(place)
        arriving = self._arrivals.new()
        arriving.write_text(json.dumps(dict(metadata)))
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        arriving.replace(file)
        return self._find(place)

    def _find(self, place: Place) -> Blob:
        path = self._path(place)
        with contextlib.suppress(OSError):
            if path.is_file():
                return self._blob(place.container, "/".join(parts_of(place.path)), path)
        raise NotFound(f'there is no blob "{place.path[:200]}"', code="BlobNotFound")

    def _blob(self, container: str, relative: str, path: Path) -> Blob:
        seen = path.stat()
        meta: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            meta = json.loads(self._beside("meta", Place(container, relative)).read_text())
        etag = f'"0x{seen.st_mtime_ns:X}{seen.st_size:X}"'
        return Blob(relative, seen.st_size, seen.st_mtime, etag, meta)

    def _all(self, container: str, prefix: str) -> Iterator[Blob]:
        root = self._container(container)
        found = [p for p in self._below(root, prefix) if p.is_file()]
        named = sorted((path.relative_to(root).as_posix(), path) for path in found)
        for relative, path in named:
            if relative.startswith(prefix):
                yield self._blob(container, relative, path)

    def _below(self, root: Path, prefix: str) -> Iterator[Path]:
        """Everything that can begin so, without walking what cannot."""
        folder = prefix.rpartition("/")[0]
        top = root.joinpath(*parts_of(folder)) if folder else root
        return top.rglob("*") if top.is_dir() else iter(())

    def _gather(self, place: Place, under_its_name: bool) -> str:  # noqa: FBT001 - see ports.py
        source = self._path(place)
        if not (source.is_dir() or (source.is_file() and under_its_name)):
            raise NotFound(
                f'nothing is stored at "{place.path[:200]}" of {place.container}',
                code="BlobNotFound",
                fix="upload it first",
            )
        staged = self._arrivals.new()
        target = staged / source.name if under_its_name else staged
        target.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            _link_tree(source, target)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        return str(staged)

    def _share(self, place: Place, source: Path) -> None:
        """Make `place` the artifact's content, file by file a link to it, and close it."""
        target = self._path(place)
        if source.is_file():
            self._link(source, target)
            return
        for path in source.rglob("*"):
            if path.is_file():
                self._link(path, target / path.relative_to(source))
        for inner in (target, *(path for path in target.rglob("*") if path.is_dir())):
            inner.chmod(0o500)

    def _link(self, file: Path, blob: Path) -> None:
        if blob.exists() and blob.samefile(file):
            return
        blob.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        blob.parent.chmod(0o700)
        fresh = self._arrivals.new()
        os.link(file, fresh)
        fresh.replace(blob)

    def _prune(self, container: str, keep: frozenset[str]) -> None:
        self._drop_old(self._root / "blocks")
        uploads = self._container(container) / LOCAL_UPLOADS
        for tree in uploads.iterdir() if uploads.is_dir() else ():
            name = f"{LOCAL_UPLOADS}/{tree.name}"
            if name not in keep and self._is_old(tree):
                for path in list(self._all(container, f"{name}/")):
                    self._beside("meta", Place(container, path.path)).unlink(missing_ok=True)
                _remove(tree)

    def _drop_old(self, root: Path) -> None:
        for folder in root.glob("*/*"):
            if self._is_old(folder):
                shutil.rmtree(folder, ignore_errors=True)

    def _is_old(self, folder: Path) -> bool:
        newest = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
        return self._clock.now() - newest > ABANDONED_SECONDS


def _executable(metadata: Mapping[str, str]) -> bool:
    return metadata.get("executable", "").lower() == "true"


def _block_name(block: str) -> str:
    """A block's id is the caller's and may hold any byte; its file is named after its digest."""
    with contextlib.suppress(ValueError, UnicodeEncodeError):
        base64.b64decode(block, validate=True)
        if 0 < len(block) <= 88:  # noqa: PLR2004 - 64 bytes in base64, as Azure has it
            return hashlib.sha256(block.encode()).hexdigest()
    raise UserError(
        f"blockid is {block[:80]!a}; it must be base64 of at most 64 bytes",
        code="InvalidQueryParameterValue",
    )


def _join(files: list[Path], whole: Path) -> None:
    """One block after the other, each removed as soon as it is copied: no second copy is kept."""
    with whole.open("wb") as file:
        for block in files:
            with block.open("rb") as part:
                shutil.copyfileobj(part, file, _CHUNK_BYTES)
            block.unlink()


def _link_tree(source: Path, target: Path) -> None:
    if source.is_file():
        os.link(source, target)
        return
    for base, _, names in os.walk(source):
        folder = target / Path(base).relative_to(source)
        folder.mkdir(mode=0o700)
        for name in names:
            os.link(Path(base, name), folder / name)


def _remove(tree: Path) -> None:
    for base, _, _ in os.walk(tree):
        with contextlib.suppress(OSError):
            Path(base).chmod(0o700)
    shutil.rmtree(tree, ignore_errors=True)
