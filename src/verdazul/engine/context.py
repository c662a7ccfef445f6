"""The build context: a tar archive from whoever asks for a build. Nothing of it is unpacked.

The few files that a Dockerfile copies are read into memory, each of a bounded size; the rest
(models, data: a context may be gigabytes) stays in an unnamed temporary file that ends with us.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import IO

from verdazul.model.errors import UserError

LONGEST_FILE = 1_000_000


def read_files(archive: IO[bytes], names: Iterable[str]) -> dict[str, str]:
    """The texts of those files, by name; what is missing is absent.

    Raises UserError for what is no tar archive, for members that lead out of it, and for files that
    are too long or no text.
    """
    wanted = {str(PurePosixPath(name)) for name in names}
    archive.seek(0)
    try:
        with tarfile.open(fileobj=archive, mode="r:*") as tar:
            return {
                name: _text(tar, member)
                for member in tar
                if (name := _name(member)) in wanted and not member.isdir()
            }
    except (tarfile.TarError, EOFError, OSError) as error:
        raise _broken(f"is no whole tar archive: {error}") from None


def _name(member: tarfile.TarInfo) -> str:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise _broken(f"has the member {member.name!r}, which leads out of it")
    return str(path)


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    if not member.isfile():
        raise _broken(f"has {member.name!r}, which is no plain file")
    if member.size > LONGEST_FILE:
        raise _broken(
            f"has {member.name!r} with {member.size} bytes; at most {LONGEST_FILE} are read"
        )
    file = tar.extractfile(member)
    try:
        return file.read().decode("utf-8") if file else ""
    except UnicodeDecodeError as error:
        raise _broken(f"has {member.name!r}, which is not UTF-8 (byte {error.start})") from None


def _broken(what: str) -> UserError:
    return UserError(f"the build context {what}", code="InvalidBuildContext")
