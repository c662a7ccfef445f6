"""The Store on one SQLite file: write-ahead log, full synchronisation, one writer thread.

A commit is one transaction that is on disk when `commit` returns; SIGKILL at any moment leaves the
last committed state. All calls run on a single thread, so the event loop never waits for the disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, assert_never

from verdazul.core.access import RoleAssignment
from verdazul.core.changes import (
    AddEvent,
    BeginOperation,
    Change,
    DescribeAsset,
    EndOperation,
    ForgetAsset,
    ForgetDeployment,
    ForgetEndpoint,
    ForgetItem,
    ForgetRoleAssignment,
    PutAsset,
    PutDeployment,
    PutEndpoint,
    PutItem,
    PutRoleAssignment,
    RememberDeployment,
    RememberEndpoint,
)
from verdazul.core.records import (
    Asset,
    AssetKey,
    DeploymentRecord,
    DeploymentState,
    EndpointRecord,
    Item,
    Memory,
    Operation,
    OperationState,
)
from verdazul.model.events import Event
from verdazul.model.status import Status
from verdazul.store import conflicts
from verdazul.store.codec import dump, load, load_optional
from verdazul.store.file import connect, unusable

T = TypeVar("T")
Row = tuple[Any, ...]


class SqliteStore:
    """Open with `await SqliteStore.open(path)`, end with `await close()`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        thread: ThreadPoolExecutor,
        *,
        events_kept: int,
        operations_kept: int,
    ) -> None:
        self._connection = connection
        self._thread = thread
        self._events_kept = events_kept
        self._operations_kept = operations_kept

    @classmethod
    async def open(
        cls, path: Path, *, events_kept: int = 1000, operations_kept: int = 1000
    ) -> SqliteStore:
        """Create or open the file. Raises Fatal (StoreUnusable) naming it and why."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        loop = asyncio.get_running_loop()
        try:
            connection = await loop.run_in_executor(thread, connect, path)
        except BaseException:
            thread.shutdown()
            raise
        return cls(connection, thread, events_kept=events_kept, operations_kept=operations_kept)

    async def close(self) -> None:
        """Close the file; pending calls end first."""
        await self._run(self._connection.close)
        self._thread.shutdown()

    async def commit(self, *changes: Change) -> None:
        await self._run(lambda: self._commit(changes))

    async def endpoints(self) -> tuple[EndpointRecord, ...]:
        rows = await self._rows("SELECT record FROM endpoints ORDER BY endpoint_key")
        return tuple(load(EndpointRecord, row[0]) for row in rows)

    async def endpoint(self, name: str) -> EndpointRecord | None:
        rows = await self._rows("SELECT record FROM endpoints WHERE endpoint_key = ?", name.lower())
        return load(EndpointRecord, rows[0][0]) if rows else None

    async def endpoint_status(self, name: str) -> Status | None:
        rows = await self._rows("SELECT status FROM endpoints WHERE endpoint_key = ?", name.lower())
        return load_optional(Status, rows[0][0]) if rows else None

    async def deployments(self, endpoint: str) -> tuple[DeploymentState, ...]:
        rows = await self._rows(
            "SELECT record, status, memory FROM deployments WHERE endpoint_key = ?"
            " ORDER BY deployment_key",
            endpoint.lower(),
        )
        return tuple(_deployment_state(row) for row in rows)

    async def deployment(self, endpoint: str, name: str) -> DeploymentState | None:
        rows = await self._rows(
            "SELECT record, status, memory FROM deployments"
            " WHERE endpoint_key = ? AND deployment_key = ?",
            endpoint.lower(),
            name.lower(),
        )
        return _deployment_state(rows[0]) if rows else None

    async def operation(self, operation_id: str) -> Operation | None:
        rows = await self._rows("SELECT operation FROM operations WHERE id = ?", operation_id)
        return load(Operation, rows[0][0]) if rows else None

    async def open_operations(self, endpoint: str) -> tuple[Operation, ...]:
        rows = await self._rows(
            "SELECT operation FROM operations WHERE endpoint_key = ? AND state = ?"
            " ORDER BY started_at, rowid",
            endpoint.lower(),
            OperationState.IN_PROGRESS,
        )
        return tuple(load(Operation, row[0]) for row in rows)

    async def events(
        self, endpoint: str, deployment: str | None = None, *, since: float = 0.0, last: int = 200
    ) -> tuple[Event, ...]:
        rows = await self._rows(
            "SELECT event FROM events WHERE endpoint_key = ?1 AND time >= ?2"
            " AND (?3 IS NULL OR deployment_key = ?3) ORDER BY seq DESC LIMIT ?4",
            endpoint.lower(),
            since,
            None if deployment is None else deployment.lower(),
            last,
        )
        return tuple(load(Event, row[0]) for row in reversed(rows))

    async def asset(self, key: AssetKey) -> Asset | None:
        rows = await self._rows(
            "SELECT asset FROM assets WHERE kind = ? AND name = ? AND version = ?",
            key.kind,
            key.name,
            key.version,
        )
        return load(Asset, rows[0][0]) if rows else None

    async def assets(self, kind: str, *, name: str = "", tree_hash: str = "") -> tuple[Asset, ...]:
        rows = await self._rows(
            "SELECT asset FROM assets WHERE kind = ?1 AND (?2 = '' OR name = ?2)"
            " AND (?3 = '' OR tree_hash = ?3) ORDER BY created_at DESC, rowid DESC",
            kind,
            name,
            tree_hash,
        )
        return tuple(load(Asset, row[0]) for row in rows)

    async def role_assignments(self) -> tuple[RoleAssignment, ...]:
        rows = await self._rows("SELECT assignment FROM role_assignments ORDER BY created_at, id")
        return tuple(load(RoleAssignment, row[0]) for row in rows)

    async def item(self, kind: str, name: str) -> Item | None:
        rows = await self._rows(
            "SELECT item FROM items WHERE kind = ? AND name_key = ?", kind, name.lower()
        )
        return load(Item, rows[0][0]) if rows else None

    async def items(self, kind: str) -> tuple[Item, ...]:
        rows = await self._rows("SELECT item FROM items WHERE kind = ? ORDER BY name_key", kind)
        return tuple(load(Item, row[0]) for row in rows)

    async def _rows(self, query: str, *values: object) -> list[Row]:
        return await self._run(lambda: self._connection.execute(query, values).fetchall())

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except sqlite3.DatabaseError as error:
            raise unusable("the database", error) from error

    def _commit(self, changes: tuple[Change, ...]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for change in changes:
                self._apply(change)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _apply(self, change: Change) -> None:  # noqa: C901, PLR0912 - one case a change, complete
        match change:
            case PutEndpoint():
                self._put_endpoint(change)
            case PutDeployment():
                self._put_deployment(change)
            case ForgetEndpoint(name):
                self._execute("DELETE FROM endpoints WHERE endpoint_key = ?", name.lower())
                self._execute("DELETE FROM events WHERE endpoint_key = ?", name.lower())
                self._execute("DELETE FROM role_assignments WHERE endpoint_key = ?", name.lower())
            case ForgetDeployment(endpoint, name):
                self._execute(
                    "DELETE FROM deployments WHERE endpoint_key = ? AND deployment_key = ?",
                    endpoint.lower(),
                    name.lower(),
                )
            case RememberEndpoint(name, status):
                self._execute(
                    "UPDATE endpoints SET status = ? WHERE endpoint_key = ?",
                    dump(status),
                    name.lower(),
                )
            case RememberDeployment(endpoint, name, status, memory):
                self._execute(
                    "UPDATE deployments SET status = ?, memory = ?"
                    " WHERE endpoint_key = ? AND deployment_key = ?",
                    dump(status),
                    dump(memory),
                    endpoint.lower(),
                    name.lower(),
                )
            case BeginOperation(operation):
                self._begin(operation)
            case EndOperation(operation):
                self._end(operation)
            case AddEvent(event):
                self._add_event(event)
            case PutAsset(asset):
                self._put_asset(asset)
            case DescribeAsset(asset):
                self._execute(
                    "UPDATE assets SET asset = ? WHERE kind = ? AND name = ? AND version = ?",
                    dump(asset),
                    asset.key.kind,
                    asset.key.name,
                    asset.key.version,
                )
            case ForgetAsset(key):
                self._execute(
                    "DELETE FROM assets WHERE kind = ? AND name = ? AND version = ?",
                    key.kind,
                    key.name,
                    key.version,
                )
            case PutRoleAssignment(assignment):
                self._execute(
                    "INSERT OR REPLACE INTO role_assignments VALUES (?, ?, ?, ?)",
                    assignment.id,
                    assignment.endpoint.lower(),
                    assignment.created_at,
                    dump(assignment),
                )
            case ForgetRoleAssignment(id_):
                self._execute("DELETE FROM role_assignments WHERE id = ?", id_)
            case PutItem(item):
                self._execute(
                    "INSERT INTO items VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET item = ?3",
                    item.kind,
                    item.name.lower(),
                    dump(item),
                )
            case ForgetItem(kind, name):
                self._execute(
                    "DELETE FROM items WHERE kind = ? AND name_key = ?", kind, name.lower()
                )
            case _:
                assert_never(change)

    def _put_endpoint(self, change: PutEndpoint) -> None:
        key = change.record.name.lower()
        found = self._generation("SELECT generation FROM endpoints WHERE endpoint_key = ?", key)
        if found != change.expected:
            what = f'endpoint "{change.record.name}"'
            raise conflicts.changed_meanwhile(what, change.expected, found)
        self._execute(
            "INSERT INTO endpoints (endpoint_key, generation, record) VALUES (?1, ?2, ?3)"
            " ON CONFLICT DO UPDATE SET generation = ?2, record = ?3",
            key,
            change.record.generation,
            dump(change.record),
        )

    def _put_deployment(self, change: PutDeployment) -> None:
        record = change.record
        keys = (record.endpoint.lower(), record.name.lower())
        if not self._execute("SELECT 1 FROM endpoints WHERE endpoint_key = ?", keys[0]).fetchone():
            raise conflicts.no_endpoint(record.endpoint)
        found = self._generation(
            "SELECT generation FROM deployments WHERE endpoint_key = ? AND deployment_key = ?",
            *keys,
        )
        if found != change.expected:
            what = f'deployment "{record.name}" of endpoint "{record.endpoint}"'
            raise conflicts.changed_meanwhile(what, change.expected, found)
        self._execute(
            "INSERT INTO deployments (endpoint_key, deployment_key, generation, record, memory)"
            " VALUES (?1, ?2, ?3, ?4, ?5)"
            " ON CONFLICT DO UPDATE SET generation = ?3, record = ?4",
            *keys,
            record.generation,
            dump(record),
            dump(Memory()),
        )

    def _generation(self, query: str, *values: object) -> int | None:
        row = self._execute(query, *values).fetchone()
        return row[0] if row else None

    def _begin(self, operation: Operation) -> None:
        keys = (operation.endpoint.lower(), operation.deployment.lower())
        row = self._execute(
            "SELECT operation FROM operations WHERE endpoint_key = ? AND deployment_key = ?"
            " AND state = 'InProgress'",
            *keys,
        ).fetchone()
        if row:
            raise conflicts.held(operation, by=load(Operation, row[0]))
        self._execute(
            "INSERT INTO operations VALUES (?, ?, ?, ?, ?, ?)",
            operation.id,
            *keys,
            operation.state,
            operation.started_at,
            dump(operation),
        )
        self._execute(
            "DELETE FROM operations WHERE state != 'InProgress' AND id NOT IN"
            " (SELECT id FROM operations ORDER BY started_at DESC LIMIT ?)",
            self._operations_kept,
        )

    def _end(self, operation: Operation) -> None:
        self._execute(
            "UPDATE operations SET state = ?, operation = ? WHERE id = ? AND state = 'InProgress'",
            operation.state,
            dump(operation),
            operation.id,
        )

    def _add_event(self, event: Event) -> None:
        endpoint = event.endpoint.lower()
        self._execute(
            "INSERT INTO events (time, endpoint_key, deployment_key, event) VALUES (?, ?, ?, ?)",
            event.time,
            endpoint,
            event.deployment.lower(),
            dump(event),
        )
        self._execute(
            "DELETE FROM events WHERE endpoint_key = ?1 AND seq <= (SELECT seq FROM events"
            " WHERE endpoint_key = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
            endpoint,
            self._events_kept,
        )

    def _put_asset(self, asset: Asset) -> None:
        key = asset.key
        row = self._execute(
            "SELECT asset FROM assets WHERE kind = ? AND name = ? AND version = ?",
            key.kind,
            key.name,
            key.version,
        ).fetchone()
        if row:
            known = load(Asset, row[0])
            if not conflicts.is_same(known, asset):
                raise conflicts.other_content(key)
            return
        self._execute(
            "INSERT INTO assets VALUES (?, ?, ?, ?, ?, ?)",
            key.kind,
            key.name,
            key.version,
            asset.tree_hash,
            asset.created_at,
            dump(asset),
        )

    def _execute(self, query: str, *values: object) -> sqlite3.Cursor:
        return self._connection.execute(query, values)


def _deployment_state(row: Row) -> DeploymentState:
    record, status, memory = row
    return DeploymentState(
        load(DeploymentRecord, record), load_optional(Status, status), load(Memory, memory)
    )
