"""az's generic update arguments: `--set a.b[0].c=v`, `--add list k=v`, `--remove list 0`.

They change the loaded mapping before it is validated, so a wrong one is told like a wrong line of
the file, with the flag as its place. Values stay as they are typed, as YAML's do; only what looks
like JSON (`{...}`, `[...]`, `"..."`, `null`) is read as such, unless force_string is asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from verdazul.model.errors import UserError
from verdazul.model.nearest import nearest
from verdazul.model.show import Key, dotted, shown

_PART = re.compile(r"""\.?(?:"(?P<quoted>[^"]+)"|(?P<name>[^.\[\]"]+)|\[(?P<index>\d{1,6})\])""")


@dataclass(slots=True)
class Overridden:
    """The mapping as the flags left it, and which flag set which key."""

    tree: dict[str, object]
    flags: dict[Key, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the flags ask for, in the order az applies them: set, add, remove."""

    sets: Sequence[str] = ()
    adds: Sequence[Sequence[str]] = ()
    removes: Sequence[Sequence[str]] = ()
    force_string: bool = False

    def apply(self, tree: dict[str, object]) -> Overridden:
        """Change `tree` in place. Raises UserError (InvalidValue) naming the flag."""
        result = Overridden(tree)
        for text in self.sets:
            self._set(result, text)
        for words in self.adds:
            self._add(result, words)
        for words in self.removes:
            _remove(result, words)
        return result

    def _set(self, result: Overridden, text: str) -> None:
        flag = f"--set {text}"
        name, equals, value = text.partition("=")
        if not equals:
            raise _refused(flag, f"{shown(text)} has no '='", fix="write it like --set a.b=value")
        key = _key(name, flag)
        _put(result.tree, key, self._value(value, flag), flag=flag)
        result.flags[key] = flag

    def _add(self, result: Overridden, words: Sequence[str]) -> None:
        flag = f"--add {' '.join(words)}"
        name, *values = [words] if isinstance(words, str) else words or [""]
        if not values:
            raise _refused(flag, "nothing to add", fix="write it like --add list key=value")
        key = _key(name, flag)
        items = _list_at(result.tree, key, flag)
        items.extend(self._items(values, flag))
        result.flags[key] = flag

    def _items(self, values: Sequence[str], flag: str) -> list[object]:
        """`k=v k2=v2` make one mapping; every other word is an item by itself."""
        items: list[object] = []
        pairs: dict[str, object] = {}
        for word in values:
            name, equals, value = word.partition("=")
            if equals and re.fullmatch(r"[\w.-]+", name):
                pairs[name] = self._value(value, flag)
            else:
                items.append(self._value(word, flag))
        return [*items, pairs] if pairs else items

    def _value(self, text: str, flag: str) -> object:
        if self.force_string or not (text[:1] in tuple('{["') or text == "null"):
            return text
        try:
            return json.loads(text)
        except ValueError as error:
            raise _refused(
                flag,
                f"the value {shown(text)} begins like JSON and is not: {error}",
                fix="quote it for the shell, or give --force-string to take it as a text",
            ) from None


def _remove(result: Overridden, words: Sequence[str]) -> None:
    flag = f"--remove {' '.join(words)}"
    name, *index = [words] if isinstance(words, str) else words or [""]
    key = _key(name, flag)
    if len(index) > 1 or not all(text.isdecimal() for text in index):
        raise _refused(flag, "the index must be one whole number", fix="--remove list 0")
    if index:
        key = (*key, int(index[0]))
    _take(result.tree, key, flag)
    result.flags[key[:-1] if isinstance(key[-1], int) else key] = flag


def _key(text: str, flag: str) -> Key:
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if not match or (position == 0 and text.startswith(".")):
            break
        index = match["index"]
        parts.append(match["quoted"] or match["name"] if index is None else int(index))
        position = match.end()
    if not parts or position < len(text) or isinstance(parts[0], int):
        raise _refused(flag, f"{shown(text)} is not a key", fix='keys look like a.b[0]."c.d"')
    return tuple(parts)


def _put(tree: dict[str, object], key: Key, value: object, *, flag: str) -> None:
    """Set a value; mappings on the way are made when they are missing."""
    spot = _parent(tree, key, flag, make=True)
    last = key[-1]
    if isinstance(spot, dict) and isinstance(last, str):
        spot[last] = value
    elif isinstance(spot, list) and isinstance(last, int) and last <= len(spot):
        spot[last : last + 1] = [value]
    else:
        raise _wrong_spot(spot, key, flag)


def _list_at(tree: dict[str, object], key: Key, flag: str) -> list[object]:
    """The list to add to; made when there is nothing."""
    spot = _parent(tree, key, flag, make=True)
    found = _child(spot, key[-1])
    if found is None:
        found = []
        _put(tree, key, found, flag=flag)
    if not isinstance(found, list):
        raise _refused(
            flag,
            f"{dotted(key)} is {shown(found)}, not a list",
            fix=f"--set {dotted(key)}.name=value" if isinstance(found, dict) else "",
        )
    return found


def _take(tree: dict[str, object], key: Key, flag: str) -> None:
    spot = _parent(tree, key, flag, make=False)
    last = key[-1]
    if isinstance(spot, dict) and isinstance(last, str) and last in spot:
        del spot[last]
        return
    if isinstance(spot, list) and isinstance(last, int) and last < len(spot):
        del spot[last]
        return
    raise _wrong_spot(spot, key, flag)


def _parent(tree: dict[str, object], key: Key, flag: str, *, make: bool) -> object:
    spot: object = tree
    for depth, part in enumerate(key[:-1]):
        inner = _child(spot, part)
        if inner is None and make and isinstance(spot, dict) and isinstance(part, str):
            inner = spot[part] = {}
        if inner is None:
            raise _wrong_spot(spot, key[: depth + 1], flag)
        spot = inner
    return spot


def _child(spot: object, part: str | int) -> object:
    if isinstance(spot, dict) and isinstance(part, str):
        return spot.get(part)
    if isinstance(spot, list) and isinstance(part, int) and part < len(spot):
        return spot[part]
    return None


def _wrong_spot(spot: object, key: Key, flag: str) -> UserError:
    """There is nothing at `key`; say what there is instead."""
    above = dotted(key[:-1]) or "the top level"
    if isinstance(spot, dict) and isinstance(key[-1], str):
        close = nearest(key[-1], spot)
        known = f"known there: {', '.join(spot)}" if spot else "nothing is there"
        return _refused(
            flag,
            f"{above} has no {dotted(key[-1:])}",
            fix=f"did you mean {close}?" if close else known,
        )
    if isinstance(spot, list):
        return _refused(
            flag, f"{above} is a list of {len(spot)}; it has no item {dotted(key[-1:])}"
        )
    return _refused(flag, f"{above} is {shown(spot)}; it has no {dotted(key[-1:])}")


def _refused(flag: str, message: str, *, fix: str = "") -> UserError:
    return UserError(message, code="InvalidValue", where=flag, fix=fix)
