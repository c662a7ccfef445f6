"""Records to JSON text and back. Pydantic knows the types, so there is no mapping code to drift."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


_adapters: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Building one is slow; each is built once."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def dump(value: Any) -> str:
    """JSON text of a record, status, operation, event or asset."""
    return _adapter(type(value)).dump_json(value).decode()


def load(kind: type[T], text: str) -> T:
    """Raise pydantic.ValidationError when the text is not of this kind."""
    value: T = _adapter(kind).validate_json(text)
    return value


def load_optional(kind: type[T], text: str | None) -> T | None:
    """None stays None."""
    return load(kind, text) if text else None
