"""The resources of one workspace: their paths, and what can be asked of them.

workspace.endpoint("credit").get()
workspace.deployment("credit", "blue").act("getLogs", {"tail": 100})
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from verdazul.client.connection import Answer, Connection
from verdazul.model.errors import NotFound, UserError

_PATH_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


_DEFINITIONS = "providers/Microsoft.Authorization/roleDefinitions"
_REGISTRIES = "providers/Microsoft.MachineLearningServices/registries"
_TEMPLATE = re.compile(r"[-\w.()]{1,64}", re.ASCII)
_ASSIGNMENTS = "providers/Microsoft.Authorization/roleAssignments"


def _safe(segment: str) -> str:
    if not _PATH_SAFE.fullmatch(segment):
        raise UserError(
            f"{segment!r} is not a name: it must be letters, digits and '-'", code="InvalidName"
        )
    return segment


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource or collection. All calls raise what Connection.request raises."""

    connection: Connection
    path: str

    def get(self) -> Answer:
        return self.connection.request("GET", self.path)

    def find(self) -> Answer | None:
        """Return what is there, None when nothing is."""
        try:
            return self.get()
        except NotFound:
            return None

    def create(self, body: Mapping[str, Any]) -> Answer:
        """PUT that refuses to replace."""
        headers = {"If-None-Match": "*"}
        return self.connection.request("PUT", self.path, body=body, headers=headers)

    def put(self, body: Mapping[str, Any], *, timeout: float | None = None, **query: str) -> Answer:
        """PUT whatever is there now."""
        return self.connection.request("PUT", self.path, body=body, query=query, timeout=timeout)

    def replace(self, body: Mapping[str, Any], *, etag: str, **query: str) -> Answer:
        """PUT only while the version that was read is still the stored one."""
        headers = {"If-Match": etag} if etag else {}
        return self.connection.request("PUT", self.path, body=body, query=query, headers=headers)

    def delete(self) -> Answer:
        return self.connection.request("DELETE", self.path)

    def act(self, action: str, body: Mapping[str, Any] | None = None) -> Answer:
        """POST to one of its actions."""
        return self.connection.request("POST", f"{self.path}/{action}", body=body)

    def list(self, **query: str) -> Iterator[dict[str, Any]]:
        """Yield every entry of a collection."""
        return self.connection.pages(self.path, query)


@dataclass(frozen=True, slots=True)
class Assets:
    """Where versions of assets are: a workspace or a registry. `prefix` is its ARM id."""

    connection: Connection
    prefix: str

    def asset(self, kind: str, name: str, version: str) -> Resource:
        """Name one version of a code, model or environment (`kind`: codes, ...)."""
        return self._at(kind, name, "versions", version)

    def asset_kind(self, kind: str) -> Resource:
        """Name all assets of a kind."""
        return self._at(kind)

    def asset_container(self, kind: str, name: str) -> Resource:
        """Name what all versions of it have in common."""
        return self._at(kind, name)

    def asset_versions(self, kind: str, name: str) -> Resource:
        """Name all versions of it."""
        return self._at(kind, name, "versions")

    def _at(self, *segments: str) -> Resource:
        return Resource(self.connection, "/".join([self.prefix, *map(_safe, segments)]))


@dataclass(frozen=True, slots=True)
class Registry(Assets):
    """A registry behind a connection."""

    def itself(self) -> Resource:
        return Resource(self.connection, self.prefix)

    def share(self, source: str, name: str, version: str) -> Resource:
        """Copy the version of that ARM id here; returns what it has become."""
        kind = source.split("/")[-4]
        told = {
            "referenceType": "Id",
            "destinationName": name,
            "destinationVersion": version,
            "sourceAssetId": source,
        }
        self.itself().act("import", {"properties": told})
        return self.asset(kind, name, version)

    def open_files(self, kind: str, name: str, version: str) -> str:
        """Make a signed address below which the version's files can be read."""
        id_ = f"azureml://registries/{self.prefix.rpartition('/')[2]}/{kind}/{name}"
        asked = {"assetId": f"{id_}/versions/{version}"}
        path = f"{self.prefix}/datarefs/{name}/versions"
        answer = Resource(self.connection, path).act(version, asked).body
        return str(answer["blobReferenceForConsumption"]["credential"]["sasUri"])


