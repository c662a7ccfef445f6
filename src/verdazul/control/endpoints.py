"""Use cases of endpoints: declare, read, delete, show and change keys.

Each checks, commits one set of changes and wakes the loop; none waits for the world to follow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from verdazul.control.world import World
from verdazul.core.changes import (
    AddEvent,
    BeginOperation,
    Change,
    EndOperation,
    PutDeployment,
    PutEndpoint,
)
from verdazul.core.keys import digest
from verdazul.core.records import (
    DeploymentState,
    EndpointRecord,
    Operation,
    OperationKind,
    OperationState,
)
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.errors import Conflict, NotFound, PreconditionFailed, UserError
from verdazul.model.events import Event, Severity
from verdazul.model.status import Status
from verdazul.model.supported import refuse_unsupported
from verdazul.model.traffic import check_traffic

_KEY = re.compile(r"[\x21-\x7e]{32,256}")
ENDPOINTS_LIMIT = 100
"""Azure's limit of endpoints in a subscription and region."""


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint with all that a reader may want to know of it."""

    record: EndpointRecord
    status: Status | None
    deployments: tuple[DeploymentState, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A change was stored; `operation` tells when the world has followed."""

    operation: Operation
    created: bool


@dataclass(frozen=True, slots=True)
class Precondition:
    """If-Match (a generation, or `*`) and If-None-Match: * from the request."""

    generation: int | None = None
    must_exist: bool = False
    must_be_new: bool = False

    def check(self, what: str, found: int | None) -> None:
        """Raise PreconditionFailed or Conflict when the stored generation is not as required."""
        if self.must_be_new and found is not None:
            raise Conflict(
                f"{what} exists already", code="ResourceExists", fix="use update, or another name"
            )
        if self.must_exist and found is None:
            raise PreconditionFailed(f"{what} does not exist", fix="create it first")
        if self.generation is not None and self.generation != found:
            raise PreconditionFailed(
                f"{what} is at generation {found or 'none'}, not {self.generation}",
                fix="read it again and repeat the change",
            )


async def put_endpoint(
    world: World, spec: EndpointSpec, *, precondition: Precondition | None = None
) -> Accepted:
    """Declare an endpoint, new or changed.

    Raises UserError for what cannot be, Conflict while another operation holds it.
    """
    refuse_unsupported(spec)
    _refuse_elsewhere(world, spec)
    async with world.turns.of(spec.name):
        known = await world.store.endpoint(spec.name)
        what = f'endpoint "{spec.name}"'
        (precondition or Precondition()).check(what, known.generation if known else None)
        if known:
            return await _update(world, known, spec)
        return await _create(world, spec)


async def _create(world: World, spec: EndpointSpec) -> Accepted:
    if len(await world.store.endpoints()) >= ENDPOINTS_LIMIT:
        raise UserError(
            f"there are {ENDPOINTS_LIMIT} endpoints; that is the limit",
            code="OutOfQuota",
            fix="delete an endpoint that is not needed any more",
        )
    check_traffic(spec.traffic, (), endpoint=spec.name)
    now = world.clock.now()
    keys = (world.ids.new_key(), world.ids.new_key())
    record = EndpointRecord(
        spec=spec,
        generation=1,
        uid=world.ids.new(),
        created_at=now,
        modified_at=now,
        sealed_keys=(world.secrets.seal(keys[0]), world.secrets.seal(keys[1])),
        key_digests=(digest(keys[0]), digest(keys[1])),
    )
    operation = _operation(world, record, OperationKind.CREATE)
    await _declare(world, record, None, operation, "endpoint declared")
    return Accepted(operation, created=True)


async def _update(world: World, known: EndpointRecord, spec: EndpointSpec) -> Accepted:
    _refuse_deleting(known)
    deployments = await world.store.deployments(known.name)
    shares = check_traffic(spec.traffic, _living(deployments), endpoint=known.name)
    traffic = {name: share for name, share in shares.items() if share}
    record = replace(
        known,
        spec=spec.model_copy(update={"name": known.name, "traffic": traffic}),
        generation=known.generation + 1,
        modified_at=world.clock.now(),
    )
    operation = _operation(world, record, OperationKind.UPDATE)
    said = ", ".join(f"{name}={share}" for name, share in traffic.items()) or "none"
    await _declare(world, record, known.generation, operation, f"traffic: {said}")
    return Accepted(operation, created=False)


async def get_endpoint(world: World, name: str) -> EndpointView:
    """Raise NotFound when there is none."""
    record = await existing_endpoint(world, name)
    return await _view(world, record)


async def list_endpoints(world: World) -> tuple[EndpointView, ...]:
    """All endpoints, by name."""
    return tuple([await _view(world, record) for record in await world.store.endpoints()])


async def delete_endpoint(world: World, name: str) -> Accepted | None:
    """Take it and all its deployments down. None: there was nothing to delete.

    Open operations on it are cancelled: a deletion never waits for a creation.
    """
    async with world.turns.of(name):
        return await _delete(world, name)


