"""From what pydantic found to what a person reads: every problem with its key, value and place.

A place is anything a caller can say about a key: `blue.yml:7`, `--set traffic.blue=200`, or nothing
for the API, where the key itself is the JSON path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_core import ErrorDetails

from verdazul.model.declared import KEY
from verdazul.model.errors import Problem, UserError
from verdazul.model.nearest import nearest
from verdazul.model.show import Key, dotted, shown

_KINDS = {
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
}
_READ_ONLY = frozenset(
    {"id", "kind", "provisioning_state", "scoring_uri", "openapi_uri", "resourceGroup"}
)
_OWN_WORDS = {"conda_text": "conda_file"}


def problems_of(
    error: ValidationError,
    model: type[BaseModel],
    *,
    where: Callable[[Key], str],
    name: Callable[[Key], str] = dotted,
) -> list[Problem]:
    """One Problem for each thing pydantic found; `name` writes a key, `where` says its place."""
    return [_problem(found, model, where, name) for found in error.errors(include_url=False)]


def refuse(problems: Sequence[Problem], subject: str) -> UserError:
    """The error that says them all: one as it is, several in `details` in the order of the file.

    With several, code is the first one's: the one to mend first.
    """
    if len(problems) == 1:
        return _error(problems[0])
    ordered = sorted(problems, key=_line)
    return UserError(
        f"{len(ordered)} problems in {subject}",
        code=ordered[0].code,
        details=tuple(ordered),
    )


def unknown_key(key: Key, model: type[BaseModel], *, where: str, written: str) -> Problem:
    """A key that `model` does not have at that place, with the one that was probably meant."""
    word = str(key[-1])
    names = sorted(_names(_model_at(model, key[:-1])))
    if len(key) == 1 and word in _READ_ONLY:
        fix = "it is written by the service; delete the line"
    elif home := _home(word, model):
        fix = f"did you mean `{dotted(home)}`?"
    elif close := nearest(word, names):
        fix = f"did you mean `{close}`?"
    else:
        fix = f"known keys: {', '.join(names)}"
    return Problem("UnknownKey", f"unknown key `{written}`; {fix}", where=where)


def _problem(
    found: ErrorDetails,
    model: type[BaseModel],
    where: Callable[[Key], str],
    name: Callable[[Key], str],
) -> Problem:
    key = _key(found["loc"])
    context: Mapping[str, Any] = found.get("ctx", {})
    match found["type"]:
        case "says":
            told = (*key, *context["at"])
            text = context["text"].replace(KEY, name(told))
            return Problem(context["code"], text, context["fix"], where(told))
        case "extra_forbidden":
            return unknown_key(key, model, where=where(key), written=name(key))
        case "missing":
            return _missing(key, where(key), name)
        case "must_be":
            rule = str(context["rule"])
        case kind:
            rule = _KINDS.get(kind, found["msg"])
    return Problem(
        "InvalidValue", f"{name(key)} {_is(found['input'])}; it must be {rule}", "", where(key)
    )


def _missing(key: Key, where: str, name: Callable[[Key], str]) -> Problem:
    fixes: dict[Key, str] = {
        ("name",): "add `name: ...` or give --name",
        ("endpoint_name",): "add `endpoint_name: ...` or give --endpoint-name",
    }
    return Problem("MissingKey", f"missing key `{name(key)}`", fixes.get(key, ""), where)


def _is(value: object) -> str:
    return "has no value" if value is None else f"is {shown(value)}"


def _key(loc: Sequence[str | int]) -> Key:
    """Without the marks that pydantic adds for unions (`<inline>`) and for keys (`[key]`)."""
    return tuple(part for part in loc if not re.fullmatch(r"<\w+>|\[key\]", str(part)))


def _line(problem: Problem) -> tuple[str, int]:
    file, _, line = problem.where.rpartition(":")
    return (file, int(line)) if line.isdecimal() else ("\U0010ffff", 0)


def _names(model: type[BaseModel] | None) -> set[str]:
    """The keys that YAML may hold at a place."""
    names: set[str] = set()
    for name, field in model.model_fields.items() if model else ():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [_OWN_WORDS.get(name, name)]
        names.update(choice for choice in choices if isinstance(choice, str))
    return names


def _model_at(model: type[BaseModel], key: Key) -> type[BaseModel] | None:
    """The model that stands at a key; None where there is none."""
    found: type[BaseModel] | None = model
    for part in key:
        field = found.model_fields.get(str(part)) if found else None
        if field:
            found = _first_model(field.annotation)
    return found


def _first_model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = (_first_model(part) for part in get_args(annotation))
    return next((model for model in models if model), None)


def _home(word: str, model: type[BaseModel]) -> Key | None:
    """Where in `model` a key of that very name stands, at the top or one level down."""
    if word in _names(model):
        return (word,)
    for name, field in model.model_fields.items():
        inner = _first_model(field.annotation)
        if inner and word in _names(inner):
            return (name, word)
    return None


def _error(problem: Problem) -> UserError:
    return UserError(
        problem.message,
        code=problem.code,
        fix=problem.fix,
        where=problem.where,
        log_tail=problem.log_tail,
        details=problem.details,
    )
