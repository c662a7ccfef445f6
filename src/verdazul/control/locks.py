"""Locks on the workspace, an endpoint or a deployment: what nobody may delete, or change, for now.

A lock holds for its place and everything below it. Its place is a path below the workspace, in
lower case: "" is the workspace itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from verdazul.control.world import World
from verdazul.core.changes import ForgetItem, PutItem
from verdazul.core.records import Item
from verdazul.model.errors import Conflict, NotFound

_KIND = "locks"


class Level(StrEnum):
    """Azure's words."""

    CAN_NOT_DELETE = "CanNotDelete"
    READ_ONLY = "ReadOnly"


@dataclass(frozen=True, slots=True)
class Lock:
    """`notes` is for people."""

    place: str
    name: str
    level: Level
    notes: str = ""

    def forbids(self, method: str, place: str) -> bool:
        """Whether this request has to wait. A deletion takes what is below with it."""
        is_inside = _is_below(place, self.place)
        if method == "DELETE" and (is_inside or _is_below(self.place, place)):
            return True
        return self.level is Level.READ_ONLY and is_inside and method not in {"GET", "HEAD"}


async def put_lock(world: World, lock: Lock) -> bool:
    """Keep it, replacing one of the same name there; whether it is new."""
    key = _key(lock.place, lock.name)
    known = await world.store.item(_KIND, key)
    now = world.clock.now()
    body = json.dumps([lock.place, lock.name, lock.level.value, lock.notes])
    since = known.created_at if known else now
    await world.store.commit(PutItem(Item(_KIND, key, body, since, now)))
    return known is None


async def get_lock(world: World, place: str, name: str) -> Lock:
    """Raise NotFound when there is none."""
    item = await world.store.item(_KIND, _key(place, name))
    if item is None:
        raise NotFound(f'there is no lock "{name[:80]}" here')
    return _lock(item)


async def list_locks(world: World, place: str) -> tuple[Lock, ...]:
    """Those at this place and below it."""
    found = (_lock(item) for item in await world.store.items(_KIND))
    return tuple(lock for lock in found if _is_below(lock.place, place))


async def delete_lock(world: World, place: str, name: str) -> bool:
    """False when there was none."""
    key = _key(place, name)
    if await world.store.item(_KIND, key) is None:
        return False
    await world.store.commit(ForgetItem(_KIND, key))
    return True


async def refuse_locked(world: World, method: str, place: str) -> None:
    """Raise Conflict (ScopeLocked) when a lock forbids this request."""
    for item in await world.store.items(_KIND):
        lock = _lock(item)
        if lock.forbids(method, place.lower()):
            raise Conflict(
                f'{method} is not possible: lock "{lock.name}" ({lock.level}) is on '
                f"{lock.place or 'the workspace'}",
                code="ScopeLocked",
                fix="remove the lock first",
            )


def _is_below(place: str, above: str) -> bool:
    return not above or place == above or place.startswith(f"{above}/")


def _key(place: str, name: str) -> str:
    return f"{place}/{name}".lower()


def _lock(item: Item) -> Lock:
    place, name, level, notes = json.loads(item.body)
    return Lock(place, name, Level(level), notes)
