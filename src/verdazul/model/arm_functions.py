"""The functions that templates of endpoints use, as Azure's documentation describes them.

Those of places (`resourceGroup()`), parameters and variables come from the template's own context
(template.py).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping

from verdazul.model.arm_expression import LONGEST_VALUE, Function, Json

_UNIQUE = 13
_PLACE = re.compile(r"\{(\d{1,3})(?::[^{}]*)?\}")


def _concat(*parts: Json) -> Json:
    if parts and all(isinstance(part, list) for part in parts):
        return [one for part in parts for one in part]  # type: ignore[union-attr]  # all are lists
    return "".join(_as_text(part) for part in parts)


def _format(pattern: str, *values: Json) -> Json:
    found = _PLACE.sub(lambda match: _as_text(values[int(match[1])]), pattern)
    return found.replace("{{", "{").replace("}}", "}")


def _as_text(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, int | float):
        return str(value)
    return json.dumps(value, separators=(",", ":"))


def _is_empty(value: Json) -> Json:
    return value is None or (isinstance(value, str | list | dict) and not value)


def _contains(container: Json, item: Json) -> Json:
    if isinstance(container, dict):
        return any(key.lower() == str(item).lower() for key in container)
    if isinstance(container, str):
        return str(item) in container
    if isinstance(container, list):
        return item in container
    raise TypeError("it contains nothing")


def _union(*parts: Json) -> Json:
    if parts and all(isinstance(part, dict) for part in parts):
        merged: dict[str, Json] = {}
        for part in parts:
            merged |= part if isinstance(part, dict) else {}
        return merged
    found: list[Json] = []
    for part in parts:
        if not isinstance(part, list):
            raise TypeError("all must be lists, or all objects")
        found += [one for one in part if one not in found]
    return found


def _object(*pairs: Json) -> Json:
    if len(pairs) % 2:
        raise TypeError("it takes names and values in pairs")
    return {str(pairs[n]): pairs[n + 1] for n in range(0, len(pairs), 2)}


def _unique(*parts: Json) -> Json:
    """Thirteen letters and digits that follow from the parts; not the same as in Azure."""
    digest = hashlib.sha256("-".join(_as_text(part) for part in parts).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:_UNIQUE]


def _integer(value: Json) -> Json:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("it is no number")
    return int(value)


def _truth(value: Json) -> Json:
    told = str(value).lower()
    if told not in {"true", "false", "1", "0"}:
        raise ValueError("it is neither true nor false")
    return told in {"true", "1"}


def _replaced(text: str, old: str, new: str) -> Json:
    if old and len(text) + text.count(old) * len(new) > 2 * LONGEST_VALUE:
        raise ValueError("it gets too long")
    return text.replace(old, new)


def _equals(one: Json, other: Json) -> Json:
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    return type(one) is type(other) and one == other


FUNCTIONS: Mapping[str, Function] = {
    "concat": _concat,
    "format": _format,
    "string": _as_text,
    "int": _integer,
    "bool": _truth,
    "json": json.loads,
    "tolower": lambda text: text.lower(),
    "toupper": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "substring": lambda text, start, length=None: (
        text[start:] if length is None else text[start : start + length]
    ),
    "replace": _replaced,
    "split": lambda text, by: text.split(by),
    "join": lambda items, by: by.join(_as_text(item) for item in items),
    "startswith": lambda text, begin: text.lower().startswith(begin.lower()),
    "endswith": lambda text, end: text.lower().endswith(end.lower()),
    "length": len,
    "first": lambda value: value[0],
    "last": lambda value: value[-1],
    "contains": _contains,
    "empty": _is_empty,
    "coalesce": lambda *values: next((one for one in values if one is not None), None),
    "createarray": lambda *items: list(items),
    "createobject": _object,
    "union": _union,
    "equals": _equals,
    "not": lambda value: not value,
    "and": lambda *values: all(values),
    "or": lambda *values: any(values),
    "if": lambda condition, yes, no: yes if condition else no,
    "true": lambda: True,
    "false": lambda: False,
    "null": lambda: None,
    "uniquestring": _unique,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "add": lambda one, other: one + other,
    "sub": lambda one, other: one - other,
}