@dataclass(frozen=True, slots=True)
class Workspace(Assets):
    """A workspace behind a connection."""

    def itself(self) -> Resource:
        return Resource(self.connection, self.prefix)

    def registries(self) -> Resource:
        """Name all registries of the resource group."""
        return Resource(self.connection, f"{self._group}/{_REGISTRIES}")

    def registry(self, name: str) -> Registry:
        """Name one of them."""
        if not _PATH_SAFE.fullmatch(name):
            raise UserError(
                f"{name!r} is not a registry's name: it must be letters, digits, '-' and '_'",
                code="InvalidRegistryName",
            )
        return Registry(self.connection, f"{self._group}/{_REGISTRIES}/{name}")

    def endpoints(self) -> Resource:
        return self._at("onlineEndpoints")

    def endpoint(self, name: str) -> Resource:
        return self._at("onlineEndpoints", name)

    def deployments(self, endpoint: str) -> Resource:
        return self._at("onlineEndpoints", endpoint, "deployments")

    def deployment(self, endpoint: str, name: str) -> Resource:
        return self._at("onlineEndpoints", endpoint, "deployments", name)

    def connections(self) -> Resource:
        return self._at("connections")

    def connection_named(self, name: str) -> Resource:
        """Name a connection to elsewhere (`connection` is ours, to the server)."""
        return self._at("connections", name)

    def capacity(self, location: str, kind: str) -> Resource:
        """Name what a region has: usages, vmSizes."""
        provider = "providers/Microsoft.MachineLearningServices"
        return Resource(
            self.connection, f"{self._subscription()}/{provider}/locations/{location}/{kind}"
        )

    def activity(self) -> Resource:
        """Name the activity log of the subscription."""
        log = "providers/Microsoft.Insights/eventtypes/management/values"
        return Resource(self.connection, f"{self._subscription()}/{log}")

    def role_definitions(self, scope: str = "") -> Resource:
        """Name all roles that can be given; the subscription has them, and all below it."""
        return self._in(scope or self._subscription(), _DEFINITIONS)

    def role_definition(self, id_: str, scope: str = "") -> Resource:
        """Name one of them, by its GUID."""
        return self._in(scope or self._subscription(), _DEFINITIONS, id_)

    def template_deployments(self) -> Resource:
        """Name all template deployments of the resource group."""
        return Resource(self.connection, self._templates)

    def template_deployment(self, name: str) -> Resource:
        """Name one of them."""
        if not _TEMPLATE.fullmatch(name):
            raise UserError(
                f"{name!r} is not a deployment's name: it must be 1 to 64 letters, digits, -_.()",
                code="InvalidDeploymentName",
            )
        return Resource(self.connection, f"{self._templates}/{name}")

    @property
    def _templates(self) -> str:
        return f"{self._group}/providers/Microsoft.Resources/deployments"

    @property
    def _group(self) -> str:
        return self.prefix.partition("/providers/")[0]

    def datastores(self) -> Resource:
        return self._at("datastores")

    def datastore(self, name: str) -> Resource:
        return self._at("datastores", name)

    def role_assignments(self, scope: str) -> Resource:
        """Name all roles given at a place, by its ARM id."""
        return self._in(scope, _ASSIGNMENTS)

    def role_assignment(self, scope: str, name: str) -> Resource:
        """Name one of them."""
        return self._in(scope, _ASSIGNMENTS, name)

    def _subscription(self) -> str:
        return self.prefix.partition("/resourceGroups/")[0]

    def _in(self, *paths: str) -> Resource:
        segments = (segment for path in paths for segment in path.strip("/").split("/"))
        return Resource(self.connection, "/" + "/".join(map(_safe, segments)))
