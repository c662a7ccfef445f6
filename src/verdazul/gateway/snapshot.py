"""A snapshot is all routes in Envoy's words, consistent by construction: every route's cluster is
in it. `passage` says in which order its files replace older ones so that this stays true of every
state in between: first the clusters of both, then the new routes, then the new clusters only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from verdazul.core.route import Route
from verdazul.core.trust import Trust
from verdazul.gateway import auth, clusters, resources
from verdazul.gateway.resources import Json


@dataclass(frozen=True, slots=True)
class Discovery:
    """One file's content: a DiscoveryResponse. `version` is the hash of what it says."""

    kind: str  # "cds", "rds" or "ecds"
    version: str
    text: str

    @classmethod
    def read(cls, kind: str, text: str) -> Discovery:
        """A file that was written before."""
        return cls(kind, str(json.loads(text)["version_info"]), text)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Clusters by name, and the route configuration that names them."""

    clusters: Mapping[str, Json]
    routes: Json

    @classmethod
    def of(cls, routes: Iterable[Route]) -> Snapshot:
        """Raise Unroutable for a route that breaks its promises."""
        known = tuple(routes)
        for route in known:
            clusters.check(route)
        return cls(clusters.clusters(known), resources.route_configuration(known))

    @property
    def content_hash(self) -> str:
        """Equal for equal content, whatever order it was built in."""
        return _hash([self.cds().version, self.rds().version])

    def cds(self) -> Discovery:
        """All clusters as one file."""
        return discovery("cds", [self.clusters[name] for name in sorted(self.clusters)])

    def rds(self) -> Discovery:
        """All routes as one file."""
        return discovery("rds", [self.routes])


def discovery(kind: str, contents: list[Json]) -> Discovery:
    """`contents` as Envoy reads them from a file."""
    version = _hash(contents)
    body = {"version_info": version, "resources": contents}
    return Discovery(kind, version, json.dumps(body))


def signers(trust: Trust) -> Discovery:
    """Who signs tokens, as one file."""
    return discovery("ecds", [auth.signers(trust)])


def passage(old: Mapping[str, Json], new: Snapshot) -> tuple[Discovery, Discovery, Discovery]:
    """The files to put in force one after the other, given the clusters that are in force.

    A resumed endpoint's gates stay among the clusters, one for each deployment: a request chooses
    its route by its head, and goes there when its body has come.
    """
    both = Snapshot({**old, **new.clusters}, new.routes)
    last = Snapshot({**clusters.gates_left(old, new.clusters), **new.clusters}, new.routes)
    return (both.cds(), new.rds(), last.cds())


def clusters_in(text: str) -> dict[str, Json]:
    """The clusters of a cds file; none when there is no such file yet or it is unreadable."""
    try:
        return {cluster["name"]: cluster for cluster in json.loads(text)["resources"]}
    except (ValueError, KeyError, TypeError):
        return {}


def _hash(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]
