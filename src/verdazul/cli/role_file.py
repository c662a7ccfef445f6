"""Roles as people write them for `az role definition`: a JSON text, or a file with one.

{"Name": "Endpoint Caller", "Actions": ["..."], "AssignableScopes": ["/subscriptions/..."]}

What `role definition list` prints is read, too: there `name` is the id and `roleName` the name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verdazul.model.errors import UserError
from verdazul.model.nearest import nearest
from verdazul.model.show import shown

_PERMISSIONS = ("actions", "notActions", "dataActions", "notDataActions")
_KNOWN = ("name", "roleName", "id", "description", "assignableScopes", "permissions", *_PERMISSIONS)
_SHOWN = {"iscustom", "roletype", "type", "createdon", "updatedon", "createdby", "updatedby"}
_BY_LOWER = {key.lower(): key for key in _KNOWN}


@dataclass(frozen=True, slots=True)
class Written:
    """`id` is the GUID or ARM id that it names, "" for none; `properties` are those of REST."""

    id: str
    properties: dict[str, Any]

    @property
    def name(self) -> str:
        """What people call the role."""
        return str(self.properties["roleName"])


def read(text: str) -> Written:
    """A JSON text, a file's path, or @ and a file's path. Raises UserError."""
    source, where = (text, "--role-definition") if _is_json(text) else _file(text)
    try:
        found = json.loads(source)
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise UserError(f"{where}{line} is not JSON: {error}", code="InvalidJson") from error
    return _written(_named(found, where), where)


def _is_json(text: str) -> bool:
    return text.lstrip().startswith("{")


def _file(text: str) -> tuple[str, str]:
    path = Path(text.removeprefix("@")).expanduser()
    try:
        return path.read_text(encoding="utf-8-sig"), str(path)
    except (OSError, ValueError) as error:
        raise UserError(
            f"--role-definition is {shown(text)}; it must be JSON, or a file with it: {error}",
            code="InvalidArguments",
        ) from error


def _named(found: Any, where: str) -> dict[str, Any]:
    """By our spelling of the keys: az takes `AssignableScopes` and `assignableScopes`."""
    if not isinstance(found, Mapping):
        raise UserError(
            f"{where} is {shown(found)}; it must be an object with Name, Actions and "
            "AssignableScopes",
            code="InvalidRoleDefinition",
        )
    named: dict[str, Any] = {}
    for key, value in found.items():
        if key.lower() in _SHOWN:
            continue
        known = _BY_LOWER.get(key.lower())
        if known is None or known in named:
            meant = nearest(key, _KNOWN)
            what = "is there twice" if known else "is no key of a role"
            raise UserError(
                f"{where}: {shown(key)} {what}",
                code="UnknownKey",
                fix=f"did you mean {meant}?" if meant and not known else "delete it",
            )
        named[known] = value
    return named


def _written(named: dict[str, Any], where: str) -> Written:
    name, id_ = named.get("roleName"), named.get("id") or ""
    if name is None:
        name = named.get("name")
    elif not id_:
        id_ = named.get("name") or ""
    if not isinstance(name, str) or not name or not isinstance(id_, str):
        raise UserError(
            f"{where}: Name is {shown(name)}; it must be what people call the role",
            code="InvalidRoleDefinition",
        )
    flat = {key: named[key] for key in _PERMISSIONS if key in named}
    if flat and "permissions" in named:
        raise UserError(
            f"{where} has both permissions and {', '.join(flat)}; say it once",
            code="InvalidRoleDefinition",
        )
    properties = {
        "roleName": name,
        "description": named.get("description"),
        "assignableScopes": named.get("assignableScopes"),
        "permissions": named.get("permissions") or [flat],
    }
    return Written(id_, {key: value for key, value in properties.items() if value is not None})
