"""The activity log's table: a row is written with the change that it tells of; bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from verdazul.core.access import RoleAssignment
from verdazul.core.audit import Bounds, Entry, Wanted
from verdazul.core.records import Asset, DeploymentRecord, EndpointRecord, Item
from verdazul.store.audit import Known, Place
from verdazul.store.codec import dump, load

PRUNED_EVERY = 64
"""Rows between two looks for those that are too many or too old."""

_KINDS: dict[str, tuple[str, type[Known]]] = {
    "endpoints": ("SELECT record FROM endpoints WHERE endpoint_key = ?", EndpointRecord),
    "deployments": (
        "SELECT record FROM deployments WHERE endpoint_key = ? AND deployment_key = ?",
        DeploymentRecord,
    ),
    "assets": ("SELECT asset FROM assets WHERE kind = ? AND name = ? AND version = ?", Asset),
    "roleAssignments": ("SELECT assignment FROM role_assignments WHERE id = ?", RoleAssignment),
    "items": ("SELECT item FROM items WHERE kind = ? AND name_key = ?", Item),
}


def find(connection: sqlite3.Connection, place: Place) -> Known | None:
    """The record there, as this transaction sees it."""
    query, kind = _KINDS[place[0]]
    row = connection.execute(query, place[1:]).fetchone()
    return load(kind, row[0]) if row else None


def add(connection: sqlite3.Connection, entry: Entry, bounds: Bounds) -> None:
    """Write a row; now and then drop what is over the bounds."""
    cursor = connection.execute(
        "INSERT INTO audit (at, is_change, caller, resource_key, outcome, correlation, entry)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            entry.at,
            bool(entry.leaves),
            entry.caller,
            f"{entry.resource.lower()}/",
            entry.outcome,
            entry.correlation,
            dump(entry),
        ),
    )
    if (cursor.lastrowid or 0) % PRUNED_EVERY == 0:
        _prune(connection, entry.at, bounds)


def select(connection: sqlite3.Connection, wanted: Wanted) -> list[tuple[int, str]]:
    """Number and JSON of the newest that are wanted, newest first."""
    clauses = list(_clauses(wanted))
    where = " AND ".join(clause for clause, _ in clauses)
    values = [value for _, some in clauses for value in some]
    query = f"SELECT seq, entry FROM audit WHERE {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608 - clauses are constants
    return connection.execute(query, [*values, wanted.most]).fetchall()


def _clauses(wanted: Wanted) -> Iterator[tuple[str, tuple[object, ...]]]:
    yield "at >= ? AND at <= ?", (wanted.since, wanted.until)
    if wanted.before is not None:
        yield "seq < ?", (wanted.before,)
    if wanted.caller:
        yield "(caller = ? OR json_extract(entry, '$.name') = ?)", (wanted.caller,) * 2
    if wanted.resource:
        below = f"{wanted.resource.lower()}/"
        yield "substr(resource_key, 1, ?) = ?", (len(below), below)
    if wanted.outcome:
        yield "outcome = ?", (wanted.outcome,)
    if wanted.correlation:
        yield "correlation = ?", (wanted.correlation,)


def _prune(connection: sqlite3.Connection, now: float, bounds: Bounds) -> None:
    connection.execute("DELETE FROM audit WHERE at < ?", (now - bounds.seconds,))
    for is_change in (True, False):
        connection.execute(
            "DELETE FROM audit WHERE is_change = ?1 AND seq <= (SELECT seq FROM audit"
            " WHERE is_change = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
            (is_change, bounds.rows),
        )
