"""What a wire body may hold, as JSON Schema: from the table that reads it and the type behind it.

Both are what requests are judged by, so the description follows them by itself. A value is shown
as it is written; reading forgives more (the case of words, numbers as texts).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic import BaseModel

from verdazul.model.wire import Row, Table

Schema: TypeAlias = dict[str, Any]
SERVERS_OWN = "Written by the server; what a client sends is not looked at."


def request_schema(model: type[BaseModel], table: Table) -> Schema:
    """The body of a PUT. Null counts as absent wherever something may be absent."""
    root = _tree(model, table, may_be_null=True)
    for path in sorted(table.dropped):
        *inner, last = path.split(".")
        spot = _object_at(root, tuple(inner))
        spot["properties"].setdefault(last, {"readOnly": True, "description": SERVERS_OWN})
    return root


def written_schema(model: type[BaseModel], table: Table) -> Schema:
    """What a server writes of it: absent values are left out, and nothing else is there."""
    return _tree(model, table, may_be_null=False)


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]} if schema else schema
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if "null" in kinds:
        return schema
    found = {**schema, "type": [*kinds, "null"]}
    if "enum" in schema:
        found["enum"] = [*schema["enum"], None]
    return found


def _tree(model: type[BaseModel], table: Table, *, may_be_null: bool) -> Schema:
    whole = model.model_json_schema()
    root = _empty()
    for row in table.rows:
        schema, is_needed = _row(row, whole)
        *inner, last = row.json_key
        spot = _object_at(root, tuple(map(str, inner)))
        spot["properties"][str(last)] = (
            nullable(schema) if may_be_null and not is_needed else schema
        )
        if is_needed:
            spot.setdefault("required", []).append(str(last))
    return _with_null_objects(root, is_root=True) if may_be_null else root


def _row(row: Row, whole: Schema) -> tuple[Schema, bool]:
    """What stands there, and whether its object cannot do without."""
    spot, is_needed = whole, False
    for part in row.spec_key:
        is_needed = part in spot.get("required", ())
        spot = _resolved(spot["properties"][str(part)], whole)
    schema = _plain(spot, whole) if row.codec.schema is None else dict(row.codec.schema)
    default = spot.get("default")
    if default is not None:
        schema["default"] = row.codec.write(default)
    return schema, is_needed


def _resolved(node: Schema, whole: Schema) -> Schema:
    """Without null and without a reference; what stands beside them stays."""
    if "anyOf" in node:
        some = [each for each in node["anyOf"] if each.get("type") != "null"]
        rest = {name: value for name, value in node.items() if name != "anyOf"}
        node = {**some[0], **rest} if len(some) == 1 else {**rest, "anyOf": some}
    if "$ref" in node:
        inner = whole["$defs"][node["$ref"].rpartition("/")[2]]
        node = {**inner, **{name: value for name, value in node.items() if name != "$ref"}}
    return node


def _plain(node: Any, whole: Schema) -> Any:
    """All references put in place, without the titles that pydantic adds."""
    if isinstance(node, list):
        return [_plain(each, whole) for each in node]
    if not isinstance(node, Mapping):
        return node
    node = _resolved(dict(node), whole)
    return {
        name: {key: _plain(each, whole) for key, each in value.items()}
        if name == "properties"
        else _plain(value, whole)
        for name, value in node.items()
        if not (name == "title" or (name == "default" and value is None))
    }


def _empty() -> Schema:
    return {"type": "object", "properties": {}, "additionalProperties": False}


def _object_at(root: Schema, key: tuple[str, ...]) -> Schema:
    spot = root
    for part in key:
        spot = spot["properties"].setdefault(part, _empty())
    return spot


def _with_null_objects(schema: Schema, *, is_root: bool = False) -> Schema:
    """Objects that the table made on the way may be null as well."""
    properties = {
        name: _with_null_objects(each) if each.get("additionalProperties") is False else each
        for name, each in schema["properties"].items()
    }
    found = {**schema, "properties": properties}
    return found if is_root or isinstance(schema["type"], list) else nullable(found)
