"""Spec and ARM body as two spellings of one tree: a table says which key is which.

A Row joins a place in the JSON body to a place in the spec, with a Codec for values that are
written differently (durations, enum spellings). `write` and `read` are the two directions; because
both follow the same table, they cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar

from pydantic import ValidationError

from verdazul.model.declared import Declared
from verdazul.model.durations import PATTERN, read_duration, write_duration
from verdazul.model.errors import Problem
from verdazul.model.nearest import nearest
from verdazul.model.problems import problems_of, refuse
from verdazul.model.show import Key, dotted, shown

_Spec = TypeVar("_Spec", bound=Declared)


class Wrong(ValueError):
    """A value on the wire that cannot be read; the text is what it must be."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How a value is written on the wire, and read from it. Reading raises Wrong.

    `schema` is what is written, as JSON Schema; None: the same as in the spec.
    """

    write: Callable[[object], object]
    read: Callable[[object], object]
    schema: Mapping[str, object] | None = None


def _same(value: object) -> object:
    return value


PLAIN = Codec(_same, _same)


@dataclass(frozen=True, slots=True)
class Row:
    """`json` and `spec` are dotted places; both name the same value."""

    json: str
    spec: str
    codec: Codec = PLAIN

    @property
    def json_key(self) -> Key:
        """`json` taken apart."""
        return tuple(self.json.split("."))

    @property
    def spec_key(self) -> Key:
        """`spec` taken apart."""
        return tuple(self.spec.split("."))


@dataclass(frozen=True, slots=True)
class Table:
    """All rows of one resource, and the places that only servers write (`dropped`)."""

    rows: Sequence[Row]
    dropped: frozenset[str] = frozenset()

    def json_key(self, key: Key) -> Key:
        """Where the wire has what the spec has at `key`."""
        for row in self.rows:
            if key[: len(row.spec_key)] == row.spec_key:
                return (*row.json_key, *key[len(row.spec_key) :])
        for row in self.rows:
            if row.spec_key[: len(key)] == key:
                return row.json_key[: len(row.json_key) - len(row.spec_key) + len(key)]
        return key


@dataclass(slots=True)
class Read:
    """What a body says, in the spec's words, and what could not be read (`unread`: JSON paths)."""

    mapping: dict[str, object] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)


def write(mapping: Mapping[str, object], table: Table) -> dict[str, object]:
    """The body that says what `mapping` says; absent values stay absent."""
    body: dict[str, object] = {}
    for row in table.rows:
        value = _at(mapping, row.spec_key)
        if value is not None:
            put(body, row.json_key, row.codec.write(value))
    return body


def read(body: object, table: Table) -> Read:
    """What a body says. Null counts as absent; unknown places are problems by their path."""
    result = Read()
    if isinstance(body, Mapping):
        _read_object(body, (), table, result)
    else:
        result.problems.append(
            Problem("InvalidValue", f"the body is {_kind(body)}; it must be a JSON object")
        )
    return result


def validated(
    model: type[_Spec], mapping: Mapping[str, object], found: Read, table: Table
) -> _Spec:
    """The spec. Raises UserError with all problems, of reading and of validation, by JSON path."""

    def path(key: Key) -> str:
        return dotted(table.json_key(key))

    problems = list(found.problems)
    try:
        spec = model.model_validate(mapping)
    except ValidationError as error:
        # What could not be read is missing for validation: one complaint is enough.
        problems += [
            replace(problem, where="")
            for problem in problems_of(error, model, where=path, name=path)
            if problem.where not in found.unread
        ]
        raise refuse(problems, "the request body") from None
    if problems:
        raise refuse(problems, "the request body")
    return spec


def put(tree: dict[str, object], key: Key, value: object) -> None:
    """Set a value at a place, making the objects on the way."""
    spot = tree
    for part in key[:-1]:
        inner = spot.setdefault(str(part), {})
        assert isinstance(inner, dict)  # noqa: S101 - tables never put a value inside a value
        spot = inner
    spot[str(key[-1])] = value


def words(kind: type[StrEnum], **wire: str) -> Codec:
    """An enum: canonical spelling out, any case in. What is no word is left to validation."""
    spelled = {word.value: wire.get(word.name, _pascal(word.value)) for word in kind}
    known = {text.lower(): value for value, text in spelled.items()}

    def write_word(value: object) -> object:
        return spelled[str(value)]

    def read_word(value: object) -> object:
        return known.get(value.lower(), value) if isinstance(value, str) else value

    return Codec(write_word, read_word, {"type": "string", "enum": list(spelled.values())})


def durations(milliseconds: int, unit: str) -> Codec:
    """An ISO-8601 duration that counts units of so many milliseconds in the spec."""

    def write_units(value: object) -> object:
        assert isinstance(value, int)  # noqa: S101 - a validated spec holds integers here
        return write_duration(value * milliseconds)

    def read_units(value: object) -> object:
        found = read_duration(value) if isinstance(value, str) else None
        if found is None or found % milliseconds:
            raise Wrong(f"an ISO-8601 duration of whole {unit}, such as PT5S")
        return found // milliseconds

    schema = {"type": "string", "pattern": PATTERN, "description": f"Whole {unit} (ISO 8601)."}
    return Codec(write_units, read_units, schema)


MILLISECONDS = durations(1, "milliseconds")
SECONDS = durations(1000, "seconds")


def _read_object(body: Mapping[str, object], at: Key, table: Table, result: Read) -> None:
    rows = {row.json_key: row for row in table.rows}
    dropped = {tuple(path.split(".")) for path in table.dropped}
    for name, value in body.items():
        key = (*at, name)
        if key in dropped:
            continue
        if key in rows:
            _read_value(value, rows[key], result)
        elif any(other[: len(key)] == key for other in rows):
            _read_inner(value, key, table, result)
        else:
            result.problems.append(_unknown(key, {*rows, *dropped}))


def _read_inner(value: object, key: Key, table: Table, result: Read) -> None:
    if isinstance(value, Mapping):
        _read_object(value, key, table, result)
    elif value is not None:
        result.problems.append(_invalid(key, value, "an object"))


def _read_value(value: object, row: Row, result: Read) -> None:
    if value is None:
        return
    try:
        found = row.codec.read(value)
    except Wrong as error:
        result.problems.append(_invalid(row.json_key, value, str(error)))
        result.unread.add(row.json)
        return
    if found is not None:
        put(result.mapping, row.spec_key, found)


def _unknown(key: Key, known: set[Key]) -> Problem:
    siblings = {
        str(other[len(key) - 1])
        for other in known
        if len(other) >= len(key) and other[: len(key) - 1] == key[:-1]
    }
    close = nearest(str(key[-1]), siblings)
    fix = f"did you mean {close}?" if close else f"known there: {', '.join(sorted(siblings))}"
    return Problem("UnknownKey", f"unknown property {dotted(key)}; {fix}")


def _invalid(key: Key, value: object, rule: str) -> Problem:
    return Problem("InvalidValue", f"{dotted(key)} is {_kind(value)}; it must be {rule}")


def _kind(value: object) -> str:
    return "null" if value is None else shown(value)


def _at(mapping: Mapping[str, object], key: Key) -> object:
    spot: object = mapping
    for part in key:
        spot = spot.get(str(part)) if isinstance(spot, Mapping) else None
    return spot


def _pascal(word: str) -> str:
    return "".join(part.capitalize() for part in word.split("_"))
