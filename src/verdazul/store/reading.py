"""The reading half of the Store on SQLite: one query for each question, rows made into records."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from verdazul.core.access import RoleAssignment
from verdazul.core.audit import Entry, Wanted
from verdazul.core.records import (
    Asset,
    AssetKey,
    DeploymentRecord,
    DeploymentState,
    EndpointRecord,
    EndpointState,
    Item,
    Memory,
    Operation,
)
from verdazul.model.events import Event
from verdazul.model.status import Status
from verdazul.store import audit_rows
from verdazul.store.codec import load, load_optional
from verdazul.store.file import unusable

T = TypeVar("T")
Row = tuple[Any, ...]


class SqliteReads:
    """All calls run on the one thread that the connection belongs to."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread

    async def endpoints(
        self, *, skip: int = 0, most: int | None = None
    ) -> tuple[EndpointState, ...]:
        most = -1 if most is None else most
        return await self._run(lambda: self._endpoints("", skip=skip, most=most))

    async def endpoint_state(self, name: str) -> EndpointState | None:
        found = await self._run(lambda: self._endpoints(name.lower()))
        return found[0] if found else None

    async def endpoint_names(self) -> tuple[str, ...]:
        rows = await self._rows(
            "SELECT json_extract(record, '$.spec.name') FROM endpoints ORDER BY endpoint_key"
        )
        return tuple(row[0] for row in rows)

    async def count_endpoints(self) -> int:
        rows = await self._rows("SELECT count(*) FROM endpoints")
        return int(rows[0][0])

    async def count_deployments(self) -> int:
        rows = await self._rows("SELECT count(*) FROM deployments")
        return int(rows[0][0])

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
            # The word itself, not a parameter: else SQLite does not use `one_open_operation`.
            "SELECT operation FROM operations WHERE endpoint_key = ? AND state = 'InProgress'"
            " ORDER BY started_at, rowid",
            endpoint.lower(),
        )
        return tuple(load(Operation, row[0]) for row in rows)

    async def latest_operation(self, endpoint: str, deployment: str = "") -> Operation | None:
        rows = await self._rows(
            "SELECT operation FROM operations WHERE endpoint_key = ? AND deployment_key = ?"
            " ORDER BY started_at DESC, rowid DESC LIMIT 1",
            endpoint.lower(),
            deployment.lower(),
        )
        return load(Operation, rows[0][0]) if rows else None

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

    async def role_assignments(self, *, at: str | None = None) -> tuple[RoleAssignment, ...]:
        rows = await self._rows(
            "SELECT assignment FROM role_assignments"
            " WHERE ?1 IS NULL OR endpoint_key IN ('', ?1) ORDER BY created_at, id",
            None if at is None else at.lower(),
        )
        return tuple(load(RoleAssignment, row[0]) for row in rows)

    async def item(self, kind: str, name: str) -> Item | None:
        rows = await self._rows(
            "SELECT item FROM items WHERE kind = ? AND name_key = ?", kind, name.lower()
        )
        return load(Item, rows[0][0]) if rows else None

    async def items(self, kind: str) -> tuple[Item, ...]:
        rows = await self._rows("SELECT item FROM items WHERE kind = ? ORDER BY name_key", kind)
        return tuple(load(Item, row[0]) for row in rows)

    async def activity(self, wanted: Wanted) -> tuple[tuple[int, Entry], ...]:
        rows = await self._run(lambda: audit_rows.select(self._connection, wanted))
        return tuple((number, load(Entry, text)) for number, text in rows)

    def _endpoints(self, key: str, *, skip: int = 0, most: int = -1) -> tuple[EndpointState, ...]:
        """One, or ("") a part of all."""
        query = "SELECT endpoint_key, record, status FROM endpoints"
        if key:
            found = self._execute(f"{query} WHERE endpoint_key = ?", key).fetchall()
        else:
            part = f"{query} ORDER BY endpoint_key LIMIT ? OFFSET ?"
            found = self._execute(part, most, skip).fetchall()
        deployments: dict[str, list[DeploymentState]] = {key: [] for key, _, _ in found}
        if found:
            rows = self._execute(
                "SELECT endpoint_key, record, status, memory FROM deployments"
                " WHERE endpoint_key BETWEEN ? AND ? ORDER BY endpoint_key, deployment_key",
                found[0][0],
                found[-1][0],
            )
            for owner, *row in rows:
                deployments[owner].append(_deployment_state(tuple(row)))
        return tuple(
            EndpointState(
                load(EndpointRecord, record),
                load_optional(Status, status),
                tuple(deployments[key]),
            )
            for key, record, status in found
        )

    async def _rows(self, query: str, *values: object) -> list[Row]:
        return await self._run(lambda: self._connection.execute(query, values).fetchall())

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except sqlite3.DatabaseError as error:
            raise unusable("the database", error) from error

    def _execute(self, query: str, *values: object) -> sqlite3.Cursor:
        return self._connection.execute(query, values)


def _deployment_state(row: Row) -> DeploymentState:
    record, status, memory = row
    return DeploymentState(
        load(DeploymentRecord, record), load_optional(Status, status), load(Memory, memory)
    )
