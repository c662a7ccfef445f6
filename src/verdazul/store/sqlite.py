"""The Store on one SQLite file: write-ahead log, full synchronisation, one writer thread.

A commit is one transaction that is on disk when `commit` returns; SIGKILL at any moment leaves the
last committed state. All calls run on a single thread, so the event loop never waits for the disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, assert_never

from verdazul.core.audit import Bounds, Origin
from verdazul.core.changes import (
    AddEntry,
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
    Memory,
    Operation,
)
from verdazul.model.events import Event
from verdazul.origin import present
from verdazul.store import audit, audit_rows, conflicts
from verdazul.store.codec import dump, load
from verdazul.store.file import connect
from verdazul.store.reading import SqliteReads

T = TypeVar("T")
Row = tuple[Any, ...]


class SqliteStore(SqliteReads):
    """Open with `await SqliteStore.open(path)`, end with `await close()`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        thread: ThreadPoolExecutor,
        *,
        events_kept: int,
        operations_kept: int,
        audit_kept: Bounds,
    ) -> None:
        super().__init__(connection, thread)
        self._events_kept = events_kept
        self._operations_kept = operations_kept
        self._audit_kept = audit_kept

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        events_kept: int = 1000,
        operations_kept: int = 1000,
        audit_kept: Bounds = Bounds(),  # noqa: B008 - a frozen value
    ) -> SqliteStore:
        """Create or open the file. Raises Fatal (StoreUnusable) naming it and why."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        loop = asyncio.get_running_loop()
        try:
            connection = await loop.run_in_executor(thread, connect, path)
        except BaseException:
            thread.shutdown()
            raise
        return cls(
            connection,
            thread,
            events_kept=events_kept,
            operations_kept=operations_kept,
            audit_kept=audit_kept,
        )

    async def close(self) -> None:
        """Close the file; pending calls end first."""
        await self._run(self._connection.close)
        self._thread.shutdown()

    async def commit(self, *changes: Change) -> None:
        request = present()
        origin = request.origin if request else None
        is_told = await self._run(lambda: self._commit(changes, origin))
        if request:
            request.is_told |= is_told

    def _commit(self, changes: tuple[Change, ...], origin: Origin | None) -> bool:
        """Return whether it left an entry of the activity log."""
        places = audit.places(changes) if origin else ()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            before = self._found(places)
            for change in changes:
                self._apply(change)
            entry = origin and audit.entry(origin, changes, before, self._found(places))
            if entry:
                audit_rows.add(self._connection, entry, self._audit_kept)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return entry is not None

    def _found(self, places: tuple[audit.Place, ...]) -> list[audit.Known | None]:
        return [audit_rows.find(self._connection, place) for place in places]

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
            case AddEntry(entry):
                audit_rows.add(self._connection, entry, self._audit_kept)
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
