"""A snapshot is all routes in Envoy's words, consistent by construction: every route's cluster is
in it. `passage` says in which order its files replace older ones so that this stays true of every
state in between: first the clusters of both, then the new routes, then the new clusters only.

What one endpoint adds is put in words once and kept as text (`Part`): a change of one costs the
same however many others there are, but for putting the texts together.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from verdazul.core.route import Route
from verdazul.core.trust import Trust
from verdazul.gateway import auth, clusters, resources
from verdazul.gateway.resources import Json

_VERSION = re.compile(r'\{"version_info": ?"([0-9a-f]+)"')


@dataclass(frozen=True, slots=True)
class Discovery:
    """One file's content: a DiscoveryResponse. `version` is the hash of what it says."""

    kind: str  # "cds", "rds" or "ecds"
    version: str
    text: str

    @classmethod
    def read(cls, kind: str, text: str) -> Discovery | None:
        """A file that was written before; None where nothing tells its version."""
        found = _VERSION.match(text)
        return cls(kind, found[1], text) if found else None


@dataclass(frozen=True, slots=True)
class Part:
    """One endpoint: its clusters by name, and where requests to it go; `by_host` may be ""."""

    clusters: Mapping[str, str]
    by_path: str
    by_host: str

    @classmethod
    def of(cls, route: Route) -> Part:
        """Raise Unroutable for a route that breaks its promises."""
        clusters.check(route)
        made = clusters.clusters((route,))
        return cls(
            {name: _text(cluster) for name, cluster in made.items()},
            _text(resources.by_path(route)),
            _text(resources.by_host(route)) if route.host else "",
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The parts by endpoint."""

    parts: Mapping[str, Part]

    @classmethod
    def of(cls, routes: Iterable[Route]) -> Snapshot:
        """Raise Unroutable for a route that breaks its promises."""
        return cls({route.endpoint: Part.of(route) for route in routes})

    def having(self, changed: Mapping[str, Part | None]) -> Snapshot:
        """The same with these parts instead; None: without the endpoint's."""
        parts = {**self.parts, **changed}
        return Snapshot({name: part for name, part in parts.items() if part})

    @property
    def clusters(self) -> dict[str, str]:
        """Of all endpoints, by name."""
        return {name: text for part in self.parts.values() for name, text in part.clusters.items()}

    @property
    def content_hash(self) -> str:
        """Equal for equal content, whatever order it was built in."""
        return _hash(_clusters(self.clusters).version + self.rds().version)

    def rds(self) -> Discovery:
        """All routes as one file."""
        names = sorted(self.parts, key=str.lower)
        hosts = [self.parts[name].by_host for name in names if self.parts[name].by_host]
        paths = {name: self.parts[name].by_path for name in names}
        return _discovery("rds", [resources.route_configuration(paths, hosts)])


def signers(trust: Trust) -> Discovery:
    """Who signs tokens, as one file."""
    return _discovery("ecds", [_text(auth.signers(trust))])


def passage(old: Mapping[str, str], new: Snapshot) -> tuple[Discovery, Discovery, Discovery]:
    """The files to put in force one after the other, given the clusters that are in force."""
    both, after = {**old, **new.clusters}, clusters_after(old, new)
    first = _clusters(both)
    return (first, new.rds(), first if both == after else _clusters(after))


def clusters_after(old: Mapping[str, str], new: Snapshot) -> dict[str, str]:
    """What is among the clusters at the end.

    A resumed endpoint's gates stay, one for each deployment: a request chooses its route by its
    head, and goes there when its body has come.
    """
    wanted = new.clusters
    return {**clusters.gates_left(old, wanted), **wanted}


def clusters_in(text: str) -> dict[str, str]:
    """The clusters of a cds file; none when there is no such file yet or it is unreadable."""
    try:
        return {cluster["name"]: _text(cluster) for cluster in json.loads(text)["resources"]}
    except (ValueError, KeyError, TypeError):
        return {}


def _clusters(known: Mapping[str, str]) -> Discovery:
    return _discovery("cds", [known[name] for name in sorted(known)])


def _discovery(kind: str, resources_text: Iterable[str]) -> Discovery:
    text = ",".join(resources_text)
    version = _hash(text)
    return Discovery(kind, version, f'{{"version_info":"{version}","resources":[{text}]}}')


def _text(content: Json) -> str:
    """Equal for equal content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
