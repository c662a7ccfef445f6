"""A file of the home that declares one thing as a whole: read, or refused by file and line."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from verdazul.model.declared import Declared
from verdazul.model.document import read_document
from verdazul.model.files import read_file
from verdazul.model.problems import problems_of, refuse
from verdazul.model.show import Key

_Kind = TypeVar("_Kind", bound=Declared)


def read_declared(path: Path, kind: type[_Kind]) -> _Kind:
    """Raise UserError naming file:line for what is wrong."""
    document = read_document(read_file(path), str(path))
    if document.problems:
        raise refuse(document.problems, str(path))

    def where(key: Key) -> str:
        while key and key not in document.lines:
            key = key[:-1]
        return f"{path}:{document.lines[key]}" if key in document.lines else str(path)

    try:
        return kind.model_validate(document.tree)
    except ValidationError as error:
        raise refuse(problems_of(error, kind, where=where), str(path)) from None
