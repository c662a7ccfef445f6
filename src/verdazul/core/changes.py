"""What a commit may do to the store: small values, applied all or none.

One vocabulary for every store adapter, so that a use case reads as the list of what it changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from verdazul.core.access import RoleAssignment
from verdazul.core.audit import Entry
from verdazul.core.records import (
    Asset,
    AssetKey,
    DeploymentRecord,
    EndpointRecord,
    Item,
    Memory,
    Operation,
)
from verdazul.model.events import Event
from verdazul.model.status import Status


@dataclass(frozen=True, slots=True)
class PutEndpoint:
    """Declare an endpoint; `expected` is the generation it replaces (None: there is none)."""

    record: EndpointRecord
    expected: int | None


@dataclass(frozen=True, slots=True)
class PutDeployment:
    """Declare a deployment; `expected` as above."""

    record: DeploymentRecord
    expected: int | None


@dataclass(frozen=True, slots=True)
class ForgetEndpoint:
    """Remove it with all its deployments, events and role assignments. Operations stay readable."""

    name: str


@dataclass(frozen=True, slots=True)
class ForgetDeployment:
    """Remove it with its status and memory."""

    endpoint: str
    name: str


@dataclass(frozen=True, slots=True)
class RememberEndpoint:
    """What the loop found about an endpoint."""

    name: str
    status: Status


@dataclass(frozen=True, slots=True)
class RememberDeployment:
    """What the loop found about a deployment. No-op when the deployment is gone."""

    endpoint: str
    name: str
    status: Status
    memory: Memory


@dataclass(frozen=True, slots=True)
class BeginOperation:
    """Open an operation; refused while another is open on the same resource."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class EndOperation:
    """Close an operation with its outcome; no-op when it is closed already."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class AddEvent:
    """Tell people what happened."""

    event: Event


@dataclass(frozen=True, slots=True)
class PutAsset:
    """Register an asset version; the same content twice is fine, other content is a Conflict."""

    asset: Asset


@dataclass(frozen=True, slots=True)
class DescribeAsset:
    """Say something else about a version that is there; no-op when it is gone.

    Whoever commits it has seen that the content is the same (core/versions.py).
    """

    asset: Asset


@dataclass(frozen=True, slots=True)
class ForgetAsset:
    """Remove a version that nothing refers to."""

    key: AssetKey


@dataclass(frozen=True, slots=True)
class PutRoleAssignment:
    """Give a principal a role; an assignment of that id is replaced."""

    assignment: RoleAssignment


@dataclass(frozen=True, slots=True)
class ForgetRoleAssignment:
    """Take it away. No-op when there is none of that id."""

    id: str


@dataclass(frozen=True, slots=True)
class PutItem:
    """Keep it; replaces what had the same kind and name."""

    item: Item


@dataclass(frozen=True, slots=True)
class ForgetItem:
    """Remove it; no-op when there is none."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class AddEntry:
    """Write down what changed nothing: a refusal, or keys that were shown."""

    entry: Entry


Change = (
    PutEndpoint
    | PutDeployment
    | ForgetEndpoint
    | ForgetDeployment
    | RememberEndpoint
    | RememberDeployment
    | BeginOperation
    | EndOperation
    | AddEvent
    | PutAsset
    | DescribeAsset
    | PutItem
    | ForgetItem
    | ForgetAsset
    | PutRoleAssignment
    | ForgetRoleAssignment
    | AddEntry
)
