"""Use cases of registries: shelves of assets that several workspaces read.

A version on a shelf never changes, as in a workspace; what is said about it may.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from verdazul.control.assets import (
    Registered,
    check_arrived,
    existing_asset,
    refuse_other_workspace,
)
from verdazul.control.world import World
from verdazul.core.blobs import DEFAULT_STORE, Place
from verdazul.core.records import Asset, AssetKey
from verdazul.core.registries import Registry
from verdazul.core.versions import Container, View, containers, same_content, visible
from verdazul.model.asset_yaml import FILES_AT, normalised
from verdazul.model.errors import Conflict, NotFound, UserError
from verdazul.model.ids import AssetId, RegistryReference, parse_asset, parse_source
from verdazul.model.names import same_name

KINDS = ("models", "environments", "data")
_SAID = ("description", "tags", "properties", "stage", "isArchived")


async def put_registry(world: World, registry: Registry) -> tuple[Registry, bool]:
    """Make it, or say something else about it; True when it is new."""
    is_new = await world.registries.put(registry)
    return await world.registries.get(registry.name), is_new


async def delete_registry(world: World, name: str) -> bool:
    """With all that it holds; False when there was none.

    Raises Conflict (RegistryInUse) while a deployment names an asset of it.
    """
    users = await _users(world, name)
    if users:
        raise Conflict(
            f"registry {name} is used by deployment {', '.join(users)}; it cannot be deleted",
            code="RegistryInUse",
            fix="delete these deployments first, or let them use assets of the workspace",
        )
    try:
        await world.registries.delete(name)
    except NotFound:
        return False
    return True


async def register(
    world: World, reference: RegistryReference, properties: Mapping[str, Any], digest: str
) -> Registered:
    """A version with these files ("" for none). Repeating it is fine.

    Raises Conflict (AssetVersionExists) for other content.
    """
    if digest:
        extra = properties.get("properties") or {}
        key = AssetKey(reference.kind, reference.name, str(reference.version))
        check_arrived(key, properties, digest, str(extra.get("hash_sha256", "")))
    known = await _known(world, reference)
    if known is None:
        folder = world.artifacts.path(digest) if digest else ""
        await world.registries.add(reference, properties, folder)
        return Registered(await world.registries.version(reference), is_new=True)
    said = normalised(reference.kind, properties)
    if digest:  # where files lie says nothing once their digest is known
        said[FILES_AT[reference.kind]] = json.loads(known.body).get(FILES_AT[reference.kind])
    asked = replace(known, body=json.dumps(said), digest=digest)
    if not same_content(known, asked):
        raise _other_content(reference)
    return Registered(await _describe(world, reference, properties), is_new=False)


async def describe(
    world: World, reference: RegistryReference, properties: Mapping[str, Any]
) -> Asset:
    """Say something else about a version that keeps its files.

    Raises NotFound, Conflict (AssetVersionExists) where it would be another content.
    """
    known = await world.registries.version(reference)
    uri = FILES_AT.get(reference.kind, "")
    said = {
        **normalised(reference.kind, properties),
        **({uri: json.loads(known.body).get(uri)} if uri else {}),
    }
    if not same_content(known, replace(known, body=json.dumps(said))):
        raise _other_content(reference)
    return await _describe(world, reference, properties)


def source_of(world: World, text: str) -> AssetKey:
    """The version of this workspace that is to be shared. Raises NotFound for another's."""
    source = parse_source(text)
    if isinstance(source, AssetId):
        refuse_other_workspace(world, source.workspace)
    elif not same_name(source.workspace, world.settings.subscription):
        raise NotFound(
            f"workspace {source.workspace} is not here; this home's is "
            f"{world.settings.subscription}",
            code="WorkspaceNotFound",
        )
    if source.kind not in KINDS:
        raise UserError(
            f"{source.kind} cannot be shared; these can: {', '.join(KINDS)}", code="InvalidValue"
        )
    return AssetKey(source.kind, source.name, source.version)


async def share(
    world: World, key: AssetKey, reference: RegistryReference, place: Place | None
) -> Asset:
    """Copy a workspace's version to a registry. `place` is where data lies in a datastore.

    Raises NotFound, Conflict (AssetVersionExists), UserError for what has no files of its own.
    """
    await world.registries.get(reference.registry)
    asset = await existing_asset(world, key)
    if await _known(world, reference):
        raise Conflict(
            f"{reference} exists; a version never changes",
            code="AssetVersionExists",
            fix="share it with another --share-with-version",
        )
    digest = asset.digest
    if place:
        staged = await world.blobs.gather(place, under_its_name=True)
        digest = await world.artifacts.adopt(staged)
    elif key.kind == "models" and not digest:
        raise UserError(
            f"{key.kind}/{key.name} version {key.version} has no files in {DEFAULT_STORE}",
            code="InvalidValue",
        )
    properties = {**json.loads(asset.body), "isArchived": False}
    folder = world.artifacts.path(digest) if digest else ""
    await world.registries.add(reference, properties, folder)
    return await world.registries.version(reference)


async def list_versions(
    world: World, registry: str, kind: str, name: str, view: View
) -> tuple[Asset, ...]:
    """Versions of one name, the highest first; none of a name that nothing has."""
    return visible(await world.registries.versions(registry, kind, name), view)


async def list_containers(
    world: World, registry: str, kind: str, view: View
) -> tuple[Container, ...]:
    """By name."""
    found = containers(await world.registries.versions(registry, kind))
    if view is View.ALL:
        return found
    return tuple(one for one in found if one.is_archived == (view is View.ARCHIVED))


async def existing_container(world: World, registry: str, kind: str, name: str) -> Container:
    """All versions of one name. Raises NotFound."""
    found = await world.registries.versions(registry, kind, name)
    if not found:
        raise NotFound(f'registry {registry} has no {kind} "{name}"', code="AssetNotFound")
    return Container(found)


async def archive_container(
    world: World, registry: str, kind: str, name: str, *, archived: bool
) -> Container:
    """Archive or restore every version of a name."""
    for one in (await existing_container(world, registry, kind, name)).versions:
        reference = RegistryReference(registry, kind, name, one.key.version)
        await world.registries.describe(reference, {"isArchived": archived})
    return await existing_container(world, registry, kind, name)


async def _describe(
    world: World, reference: RegistryReference, properties: Mapping[str, Any]
) -> Asset:
    await world.registries.describe(reference, {key: properties.get(key) for key in _SAID})
    return await world.registries.version(reference)


def _other_content(reference: RegistryReference) -> Conflict:
    return Conflict(
        f"{reference} exists with other content; a version never changes",
        code="AssetVersionExists",
        fix="register the new content under a new version",
    )


async def _known(world: World, reference: RegistryReference) -> Asset | None:
    """With its digest; None when nothing of that version is there. Raises NotFound for the rest."""
    await world.registries.get(reference.registry)
    try:
        found = await world.registries.version(reference)
    except NotFound:
        return None
    return replace(found, digest=await world.registries.digest(reference))


async def _users(world: World, name: str) -> list[str]:
    """Deployments that name an asset of it, as endpoint/deployment."""
    found = []
    for endpoint in await world.store.endpoints():
        for state in endpoint.deployments:
            spec = state.record.spec
            named = (one for one in (spec.model, spec.environment) if isinstance(one, str))
            if any(_is_of(text, name) for text in named):
                found.append(f"{endpoint.name}/{state.record.name}")
    return found


def _is_of(text: str, name: str) -> bool:
    reference = parse_asset(text)
    return isinstance(reference, RegistryReference) and same_name(reference.registry, name)
