"""Models and code by content: home/artifacts/<aa>/<sha256>/ holds one tree and never changes.

What is there is whole: a tree is checked, made read-only, hashed and written through to the disk in
the folder where it arrived, and then renamed into place, which happens entirely or not at all.
Being killed anywhere leaves staging folders only, and the next process removes those.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from verdazul.artifacts import archives
from verdazul.clock import SystemClock
from verdazul.model.errors import NotFound, Retryable, UserError
from verdazul.ports import Clock
from verdazul.tree import tree_digest, tree_files

_DIGEST = re.compile(r"sha256:(?P<hex>[0-9a-f]{64})")
_STAGING = ".staging-"
_NOTES = ".unpacked"


class FolderArtifacts:
    """The Artifacts port on a disk. One process owns a home."""

    def __init__(self, home: Path, *, kept: int = 20, clock: Clock | None = None) -> None:
        self._root = Path(os.path.abspath(home / "artifacts"))  # noqa: PTH100 - links stay
        self._kept = kept
        self._clock = clock or SystemClock()
        self._moving = asyncio.Lock()
        self._unpacking = asyncio.Lock()  # one at a time: it is all disk
        self._is_swept = False

    async def adopt(self, folder: str) -> str:
        staged = Path(folder)
        if not await asyncio.to_thread(_is_real_folder, staged):
            raise UserError(f"{folder!r} is not a folder", code="UnusableFile")
        try:
            digest = await asyncio.to_thread(_settle, staged)
            async with self._moving:
                await asyncio.to_thread(self._move_in, staged, digest)
        except OSError as error:
            raise Retryable(
                f"{folder!r} could not be stored: {error}", code="StorageFailed"
            ) from error
        return digest

    def path(self, digest: str) -> str:
        entry = self._entry(digest)
        try:
            self._touch(entry)
        except FileNotFoundError:
            raise _absent(digest) from None
        return str(entry)

    async def unpack(self, digest: str) -> str:
        archive = Path(self.path(digest))
        async with self._unpacking:
            known = await asyncio.to_thread(self._unpacked, digest)
            if known:
                return known
            staged = self._staging()
            try:
                await asyncio.to_thread(_unpack, archive, staged)
                inner = await self.adopt(str(staged))
            except OSError as error:
                raise Retryable(
                    f"the archive could not be unpacked: {error}", code="StorageFailed"
                ) from error
            finally:
                await asyncio.to_thread(_remove, staged)
            await asyncio.to_thread(self._note_unpacked, digest, inner)
            return inner

    async def prune(self, keep: frozenset[str]) -> None:
        async with self._moving:
            await asyncio.to_thread(self._prune, keep)

    async def verify(self, digest: str) -> bool:
        """Whether the files still are what the digest says. Raises NotFound."""
        return await asyncio.to_thread(tree_digest, Path(self.path(digest))) == digest

    def _unpacked(self, digest: str) -> str:
        """What was unpacked from it and is still there, else ""."""
        self._sweep()
        try:
            inner = self._note_of(digest).read_text()
            self.path(inner)
        except (OSError, NotFound):
            return ""
        return inner

    def _note_unpacked(self, digest: str, inner: str) -> None:
        """Losing the note costs unpacking once more."""
        note = self._note_of(digest)
        note.parent.mkdir(exist_ok=True, mode=0o700)
        staged = self._staging()
        staged.write_text(inner)
        os.rename(staged, note)  # noqa: PTH104 - the system call: atomic

    def _note_of(self, digest: str) -> Path:
        return self._root / _NOTES / self._entry(digest).name

    def _touch(self, entry: Path) -> None:
        """Note that it was used; the disk's own idea of now is too coarse to order by."""
        now = self._clock.now()
        os.utime(entry, (now, now))

    def _entry(self, digest: str) -> Path:
        match = _DIGEST.fullmatch(digest)
        if not match:
            raise _absent(digest)
        return self._root / match["hex"][:2] / match["hex"]

    def _move_in(self, staged: Path, digest: str) -> None:
        self._sweep()
        entry = self._entry(digest)
        if entry.exists():
            self._touch(entry)
            if not entry.samefile(staged):
                _remove(staged)
            return
        entry.parent.mkdir(parents=True, exist_ok=True)
        staged = self._on_our_disk(staged)
        staged.chmod(0o700)  # a read-only folder cannot change its parent
        os.rename(staged, entry)  # noqa: PTH104 - the system call: atomic
        entry.chmod(0o555)
        self._touch(entry)
        _sync_folder(entry.parent)

    def _on_our_disk(self, staged: Path) -> Path:
        """Rename works on one disk only; from another one the tree is copied to ours first."""
        here = self._staging()
        try:
            os.rename(staged, here)  # noqa: PTH104 - the system call: atomic
        except OSError as error:
            if error.errno not in {errno.EXDEV, errno.EACCES, errno.EPERM}:
                raise
            shutil.copytree(staged, here, symlinks=True)
            _settle(here)
            _remove(staged)
        return here

    def _staging(self) -> Path:
        return self._root / f"{_STAGING}{secrets.token_hex(8)}"

    def _sweep(self) -> None:
        """Once, before anything is staged: what is there then was left by a crash."""
        if self._is_swept:
            return
        self._is_swept = True
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in self._root.glob(f"{_STAGING}*"):
            _remove(left)

    def _prune(self, keep: frozenset[str]) -> None:
        self._sweep()
        unused = [entry for entry in self._entries() if f"sha256:{entry.name}" not in keep]
        unused.sort(key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
        for entry in unused[self._kept :]:
            entry.chmod(0o700)
            away = self._staging()
            os.rename(entry, away)  # noqa: PTH104 - gone at once, also when we are killed now
            _remove(away)
        for note in self._root.glob(f"{_NOTES}/*"):
            if not self._unpacked(f"sha256:{note.name}"):
                note.unlink(missing_ok=True)

    def _entries(self) -> Iterator[Path]:
        return (path for path in self._root.glob("[0-9a-f][0-9a-f]/*") if path.is_dir())


def _is_real_folder(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink()


def _settle(folder: Path) -> str:
    """Read-only first, so that what is hashed is what stays; then down to the disk."""
    files = [path for _, path in tree_files(folder)]  # refuses what cannot stay
    for path in files:
        if not path.is_symlink():
            _freeze(path)
    folders = [Path(base) for base, _, _ in os.walk(folder)]
    for inner in folders[1:]:
        inner.chmod(0o555)
    digest = tree_digest(folder)
    for inner in folders:
        _sync_folder(inner)
    return digest


def _unpack(archive: Path, into: Path) -> None:
    into.mkdir(mode=0o700)
    archives.unpack(archives.archive_in(archive), into)


def _freeze(path: Path) -> None:
    is_executable = bool(path.stat().st_mode & stat.S_IXUSR)
    path.chmod(0o555 if is_executable else 0o444)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    for base, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            Path(base).chmod(0o700)  # top-down: each is opened before it is entered
    shutil.rmtree(folder, ignore_errors=True)


def _absent(digest: str) -> NotFound:
    return NotFound(
        f"no files with digest {digest!r} are stored; it must be `sha256:` and 64 hex digits",
        fix="upload the folder again",
    )
