"""The store's file: opening it, durable and private, with the tables that this version knows."""

from __future__ import annotations

import sqlite3
from importlib import resources
from pathlib import Path

from verdazul.model.errors import Fatal

SCHEMA_VERSION = "1"


def connect(path: Path) -> sqlite3.Connection:
    """Create or open it. Raises Fatal (StoreUnusable)."""
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(
            resources.files("verdazul.store").joinpath("schema.sql").read_text()
        )
        _check_version(connection, path)
    except sqlite3.Error as error:
        raise unusable(str(path), error) from error
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (SCHEMA_VERSION,))
    (found,) = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    if found != SCHEMA_VERSION:
        connection.close()
        raise Fatal(
            f"{path} has schema {found}; this version of Verdazul reads {SCHEMA_VERSION}",
            code="StoreUnusable",
            fix="use the version of Verdazul that wrote it, or another --home",
        )


def unusable(what: str, error: sqlite3.Error) -> Fatal:
    """What SQLite complains of, as people read it."""
    return Fatal(
        f"{what} cannot be read or written: {error}",
        code="StoreUnusable",
        fix="check that the disk is not full and that the folder is yours to write",
    )
