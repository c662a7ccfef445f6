"""Expressions of ARM templates: `[concat(parameters('name'), '/', toLower('Blue'))]`.

    expression := (text | number | name "(" arguments ")") ("." name | "[" expression "]")*

A text in brackets is an expression, one that begins with `[[` means itself without the first
bracket. What a template can ask for is bounded: whoever writes one may be hostile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from verdazul.model.errors import UserError
from verdazul.model.nearest import nearest
from verdazul.model.show import shown

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Function = Callable[..., Json]
LONGEST_EXPRESSION = 24_576
"""Azure's limit."""
LONGEST_VALUE = 131_072
"""Azure's limit of a text in a template; ours of any that a function makes."""
HEAVIEST_VALUE = 4 * 2**20
"""Of anything that is put together: as much as a request's body may have."""
DEEPEST = 60

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d{1,15})|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>[()\[\],.]))"
)


class InvalidTemplate(UserError):
    """The template, or a value for it, cannot be. `where` is the place in it."""

    default_code = "InvalidTemplate"


def is_expression(text: str) -> bool:
    """Whether a text stands for what it evaluates to."""
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


def evaluate(
    value: Json, functions: Mapping[str, Function], where: str = "", depth: int = 0
) -> Json:
    """The value with every expression in it replaced by what it is. Raises InvalidTemplate."""
    found = _evaluated(value, functions, where, depth)
    if depth == 0:
        _refuse_heavy(found, where)
    return found


def _evaluated(value: Json, functions: Mapping[str, Function], where: str, depth: int) -> Json:
    if depth > DEEPEST:
        raise InvalidTemplate(f"it is nested more than {DEEPEST} deep", where=where)
    if isinstance(value, str):
        return _text(value, functions, where)
    if isinstance(value, list):
        inner = enumerate(value)
        return [evaluate(one, functions, f"{where}[{n}]", depth + 1) for n, one in inner]
    if isinstance(value, dict):
        return {
            str(_text(key, functions, where)): evaluate(
                one, functions, f"{where}.{key}" if where else key, depth + 1
            )
            for key, one in value.items()
        }
    return value


def member(value: Json, name: Json, where: str) -> Json:
    """A property of an object (names match in any case) or an item of a list."""
    if isinstance(value, dict) and isinstance(name, str):
        for key, inner in value.items():
            if key.lower() == name.lower():
                return inner
        there = f"there are {', '.join(list(value)[:10])}" if value else "it is empty"
        raise InvalidTemplate(f"the object has no {shown(name)}; {there}", where=where)
    if isinstance(value, list) and isinstance(name, int) and not isinstance(name, bool):
        if 0 <= name < len(value):
            return value[name]
        raise InvalidTemplate(f"the list has {len(value)} items, and no [{name}]", where=where)
    raise InvalidTemplate(f"{shown(value)} has no {shown(name)}", where=where)


def _refuse_heavy(value: Json, where: str) -> None:
    """What is small here may be written out as more than fits anywhere: parts are shared."""
    weight, left = 0, [value]
    while left:
        one = left.pop()
        weight += 8 + (len(one) if isinstance(one, str) else 0)
        if isinstance(one, list):
            left += one
        if isinstance(one, dict):
            left += one.values()
        if weight + 8 * len(left) > HEAVIEST_VALUE:
            raise InvalidTemplate(f"it would take more than {HEAVIEST_VALUE} bytes", where=where)


def _text(text: str, functions: Mapping[str, Function], where: str) -> Json:
    if text.startswith("[["):
        return text[1:]
    if not is_expression(text):
        return text
    if len(text) > LONGEST_EXPRESSION:
        raise InvalidTemplate(f"the expression is over {LONGEST_EXPRESSION} long", where=where)
    return _Reader(text[1:-1], functions, where).whole()


class _Reader:
    """Reads and evaluates at once: left to right, arguments before their function."""

    def __init__(self, text: str, functions: Mapping[str, Function], where: str) -> None:
        self._text = text
        self._functions = functions
        self._where = where
        self._at = 0

    def whole(self) -> Json:
        """The value of all of it."""
        value = self._expression(0)
        if self._text[self._at :].strip():
            raise self._wrong("an end")
        return value

    def _expression(self, depth: int) -> Json:
        if depth > DEEPEST:
            raise self._refuse(f"it is nested more than {DEEPEST} deep")
        value = self._primary(depth)
        while sign := self._take_sign(".["):
            if sign == ".":
                kind, name = self._next()
                if kind != "name":
                    raise self._wrong("a name")
                value = member(value, name, self._where)
            else:
                index = self._expression(depth + 1)
                self._need("]")
                value = member(value, index, self._where)
        return value

    def _primary(self, depth: int) -> Json:
        kind, told = self._next()
        if kind == "text":
            return told[1:-1].replace("''", "'")
        if kind == "number":
            return int(told)
        if kind != "name":
            raise self._wrong("a function, a text in '' or a number")
        self._need("(")
        arguments: list[Json] = []
        if not self._take_sign(")"):
            arguments.append(self._expression(depth + 1))
            while self._take_sign(","):
                arguments.append(self._expression(depth + 1))
            self._need(")")
        return self._call(told, arguments)

    def _call(self, name: str, arguments: list[Json]) -> Json:
        function = self._functions.get(name.lower())
        if function is None:
            known = sorted(self._functions)
            close = nearest(name, known)
            fix = f"did you mean {close}?" if close else f"there are {', '.join(known)}"
            raise InvalidTemplate(
                f"the function {name} is not known here", where=self._where, fix=fix
            )
        try:
            value = function(*arguments)
        except (TypeError, ValueError, IndexError, AttributeError) as error:
            told = ", ".join(shown(one) for one in arguments)
            raise self._refuse(f"{name}({told}) cannot be: {error}") from None
        if isinstance(value, str) and len(value) > LONGEST_VALUE:
            raise self._refuse(f"{name}(...) is over {LONGEST_VALUE} long")
        if isinstance(value, list | dict):
            _refuse_heavy(value, self._where)
        return value

    def _next(self) -> tuple[str, str]:
        match = _TOKEN.match(self._text, self._at)
        if match is None or match.lastgroup is None:
            return "", ""
        self._at = match.end()
        return match.lastgroup, match[match.lastgroup]

    def _take_sign(self, signs: str) -> str:
        """The next sign, if it is one of these; else nothing is taken."""
        before = self._at
        kind, told = self._next()
        if kind == "sign" and told in signs:
            return told
        self._at = before
        return ""

    def _need(self, sign: str) -> None:
        if not self._take_sign(sign):
            raise self._wrong(sign)

    def _wrong(self, wanted: str) -> InvalidTemplate:
        rest = self._text[self._at : self._at + 40]
        return self._refuse(f"the expression needs {wanted} before {shown(rest)}")

    def _refuse(self, what: str) -> InvalidTemplate:
        return InvalidTemplate(what, where=self._where)
