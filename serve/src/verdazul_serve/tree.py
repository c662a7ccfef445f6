"""A folder as an indented list of lines, cut where it gets long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice


def tree(folder: str, *, most: int = 200) -> list[str]:
    """At most `most` lines; the last one says so when there were more."""
    lines = list(islice(_walk(folder, ""), most + 1))
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], "..."]


def _walk(folder: str, indent: str) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield f"{indent}({error.strerror})"
        return
    for entry in entries:
        is_folder = entry.is_dir(follow_symlinks=False)
        yield f"{indent}{entry.name}{os.sep if is_folder else ''}"
        if is_folder:
            yield from _walk(entry.path, f"{indent}    ")
