"""What nobody needs any more goes: files and environments that no deployment refers to.

A named asset stays until its owner removes it; an anonymous one was made for a deployment and goes
with it, but for the most recent few, so that deploying the same again costs nothing.
"""

from __future__ import annotations

from verdazul.control.world import World
from verdazul.core.changes import ForgetAsset
from verdazul.core.environment import Recipe
from verdazul.core.records import Asset
from verdazul.core.revision import Bundle


async def tidy(world: World) -> None:
    """Drop unused assets, artifacts and environments."""
    bundles = await _bundles(world)
    used = frozenset(digest for bundle in bundles for digest in bundle.artifacts)
    assets = [a for kind in ("codes", "models") for a in await world.store.assets(kind)]
    idle = _idle(assets, used, kept=world.settings.artifacts_kept)
    if idle:
        await world.store.commit(*(ForgetAsset(asset.key) for asset in idle))
    kept = frozenset(asset.digest for asset in assets if asset not in idle)
    await world.artifacts.prune(used | kept)
    await world.environments.prune(frozenset(bundle.recipe for bundle in bundles))


async def users(world: World, recipe: Recipe) -> tuple[str, ...]:
    """Names of endpoints with a deployment made from this recipe."""
    names = []
    for endpoint in await world.store.endpoints():
        states = await world.store.deployments(endpoint.name)
        if any(state.record.bundle.recipe == recipe for state in states):
            names.append(endpoint.name)
    return tuple(names)


def _idle(assets: list[Asset], used: frozenset[str], *, kept: int) -> list[Asset]:
    """Anonymous assets that nothing refers to, but for the `kept` newest."""
    candidates = [a for a in assets if a.is_anonymous and a.digest not in used]
    return sorted(candidates, key=lambda a: a.created_at, reverse=True)[kept:]


async def _bundles(world: World) -> tuple[Bundle, ...]:
    """Every bundle that is declared, or that last served in full."""
    bundles: list[Bundle] = []
    for endpoint in await world.store.endpoints():
        for state in await world.store.deployments(endpoint.name):
            bundles.append(state.record.bundle)
            if state.memory.last_good:
                bundles.append(state.memory.last_good)
    return tuple(bundles)
