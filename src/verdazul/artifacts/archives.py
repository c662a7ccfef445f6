"""Archives of models: many small files travel as one, and are unpacked where they are used.

Whoever made the archive may be hostile or careless. Members that would leave the folder, links to
elsewhere and devices are refused (Python's `data` filter); a bomb ends where the disk would get
full, long before anything else here suffers.
"""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from pathlib import Path

from verdazul.model.errors import UserError
from verdazul.model.show import shown

ENDINGS = (".tar.gz", ".tgz")
FREE_BYTES = 2**30
"""What unpacking leaves free on the disk."""
MOST_MEMBERS = 1_000_000
_CHUNK = 2**20
_MOST_PADDING = 64 * _CHUNK
_LOOK_BYTES = 64 * 2**20  # written between two looks at the disk


def archive_in(folder: Path) -> Path:
    """The one archive that a model consists of. Raises UserError (UnusableArchive)."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    archives = [path for path in files if path.name.lower().endswith(ENDINGS)]
    if len(files) == len(archives) == 1:
        return archives[0]
    held = f"{len(files)} files" if len(files) != 1 else shown(files[0].name)
    raise _unusable(
        f"azureml.unpack is set, and the model holds {held}; it must be one .tar.gz file",
        "give the archive alone as `path`, or delete the property",
    )


def unpack(archive: Path, into: Path, *, free_bytes: int = FREE_BYTES) -> None:
    """Put all that the archive holds into a folder that is there and empty.

    Raises UserError (UnusableArchive, NoRoomToUnpack) naming the member that could not be taken;
    then the folder holds a part, and is the caller's to remove.
    """
    room = _Room(into, free_bytes)
    name = "its beginning"
    try:
        with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for count, member in enumerate(tar, 1):
                name = shown(member.name)
                if count > MOST_MEMBERS:
                    raise _unusable(f"it holds more than {MOST_MEMBERS} members", "split the model")
                room.take(member.size if member.isreg() else 0, name)
                tar.extract(member, into, filter="data")
            _check_end(stream)
    except tarfile.FilterError as error:
        raise _unusable(f"member {name} cannot be taken: {error}", "make it anew") from None
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise _unusable(
            f"{shown(archive.name)} cannot be read at {name}: {error}",
            "make it with `tar czf`, and send it whole",
        ) from None
    if not any(path.is_file() for path in into.rglob("*")):
        raise _unusable(f"{shown(archive.name)} holds no file", "put the model into it")


def _check_end(stream: gzip.GzipFile) -> None:
    """Read what is behind the last member: gzip compares its checksum at the very end only."""
    for _ in range(_MOST_PADDING // _CHUNK):
        if not stream.read(_CHUNK):
            return
    raise ValueError("there is more behind its end")


class _Room:
    """How much may still be written before the disk has too little left."""

    def __init__(self, folder: Path, free_bytes: int) -> None:
        self._folder = folder
        self._free = free_bytes
        self._unlooked = _LOOK_BYTES

    def take(self, size: int, name: str) -> None:
        """Raise UserError (NoRoomToUnpack) for a member that has no room."""
        self._unlooked += size
        if self._unlooked < _LOOK_BYTES:
            return
        self._unlooked = size
        left = shutil.disk_usage(self._folder).free - self._free
        if size > left:
            raise UserError(
                f"no room to unpack member {name} of {size} bytes: {max(0, left)} are left, "
                f"without the {self._free} that stay free",
                code="NoRoomToUnpack",
                fix="make room on the disk that the home is on",
            )


def _unusable(message: str, fix: str) -> UserError:
    return UserError(message, code="UnusableArchive", fix=fix)
