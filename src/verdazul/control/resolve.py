"""What a deployment's references mean when it is declared: content, which nothing changes later."""

from __future__ import annotations

import json
from collections.abc import Mapping

from verdazul.control.assets import (
    environment_of,
    existing_asset,
    recipe_of,
    refuse_other_workspace,
)
from verdazul.control.world import World
from verdazul.core.environment import Recipe
from verdazul.core.instance import Limits, Probe
from verdazul.core.records import Asset, AssetKey
from verdazul.core.revision import Bundle, ModelMount
from verdazul.core.versions import View, visible
from verdazul.model.assets import InlineModel, ModelType, is_unpacked
from verdazul.model.deployment import DeploymentSpec, DeploymentType, ProbeSettings
from verdazul.model.endpoint import Access
from verdazul.model.errors import NotFound, Retryable, UserError
from verdazul.model.ids import AssetId, RegistryReference, ShortReference, parse_asset
from verdazul.model.kubernetes import granted
from verdazul.model.supported import refuse_unsupported


async def resolve(world: World, spec: DeploymentSpec) -> Bundle:
    """The spec's references as content: what an instance is made from.

    Raises NotFound for an asset that does not exist, UserError for one that cannot be used.
    """
    if spec.code_configuration is None:
        raise UserError(f'deployment "{spec.name}" has no code_configuration')
    code = await _asset(world, "codes", spec.code_configuration.code)
    model = await _model(world, spec) if spec.model else None
    return Bundle(
        code=code.digest,
        scoring_script=spec.code_configuration.scoring_script,
        model=model,
        recipe=await _recipe(world, spec),
        variables=tuple(sorted(spec.environment_variables.items())),
        instance_type=str(spec.instance_type),
        liveness=_probe(spec.liveness_probe),
        readiness=_probe(spec.readiness_probe),
        limits=await _limits(world, spec),
        is_isolated=spec.egress_public_network_access is Access.DISABLED,
    )


async def _limits(world: World, spec: DeploymentSpec) -> Limits | None:
    if spec.type is DeploymentType.MANAGED:
        return None
    grant = granted(spec, await world.kubernetes_types())
    return Limits(
        cpus=grant.limits.cores,
        memory_bytes=grant.limits.memory_bytes,
        requested_cpus=grant.requests.cores,
        requested_memory_bytes=grant.requests.memory_bytes,
    )


async def _model(world: World, spec: DeploymentSpec) -> ModelMount:
    reference = parse_asset(str(spec.model))
    if isinstance(reference, RegistryReference) and reference.kind == "models":
        return await _model_of_registry(world, spec, reference)
    asset = await _asset(world, "models", str(spec.model))
    body = json.loads(asset.body)
    _refuse_other_kinds(spec, ModelType(body.get("modelType") or ModelType.CUSTOM))
    digest = await _content(world, asset.digest, body.get("properties") or {})
    return ModelMount(digest, asset.key.name, asset.key.version)


async def _model_of_registry(
    world: World, spec: DeploymentSpec, reference: RegistryReference
) -> ModelMount:
    """Its files are taken in when they are first used, and known by their content from then on."""
    found = await world.registries.model(reference)
    _refuse_other_kinds(spec, found.spec.type)
    try:
        world.artifacts.path(found.digest)
    except NotFound:
        folder = world.uploads.folder(world.uploads.begin())
        await world.registries.copy(found, folder)
        if await world.artifacts.adopt(folder) != found.digest:
            raise Retryable(f"{reference} changed while it was read; try again") from None
    digest = await _content(world, found.digest, found.spec.properties)
    return ModelMount(digest, found.name, found.version)


def _refuse_other_kinds(spec: DeploymentSpec, kind: ModelType) -> None:
    """A registered model is refused for what an inline one is refused for."""
    inline = InlineModel(path=str(spec.model), type=kind)
    refuse_unsupported(spec.model_copy(update={"model": inline}))


async def _content(world: World, digest: str, properties: Mapping[str, object]) -> str:
    """What scripts find: the files themselves, or what their archive holds."""
    return await world.artifacts.unpack(digest) if is_unpacked(properties) else digest


async def _recipe(world: World, spec: DeploymentSpec) -> Recipe:
    reference = spec.environment
    if not isinstance(reference, str):
        raise UserError(
            f'deployment "{spec.name}" names no environment',
            code="MissingKey",
            fix="give `environment:` an image and a conda_file, or a registered environment",
        )
    named = parse_asset(reference)
    if isinstance(named, RegistryReference):
        return await _recipe_of_registry(world, spec, named)
    asset = await _asset(world, "environments", reference)
    refuse_unsupported(spec.model_copy(update={"environment": environment_of(asset)}))
    return recipe_of(asset)


async def _recipe_of_registry(
    world: World, spec: DeploymentSpec, reference: RegistryReference
) -> Recipe:
    """A folder's environment; without one, a curated environment that is known by its name."""
    curated = Recipe(image=str(reference))
    try:
        environment = await world.registries.environment(reference)
    except NotFound as missing:
        try:
            world.environments.check(curated)
        except UserError:
            raise missing from None
        return curated
    refuse_unsupported(spec.model_copy(update={"environment": environment}))
    return Recipe(image=environment.image or "", conda=environment.conda_text or "")


async def _asset(world: World, kind: str, text: str) -> Asset:
    match parse_asset(text):
        case AssetId(workspace, named_kind, name, version) if named_kind == kind:
            refuse_other_workspace(world, workspace)
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


async def _latest(world: World, kind: str, name: str) -> Asset:
    versions = visible(await world.store.assets(kind, name=name), View.ACTIVE)
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