async def _delete(world: World, name: str) -> Accepted | None:
    known = await world.store.endpoint(name)
    if known is None:
        return None
    if known.deleting:
        return Accepted(await _open_deletion(world, known), created=False)
    now = world.clock.now()
    record = replace(known, deleting=True, generation=known.generation + 1, modified_at=now)
    operation = _operation(world, record, OperationKind.DELETE)
    changes: list[Change] = [
        EndOperation(canceled(open_operation, now))
        for open_operation in await world.store.open_operations(known.name)
    ]
    for state in await world.store.deployments(known.name):
        old = state.record
        gone = replace(old, deleting=True, generation=old.generation + 1, modified_at=now)
        changes.append(PutDeployment(gone, old.generation))
    changes += [
        PutEndpoint(record, known.generation),
        BeginOperation(operation),
        _event(world, record, "Deleting", "endpoint and its deployments are being deleted"),
    ]
    await world.store.commit(*changes)
    world.wake(known.name)
    return Accepted(operation, created=False)


async def list_keys(world: World, name: str) -> tuple[str, str]:
    """Primary and secondary key."""
    record = await existing_endpoint(world, name)
    primary, secondary = record.sealed_keys
    return world.secrets.open(primary), world.secrets.open(secondary)


async def regenerate_key(world: World, name: str, *, primary: bool, value: str = "") -> Accepted:
    """Replace one key; the other goes on opening the endpoint.

    `value` sets a key of the caller's own; a key that is in use already (clients echo the current
    one) means: make a new one. Raises UserError (InvalidKey) for a weak one.
    """
    async with world.turns.of(name):
        return await _regenerate(world, name, primary=primary, value=value)


async def _regenerate(world: World, name: str, *, primary: bool, value: str) -> Accepted:
    known = await existing_endpoint(world, name)
    _refuse_deleting(known)
    is_echo = digest(value) in known.key_digests
    if value and not is_echo and not _KEY.fullmatch(value):
        raise UserError(
            "keyValue is not a key: it must be 32 to 256 printable ASCII characters, no spaces",
            code="InvalidKey",
            fix="leave keyValue out to get a random one",
        )
    key = value if value and not is_echo else world.ids.new_key()
    index = 0 if primary else 1
    record = replace(
        known,
        sealed_keys=_replaced(known.sealed_keys, index, world.secrets.seal(key)),
        key_digests=_replaced(known.key_digests, index, digest(key)),
        generation=known.generation + 1,
        modified_at=world.clock.now(),
    )
    operation = _operation(world, record, OperationKind.REGENERATE_KEYS)
    which = "primary" if primary else "secondary"
    await _declare(world, record, known.generation, operation, f"{which} key replaced")
    return Accepted(operation, created=False)


async def existing_endpoint(world: World, name: str) -> EndpointRecord:
    """The endpoint of that name. Raises NotFound."""
    record = await world.store.endpoint(name)
    if record is None:
        raise NotFound(
            f'endpoint "{name}" does not exist',
            fix="see `verdazul online-endpoint list`, or create it first",
        )
    return record


def canceled(operation: Operation, now: float) -> Operation:
    """The same operation, overtaken by a deletion."""
    return replace(operation, state=OperationState.CANCELED, finished_at=now)


def _refuse_elsewhere(world: World, spec: EndpointSpec) -> None:
    here = world.settings.location
    if spec.location and spec.location.lower() != here.lower():
        raise UserError(
            f'endpoint "{spec.name}" names location {spec.location!r}; this workspace is in '
            f"{here!r}",
            code="InvalidLocation",
            fix=f"leave `location` out, or start Verdazul with VERDAZUL_LOCATION={spec.location}",
        )


def _refuse_deleting(record: EndpointRecord) -> None:
    if record.deleting:
        raise Conflict(
            f'endpoint "{record.name}" is being deleted',
            code="OperationInProgress",
            fix="wait until it is gone, then create it again",
        )


async def _declare(
    world: World,
    record: EndpointRecord,
    expected: int | None,
    operation: Operation,
    message: str,
) -> None:
    await world.store.commit(
        BeginOperation(operation),
        PutEndpoint(record, expected),
        _event(world, record, "Declared", message),
    )
    world.wake(record.name)


async def _view(world: World, record: EndpointRecord) -> EndpointView:
    return EndpointView(
        record,
        await world.store.endpoint_status(record.name),
        await world.store.deployments(record.name),
    )


async def _open_deletion(world: World, record: EndpointRecord) -> Operation:
    for operation in await world.store.open_operations(record.name):
        if operation.kind is OperationKind.DELETE and not operation.deployment:
            return operation
    raise NotFound(f'endpoint "{record.name}" does not exist')


def _operation(world: World, record: EndpointRecord, kind: OperationKind) -> Operation:
    now = world.clock.now()
    return Operation(world.ids.new(), kind, record.name, "", record.generation, now)


def _event(world: World, record: EndpointRecord, reason: str, message: str) -> AddEvent:
    now = world.clock.now()
    return AddEvent(Event(now, record.name, "", Severity.NORMAL, reason, message))


def _living(deployments: tuple[DeploymentState, ...]) -> list[str]:
    return [state.record.name for state in deployments if not state.record.deleting]


def _replaced(pair: tuple[str, str], index: int, value: str) -> tuple[str, str]:
    return (value, pair[1]) if index == 0 else (pair[0], value)
