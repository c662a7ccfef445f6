"""What nobody needs any more goes: files and environments that no deployment refers to.

A named asset stays until its owner removes it; an anonymous one was made for a deployment and goes
with it, but for the most recent few, so that deploying the same again costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from verdazul.control.assets import recipe_of
from verdazul.control.world import World
from verdazul.core.blobs import DEFAULT_CONTAINER, LOCAL_UPLOADS
from verdazul.core.changes import ForgetAsset
from verdazul.core.environment import Recipe
from verdazul.core.records import Asset, DeploymentState
from verdazul.core.revision import Bundle
from verdazul.core.versions import CONTENT

_UPLOADED = re.compile(rf"{LOCAL_UPLOADS}/[^/\"]+")


async def tidy(world: World) -> None:
    """Drop unused assets, artifacts and environments."""
    bundles = await _bundles(world)
    used = frozenset(digest for bundle in bundles for digest in bundle.artifacts)
    recipes = frozenset(bundle.recipe for bundle in bundles)
    files = [a for kind in ("codes", "models") for a in await world.store.assets(kind)]
    kinds = await world.store.assets("environments")
    idle = _idle((a for a in files if a.digest not in used), world.settings.artifacts_kept)
    idle += _idle(
        (a for a in kinds if recipe_of(a) not in recipes), world.settings.environments_kept
    )
    if idle:
        await world.store.commit(*(ForgetAsset(asset.key) for asset in idle))
    kept = frozenset(asset.digest for asset in files if asset not in idle)
    await world.artifacts.prune(used | kept)
    await world.environments.prune(recipes)
    world.uploads.prune()
    await world.blobs.prune(DEFAULT_CONTAINER, await _referred_to(world))


async def users(world: World, recipe: Recipe) -> tuple[str, ...]:
    """Names of endpoints with a deployment made from this recipe."""
    return tuple(
        endpoint.name
        for endpoint in await world.store.endpoints()
        if any(recipe == bundle.recipe for state in endpoint.deployments for bundle in _of(state))
    )


async def _referred_to(world: World) -> frozenset[str]:
    """LocalUpload/<name> of everything that an asset says its files are at."""
    bodies = [a.body for kind in CONTENT for a in await world.store.assets(kind)]
    return frozenset(match[0] for body in bodies for match in _UPLOADED.finditer(body))


def _idle(unused: Iterable[Asset], kept: int) -> list[Asset]:
    """Anonymous ones, but for the `kept` newest."""
    candidates = [asset for asset in unused if asset.is_anonymous]
    return sorted(candidates, key=lambda asset: asset.created_at, reverse=True)[kept:]


async def _bundles(world: World) -> tuple[Bundle, ...]:
    """Every bundle that is declared, or that last served in full."""
    endpoints = await world.store.endpoints()
    return tuple(
        bundle for endpoint in endpoints for state in endpoint.deployments for bundle in _of(state)
    )


def _of(state: DeploymentState) -> list[Bundle]:
    last_good = state.memory.last_good
    return [state.record.bundle, last_good] if last_good else [state.record.bundle]
