"""How a value is written into a message: short, quoted, and harmless on any terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping

_LONGEST, _LONGEST_INLINE = 80, 300

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


def inline(text: str) -> str:
    """A text of somebody else's within one of ours: one short line, harmless on any terminal."""
    plain = text if text.isprintable() else json.dumps(text)[1:-1]
    return plain if len(plain) <= _LONGEST_INLINE else f"{plain[: _LONGEST_INLINE - 3]}..."


def dotted(key: Key) -> str:
    """`a.b[0].c`, as `--set` would write it."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
