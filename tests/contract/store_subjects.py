"""The stores under test, and what a test of any of them needs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.core.records import deployment, endpoint

from verdazul.core.changes import Change, EndOperation, PutDeployment, PutEndpoint
from verdazul.core.records import Operation, OperationState
from verdazul.model.errors import Conflict, Problem
from verdazul.model.status import Condition, ProvisioningState, Status, Truth
from verdazul.ports import Store
from verdazul.store.memory import MemoryStore
from verdazul.store.sqlite import SqliteStore

Story = Callable[[Store], Awaitable[None]]
Ask = Callable[[Story], None]
KINDS = ("memory", "sqlite")

PROBLEM = Problem("Code", "message", "fix", "a.yml:3", ("line 1", "line 2"), (Problem("In", "m"),))
STATUS = Status(
    ProvisioningState.FAILED,
    3,
    PROBLEM,
    (Condition("InstancesReady", Truth.UNKNOWN, "Waiting", "said", 12.5, 3),),
    2,
)


@contextlib.asynccontextmanager
async def opened(kind: str, folder: Path, **kept: Any) -> AsyncIterator[Store]:
    if kind == "memory":
        yield MemoryStore()
        return
    store = await SqliteStore.open(folder / "verdazul.db", **kept)
    try:
        yield store
    finally:
        await store.close()


def asker(kind: str, folder: Path) -> Ask:
    """Tells a story to a fresh store of that kind."""

    def run(story: Story) -> None:
        async def main() -> None:
            async with opened(kind, folder) as store:
                await story(store)

        asyncio.run(main())

    return run


def ended(begun: Operation, state: OperationState = OperationState.SUCCEEDED) -> EndOperation:
    return EndOperation(replace(begun, state=state, finished_at=2000.0))


async def declared(store: Store, *deployments: str) -> None:
    changes = [PutDeployment(deployment(name), None) for name in deployments]
    await store.commit(PutEndpoint(endpoint(), None), *changes)


async def everything(store: Store) -> list[object]:
    """All that a store answers about the few names that these tests use."""
    return [
        await store.endpoints(),
        *[await store.endpoint_status(name) for name in ("credit", "other")],
        *[await store.deployments(name) for name in ("credit", "other")],
        *[set(await store.open_operations(name)) for name in ("credit", "other")],
        *[await store.operation(f"op-{n}") for n in range(6)],
        *[await store.events(name) for name in ("credit", "other")],
        *[await store.assets(kind) for kind in ("codes", "models")],
        await store.role_assignments(),
    ]


async def outcome(store: Store, changes: tuple[Change, ...]) -> str:
    try:
        await store.commit(*changes)
    except Conflict as error:
        return error.problem.code
    return "done"
