"""What a person says of a registry, in Azure's YAML and in ARM's body.

Here a registry is a folder at one place. What Azure says besides (copies in other regions, storage
and container registries of one's own) could have no effect, and is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from verdazul.model.declared import Declared, Text, TextMap, choice
from verdazul.model.errors import UserError
from verdazul.model.show import shown
from verdazul.model.source import Source, name_it, opened, spec_of
from verdazul.model.wire import Codec, Row, Table, Wrong, read, validated

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,31}")
_NOWHERE = {
    "container_registry": "images are not stored in a registry here",
    "intellectual_property": "whoever reads the folder reads all of it",
    "identity": "a folder needs none",
    "managed_resource_group": "a folder is all there is of it",
    "managed_resource_group_tags": "a folder is all there is of it",
    "properties": "nothing here would read them",
}
_PLACE = ("location", "replication_locations", "public_network_access")
_SERVERS = frozenset({"id", "kind", "sku", "discovery_url", "mlflow_registry_uri"})


_REGION = frozenset({"location", "acrDetails", "storageAccountDetails"})


class Access(StrEnum):
    """Who reaches the server reaches its registries."""

    ENABLED = "Enabled"


class RegistrySpec(Declared):
    """A registry."""

    name: Text | None = None
    description: Text | None = None
    tags: TextMap = Field(default_factory=dict)


class RegistryBody(Declared):
    """A registry, as the wire declares it."""

    location: Text | None = None
    description: Text | None = None
    tags: TextMap = Field(default_factory=dict)
    regions: tuple[Text, ...] = ()
    public_network_access: Annotated[Access, choice(Access)] = Access.ENABLED


def read_registry(file: Path) -> RegistrySpec:
    """What a registry's own file says. Raises UserError with file:line.

    Where somebody put it says nothing here: homes elsewhere read the same folder.
    """
    source = opened(file)
    for key in (*_PLACE, *_SERVERS, *_NOWHERE):
        source.tree.pop(key, None)
    return spec_of(RegistrySpec, source)


def load_registry(file: Path | None, flags: Mapping[str, object], *, location: str) -> RegistrySpec:
    """The registry that a file and flags describe, in this home's location.

    Raises UserError naming file:line or flag.
    """
    source = opened(file) if file else Source("the command line", {}, Path())
    name_it(source, **flags)
    for key in _SERVERS & source.tree.keys():
        del source.tree[key]
    for key, why in _NOWHERE.items():
        if source.tree.get(key) is not None:
            raise _no_effect(key, why, source.where((key,)))
    place = {key: source.tree.pop(key, None) for key in _PLACE}
    _check_location("location", place["location"], location, source.where(("location",)))
    _check_copies(place["replication_locations"], location, source)
    if place["public_network_access"] not in (None, "Enabled", "enabled"):
        raise _no_effect(
            "public_network_access",
            "who reaches the server reaches its registries",
            source.where(("public_network_access",)),
        )
    spec = spec_of(RegistrySpec, source)
    if not spec.name:
        raise UserError(
            "no name was given",
            code="MissingKey",
            where=source.subject,
            fix="add `name: ...`, or pass --name",
        )
    check_name(spec.name)
    return spec


def check_name(name: str) -> None:
    """Raise UserError (InvalidRegistryName) for one that no registry can have."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{shown(name)} cannot be a registry's name: 2 to 32 letters, digits, `-` and `_`, the "
            "first a letter or digit",
            code="InvalidRegistryName",
        )


def registry_to_arm(spec: RegistrySpec, location: str) -> dict[str, Any]:
    """The body that declares it."""
    return {
        "location": location,
        "tags": spec.tags,
        "properties": {"description": spec.description} if spec.description else {},
    }


def registry_from_arm(name: str, body: Mapping[str, Any], *, location: str) -> RegistrySpec:
    """What a body says. Raises UserError naming the JSON path."""
    found = read(body, REGISTRY)
    told = validated(RegistryBody, found.mapping, found, REGISTRY)
    for key, place in (("location", told.location), *(("regionDetails", r) for r in told.regions)):
        _check_location(key, place, location)
    check_name(name)
    return RegistrySpec(name=name, description=told.description, tags=told.tags)


def _read_regions(value: object) -> object:
    """Their locations. What Azure would make by itself is not missed; what somebody made would be
    ignored.
    """
    if isinstance(value, list) and all(_is_region(one) for one in value):
        return [one["location"] for one in value]
    raise Wrong("a list of regions, each with its location and no accounts of one's own")


def _is_region(value: object) -> bool:
    if not isinstance(value, Mapping) or not isinstance(value.get("location"), str):
        return False
    accounts = [value.get(key) or [] for key in ("acrDetails", "storageAccountDetails")]
    return value.keys() <= _REGION and all(
        isinstance(some, list) and all(_is_system_made(one) for one in some) for some in accounts
    )


def _is_system_made(account: object) -> bool:
    return isinstance(account, Mapping) and all(
        str(key).startswith("systemCreated") for key in account if account[key]
    )


def _check_copies(copies: object, location: str, source: Source) -> None:
    at = source.where(("replication_locations",))
    if copies is None:
        return
    if not isinstance(copies, list):
        raise UserError("replication_locations must be a list", code="InvalidValue", where=at)
    for copy in copies:
        if not isinstance(copy, Mapping) or "location" not in copy:
            raise UserError(
                "each of replication_locations must have a location", code="MissingKey", where=at
            )
        _check_location("replication_locations.location", copy["location"], location, at)
        for key in copy.keys() - {"location"}:
            raise _no_effect(
                f"replication_locations.{key}", "a registry's files lie in its folder", at
            )


def _check_location(key: str, told: object, location: str, where: str = "") -> None:
    if told is not None and str(told).lower() != location.lower():
        raise UserError(
            f"{key} is {shown(told)}; this home is in {location}, and so are its registries",
            code="WrongLocation",
            where=where,
            fix="leave it out, or set VERDAZUL_LOCATION",
        )


def _no_effect(key: str, why: str, where: str = "") -> UserError:
    return UserError(
        f"{key} of a registry is not supported: {why}",
        code="NotSupportedYet",
        where=where,
        fix="leave it out",
    )


_ACCOUNTS = {"type": "array", "items": {"type": "object"}}
_REGIONS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["location"],
        "properties": {
            "location": {"type": "string"},
            "acrDetails": _ACCOUNTS,
            "storageAccountDetails": _ACCOUNTS,
        },
        "additionalProperties": False,
    },
}
REGISTRY = Table(
    (
        Row("location", "location"),
        Row("tags", "tags"),
        Row("properties.description", "description"),
        Row("properties.publicNetworkAccess", "public_network_access"),
        Row(
            "properties.regionDetails", "regions", Codec(lambda told: told, _read_regions, _REGIONS)
        ),
    ),
    frozenset(
        {
            *("id", "name", "type", "systemData", "identity", "kind", "sku"),
            *(
                f"properties.{name}"
                for name in (
                    "discoveryUrl",
                    "managedResourceGroup",
                    "managedResourceGroupTags",
                    "mlFlowRegistryUri",
                    "provisioningState",
                )
            ),
        }
    ),
)
"""How RegistryBody is written and read."""
