"""Use cases of assets: code, models, environments, data; a version's content never changes.

Files arrive as an upload or lie in a datastore, are adopted under their content digest, and are
then only referred to. What is said about a version (description, tags, archived) may change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from verdazul.control.world import World
from verdazul.core.blobs import (
    DEFAULT_CONTAINER,
    DEFAULT_STORE,
    LOCAL_UPLOADS,
    Elsewhere,
    Place,
)
from verdazul.core.changes import DescribeAsset, ForgetAsset, PutAsset
from verdazul.core.environment import Recipe
from verdazul.core.records import Asset, AssetKey
from verdazul.core.revision import Bundle
from verdazul.core.versions import Container, View, containers, same_content, visible
from verdazul.model.asset_bodies import HASH_VERSION, environment_from_arm
from verdazul.model.assets import InlineEnvironment
from verdazul.model.errors import Conflict, NotFound, UserError
from verdazul.model.ids import WorkspaceId

_URI = {"codes": "codeUri", "models": "modelUri"}


@dataclass(frozen=True, slots=True)
class Registered:
    """A version as it now is; `is_new` when it was not there before."""

    asset: Asset
    is_new: bool


async def register_upload(
    world: World, key: AssetKey, properties: Mapping[str, Any], *, upload: str, tree_hash: str = ""
) -> Registered:
    """Adopt a finished upload: `<id>`, or `<id>/<folder>` where a client put all below a folder.

    Repeating it is fine. Raises NotFound for an unknown upload, Conflict for other content.
    """
    known = await world.store.asset(key)
    if known and (known.upload == upload or (tree_hash and known.tree_hash == tree_hash)):
        return Registered(known, is_new=False)
    digest = await adopt_upload(world, key.kind, upload)
    check_arrived(key, properties, digest, tree_hash)
    uri = await _shown_at(world, key, digest)
    stored = {**properties, _URI[key.kind]: uri}
    asset = _asset_of(world, key, stored, digest=digest, tree_hash=tree_hash, upload=upload)
    return await _register(world, asset, known)


async def register_stored(
    world: World, key: AssetKey, properties: Mapping[str, Any], place: Place | Elsewhere
) -> Registered:
    """Adopt what lies in a datastore; whatever becomes of it there, the version has it.

    Raises NotFound when nothing is there, Conflict for other content.
    """
    async with world.turns.of(f"{key.kind}/{key.name}/{key.version}"):  # who repeats it, waits
        known = await world.store.asset(key)
        uri = _URI[key.kind]
        if known and known.digest and json.loads(known.body).get(uri) == properties.get(uri):
            digest = known.digest
        else:
            digest = await _taken_in(world, key, place)
        return await _register(world, _asset_of(world, key, properties, digest=digest), known)


async def _taken_in(world: World, key: AssetKey, place: Place | Elsewhere) -> str:
    is_named = key.kind == "models"  # as scripts expect it; code lies at the top
    if isinstance(place, Elsewhere):
        staged = await world.accounts.gather(place, under_its_name=is_named)
        return await world.artifacts.adopt(staged)
    staged = await world.blobs.gather(place, under_its_name=is_named)
    digest = await world.artifacts.adopt(staged)
    name = f"/{PurePosixPath(place.path).name}" if is_named else ""
    await world.blobs.share(place, f"{world.artifacts.path(digest)}{name}")
    return digest


async def register_described(
    world: World, key: AssetKey, properties: Mapping[str, Any]
) -> Registered:
    """Register what is described in full: an environment, or data that stays where it is."""
    if key.kind == "environments":
        environment_from_arm({"properties": properties})  # says what cannot be, by JSON path
    known = await world.store.asset(key)
    return await _register(world, _asset_of(world, key, properties), known)


async def existing_asset(world: World, key: AssetKey) -> Asset:
    """The asset of that key. Raises NotFound."""
    asset = await world.store.asset(key)
    if asset is None:
        raise NotFound(f"{key.kind}/{key.name} version {key.version} does not exist")
    return asset


async def list_versions(world: World, kind: str, name: str, view: View) -> tuple[Asset, ...]:
    """Versions of one name, newest first. Raises NotFound for a name that nothing has."""
    return visible((await existing_container(world, kind, name)).versions, view)


async def existing_container(world: World, kind: str, name: str) -> Container:
    """All versions of one name. Raises NotFound."""
    versions = await world.store.assets(kind, name=name) if name else ()
    if not versions:
        raise NotFound(f'{kind} has no "{name}"')
    return Container(versions)


async def list_containers(world: World, kind: str, view: View) -> tuple[Container, ...]:
    """By name. Anonymous ones are left out: nobody chose their names."""
    named = (a for a in await world.store.assets(kind) if not a.is_anonymous)
    found = containers(named)
    if view is View.ALL:
        return found
    return tuple(one for one in found if one.is_archived == (view is View.ARCHIVED))


async def archive_container(world: World, kind: str, name: str, *, archived: bool) -> Container:
    """Archive or restore every version of a name."""
    container = await existing_container(world, kind, name)
    now = world.clock.now()
    changed = tuple(_archived(version, now, archived=archived) for version in container.versions)
    await world.store.commit(*(DescribeAsset(version) for version in changed))
    return Container(changed)


async def delete_asset(world: World, key: AssetKey) -> bool:
    """Forget a version; False when there was none.

    Raises Conflict (AssetInUse) while a deployment is declared with it or falls back to it.
    """
    asset = await world.store.asset(key)
    if asset is None:
        return False
    users = await deployments_of(world, asset)
    if users:
        raise Conflict(
            f"{key.kind}/{key.name} version {key.version} is used by deployment "
            f"{', '.join(users)}; it cannot be deleted",
            code="AssetInUse",
            fix="delete the deployment first, or archive the version: it is then no longer listed",
        )
    await world.store.commit(ForgetAsset(key))
    return True


def refuse_other_workspace(world: World, named: WorkspaceId) -> None:
    """Raise NotFound for an id of a workspace that is not this home's."""
    settings = world.settings
    ours = WorkspaceId(settings.subscription, settings.resource_group, settings.workspace)
    if str(named).lower() != str(ours).lower():
        raise NotFound(
            f"workspace {named} is not here; this home is {ours}", code="WorkspaceNotFound"
        )


