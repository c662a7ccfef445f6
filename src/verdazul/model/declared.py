"""What declared things share: frozen, no unknown keys, values that read as they are written.

YAML hands over every scalar as the text in the file (see document.py) and JSON hands over numbers
and booleans; the field types here read both. So `version: 1.10` stays "1.10", `DEBUG: on` stays
"on" where a text is asked for, and `instance_count: 1:30` is refused rather than taken for 90.

A rule that is broken is told in one of two ways: `must_be("a whole number")` when the value alone
is wrong (problems.py adds key and value), `says(code, text)` when the sentence needs more.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from verdazul.model.names import LONGEST, PATTERN, SHORTEST, name_problem

_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})

KEY = "{key}"

_Choice = TypeVar("_Choice", bound=StrEnum)


class Declared(BaseModel):
    """A part of what a person declared."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    def to_mapping(self) -> dict[str, Any]:
        """As YAML would hold it: plain values, absent keys left out."""
        return self.model_dump(mode="json", exclude_none=True)


def must_be(rule: str) -> PydanticCustomError:
    """The value is not what the rule asks for."""
    return PydanticCustomError("must_be", "{rule}", {"rule": rule})


def says(code: str, text: str, *, at: tuple[str | int, ...] = (), fix: str = "") -> Exception:
    """A whole sentence about the value, or about the part of it that `at` leads to.

    KEY in the text becomes that key, as its reader knows it: dotted YAML, or a JSON path.
    """
    return PydanticCustomError("says", "{text}", {"code": code, "text": text, "at": at, "fix": fix})


def read_text(value: object) -> str:
    """A text; numbers and booleans become the text that JSON writes for them."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if not isinstance(value, str):
        raise must_be("a text")
    if "\0" in value or not _is_unicode(value):
        raise must_be("a text without NUL and without broken Unicode")
    return str(value)


def read_mapping(value: object) -> Mapping[str, object]:
    """A mapping whose keys are texts."""
    if not isinstance(value, Mapping):
        raise must_be("a mapping of names to values")
    return {read_text(key): item for key, item in value.items()}


def whole(minimum: int, maximum: int | None = None) -> BeforeValidator:
    """An integer within bounds, both included."""
    rule = f"a whole number, at least {minimum}"
    if maximum is not None:
        rule = f"a whole number from {minimum} to {maximum}"

    def read(value: object) -> int:
        number = read_integer(value)
        if number is None or number < minimum or (maximum is not None and number > maximum):
            raise must_be(rule)
        return number

    return BeforeValidator(read, json_schema_input_type=_bounded(minimum, maximum))


_NAME = Annotated[str, Field(min_length=SHORTEST, max_length=LONGEST, pattern=f"^{PATTERN}$")]


def _bounded(minimum: int, maximum: int | None) -> Any:
    """How the API's description says it; validation is the reader's alone."""
    return Annotated[int, Field(ge=minimum, le=maximum)]


def fraction(value: object) -> float:
    """A number from 0 to 1."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    ok = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not ok or not 0 <= value <= 1:  # type: ignore[operator]  # `ok` says it is a number
        raise must_be("a number from 0 to 1")
    return float(value)  # type: ignore[arg-type]  # as above


def read_truth(value: object) -> bool:
    """A boolean, in any of YAML's spellings."""
    text = str(value).lower() if isinstance(value, str | bool) else ""
    if text not in _TRUE | _FALSE:
        raise must_be("true or false")
    return text in _TRUE


def choice(kind: type[_Choice]) -> BeforeValidator:
    """One of the words of `kind`; case, `_` and `-` do not count, so AMLToken is aml_token."""
    words = {_plain(word.value): word for word in kind}
    *most, last = (word.value for word in kind)
    rule = f"{', '.join(most)} or {last}"

    def read(value: object) -> _Choice:
        word = words.get(_plain(value)) if isinstance(value, str) else None
        if word is None:
            raise must_be(rule)
        return word

    return BeforeValidator(read)


def is_word(value: object, word: StrEnum) -> bool:
    """Whether a value spells this word, as `choice` reads it."""
    return isinstance(value, str) and _plain(value) == _plain(word.value)


def named(what: str) -> BeforeValidator:
    """A name that keeps Azure's rules."""

    def read(value: object) -> str:
        name = read_text(value)
        problem = name_problem(name, what=what)
        if problem:
            raise says("InvalidName", problem)
        return name

    return BeforeValidator(read, json_schema_input_type=_NAME)


def read_integer(value: object) -> int | None:
    """The integer that a value is, or is the plain decimal text of; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    return None


def _filled(value: object) -> str:
    text = read_text(value)
    if not text.strip():
        raise must_be("a text that is not empty")
    return text


def _plain(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


Text = Annotated[str, BeforeValidator(read_text)]
Filled = Annotated[
    str, BeforeValidator(_filled, json_schema_input_type=Annotated[str, Field(min_length=1)])
]
Truth = Annotated[bool, BeforeValidator(read_truth)]
Fraction = Annotated[
    float, BeforeValidator(fraction, json_schema_input_type=Annotated[float, Field(ge=0, le=1)])
]
TextMap = Annotated[dict[str, Text], BeforeValidator(read_mapping)]
