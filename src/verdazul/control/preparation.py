"""What became of a deployment's code, model and environment before its instances could start.

Azure's storage-initializer downloads them into every container. Here they are on disk once, under
the digest of their content; this log says which they are, where, and how the build went.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from verdazul.control.deployments import get_deployment
from verdazul.control.world import World
from verdazul.core.environment import BuildFailed, Building
from verdazul.core.records import DeploymentRecord
from verdazul.model.errors import NotFound

_BUILD_NEWS = frozenset({"Built", "BuiltOtherwise", "BuildFailed"})


async def preparation_log(world: World, endpoint: str, name: str, *, tail: int) -> str:
    """Its last lines, oldest first. Raises NotFound for an unknown deployment."""
    _, state = await get_deployment(world, endpoint, name)
    record = state.record
    told = [(record.modified_at, line) for line in _files(world, record)]
    news = await world.store.events(record.endpoint, record.name)
    told += [
        (event.time, f"environment: {event.message}")
        for event in news
        if event.reason in _BUILD_NEWS
    ]
    told += [(world.clock.now(), line) for line in _build(world, record)]
    lines = [f"{_iso(time)} {line}" for time, line in sorted(told, key=lambda each: each[0])]
    return "".join(f"{line}\n" for line in lines[-tail:])


def _files(world: World, record: DeploymentRecord) -> Iterator[str]:
    bundle = record.bundle
    yield f"code {bundle.code} {_where(world, bundle.code)}"
    if bundle.model:
        model = bundle.model
        yield f"model {model.name}:{model.version} {model.digest} {_where(world, model.digest)}"


def _where(world: World, digest: str) -> str:
    try:
        return f"is in {world.artifacts.path(digest)}"
    except NotFound:
        return "is not on disk"


def _build(world: World, record: DeploymentRecord) -> Iterator[str]:
    """How far it is now; what it ended with is told by events, but for the end of its output."""
    state = world.environments.state(record.bundle.recipe)
    if isinstance(state, Building):
        yield f"environment: {state.progress}"
    if isinstance(state, BuildFailed):
        yield from (f"environment: | {line}" for line in state.problem.log_tail)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
