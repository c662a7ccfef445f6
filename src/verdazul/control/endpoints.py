"""Use cases of endpoints: declare, read, delete.

Each checks, commits one set of changes and wakes the loop; none waits for the world to follow.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    EndpointState,
    Operation,
    OperationKind,
    OperationState,
)
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.errors import Conflict, NotFound, PreconditionFailed, UserError
from verdazul.model.events import Event, Severity
from verdazul.model.supported import refuse_unsupported
from verdazul.model.traffic import check_mirror, check_traffic


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
    limit = world.settings.endpoints
    if await world.store.count_endpoints() >= limit:
        raise UserError(
            f"there are {limit} endpoints; that is the limit",
            code="OutOfQuota",
            fix="delete an endpoint that is not needed any more, or start Verdazul with a higher "
            "VERDAZUL_ENDPOINTS",
        )
    check_traffic(spec.traffic, (), endpoint=spec.name)
    check_mirror(spec.mirror_traffic, (), endpoint=spec.name)
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
    return await declare(world, record, None, OperationKind.CREATE, "endpoint declared")


async def _update(world: World, known: EndpointRecord, spec: EndpointSpec) -> Accepted:
    refuse_deleting(known)
    _refuse_other_compute(known, spec)
    deployments = await world.store.deployments(known.name)
    living = _living(deployments)
    shares = check_traffic(spec.traffic, living, endpoint=known.name)
    traffic = {name: share for name, share in shares.items() if share}
    mirror = check_mirror(spec.mirror_traffic, living, endpoint=known.name)
    split = {"traffic": traffic, "mirror_traffic": mirror}
    record = replace(
        known,
        spec=spec.model_copy(update={"name": known.name, **split}),
        generation=known.generation + 1,
        modified_at=world.clock.now(),
    )
    said = f"traffic: {_split_text(traffic)}"
    said += f"; mirrored: {_split_text(mirror)}" if mirror else ""
    return await declare(world, record, known.generation, OperationKind.UPDATE, said)


def _refuse_other_compute(known: EndpointRecord, spec: EndpointSpec) -> None:
    before, after = known.spec.compute, spec.compute
    if (before or "").lower() != (after or "").lower():
        raise UserError(
            f'compute of endpoint "{known.name}" is {before or "none (managed)"}; it cannot become '
            f"{after or 'none (managed)'}",
            code="BadArgument",
            fix="delete the endpoint and create it anew, or create another one",
        )


async def get_endpoint(world: World, name: str) -> EndpointState:
    """Raise NotFound when there is none."""
    state = await world.store.endpoint_state(name)
    if state is None:
        raise _no_endpoint(name)
    return state


async def some_endpoints(world: World, names: Iterable[str]) -> tuple[EndpointState, ...]:
    """Those of these names that there are."""
    found = []
    for name in names:
        record = await world.store.endpoint(name)
        if record:
            status = await world.store.endpoint_status(record.name)
            found.append(EndpointState(record, status, await world.store.deployments(record.name)))
    return tuple(found)


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


async def existing_endpoint(world: World, name: str) -> EndpointRecord:
    """The endpoint of that name. Raises NotFound."""
    record = await world.store.endpoint(name)
    if record is None:
        raise _no_endpoint(name)
    return record


def _no_endpoint(name: str) -> NotFound:
    return NotFound(
        f'endpoint "{name}" does not exist',
        fix="see `verdazul online-endpoint list`, or create it first",
    )


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


def refuse_deleting(record: EndpointRecord) -> None:
    """Raise Conflict when it is going."""
    if record.deleting:
        raise Conflict(
            f'endpoint "{record.name}" is being deleted',
            code="OperationInProgress",
            fix="wait until it is gone, then create it again",
        )


async def declare(
    world: World,
    record: EndpointRecord,
    expected: int | None,
    kind: OperationKind,
    message: str,
) -> Accepted:
    """Store a changed endpoint, begin the operation and wake the loop."""
    operation = _operation(world, record, kind)
    await world.store.commit(
        BeginOperation(operation),
        PutEndpoint(record, expected),
        _event(world, record, "Declared", message),
    )
    world.wake(record.name)
    return Accepted(operation, created=expected is None)


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


def _split_text(split: dict[str, int]) -> str:
    return ", ".join(f"{name}={share}" for name, share in split.items()) or "none"
