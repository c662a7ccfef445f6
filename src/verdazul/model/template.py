"""An ARM template with its parameters: read, checked, and put in the order in which it applies.

Everything that can be known before anything is changed is known here: values and their types,
functions, resource types, dependencies and their cycles. What only Azure has (linked templates,
copy loops, other scopes) is refused by name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from verdazul.model.arm_expression import Function, InvalidTemplate, Json, evaluate
from verdazul.model.arm_functions import FUNCTIONS
from verdazul.model.nearest import nearest
from verdazul.model.show import shown
from verdazul.model.template_parameters import as_object, lookup, read_parameters

MOST_RESOURCES = 800
MOST_PARAMETERS = 256
MOST_VARIABLES = 256
"""Azure's limits."""
_TOP = frozenset(
    {"$schema", "contentVersion", "apiProfile", "metadata"}
    | {"parameters", "variables", "resources", "outputs"}
)
_RESOURCE = frozenset(
    {"type", "apiVersion", "name", "comments", "condition", "dependsOn"}
    | {"location", "tags", "identity", "sku", "kind", "properties"}
)
_OUTPUT = frozenset({"type", "value", "metadata"})
_BODY = ("location", "tags", "identity", "sku", "kind", "properties")
Reference = Callable[[str], Json]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a template applies, and what it may put there: ARM types in lower case."""

    subscription: str
    group: str
    location: str
    types: tuple[str, ...]

    @property
    def group_id(self) -> str:
        """As an ARM id."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource; `body` is evaluated when its turn comes, since it may refer to others."""

    id: str
    type: str
    where: str
    raw: Mapping[str, Json]
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be put, in order. `parameters` are those that may be shown."""

    resources: tuple[Resource, ...]
    parameters: Mapping[str, Json]
    outputs: Mapping[str, Mapping[str, Json]]
    functions: Mapping[str, Function] = field(repr=False)

    def body(self, resource: Resource, reference: Reference) -> dict[str, Json]:
        """What is put. Raises InvalidTemplate."""
        functions = {**self.functions, "reference": _reference(reference)}
        return {
            key: evaluate(resource.raw[key], functions, f"{resource.where}.{key}")
            for key in _BODY
            if key in resource.raw
        }

    def results(self, reference: Reference) -> dict[str, Json]:
        """The outputs, once everything is there."""
        functions = {**self.functions, "reference": _reference(reference)}
        return {
            name: {
                "type": told.get("type"),
                "value": evaluate(told.get("value"), functions, f"outputs.{name}"),
            }
            for name, told in self.outputs.items()
            if str(told.get("type")).lower() not in {"securestring", "secureobject"}
        }


def read_template(template: object, given: object, place: Place) -> Plan:
    """Raise InvalidTemplate saying where it is wrong; nothing was changed then."""
    top = as_object(template, "the template")
    _refuse_others(top, _TOP, "")
    if "$schema" not in top or "resources" not in top:
        raise InvalidTemplate("the template needs $schema and resources")
    functions: dict[str, Function] = {**FUNCTIONS, **_of_place(place)}
    declared = _objects(top.get("parameters"), "parameters", MOST_PARAMETERS)
    values = read_parameters(declared, as_object(given, "parameters"), functions)
    functions["parameters"] = lookup(values, "parameter")
    variables = as_object(top.get("variables") or {}, "variables")
    _refuse_too_many(variables, MOST_VARIABLES, "variables")
    functions["variables"] = _Variables(variables, functions).value
    unwanted: set[str] = set()
    resources = _ordered(list(_resources(top["resources"], functions, place, unwanted)), unwanted)
    secret = {n for n, told in declared.items() if str(told.get("type")).lower()[:6] == "secure"}
    plan = Plan(
        tuple(resources),
        {name: value for name, value in values.items() if name not in secret},
        _objects(top.get("outputs"), "outputs", MOST_PARAMETERS),
        functions,
    )
    for name, told in plan.outputs.items():
        _refuse_others(told, _OUTPUT, f"outputs.{name}")
    _check_early(plan)
    return plan


class _LaterError(Exception):
    """What it depends on is not there yet."""


def _check_early(plan: Plan) -> None:
    """Evaluate all that needs nothing of what is still to be made."""

    def later(_id: str) -> Json:
        raise _LaterError

    for resource in plan.resources:
        for key in _BODY:
            part = {name: one for name, one in resource.raw.items() if name == key}
            with contextlib.suppress(_LaterError):
                plan.body(replace(resource, raw=part), later)
    with contextlib.suppress(_LaterError):
        plan.results(later)


def _resources(
    told: object, functions: Mapping[str, Function], place: Place, unwanted: set[str]
) -> Iterator[Resource]:
    """Those whose condition holds; the names of others become `unwanted`."""
    if not isinstance(told, list):
        raise InvalidTemplate("it must be a list", where="resources")
    _refuse_too_many(told, MOST_RESOURCES, "resources")
    seen: set[str] = set()
    for n, one in enumerate(told):
        where = f"resources[{n}]"
        raw = as_object(one, where)
        _refuse_others(raw, _RESOURCE, where)
        is_wanted = evaluate(raw.get("condition", True), functions, f"{where}.condition")
        kind = str(evaluate(raw.get("type"), functions, f"{where}.type"))
        name = str(evaluate(raw.get("name"), functions, f"{where}.name"))
        if not _truth(is_wanted, where):
            unwanted |= {name.lower(), name.lower().rpartition("/")[2]}
            continue
        id_ = _id_of(kind, name.split("/"), place, where)
        if id_.lower() in seen:
            raise InvalidTemplate(f"{name} is there twice", where=where)
        seen.add(id_.lower())
        needs = evaluate(raw.get("dependsOn") or [], functions, f"{where}.dependsOn")
        if not isinstance(needs, list):
            raise InvalidTemplate("it must be a list", where=f"{where}.dependsOn")
        yield Resource(id_, kind, where, raw, tuple(str(need) for need in needs))


def _id_of(kind: str, names: list[str], place: Place, where: str) -> str:
    if kind.lower() not in place.types:
        close = nearest(kind, place.types)
        known = f"did you mean {close}?" if close else f"known: {', '.join(place.types)}"
        raise InvalidTemplate(
            f"resources of type {shown(kind)} are not made here", where=f"{where}.type", fix=known
        )
    provider, *types = kind.split("/")
    if len(names) != len(types) or not all(names):
        raise InvalidTemplate(
            f"name is {shown('/'.join(names))}; {kind} needs {len(types)} parts with / between",
            where=f"{where}.name",
        )
    pairs = "/".join(f"{one}/{name}" for one, name in zip(types, names, strict=True))
    return f"{place.group_id}/providers/{provider}/{pairs}"


def _ordered(resources: list[Resource], unwanted: Collection[str]) -> list[Resource]:
    """Each after what it needs, else as written. Raises InvalidTemplate for a cycle, naming it.

    Source: Azure Resource Manager drops a dependency on a resource whose condition is false.
    """
    by_key: dict[str, Resource] = {}
    for one in resources:
        names = one.id.lower().partition("/providers/")[2].split("/")[2::2]
        by_key |= {one.id.lower(): one, "/".join(names): one}
        by_key.setdefault(names[-1], one)
    done: list[Resource] = []
    open_: list[Resource] = []

    def visit(one: Resource) -> None:
        if one in done:
            return
        if one in open_:
            names = " -> ".join(each.id.rpartition("/")[2] for each in [*open_, one])
            raise InvalidTemplate(f"resources need each other in a circle: {names}")
        open_.append(one)
        for need in one.needs:
            found = by_key.get(need.lower())
            if found is None and need.startswith("/"):
                continue  # it is there already, or its own request says that it is not
            if found is None and need.lower() in unwanted:
                continue
            if found is None:
                raise InvalidTemplate(
                    f"dependsOn names {shown(need)}, which is no resource of the template",
                    where=one.where,
                )
            visit(found)
        open_.pop()
        done.append(one)

    for one in resources:
        visit(one)
    return done


class _Variables:
    """Variables, each evaluated when it is first asked for; one that needs itself is refused."""

    def __init__(self, raw: Mapping[str, Json], functions: Mapping[str, Function]) -> None:
        self._raw = {name.lower(): value for name, value in raw.items()}
        self._functions = functions
        self._known: dict[str, Json] = {}
        self._open: list[str] = []

    def value(self, name: str) -> Json:
        """Raises InvalidTemplate."""
        key = str(name).lower()
        if key in self._known:
            return self._known[key]
        if key not in self._raw:
            close = nearest(key, self._raw)
            fix = f"did you mean {close}?" if close else ""
            raise InvalidTemplate(f"there is no variable {shown(name)}", fix=fix)
        if key in self._open:
            told = " -> ".join([*self._open, key])
            raise InvalidTemplate(f"variables need each other in a circle: {told}")
        self._open.append(key)
        try:
            self._known[key] = evaluate(self._raw[key], self._functions, f"variables.{name}")
        finally:
            self._open.pop()
        return self._known[key]


def _of_place(place: Place) -> dict[str, Function]:
    def resource_id(*parts: str) -> Json:
        at = next(n for n, part in enumerate(parts) if "/" in part)
        kind, names = parts[at], parts[at + 1 :]
        around = dict(zip(("group", "subscription"), reversed(parts[:at]), strict=False))
        provider, *types = kind.split("/")
        if len(types) != len(names):
            raise ValueError(f"{kind} needs {len(types)} names")
        pairs = "/".join(f"{one}/{name}" for one, name in zip(types, names, strict=True))
        subscription = around.get("subscription", place.subscription)
        group = around.get("group", place.group)
        return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{pairs}"

    return {
        "resourceid": resource_id,
        "resourcegroup": lambda: {
            "id": place.group_id,
            "name": place.group,
            "location": place.location,
            "tags": {},
        },
        "subscription": lambda: {
            "id": f"/subscriptions/{place.subscription}",
            "subscriptionId": place.subscription,
        },
        "reference": lambda *_: _not_here(),
    }


def _not_here() -> Json:
    raise ValueError("reference can be used in properties and outputs only")


def _reference(look: Reference) -> Function:
    def reference(id_: str, version: str = "", full: str = "") -> Json:
        del version, full
        return look(id_)

    return reference


def _truth(value: Json, where: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidTemplate(
            f"it is {shown(value)}, not true or false", where=f"{where}.condition"
        )
    return value


def _objects(value: object, what: str, most: int) -> dict[str, dict[str, Json]]:
    found = as_object(value or {}, what)
    _refuse_too_many(found, most, what)
    return {name: as_object(one, f"{what}.{name}") for name, one in found.items()}


def _refuse_too_many(found: Any, most: int, what: str) -> None:
    if len(found) > most:
        raise InvalidTemplate(f"there are {len(found)} {what}; {most} are possible")


def _refuse_others(found: Mapping[str, Json], known: frozenset[str], where: str) -> None:
    for key in found:
        if key not in known:
            close = nearest(key, known)
            fix = f"did you mean {close}?" if close else f"known: {', '.join(sorted(known))}"
            raise InvalidTemplate(
                f"{key} is not supported in a template here", where=where, fix=fix
            )
