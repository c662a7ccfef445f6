"""ARM ids, apart and together.

The fixed words of an id are matched in any case and written in one; the names in it stay as they
are. A prefix `azureml:` is a client's habit and is accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from verdazul.model.errors import UserError
from verdazul.model.show import shown

PROVIDER = "Microsoft.MachineLearningServices"
ASSET_KINDS = ("codes", "models", "environments", "data")

_WORKSPACE = (
    rf"(?:azureml:)?/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    rf"/providers/{re.escape(PROVIDER)}/workspaces/(?P<workspace>[^/]+)"
)
_REST = (
    r"(?:/onlineEndpoints/(?P<endpoint>[^/]+)(?:/deployments/(?P<deployment>[^/]+))?"
    rf"|/(?P<kind>{'|'.join(ASSET_KINDS)})/(?P<asset>[^/]+)/versions/(?P<version>[^/]+))?"
)
_ID = re.compile(rf"{_WORKSPACE}{_REST}/?", re.IGNORECASE)
_SHORT = re.compile(r"azureml:(?P<name>[^:@/\s]+)(?::(?P<version>[^:@/\s]+)|@(?P<label>[^:@/\s]+))")
_REGISTRY = re.compile(
    rf"azureml://registries/(?P<registry>[^/]+)/(?P<kind>{'|'.join(ASSET_KINDS)})/(?P<name>[^/]+)"
    r"/(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+))/?",
    re.IGNORECASE,
)
_LOCATED = re.compile(
    r"azureml://locations/(?P<location>[^/]+)/workspaces/(?P<workspace>[^/]+)"
    rf"/(?P<kind>{'|'.join(ASSET_KINDS)})/(?P<name>[^/]+)/versions/(?P<version>[^/]+)/?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class WorkspaceId:
    """The workspace that everything else is in."""

    subscription: str
    resource_group: str
    workspace: str

    def __str__(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/{PROVIDER}/workspaces/{self.workspace}"
        )

    def endpoint(self, name: str) -> EndpointId:
        """An endpoint in it."""
        return EndpointId(self, name)

    def asset(self, kind: str, name: str, version: str) -> AssetId:
        """A version of a code, model, environment or data asset in it."""
        return AssetId(self, kind, name, version)


@dataclass(frozen=True, slots=True)
class EndpointId:
    """One online endpoint."""

    workspace: WorkspaceId
    endpoint: str

    def __str__(self) -> str:
        return f"{self.workspace}/onlineEndpoints/{self.endpoint}"

    def deployment(self, name: str) -> DeploymentId:
        """A deployment behind it."""
        return DeploymentId(self.workspace, self.endpoint, name)


@dataclass(frozen=True, slots=True)
class DeploymentId:
    """One deployment."""

    workspace: WorkspaceId
    endpoint: str
    deployment: str

    def __str__(self) -> str:
        return f"{self.workspace}/onlineEndpoints/{self.endpoint}/deployments/{self.deployment}"


@dataclass(frozen=True, slots=True)
class AssetId:
    """One version of an asset; `kind` is the ARM collection: codes, models, environments, data."""

    workspace: WorkspaceId
    kind: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.workspace}/{self.kind}/{self.name}/versions/{self.version}"


@dataclass(frozen=True, slots=True)
class ShortReference:
    """`azureml:<name>:<version>` or `azureml:<name>@<label>`; one of the two is None."""

    name: str
    version: str | None = None
    label: str | None = None

    def __str__(self) -> str:
        return f"azureml:{self.name}:{self.version}" if self.version else self._labelled()

    def _labelled(self) -> str:
        return f"azureml:{self.name}@{self.label}"


@dataclass(frozen=True, slots=True)
class RegistryReference:
    """`azureml://registries/<registry>/<kind>/<name>/versions/<v>` or `.../labels/<label>`."""

    registry: str
    kind: str
    name: str
    version: str | None = None
    label: str | None = None

    def __str__(self) -> str:
        end = f"versions/{self.version}" if self.version else f"labels/{self.label}"
        return f"azureml://registries/{self.registry}/{self.kind}/{self.name}/{end}"


@dataclass(frozen=True, slots=True)
class LocatedId:
    """`azureml://locations/<l>/workspaces/<guid>/<kind>/<name>/versions/<v>`."""

    location: str
    workspace: str
    kind: str
    name: str
    version: str


ArmId = WorkspaceId | EndpointId | DeploymentId | AssetId
AssetReference = AssetId | ShortReference | RegistryReference


def parse_id(text: str) -> ArmId:
    """An ARM id taken apart. Raises UserError (InvalidId)."""
    match = _ID.fullmatch(text)
    if not match:
        raise UserError(
            f"{shown(text)} is not an id of this service",
            code="InvalidId",
            fix=f"ids look like {WorkspaceId('<id>', '<group>', '<name>')}/onlineEndpoints/<name>",
        )
    workspace = WorkspaceId(match["subscription"], match["group"], match["workspace"])
    if match["deployment"]:
        return DeploymentId(workspace, match["endpoint"], match["deployment"])
    if match["endpoint"]:
        return EndpointId(workspace, match["endpoint"])
    if match["kind"]:
        return AssetId(workspace, match["kind"].lower(), match["asset"], match["version"])
    return workspace


def parse_asset(text: str) -> AssetReference:
    """What a `model`, `environment` or `code` reference names. Raises UserError (InvalidId)."""
    if short := _SHORT.fullmatch(text):
        return ShortReference(short["name"], short["version"], short["label"])
    if registry := _REGISTRY.fullmatch(text):
        return RegistryReference(
            registry["registry"],
            registry["kind"].lower(),
            registry["name"],
            registry["version"],
            registry["label"],
        )
    if _ID.fullmatch(text) and isinstance(found := parse_id(text), AssetId):
        return found
    raise UserError(
        f"{shown(text)} names no asset",
        code="InvalidId",
        fix="write azureml:<name>:<version>, azureml:<name>@<label> or an ARM id",
    )


def parse_source(text: str) -> AssetId | LocatedId:
    """A workspace's version, named in full. Raises UserError (InvalidId)."""
    if located := _LOCATED.fullmatch(text):
        return LocatedId(
            located["location"],
            located["workspace"],
            located["kind"].lower(),
            located["name"],
            located["version"],
        )
    if _ID.fullmatch(text) and isinstance(found := parse_id(text), AssetId):
        return found
    raise UserError(
        f"{shown(text)} names no version of a workspace's asset",
        code="InvalidId",
        fix="write its ARM id, or "
        "azureml://locations/<location>/workspaces/<guid>/<kind>/<name>/versions/<version>",
    )
