"""The parameters of an ARM template: what was given for them, what their defaults say, and whether
that may be.
"""

from __future__ import annotations

from collections.abc import Mapping

from verdazul.model.arm_expression import Function, InvalidTemplate, Json, evaluate
from verdazul.model.nearest import nearest
from verdazul.model.show import shown

_KEYS = frozenset(
    {"type", "defaultValue", "allowedValues", "metadata"}
    | {"minValue", "maxValue", "minLength", "maxLength"}
)
_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "securestring": (str,),
    "int": (int,),
    "bool": (bool,),
    "object": (dict,),
    "secureobject": (dict,),
    "array": (list,),
}


def read_parameters(
    declared: Mapping[str, Mapping[str, Json]],
    given: Mapping[str, Json],
    functions: Mapping[str, Function],
) -> dict[str, Json]:
    """Every parameter's value, its own or its default. Raises InvalidTemplate."""
    names = {name.lower(): name for name in declared}
    values: dict[str, Json] = {}
    for name, one in given.items():
        if name.lower() not in names:
            close = nearest(name, declared)
            there = f"there are {', '.join(declared)}" if declared else "it has none"
            fix = f"did you mean {close}?" if close else there
            raise InvalidTemplate(f"the template has no parameter {shown(name)}", fix=fix)
        entry = as_object(one, f"the parameter {name}")
        if "value" not in entry or set(entry) - {"value", "metadata"}:
            raise InvalidTemplate(
                'it must be {"value": ...}', where=f"parameters.{name}", fix="give the value itself"
            )
        values[names[name.lower()]] = entry["value"]
    own = {**functions, "parameters": lookup(values, "parameter")}
    for name, told in declared.items():
        for key in told:
            if key not in _KEYS:
                raise InvalidTemplate(
                    f"{key} is not supported in a parameter here",
                    where=f"parameters.{name}",
                    fix=f"known: {', '.join(sorted(_KEYS))}",
                )
        if name not in values:
            if "defaultValue" not in told:
                raise InvalidTemplate(
                    f"the parameter {name} has no value and no defaultValue",
                    fix=f"pass --parameters {name}=...",
                )
            where = f"parameters.{name}.defaultValue"
            values[name] = evaluate(told["defaultValue"], own, where)
        _check(name, values[name], told)
    return values


def _check(name: str, value: Json, told: Mapping[str, Json]) -> None:
    where, kind = f"parameters.{name}", str(told.get("type")).lower()
    if kind not in _KINDS:
        raise InvalidTemplate(
            f"type is {shown(told.get('type'))}; it must be one of {', '.join(_KINDS)}", where=where
        )
    is_right = isinstance(value, _KINDS[kind]) and (kind == "bool" or not isinstance(value, bool))
    secret = kind.startswith("secure")
    said = "a secret" if secret else shown(value)
    if not is_right:
        raise InvalidTemplate(f"it is {said}; it must be of type {told['type']}", where=where)
    allowed = told.get("allowedValues")
    if isinstance(allowed, list) and value not in allowed:
        raise InvalidTemplate(f"it is {said}; it must be one of {shown(allowed)}", where=where)
    size = value if kind == "int" else len(value) if isinstance(value, str | list) else None
    low, high = ("minValue", "maxValue") if kind == "int" else ("minLength", "maxLength")
    least, most = told.get(low), told.get(high)
    if isinstance(size, int) and isinstance(least, int) and size < least:
        raise InvalidTemplate(f"it is {said}; {low} is {least}", where=where)
    if isinstance(size, int) and isinstance(most, int) and size > most:
        raise InvalidTemplate(f"it is {said}; {high} is {most}", where=where)


def lookup(values: Mapping[str, Json], what: str) -> Function:
    """Finds a value by its name, in any case."""

    def look(name: str) -> Json:
        for known, value in values.items():
            if known.lower() == str(name).lower():
                return value
        raise InvalidTemplate(f"there is no {what} {shown(name)}")

    return look


def as_object(value: object, what: str) -> dict[str, Json]:
    """Raise InvalidTemplate for anything else."""
    if not isinstance(value, dict):
        raise InvalidTemplate(f"{what} is {shown(value)}; it must be an object")
    return value
