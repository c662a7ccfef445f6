"""How a value is written into a message: short, quoted, and harmless on any terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping

_LONGEST = 80

Key = tuple[str | int, ...]


def shown(value: object) -> str:
    """A value for people: `"many"`, 110, `a mapping`."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if not isinstance(value, str | bool | int | float):
        return type(value).__name__
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]}..."


def dotted(key: Key) -> str:
    """`a.b[0].c`, as `--set` would write it."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
