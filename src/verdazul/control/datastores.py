"""Use cases of datastores: containers of storage accounts, under names that paths begin with.

One is always there, the workspace's own. What opens the others is sealed as soon as it arrives, and
shown only by listSecrets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from verdazul.control.assets import deployments_of, refuse_other_workspace
from verdazul.control.endpoints import Precondition
from verdazul.control.world import World
from verdazul.core.blobs import DEFAULT_CONTAINER, DEFAULT_STORE, Elsewhere, Place
from verdazul.core.changes import ForgetItem, PutItem
from verdazul.core.records import Item
from verdazul.model.datastore import (
    CredentialsType,
    DatastoreSpec,
    keep_secret,
    refuse_changed,
)
from verdazul.model.errors import Conflict, NotFound, UserError
from verdazul.model.locations import parse_datastore_path
from verdazul.model.names import same_name

_KIND = "datastores"
_ASSETS = ("codes", "models", "environments", "data")
_TAG_DIGITS = 14  # in hex: what fits an ETag of this API


@dataclass(frozen=True, slots=True)
class Datastore:
    """`spec` is without its secret; `tag` is another one after every change."""

    spec: DatastoreSpec
    created_at: float
    modified_at: float
    tag: int


@dataclass(frozen=True, slots=True)
class Put:
    """What came of it."""

    datastore: Datastore
    is_new: bool


async def put_datastore(
    world: World, spec: DatastoreSpec, *, precondition: Precondition, is_tried: bool
) -> Put:
    """Keep it; one of the same name gets its credentials and words. Raises UserError.

    `is_tried`: only when its credentials open its container now.
    """
    _refuse_own(spec.name, "changed")
    if is_tried:
        known = await world.store.item(_KIND, spec.name)
        await world.accounts.check(_completed(world, known, spec))
    async with world.turns.of(f"{_KIND}/{spec.name}"):
        known = await world.store.item(_KIND, spec.name)
        what = f'datastore "{spec.name}"'
        precondition.check(what, _tag(known) if known else None)
        whole = _completed(world, known, spec)
        now = world.clock.now()
        item = Item(
            _KIND,
            known.name if known else spec.name,
            json.dumps(whole.public.to_mapping(), sort_keys=True),
            known.created_at if known else now,
            now,
            world.secrets.seal(whole.credentials.secret) if whole.credentials.secret else "",
        )
        await world.store.commit(PutItem(item))
    return Put(_datastore(item), is_new=known is None)


async def get_datastore(world: World, name: str) -> Datastore:
    """Without its secret. Raises NotFound."""
    return _datastore(await _existing(world, name))


async def list_datastores(world: World) -> tuple[Datastore, ...]:
    """By name, without the workspace's own."""
    return tuple(_datastore(item) for item in await world.store.items(_KIND))


async def opened_datastore(world: World, name: str) -> DatastoreSpec:
    """With its secret. Raises NotFound."""
    return _opened(world, await _existing(world, name))


async def secrets_of(world: World, name: str) -> DatastoreSpec:
    """With its secret. Raises NotFound, UserError for one that has none."""
    spec = await opened_datastore(world, name)
    if spec.credentials.type is CredentialsType.NONE:
        raise UserError(
            f'datastore "{spec.name}" has no credentials: it is opened by the identity of whoever '
            "reads it",
            code="NoCredentials",
        )
    return spec


async def delete_datastore(world: World, name: str, *, precondition: Precondition) -> bool:
    """Forget it and its credentials; what is in the account stays. False when there was none.

    Raises Conflict (DatastoreInUse) while a deployment is made from an asset that lies there.
    """
    _refuse_own(name, "deleted")
    async with world.turns.of(f"{_KIND}/{name}"):
        known = await world.store.item(_KIND, name)
        precondition.check(f'datastore "{name}"', _tag(known) if known else None)
        if known is None:
            return False
        users = await _users(world, known.name)
        if users:
            raise Conflict(
                f'datastore "{known.name}" is where {"; ".join(users[:5])}; it cannot be deleted',
                code="DatastoreInUse",
                fix="delete the deployment first; to change what opens it, update the datastore",
            )
        await world.store.commit(ForgetItem(_KIND, name))
    return True


async def place_of(world: World, uri: str) -> Place | Elsewhere | None:
    """Where `azureml://.../datastores/<name>/paths/<path>` lies; None for any other address.

    Raises NotFound for a datastore that is not here.
    """
    found = parse_datastore_path(uri)
    if found is None:
        return None
    if found.workspace:
        refuse_other_workspace(world, found.workspace)
    if is_own(found.datastore):
        return Place(DEFAULT_CONTAINER, found.path)
    if not found.path:
        raise UserError(
            f"{uri} names all of datastore {found.datastore}; it must name a file or folder in it",
            code="InvalidPath",
        )
    return Elsewhere(await opened_datastore(world, found.datastore), found.path)


def is_own(name: str) -> bool:
    """Whether it is the workspace's own."""
    return same_name(name, DEFAULT_STORE)


def _completed(world: World, known: Item | None, spec: DatastoreSpec) -> DatastoreSpec:
    """With the secret that it keeps. Raises UserError for what cannot change or be left out."""
    if known:
        before = _opened(world, known)
        refuse_changed(before, spec)
        spec = keep_secret(before, spec)
    if spec.credentials.type is not CredentialsType.NONE and not spec.credentials.secret:
        raise UserError(
            f"properties.credentials of type {spec.credentials.type.value} have no secret"
            + ("; what was there is kept only while the rest of them stays the same" * bool(known)),
            code="MissingKey",
            fix="put it into properties.credentials.secrets",
        )
    return spec


async def _users(world: World, name: str) -> list[str]:
    """`models/m version 1 comes from, which deployment e/d uses`, for each."""
    found = []
    for kind in _ASSETS:
        for asset in await world.store.assets(kind):
            if any(_is_in(text, name) for text in _texts(json.loads(asset.body))):
                key = asset.key
                found += [
                    f"{kind}/{key.name} version {key.version} comes from, "
                    f"which deployment {user} uses"
                    for user in await deployments_of(world, asset)
                ]
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _is_in(text: str, name: str) -> bool:
    try:
        found = parse_datastore_path(text)
    except UserError:
        return False
    return found is not None and same_name(found.datastore, name)


def _refuse_own(name: str, what: str) -> None:
    if is_own(name):
        raise Conflict(
            f"datastore {DEFAULT_STORE} is the workspace's own; it cannot be {what}",
            code="DatastoreIsDefault",
            fix="create another datastore for files that lie elsewhere",
        )


async def _existing(world: World, name: str) -> Item:
    item = await world.store.item(_KIND, name)
    if item is None:
        names = [DEFAULT_STORE, *(each.name for each in await world.store.items(_KIND))]
        raise NotFound(
            f'datastore "{name[:80]}" does not exist', fix=f"there are {', '.join(names[:10])}"
        )
    return item


def _datastore(item: Item) -> Datastore:
    return Datastore(
        DatastoreSpec.model_validate(json.loads(item.body)),
        item.created_at,
        item.modified_at,
        _tag(item),
    )


def _opened(world: World, item: Item) -> DatastoreSpec:
    spec = _datastore(item).spec
    return spec.with_secret(world.secrets.open(item.sealed)) if item.sealed else spec


def _tag(item: Item) -> int:
    told = hashlib.sha256(f"{item.body}\n{item.sealed}\n{item.created_at}".encode()).hexdigest()
    return int(told[:_TAG_DIGITS], 16)
