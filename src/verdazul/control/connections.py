"""Use cases of connections: an address elsewhere, and the credentials that open it.

Credentials are sealed as soon as they arrive and shown only to whoever asks for them by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verdazul.control.world import World
from verdazul.core.changes import ForgetItem, PutItem
from verdazul.core.records import Item
from verdazul.model.errors import NotFound, UserError
from verdazul.model.show import shown

_KIND = "connections"
_REQUIRED = ("authType", "category")
_OPTIONAL = {
    "target": (str, "a text"),
    "credentials": (dict, "an object"),
    "metadata": (dict, "an object"),
    "isSharedToAll": (bool, "true or false"),
}


@dataclass(frozen=True, slots=True)
class Connection:
    """`properties` as they were put, but for the credentials."""

    name: str
    properties: Mapping[str, Any]
    created_at: float
    modified_at: float


async def put_connection(world: World, name: str, properties: Mapping[str, Any]) -> Connection:
    """Keep it; replaces one of the same name. Raises UserError naming the key that is wrong."""
    for key in _REQUIRED:
        if not isinstance(properties.get(key), str) or not properties[key]:
            raise UserError(
                f"properties.{key} is {shown(properties.get(key))}; it must be a text",
                code="InvalidValue",
            )
    for key, (kind, rule) in _OPTIONAL.items():
        if not isinstance(properties.get(key), kind | None):
            raise UserError(
                f"properties.{key} is {shown(properties[key])}; it must be {rule}",
                code="InvalidValue",
            )
    credentials = properties.get("credentials")
    known = await world.store.item(_KIND, name)
    now = world.clock.now()
    item = Item(
        _KIND,
        known.name if known else name,
        json.dumps({key: value for key, value in properties.items() if key != "credentials"}),
        known.created_at if known else now,
        now,
        world.secrets.seal(json.dumps(credentials)) if credentials else "",
    )
    await world.store.commit(PutItem(item))
    return _connection(item)


async def get_connection(world: World, name: str) -> Connection:
    """Without its credentials. Raises NotFound."""
    return _connection(await _existing(world, name))


async def list_connections(world: World) -> tuple[Connection, ...]:
    """By name, without credentials."""
    return tuple(_connection(item) for item in await world.store.items(_KIND))


async def credentials_of(world: World, name: str) -> tuple[Connection, Mapping[str, Any] | None]:
    """With its credentials. Raises NotFound."""
    item = await _existing(world, name)
    opened = json.loads(world.secrets.open(item.sealed)) if item.sealed else None
    return _connection(item), opened


async def delete_connection(world: World, name: str) -> bool:
    """False when there was none."""
    if await world.store.item(_KIND, name) is None:
        return False
    await world.store.commit(ForgetItem(_KIND, name))
    return True


async def _existing(world: World, name: str) -> Item:
    item = await world.store.item(_KIND, name)
    if item is None:
        raise NotFound(f'connection "{name[:80]}" does not exist')
    return item


def _connection(item: Item) -> Connection:
    return Connection(item.name, json.loads(item.body), item.created_at, item.modified_at)
