"""What a commit leaves in the activity log: the records before and after it, in users' words.

Both stores find the records inside the commit itself, so that a row tells exactly what its own
commit did.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from verdazul.core import audit
from verdazul.core.access import RoleAssignment
from verdazul.core.audit import Entry, Leaf, Origin
from verdazul.core.changes import (
    BeginOperation,
    Change,
    DescribeAsset,
    ForgetAsset,
    ForgetDeployment,
    ForgetEndpoint,
    ForgetItem,
    ForgetRoleAssignment,
    PutAsset,
    PutDeployment,
    PutEndpoint,
    PutItem,
    PutRoleAssignment,
)
from verdazul.core.records import (
    Asset,
    AssetKey,
    DeploymentRecord,
    EndpointRecord,
    Item,
)
from verdazul.store.codec import dump

Known = EndpointRecord | DeploymentRecord | Asset | RoleAssignment | Item
Place = tuple[str, ...]
"""Which record: its kind, then its keys, lower-case where names match in any case."""
Find = Callable[[Place], Known | None]

_INDEX = "identityNames"
"""Items by which others are found; they tell nothing of their own."""


def places(changes: Iterable[Change]) -> tuple[Place, ...]:
    """What these changes touch, once each, but for what only the loop remembers."""
    return tuple(dict.fromkeys(place for change in changes for place in _places(change)))


def entry(
    origin: Origin,
    changes: Iterable[Change],
    before: Iterable[Known | None],
    after: Iterable[Known | None],
) -> Entry | None:
    """The row of a commit; None when it declared nothing."""
    changes = tuple(changes)
    leaves: list[Leaf] = []
    for old, new in zip(before, after, strict=True):
        known = new or old
        if known:
            leaves += audit.differences(_subject(known), _view(old), _view(new))
    begun = next((c.operation.id for c in changes if isinstance(c, BeginOperation)), "")
    return audit.made(origin, leaves, operation=begun) if leaves or begun else None


def _places(change: Change) -> Iterator[Place]:  # noqa: C901 - one case a change
    match change:
        case PutEndpoint(record):
            yield ("endpoints", record.name.lower())
        case ForgetEndpoint(name):
            yield ("endpoints", name.lower())
        case PutDeployment(record):
            yield ("deployments", record.endpoint.lower(), record.name.lower())
        case ForgetDeployment(endpoint, name):
            yield ("deployments", endpoint.lower(), name.lower())
        case PutAsset(asset) | DescribeAsset(asset):
            yield _asset_place(asset.key)
        case ForgetAsset(key):
            yield _asset_place(key)
        case PutRoleAssignment(assignment):
            yield ("roleAssignments", assignment.id)
        case ForgetRoleAssignment(id_):
            yield ("roleAssignments", id_)
        case PutItem(item) if item.kind != _INDEX:
            yield ("items", item.kind, item.name.lower())
        case ForgetItem(kind, name) if kind != _INDEX:
            yield ("items", kind, name.lower())
        case _:
            return


def _asset_place(key: AssetKey) -> Place:
    return ("assets", key.kind, key.name, key.version)


def _subject(known: Known) -> str:
    match known:
        case EndpointRecord():
            return f"onlineEndpoints/{known.name}"
        case DeploymentRecord():
            return f"onlineEndpoints/{known.endpoint}/deployments/{known.name}"
        case Asset(key):
            return f"{key.kind}/{key.name}/versions/{key.version}"
        case RoleAssignment(id=id_):
            return f"roleAssignments/{id_}"
        case Item(kind, name):
            return f"{kind}/{name}"


def _view(known: Known | None) -> dict[str, Any] | None:
    match known:
        case None:
            return None
        case EndpointRecord():
            keys = dict(zip(("primary", "secondary"), known.key_digests, strict=True))
            flags = {"is_paused": known.is_paused, "is_deleting": known.deleting}
            return {**_spec(known), **flags, "keys": keys}
        case DeploymentRecord():
            bundle = known.bundle
            files = {"code": bundle.code, "model": bundle.model.digest if bundle.model else None}
            told = {"revision": bundle.revision, "content": files}
            return {**_spec(known), **told, "is_deleting": known.deleting}
        case Asset():
            return {**json.loads(known.body), "digest": known.digest}
        case RoleAssignment():
            told = json.loads(dump(known))
            return {name: told[name] for name in ("role", "principal", "principal_type")}
        case Item():
            body = json.loads(known.body)
            told = body if isinstance(body, dict) else {"value": body}
            return told | ({"credentials": _mark(known.sealed)} if known.sealed else {})


def _spec(record: EndpointRecord | DeploymentRecord) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(dump(record))["spec"]
    return {name: value for name, value in told.items() if name not in {"name", "endpoint_name"}}


def _mark(sealed: str) -> str:
    """Tells one from another, and nothing else."""
    return hashlib.sha256(sealed.encode()).hexdigest()[:8]