async def _register(world: World, asset: Asset, known: Asset | None) -> Registered:
    if known is None:
        await world.store.commit(PutAsset(asset))
        return Registered(await existing_asset(world, asset.key), is_new=True)
    if not same_content(known, asset):
        key = asset.key
        raise Conflict(
            f"{key.kind}/{key.name} version {key.version} exists with other content",
            code="AssetVersionExists",
            fix="register the new content under a new version",
        )
    said = replace(known, body=asset.body, modified_at=world.clock.now())
    await world.store.commit(DescribeAsset(said))
    return Registered(said, is_new=False)


async def adopt_upload(world: World, kind: str, upload: str) -> str:
    """A model keeps the name of its folder, as scripts expect it; code lies at the top."""
    upload, _, folder = upload.partition("/")
    root = world.uploads.folder(upload)
    if not folder:
        return await world.artifacts.adopt(root)
    place = Place(upload, folder)
    return await world.artifacts.adopt(
        await world.blobs.gather(place, under_its_name=kind != "codes")
    )


async def _shown_at(world: World, key: AssetKey, digest: str) -> str:
    """Where its files can be had from: a model's in the datastore, as if uploaded there."""
    if key.kind != "models":
        return f"azureml://artifacts/{digest}"
    path = f"{LOCAL_UPLOADS}/{digest.removeprefix('sha256:')}"
    await world.blobs.share(Place(DEFAULT_CONTAINER, path), world.artifacts.path(digest))
    top = {
        blob.path.split("/")[2] for blob in await world.blobs.list(DEFAULT_CONTAINER, f"{path}/")
    }
    inner = f"/{top.pop()}" if len(top) == 1 else ""
    return f"azureml://datastores/{DEFAULT_STORE}/paths/{path}{inner}"


def check_arrived(
    key: AssetKey, properties: Mapping[str, Any], digest: str, tree_hash: str
) -> None:
    """What is kept under a hash must have it: later deployments skip the upload because of it."""
    extra = properties.get("properties") or {}
    if extra.get("hash_version") == HASH_VERSION and digest != f"sha256:{tree_hash}":
        raise UserError(
            f"the files of {key.kind}/{key.name} arrived with digest {digest}, not with "
            f"sha256:{tree_hash} as announced",
            code="UploadIncomplete",
            fix="send them again",
        )


async def deployments_of(world: World, asset: Asset) -> list[str]:
    """Deployments made from it, as endpoint/deployment."""
    found = []
    for endpoint in await world.store.endpoints():
        for state in endpoint.deployments:
            bundles = (state.record.bundle, state.memory.last_good)
            if any(bundle and _is_made_from(bundle, asset) for bundle in bundles):
                found.append(f"{endpoint.name}/{state.record.name}")
    return found


def _is_made_from(bundle: Bundle, asset: Asset) -> bool:
    if asset.key.kind == "codes":
        return bundle.code == asset.digest
    if asset.key.kind == "models":
        mount = bundle.model  # its files may be what was unpacked from the asset's
        return mount is not None and (mount.name, mount.version) == (
            asset.key.name,
            asset.key.version,
        )
    return asset.key.kind == "environments" and bundle.recipe == recipe_of(asset)


def recipe_of(asset: Asset) -> Recipe:
    """What a registered environment is built from."""
    environment = environment_of(asset)
    return Recipe(image=environment.image or "", conda=environment.conda_text or "")


def environment_of(asset: Asset) -> InlineEnvironment:
    """A registered environment as if it were described in place."""
    return environment_from_arm({"properties": json.loads(asset.body)})


def _archived(asset: Asset, now: float, *, archived: bool) -> Asset:
    body = {**json.loads(asset.body), "isArchived": archived}
    return replace(asset, body=json.dumps(body, sort_keys=True), modified_at=now)


def _asset_of(
    world: World,
    key: AssetKey,
    properties: Mapping[str, Any],
    *,
    digest: str = "",
    tree_hash: str = "",
    upload: str = "",
) -> Asset:
    return Asset(
        key=key,
        body=json.dumps(properties, sort_keys=True),
        digest=digest,
        tree_hash=tree_hash,
        created_at=world.clock.now(),
        is_anonymous=bool(properties.get("isAnonymous")),
        upload=upload,
    )
