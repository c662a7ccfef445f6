"""A snapshot is all routes in Envoy's words, consistent by construction: every route's cluster is
in it, and every share that a route goes by. `passage` says in which order its files replace older
ones so that this stays true of every state in between: first the clusters and shares of both, then
the new routes, then the new clusters and shares only. Clusters come before shares: a deployment's
first instance and its first traffic may be one change.

What one endpoint adds is put in words once and kept as text (`Part`): a change of one costs the
same however many others there are, but for putting the texts together.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from verdazul.core.route import Route
from verdazul.core.trust import Trust
from verdazul.gateway import auth, clusters, resources, split
from verdazul.gateway.resources import Json

_VERSION = re.compile(r'\{"version_info": ?"([0-9a-f]+)"')


@dataclass(frozen=True, slots=True)
class Discovery:
    """One file's content: a DiscoveryResponse. `version` is the hash of what it says."""

    kind: str  # "rtds", "cds", "rds" or "ecds"
    version: str
    text: str

    @classmethod
    def read(cls, kind: str, text: str) -> Discovery | None:
        """A file that was written before; None where nothing tells its version."""
        found = _VERSION.match(text)
        return cls(kind, found[1], text) if found else None


@dataclass(frozen=True, slots=True)
class Part:
    """One endpoint: its clusters by name, and where requests to it go; `by_host` may be "".

    `shares` are runtime values by key: what the texts leave open.
    """

    shares: Mapping[str, int]
    clusters: Mapping[str, str]
    by_path: str
    by_host: str

    @classmethod
    def of(cls, route: Route) -> Part:
        """Raise Unroutable for a route that breaks its promises."""
        clusters.check(route)
        made = clusters.clusters((route,))
        return cls(
            split.values(route),
            {name: _text(cluster) for name, cluster in made.items()},
            _text(resources.by_path(route)),
            _text(resources.by_host(route)) if route.host else "",
        )


@dataclass(frozen=True)
class Snapshot:
    """The parts by endpoint, and the files that they make; each is put together once."""

    parts: Mapping[str, Part]

    @classmethod
    def of(cls, routes: Iterable[Route]) -> Snapshot:
        """Raise Unroutable for a route that breaks its promises."""
        return cls({route.endpoint: Part.of(route) for route in routes})

    def having(self, changed: Mapping[str, Part | None]) -> Snapshot:
        """The same with these parts instead; None: without the endpoint's."""
        parts = {**self.parts, **changed}
        new = Snapshot({name: part for name, part in parts.items() if part})
        before = [self.parts.get(name) for name in changed]
        if [_places(part) for part in before] == [_places(part) for part in changed.values()]:
            new.__dict__["rds"] = self.rds
        if [_clusters_of(part) for part in before] == [_clusters_of(p) for p in changed.values()]:
            new.__dict__.update(clusters=self.clusters, cds=self.cds)
        return new

    @cached_property
    def shares(self) -> Mapping[str, int]:
        """Of all endpoints, by key."""
        return {key: share for part in self.parts.values() for key, share in part.shares.items()}

    @cached_property
    def clusters(self) -> Mapping[str, str]:
        """Of all endpoints, by name."""
        return {name: text for part in self.parts.values() for name, text in part.clusters.items()}

    @property
    def content_hash(self) -> str:
        """Equal for equal content, whatever order it was built in."""
        return _hash(" ".join(file.version for file in passage(Older(), self)))

    @cached_property
    def cds(self) -> Discovery:
        """All clusters as one file."""
        return _clusters(self.clusters)

    @cached_property
    def rds(self) -> Discovery:
        """All routes as one file."""
        names = sorted(self.parts, key=str.lower)
        hosts = [self.parts[name].by_host for name in names if self.parts[name].by_host]
        paths = {name: self.parts[name].by_path for name in names}
        return _discovery("rds", [resources.route_configuration(paths, hosts)])


def _places(part: Part | None) -> tuple[str, str] | None:
    return (part.by_path, part.by_host) if part else None


def _clusters_of(part: Part | None) -> Mapping[str, str]:
    return part.clusters if part else {}


def signers(trust: Trust) -> Discovery:
    """Who signs tokens, as one file."""
    return _discovery("ecds", [_text(auth.signers(trust))])


@dataclass(frozen=True, slots=True)
class Older:
    """What routes that are in force may need."""

    clusters: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[str, int] = field(default_factory=dict)

    def followed_by(self, new: Snapshot) -> Older:
        """The same once `new` is in force.

        A resumed endpoint's gates stay among the clusters, one for each deployment: a request
        chooses its route by its head, and goes there when its body has come.
        """
        wanted = new.clusters
        return Older({**clusters.gates_left(self.clusters, wanted), **wanted}, new.shares)


def passage(old: Older, new: Snapshot) -> tuple[Discovery, ...]:
    """The files to put in force one after the other."""
    both = Older({**old.clusters, **new.clusters}, {**old.shares, **new.shares})
    after = old.followed_by(new)
    cds = new.cds if both.clusters == new.clusters else _clusters(both.clusters)
    first = (cds, _shares(both.shares), new.rds)
    if both == after:
        return first
    last = new.cds if after.clusters == new.clusters else _clusters(after.clusters)
    return (*first, last, _shares(after.shares))


def clusters_in(text: str) -> dict[str, str]:
    """The clusters of a cds file; none when there is no such file yet or it is unreadable."""
    try:
        return {cluster["name"]: _text(cluster) for cluster in json.loads(text)["resources"]}
    except (ValueError, KeyError, TypeError):
        return {}


def _clusters(known: Mapping[str, str]) -> Discovery:
    return _discovery("cds", [known[name] for name in sorted(known)])


def _shares(known: Mapping[str, int]) -> Discovery:
    return _discovery("rtds", [_text(split.layer(known))])


def _discovery(kind: str, resources_text: Iterable[str]) -> Discovery:
    text = ",".join(resources_text)
    version = _hash(text)
    return Discovery(kind, version, f'{{"version_info":"{version}","resources":[{text}]}}')


def _text(content: Json) -> str:
    """Equal for equal content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
