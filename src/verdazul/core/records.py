"""What the store keeps: declared things with a generation, and what the loop remembers about them.

Declared (`EndpointRecord`, `DeploymentRecord`) changes only through a use case and raises the
generation. Remembered (`Status`, `Memory`) is written by the loop only. An `Operation` is a promise
to a caller that a generation will be reached, or that it will be said why not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from verdazul.core.revision import Bundle
from verdazul.model.deployment import DeploymentSpec
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.errors import Problem
from verdazul.model.status import Status


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """A declared endpoint. Keys are sealed (primary, secondary); digests are what the gateway gets.

    `deleting` is a tombstone: requests are refused, the loop takes all down, then forgets it.
    While it `is_paused`, requests wait.
    """

    spec: EndpointSpec
    generation: int
    uid: str
    created_at: float
    modified_at: float
    sealed_keys: tuple[str, str]
    key_digests: tuple[str, str]
    deleting: bool = False
    is_paused: bool = False

    @property
    def name(self) -> str:
        """As its creator spelled it."""
        return self.spec.name


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """A declared deployment; `bundle` is its spec resolved to content."""

    spec: DeploymentSpec
    bundle: Bundle
    generation: int
    uid: str
    created_at: float
    modified_at: float
    deleting: bool = False

    @property
    def name(self) -> str:
        """As its creator spelled it."""
        return self.spec.name

    @property
    def endpoint(self) -> str:
        """The endpoint it belongs to."""
        return self.spec.endpoint_name


@dataclass(frozen=True, slots=True)
class Memory:
    """What the loop must not forget about a deployment.

    `last_good` served in full before; it serves on when a newer bundle fails. `failed_generation`
    is the generation that was given up.
    """

    last_good: Bundle | None = None
    failed_generation: int | None = None


class OperationState(StrEnum):
    """Azure's words."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


class OperationKind(StrEnum):
    """What was asked for."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    REGENERATE_KEYS = "regenerateKeys"
    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Operation:
    """A long-running operation on an endpoint (`deployment` "") or a deployment."""

    id: str
    kind: OperationKind
    endpoint: str
    deployment: str
    generation: int
    started_at: float
    state: OperationState = OperationState.IN_PROGRESS
    problem: Problem | None = None
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class AssetKey:
    """`kind` is the ARM collection: codes, models, environments, data."""

    kind: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Asset:
    """One immutable version. `digest` is an artifact digest ("" for environments).

    `body` is the ARM `properties` object it was put with; `tree_hash` is the client's own hash,
    by which it finds that nothing needs to be uploaded. An anonymous asset lives only as long as
    something refers to it. `upload` is the upload that its files came in. `modified_at` is when
    what is said about it (tags, archived or not) last changed; its content never does.
    """

    key: AssetKey
    body: str
    digest: str
    tree_hash: str
    created_at: float
    is_anonymous: bool = False
    upload: str = ""
    modified_at: float | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """Something small that a workspace keeps under a name: a connection, a lock.

    `kind` and `name` together say which; names match in any case. `body` is JSON that anybody may
    read, `sealed` what only its owner may.
    """

    kind: str
    name: str
    body: str
    created_at: float
    modified_at: float
    sealed: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """A deployment with all that is known of it."""

    record: DeploymentRecord
    status: Status | None
    memory: Memory


@dataclass(frozen=True, slots=True)
class EndpointState:
    """An endpoint with all that is known of it; deployments by name."""

    record: EndpointRecord
    status: Status | None
    deployments: tuple[DeploymentState, ...]

    @property
    def name(self) -> str:
        """As its creator spelled it."""
        return self.record.name
