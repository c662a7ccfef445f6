"""The Store in memory: a small real implementation for tests and simulations."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import assert_never

from verdazul.core.access import RoleAssignment
from verdazul.core.audit import Entry, Wanted
from verdazul.core.changes import (
    AddEntry,
    AddEvent,
    BeginOperation,
    Change,
    DescribeAsset,
    EndOperation,
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
    RememberDeployment,
    RememberEndpoint,
)
from verdazul.core.records import (
    Asset,
    AssetKey,
    DeploymentState,
    EndpointRecord,
    EndpointState,
    Item,
    Memory,
    Operation,
    OperationState,
)
from verdazul.model.events import Event
from verdazul.model.status import Status
from verdazul.origin import present
from verdazul.store import audit, conflicts


@dataclass
class _Tables:
    endpoints: dict[str, EndpointRecord] = field(default_factory=dict)
    statuses: dict[str, Status] = field(default_factory=dict)
    deployments: dict[tuple[str, str], DeploymentState] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    assets: dict[AssetKey, Asset] = field(default_factory=dict)
    roles: dict[str, RoleAssignment] = field(default_factory=dict)
    items: dict[tuple[str, str], Item] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)

    def copy(self) -> _Tables:
        """New containers around the same records, which are frozen."""
        return _Tables(
            dict(self.endpoints),
            dict(self.statuses),
            dict(self.deployments),
            dict(self.operations),
            list(self.events),
            dict(self.assets),
            dict(self.roles),
            dict(self.items),
            list(self.entries),
        )

    def find(self, place: audit.Place) -> audit.Known | None:
        """The record there."""
        match place:
            case ("endpoints", name):
                return self.endpoints.get(name)
            case ("deployments", endpoint, name):
                state = self.deployments.get((endpoint, name))
                return state.record if state else None
            case ("assets", kind, name, version):
                return self.assets.get(AssetKey(kind, name, version))
            case ("roleAssignments", id_):
                return self.roles.get(id_)
            case (_, kind, name):
                return self.items.get((kind, name))
        raise KeyError(place)


class MemoryStore:
    """Forgets everything with the process; commits are all or none, as on disk."""

    def __init__(self) -> None:
        self._tables = _Tables()

    async def commit(self, *changes: Change) -> None:
        draft, request = self._tables.copy(), present()
        for change in changes:
            _apply(draft, change)
        if request:
            places = audit.places(changes)
            before, after = map(self._tables.find, places), map(draft.find, places)
            entry = audit.entry(request.origin, changes, before, after)
            draft.entries += [entry] if entry else []
            request.is_told |= entry is not None
        self._tables = draft

    async def endpoints(
        self, *, skip: int = 0, most: int | None = None
    ) -> tuple[EndpointState, ...]:
        keys = sorted(self._tables.endpoints)[skip:][:most]
        return tuple([await self._endpoint_state(key) for key in keys])

    async def _endpoint_state(self, key: str) -> EndpointState:
        record, status = self._tables.endpoints[key], self._tables.statuses.get(key)
        return EndpointState(record, status, await self.deployments(key))

    async def endpoint_names(self) -> tuple[str, ...]:
        return tuple(record.name for _, record in sorted(self._tables.endpoints.items()))

    async def count_endpoints(self) -> int:
        return len(self._tables.endpoints)

    async def count_deployments(self) -> int:
        return len(self._tables.deployments)

    async def endpoint(self, name: str) -> EndpointRecord | None:
        return self._tables.endpoints.get(name.lower())

    async def endpoint_state(self, name: str) -> EndpointState | None:
        key = name.lower()
        return await self._endpoint_state(key) if key in self._tables.endpoints else None

    async def endpoint_status(self, name: str) -> Status | None:
        return self._tables.statuses.get(name.lower())

    async def deployments(self, endpoint: str) -> tuple[DeploymentState, ...]:
        found = sorted(self._tables.deployments.items())
        return tuple(state for key, state in found if key[0] == endpoint.lower())

    async def deployment(self, endpoint: str, name: str) -> DeploymentState | None:
        return self._tables.deployments.get((endpoint.lower(), name.lower()))

    async def operation(self, operation_id: str) -> Operation | None:
        return self._tables.operations.get(operation_id)

    async def open_operations(self, endpoint: str) -> tuple[Operation, ...]:
        return tuple(o for o in _open(self._tables) if o.endpoint.lower() == endpoint.lower())

    async def latest_operation(self, endpoint: str, deployment: str = "") -> Operation | None:
        asked = (endpoint.lower(), deployment.lower())
        kept = enumerate(self._tables.operations.values())
        mine = [
            (operation.started_at, at, operation)
            for at, operation in kept
            if (operation.endpoint.lower(), operation.deployment.lower()) == asked
        ]
        return max(mine)[-1] if mine else None

    async def events(
        self, endpoint: str, deployment: str | None = None, *, since: float = 0.0, last: int = 200
    ) -> tuple[Event, ...]:
        found = [
            event
            for event in self._tables.events
            if event.endpoint.lower() == endpoint.lower()
            and (deployment is None or event.deployment.lower() == deployment.lower())
            and event.time >= since
        ]
        return tuple(found[-last:] if last else ())

    async def asset(self, key: AssetKey) -> Asset | None:
        return self._tables.assets.get(key)

    async def assets(self, kind: str, *, name: str = "", tree_hash: str = "") -> tuple[Asset, ...]:
        found = [
            asset
            for asset in self._tables.assets.values()
            if asset.key.kind == kind
            and name in {"", asset.key.name}
            and tree_hash in {"", asset.tree_hash}
        ]
        found.reverse()
        return tuple(sorted(found, key=lambda asset: asset.created_at, reverse=True))

    async def role_assignments(self, *, at: str | None = None) -> tuple[RoleAssignment, ...]:
        known = sorted(self._tables.roles.values(), key=lambda a: (a.created_at, a.id))
        return tuple(a for a in known if at is None or a.endpoint.lower() in {"", at.lower()})

    async def item(self, kind: str, name: str) -> Item | None:
        return self._tables.items.get((kind, name.lower()))

    async def items(self, kind: str) -> tuple[Item, ...]:
        found = sorted(self._tables.items.items())
        return tuple(item for key, item in found if key[0] == kind)

    async def activity(self, wanted: Wanted) -> tuple[tuple[int, Entry], ...]:
        numbered = list(enumerate(self._tables.entries, 1))
        found = [(number, one) for number, one in numbered if _is_wanted(one, number, wanted)]
        return tuple(reversed(found))[: wanted.most]


def _apply(tables: _Tables, change: Change) -> None:  # noqa: C901, PLR0912 - one case a change, complete
    match change:
        case PutEndpoint():
            _put_endpoint(tables, change)
        case PutDeployment():
            _put_deployment(tables, change)
        case ForgetEndpoint(name):
            _forget_endpoint(tables, name.lower())
        case ForgetDeployment(endpoint, name):
            tables.deployments.pop((endpoint.lower(), name.lower()), None)
        case RememberEndpoint(name, status):
            if name.lower() in tables.endpoints:
                tables.statuses[name.lower()] = status
        case RememberDeployment(endpoint, name, status, memory):
            where = (endpoint.lower(), name.lower())
            if where in tables.deployments:
                tables.deployments[where] = replace(
                    tables.deployments[where], status=status, memory=memory
                )
        case BeginOperation(operation):
            _begin(tables, operation)
        case EndOperation(operation):
            known = tables.operations.get(operation.id)
            if known and known.state is OperationState.IN_PROGRESS:
                tables.operations[operation.id] = operation
        case AddEvent(event):
            tables.events.append(event)
        case PutAsset(asset):
            known_asset = tables.assets.setdefault(asset.key, asset)
            if not conflicts.is_same(known_asset, asset):
                raise conflicts.other_content(asset.key)
        case DescribeAsset(asset):
            if asset.key in tables.assets:
                tables.assets[asset.key] = asset
        case ForgetAsset(key):
            tables.assets.pop(key, None)
        case PutRoleAssignment(assignment):
            tables.roles[assignment.id] = assignment
        case ForgetRoleAssignment(id_):
            tables.roles.pop(id_, None)
        case PutItem(item):
            tables.items[item.kind, item.name.lower()] = item
        case ForgetItem(kind, name):
            tables.items.pop((kind, name.lower()), None)
        case AddEntry(entry):
            tables.entries.append(entry)
        case _:
            assert_never(change)


def _is_wanted(entry: Entry, number: int, wanted: Wanted) -> bool:
    return (
        wanted.since <= entry.at <= wanted.until
        and (wanted.before is None or number < wanted.before)
        and wanted.caller in {"", entry.caller, entry.name}
        and (not wanted.resource or _is_below(entry.resource, wanted.resource))
        and wanted.outcome in {"", entry.outcome}
        and wanted.correlation in {"", entry.correlation}
    )


def _is_below(resource: str, other: str) -> bool:
    return f"{resource}/".lower().startswith(f"{other}/".lower())


def _put_endpoint(tables: _Tables, change: PutEndpoint) -> None:
    known = tables.endpoints.get(change.record.name.lower())
    found = known.generation if known else None
    if found != change.expected:
        what = f'endpoint "{change.record.name}"'
        raise conflicts.changed_meanwhile(what, change.expected, found)
    tables.endpoints[change.record.name.lower()] = change.record


def _put_deployment(tables: _Tables, change: PutDeployment) -> None:
    record = change.record
    key = (record.endpoint.lower(), record.name.lower())
    if key[0] not in tables.endpoints:
        raise conflicts.no_endpoint(record.endpoint)
    known = tables.deployments.get(key)
    found = known.record.generation if known else None
    if found != change.expected:
        what = f'deployment "{record.name}" of endpoint "{record.endpoint}"'
        raise conflicts.changed_meanwhile(what, change.expected, found)
    tables.deployments[key] = (
        replace(known, record=record) if known else DeploymentState(record, None, Memory())
    )


def _forget_endpoint(tables: _Tables, key: str) -> None:
    tables.endpoints.pop(key, None)
    tables.statuses.pop(key, None)
    for deployment_key in [k for k in tables.deployments if k[0] == key]:
        del tables.deployments[deployment_key]
    tables.events[:] = [e for e in tables.events if e.endpoint.lower() != key]
    for role in [a for a in tables.roles.values() if a.endpoint.lower() == key]:
        del tables.roles[role.id]


def _begin(tables: _Tables, operation: Operation) -> None:
    for other in _open(tables):
        same_endpoint = other.endpoint.lower() == operation.endpoint.lower()
        if same_endpoint and other.deployment.lower() == operation.deployment.lower():
            raise conflicts.held(operation, by=other)
    tables.operations[operation.id] = operation


def _open(tables: _Tables) -> list[Operation]:
    opened = [o for o in tables.operations.values() if o.state is OperationState.IN_PROGRESS]
    return sorted(opened, key=lambda o: o.started_at)
