"""The digest of a tree of files: what a client sends and what a server keeps get the same one.

It covers sorted relative paths, contents and the executable bit; not times, owners or empty
folders, which carry no content. Every field is preceded by its length or ends in a fixed-size
digest, so no two different trees can spell the same text.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from verdazul.model.errors import UserError

_CHUNK = 1 << 20


def files_digest(files: Iterable[tuple[str, Path]]) -> str:
    """SHA-256 in hex of (relative path with `/`, file) pairs. Follows symlinks."""
    whole = hashlib.sha256(b"verdazul-tree-1\n")
    for relative, path in sorted(files, key=lambda item: os.fsencode(item[0])):
        name = os.fsencode(relative)
        is_executable = bool(path.stat().st_mode & stat.S_IXUSR)
        kind = b"x" if is_executable else b"f"
        whole.update(b"%s %d %s " % (kind, len(name), name) + _content_digest(path))
    return whole.hexdigest()


def tree_digest(folder: Path) -> str:
    """`sha256:<hex>` over every file below `folder`. Raises UserError as `tree_files` does."""
    return f"sha256:{files_digest(tree_files(folder))}"


def tree_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below `folder`, nothing left out.

    Raises UserError (UnusableFile) for symlinks that leave it or point nowhere, and for what is
    neither file nor folder (sockets, pipes, devices).
    """
    root = folder.resolve()
    for base, folders, names in os.walk(root, onerror=_refuse):
        for name in (*names, *(one for one in folders if Path(base, one).is_symlink())):
            path = Path(base, name)
            relative = path.relative_to(root).as_posix()
            _check(path, relative, root)
            yield relative, path


def _refuse(error: OSError) -> None:
    raise _unusable(f"{str(error.filename)!r} cannot be read: {error.strerror}", "allow reading it")


def _check(path: Path, relative: str, root: Path) -> None:
    if path.is_symlink():
        _check_link(path, relative, root)
    elif not stat.S_ISREG(path.lstat().st_mode):
        raise _unusable(f"{relative!r} is neither a file nor a folder", "leave it out")


def _check_link(path: Path, relative: str, root: Path) -> None:
    told = path.readlink()
    target = Path(os.path.realpath(path))
    if told.is_absolute() or not target.is_relative_to(root):
        raise _unusable(
            f"{relative!r} is a symlink to {str(told)!r}, outside of its folder",
            "put the file itself there",
        )
    if not target.is_file():
        raise _unusable(
            f"{relative!r} is a symlink to {str(told)!r}, which is not a file",
            "put the file or folder itself there",
        )


def _unusable(message: str, fix: str) -> UserError:
    return UserError(message, code="UnusableFile", fix=fix)


def _content_digest(path: Path) -> bytes:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()
