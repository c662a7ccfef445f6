"""What the gateway has acknowledged, and what it may have read besides; kept across restarts.

A route is noted as unsettled before the first file is written and struck off once the gateway's
state is known again. So `routed` never forgets an instance that may still be sent a request,
wherever the control plane dies. Each note is a row or two, however many endpoints there are.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from verdazul.core.limits import DeploymentLimits, Limits
from verdazul.core.route import Backend, DeploymentRoute, Hold, Mirror, Route
from verdazul.core.trust import Door, Identities, OwnTokens
from verdazul.gateway import disk
from verdazul.model.errors import Fatal, Retryable

_FORMAT = "routes v1"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS acknowledged (endpoint TEXT PRIMARY KEY, route TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS unsettled (route TEXT NOT NULL) STRICT;
"""
# Against the death of our process, not of the machine, with which the gateway dies, too.
_PRAGMAS = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"

_PUT = "INSERT OR REPLACE INTO acknowledged VALUES (?, ?)"

Changed = Mapping[str, Route | None]
Statement = tuple[str, tuple[str, ...]]


class Ledger:
    """Acknowledged routes by endpoint, and unsettled ones. `path` None: in memory only.

    Close it. Writing raises Retryable (GatewayRecordUnwritable), for example when the disk is full.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Raise Fatal (GatewayRecordUnreadable)."""
        self._acknowledged: dict[str, Route] = {}
        self._unsettled: set[Route] = set()
        self._database = _open(path) if path else None
        if path and self._database:
            try:
                with _readable(path):
                    self._read(self._database)
                self._take_over(path.with_suffix(".json"))
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Let go of the file."""
        if self._database:
            self._database.close()

    def acknowledged(self) -> dict[str, Route]:
        """A copy; changes to it change nothing here."""
        return dict(self._acknowledged)

    def get(self, endpoint: str) -> Route | None:
        """The acknowledged route of one."""
        return self._acknowledged.get(endpoint)

    @property
    def is_settled(self) -> bool:
        """Whether the gateway's state is known to be what was acknowledged."""
        return not self._unsettled

    @property
    def rows_written(self) -> int:
        """Since it was opened."""
        return self._database.total_changes if self._database else 0

    def routed(self, endpoint: str) -> frozenset[str]:
        """Instances that an acknowledged or unsettled route of the endpoint names."""
        known = self._acknowledged.get(endpoint)
        routes = [route for route in self._unsettled if route.endpoint == endpoint]
        return frozenset(
            backend.instance
            for route in [*routes, *([known] if known else [])]
            for deployment in route.deployments
            for backend in deployment.backends
        )

    def begin(self, changed: Changed) -> None:
        """Note that these may come into force from now on (None: nothing new may).

        What is noted already is not noted again: a silent gateway is tried for ever.
        """
        routes = (route or Route(endpoint, (), ()) for endpoint, route in changed.items())
        noted = set(routes) - self._unsettled
        self._write([("INSERT INTO unsettled VALUES (?)", (_text(route),)) for route in noted])
        self._unsettled |= noted

    def settle(self, changed: Changed) -> None:
        """The gateway acknowledged these routes and all other endpoints' acknowledged ones."""
        there = {name: route for name, route in changed.items() if route}
        gone = [name for name, route in changed.items() if route is None]
        self._write(
            [
                *((_PUT, (name, _text(route))) for name, route in there.items()),
                *(("DELETE FROM acknowledged WHERE endpoint = ?", (name,)) for name in gone),
                ("DELETE FROM unsettled", ()),
            ]
        )
        self._acknowledged |= there
        for name in gone:
            self._acknowledged.pop(name, None)
        self._unsettled = set()

    def restore(self) -> None:
        """The gateway serves exactly what was acknowledged."""
        self.settle({})

    def _write(self, statements: Iterable[Statement]) -> None:
        """All or none."""
        if self._database is None:
            return
        try:
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                for statement in statements:
                    self._database.execute(*statement)
        except sqlite3.Error as error:
            raise Retryable(
                f"the gateway's record of routes cannot be written: {error}",
                code="GatewayRecordUnwritable",
                fix="check that the disk is not full; it is tried again",
            ) from error

    def _read(self, database: sqlite3.Connection) -> None:
        rows = database.execute("SELECT endpoint, route FROM acknowledged").fetchall()
        self._acknowledged = {name: _route(json.loads(text)) for name, text in rows}
        rows = database.execute("SELECT route FROM unsettled").fetchall()
        self._unsettled = {_route(json.loads(text)) for (text,) in rows}

    def _take_over(self, older: Path) -> None:
        """Homes from before had one file for all."""
        text = disk.read(older)
        if not text:
            return
        with _readable(older):
            body = json.loads(text)[_FORMAT]
            acknowledged = {name: _route(one) for name, one in body["acknowledged"].items()}
            unsettled = [_route(one) for one in body["unsettled"]]
        self.settle(acknowledged)
        for route in unsettled:
            self.begin({route.endpoint: route})
        older.unlink()


def _open(path: Path) -> sqlite3.Connection:
    with _readable(path):
        database = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        try:
            path.chmod(0o600)
            database.executescript(_PRAGMAS + _SCHEMA)
        except BaseException:
            database.close()
            raise
        return database


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
        raise Fatal(
            f"the gateway's record of routes cannot be read: {error!r}",
            code="GatewayRecordUnreadable",
            where=str(path),
            fix="move the file away and start again; routes are then published anew",
        ) from None


def _text(route: Route) -> str:
    return json.dumps(asdict(route))


def _route(value: dict[str, Any]) -> Route:
    return Route(
        value["endpoint"],
        tuple(value["key_digests"]),
        tuple(_deployment(one) for one in value["deployments"]),
        _door(value.get("door")),
        Hold(**value["hold"]) if value.get("hold") else None,
        Mirror(**value["mirror"]) if value.get("mirror") else None,
        Limits(**value.get("limits", {})),
        tuple(value.get("cors_origins", ())),
        value.get("host", ""),
    )


def _door(value: dict[str, Any] | None) -> Door | None:
    if value is None:
        return None
    if "audience" in value:
        return OwnTokens(value["audience"])
    return Identities(tuple(value["users"]), tuple(value["groups"]))


def _deployment(value: dict[str, Any]) -> DeploymentRoute:
    backends = tuple(Backend(**one) for one in value["backends"])
    limits = DeploymentLimits(**value.get("limits", {}))
    return DeploymentRoute(**{**value, "backends": backends, "limits": limits})
