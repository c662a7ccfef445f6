"""The only module of the model that touches files: reading them, and finding what a path names.

A path that leads nowhere is told with what is there instead.
"""

from __future__ import annotations

from pathlib import Path

from verdazul.model.errors import UserError
from verdazul.model.nearest import several_nearest
from verdazul.model.show import shown

MOST_BYTES = 1_048_576
_SHOWN_NAMES = 5


def read_file(path: Path) -> str:
    """A text file's content. Raises UserError when it is missing, too large, or no text."""
    data = read_bytes(path)
    if len(data) > MOST_BYTES:
        raise UserError(f"larger than {MOST_BYTES} bytes", code="InvalidYaml", where=str(path))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            "not a text in UTF-8",
            code="InvalidYaml",
            where=f"{path}:{line}",
            fix="save it as UTF-8",
        ) from None
    return text


def read_bytes(path: Path) -> bytes:
    """The start of a file, up to one byte more than is allowed. Raises UserError (FileNotFound)."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"there is no file {path}", code="FileNotFound", fix=_near_misses(path.absolute())
        ) from None
    except IsADirectoryError:
        raise UserError(
            f"{path} is a folder; name a file in it",
            code="FileNotFound",
            fix=_near_misses(path.absolute()),
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", code="FileNotFound") from None


def existing(text: str, base: Path, key: str, *, where: str) -> Path:
    """The absolute path that `text`, the value of `key`, names. Raises UserError (PathNotFound)."""
    try:
        path = (base / text).resolve()
        if path.exists():
            return path
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{key} is {shown(text)}, which is no path: {error}", code="PathNotFound", where=where
        ) from None
    raise UserError(
        f"{key} is {shown(text)}, but there is no {path}",
        code="PathNotFound",
        where=where,
        fix=_near_misses(path),
    )


def existing_folder(text: str, base: Path, key: str, *, where: str) -> Path:
    """The same, for a folder. Raises UserError (PathNotFound, or InvalidValue for a file)."""
    found = existing(text, base, key, where=where)
    if not found.is_dir():
        raise UserError(
            f"{key} is {shown(text)}, a file; it must be a folder",
            code="InvalidValue",
            where=where,
            fix="name the folder that holds it, and the file in scoring_script",
        )
    return found


def _near_misses(path: Path) -> str:
    """What is there instead, in the nearest folder that exists."""
    folder = path
    while not folder.is_dir():
        path, folder = folder, folder.parent
    names = sorted(entry.name for entry in folder.iterdir())
    close = several_nearest(path.name, names, count=3)
    if close:
        return f"did you mean {' or '.join(str(folder / name) for name in close)}?"
    if not names:
        return f"{folder} is empty"
    more = ", ..." if len(names) > _SHOWN_NAMES else ""
    return f"{folder} holds {', '.join(names[:_SHOWN_NAMES])}{more}"
