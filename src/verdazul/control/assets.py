"""Use cases of assets: code, models and environments, each an immutable version.

Files arrive as an upload, are adopted under their content digest, and are then only referred to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from verdazul.control.world import World
from verdazul.core.changes import PutAsset
from verdazul.core.environment import Recipe
from verdazul.core.instance import Probe
from verdazul.core.records import Asset, AssetKey
from verdazul.core.revision import Bundle, ModelMount
from verdazul.model.asset_bodies import HASH_VERSION, environment_from_arm
from verdazul.model.assets import InlineEnvironment, InlineModel, ModelType
from verdazul.model.deployment import DeploymentSpec, ProbeSettings
from verdazul.model.errors import NotFound, UserError
from verdazul.model.ids import AssetId, RegistryReference, ShortReference, WorkspaceId, parse_asset
from verdazul.model.supported import UNPACK, refuse_unsupported

URI = {"codes": "codeUri", "models": "modelUri"}
"""Where a body says its files are: at an upload when it is put, under their digest afterwards."""


async def register_files(
    world: World, key: AssetKey, properties: Mapping[str, Any], *, upload: str, tree_hash: str
) -> Asset:
    """Adopt the finished upload `upload` as this version.

    Repeating it is fine. Raises NotFound for an unknown upload, Conflict for other content.
    """
    known = await world.store.asset(key)
    if known and (known.upload == upload or (tree_hash and known.tree_hash == tree_hash)):
        return known
    digest = await world.artifacts.adopt(world.uploads.folder(upload))
    _check_arrived(key, properties, digest, tree_hash)
    stored = {**properties, URI[key.kind]: f"azureml://artifacts/{digest}"}
    asset = _asset_of(world, key, stored, digest=digest, tree_hash=tree_hash, upload=upload)
    await world.store.commit(PutAsset(asset))
    return await existing_asset(world, key)


def _check_arrived(
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


async def register_environment(
    world: World, key: AssetKey, properties: Mapping[str, Any]
) -> tuple[Asset, bool]:
    """Register an environment version; the second value says whether it is new."""
    environment_from_arm({"properties": properties})  # says what cannot be, by JSON path
    known = await world.store.asset(key)
    asset = _asset_of(world, key, properties)
    await world.store.commit(PutAsset(asset))
    return known or asset, known is None


async def existing_asset(world: World, key: AssetKey) -> Asset:
    """The asset of that key. Raises NotFound."""
    asset = await world.store.asset(key)
    if asset is None:
        raise NotFound(f"{key.kind}/{key.name} version {key.version} does not exist")
    return asset


async def resolve(world: World, spec: DeploymentSpec) -> Bundle:
    """The spec's references as content: what an instance is made from.

    Raises NotFound for an asset that does not exist, UserError for one that cannot be used.
    """
    if spec.code_configuration is None:
        raise UserError(f'deployment "{spec.name}" has no code_configuration')
    code = await _asset(world, "codes", spec.code_configuration.code)
    model = await _asset(world, "models", str(spec.model)) if spec.model else None
    if model:
        _refuse_other_models(spec, model)
    return Bundle(
        code=code.digest,
        scoring_script=spec.code_configuration.scoring_script,
        model=ModelMount(model.digest, model.key.name, model.key.version) if model else None,
        recipe=await _recipe(world, spec),
        variables=tuple(sorted(spec.environment_variables.items())),
        instance_type=str(spec.instance_type),
        liveness=_probe(spec.liveness_probe),
        readiness=_probe(spec.readiness_probe),
    )


async def _recipe(world: World, spec: DeploymentSpec) -> Recipe:
    reference = spec.environment
    if not isinstance(reference, str):
        raise UserError(
            f'deployment "{spec.name}" names no environment',
            code="MissingKey",
            fix="give `environment:` an image and a conda_file, or a registered environment",
        )
    if isinstance(parse_asset(reference), RegistryReference):
        return Recipe(image=reference)
    asset = await _asset(world, "environments", reference)
    refuse_unsupported(spec.model_copy(update={"environment": _environment(asset)}))
    return recipe_of(asset)


def recipe_of(asset: Asset) -> Recipe:
    """What a registered environment is built from."""
    environment = _environment(asset)
    return Recipe(image=environment.image or "", conda=environment.conda_text or "")


def _environment(asset: Asset) -> InlineEnvironment:
    return environment_from_arm({"properties": json.loads(asset.body)})


def _refuse_other_models(spec: DeploymentSpec, model: Asset) -> None:
    """A registered model is refused for what an inline one is refused for."""
    body = json.loads(model.body)
    kind = body.get("modelType") or ModelType.CUSTOM
    unpack = str((body.get("properties") or {}).get(UNPACK) or "")
    inline = InlineModel(path=model.key.name, type=kind, properties={UNPACK: unpack})
    refuse_unsupported(spec.model_copy(update={"model": inline}))


async def _asset(world: World, kind: str, text: str) -> Asset:
    match parse_asset(text):
        case AssetId(workspace, named_kind, name, version) if named_kind == kind:
            _refuse_other_workspace(world, workspace)
            return await existing_asset(world, AssetKey(kind, name, version))
        case ShortReference(name, str(version), _):
            return await existing_asset(world, AssetKey(kind, name, version))
        case ShortReference(name, _, "latest"):
            return await _latest(world, kind, name)
        case _:
            raise UserError(
                f"{text} does not name one of this workspace's {kind}",
                code="InvalidId",
                fix="write azureml:<name>:<version>, azureml:<name>@latest or an ARM id",
            )


def _refuse_other_workspace(world: World, named: WorkspaceId) -> None:
    settings = world.settings
    ours = WorkspaceId(settings.subscription, settings.resource_group, settings.workspace)
    if str(named).lower() != str(ours).lower():
        raise NotFound(
            f"workspace {named} is not here; this home is {ours}", code="WorkspaceNotFound"
        )


async def _latest(world: World, kind: str, name: str) -> Asset:
    versions = await world.store.assets(kind, name=name)
    if not versions:
        raise NotFound(f'{kind} has no "{name}"')
    return versions[0]


def _probe(settings: ProbeSettings) -> Probe:
    return Probe(
        initial_delay=settings.initial_delay,
        period=settings.period,
        timeout=settings.timeout,
        success_threshold=settings.success_threshold,
        failure_threshold=settings.failure_threshold,
    )


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
