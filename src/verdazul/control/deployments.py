"""Use cases of deployments: declare, read, delete, logs."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from verdazul.control.endpoints import (
    Accepted,
    Precondition,
    canceled,
    existing_endpoint,
)
from verdazul.control.resolve import resolve
from verdazul.control.world import World
from verdazul.core.changes import (
    AddEvent,
    BeginOperation,
    Change,
    EndOperation,
    PutDeployment,
)
from verdazul.core.records import (
    DeploymentRecord,
    DeploymentState,
    EndpointRecord,
    Operation,
    OperationKind,
)
from verdazul.core.route import mirrored_to, weight_of
from verdazul.core.status import serving_bundle
from verdazul.model.deployment import DeploymentSpec, DeploymentType
from verdazul.model.errors import Conflict, NotFound, UserError
from verdazul.model.events import Event, Severity
from verdazul.model.names import same_name
from verdazul.model.skus import small_sku_warning
from verdazul.model.supported import refuse_unsupported

"""Azure's limit of deployments behind one endpoint."""


async def put_deployment(
    world: World, spec: DeploymentSpec, *, precondition: Precondition | None = None
) -> Accepted:
    """Declare a deployment, new or changed; its bundle is resolved now, so later changes of
    assets cannot touch it.

    Raises UserError for what cannot be, NotFound for a missing endpoint or asset, Conflict while
    another operation holds it.
    """
    refuse_unsupported(spec)
    async with world.turns.of(spec.endpoint_name):
        return await _put(world, spec, precondition or Precondition())


async def _put(world: World, spec: DeploymentSpec, precondition: Precondition) -> Accepted:
    endpoint = await existing_endpoint(world, spec.endpoint_name)
    if endpoint.deleting:
        raise Conflict(f'endpoint "{endpoint.name}" is being deleted')
    _refuse_other_kind(endpoint, spec)
    known = await world.store.deployment(endpoint.name, spec.name)
    what = f'deployment "{spec.name}" of endpoint "{endpoint.name}"'
    found = known.record.generation if known else None
    precondition.check(what, found)
    if known:
        _refuse_other_egress(known.record.spec, spec)
    record = await _record(world, endpoint, spec, known)
    operation = _operation(world, record, OperationKind.UPDATE if known else OperationKind.CREATE)
    await world.store.commit(
        BeginOperation(operation),
        PutDeployment(record, found),
        _event(world, record, "Declared", f"revision {record.bundle.revision} declared"),
        *_warnings(world, record),
    )
    world.environments.forget_failure(record.bundle.recipe)
    world.wake(endpoint.name)
    return Accepted(operation, created=known is None)


async def get_deployment(
    world: World, endpoint: str, name: str
) -> tuple[EndpointRecord, DeploymentState]:
    """Raise NotFound when there is none."""
    record = await existing_endpoint(world, endpoint)
    state = await world.store.deployment(endpoint, name)
    if state is None:
        raise NotFound(
            f'endpoint "{endpoint}" has no deployment "{name}"',
            fix=f"see `verdazul online-deployment list -e {endpoint}`",
        )
    return record, state


async def delete_deployment(world: World, endpoint: str, name: str) -> Accepted | None:
    """Take it down. None: there was nothing to delete. Refused while it takes traffic."""
    async with world.turns.of(endpoint):
        return await _delete(world, endpoint, name)


async def _delete(world: World, endpoint: str, name: str) -> Accepted | None:
    owner = await world.store.endpoint(endpoint)
    state = await world.store.deployment(endpoint, name)
    if owner is None or state is None:
        return None
    open_here = [
        operation
        for operation in await world.store.open_operations(endpoint)
        if same_name(operation.deployment, name)
    ]
    if state.record.deleting and open_here:
        return Accepted(open_here[0], created=False)
    _refuse_live(owner, state.record)
    now = world.clock.now()
    old = state.record
    record = replace(old, deleting=True, generation=old.generation + 1, modified_at=now)
    operation = _operation(world, record, OperationKind.DELETE)
    ended: list[Change] = [EndOperation(canceled(other, now)) for other in open_here]
    await world.store.commit(
        *ended,
        BeginOperation(operation),
        PutDeployment(record, old.generation),
        _event(world, record, "Deleting", "deployment is being deleted"),
    )
    world.wake(owner.name)
    return Accepted(operation, created=False)


async def logs(world: World, endpoint: str, name: str, *, tail: int) -> str:
    """The last lines of one instance. Raises NotFound for an unknown deployment.

    After a failed update they are those of the version that goes on serving, and say so.
    """
    _, state = await get_deployment(world, endpoint, name)
    content = await world.compute.logs(state.record.endpoint, state.record.name, tail=tail)
    return _whose_log(state) + content


def _whose_log(state: DeploymentState) -> str:
    serving = serving_bundle(state.record, state.memory).revision
    declared = state.record.bundle.revision
    if serving == declared:
        return ""
    return f"# revision {declared} failed; this is the log of revision {serving}, which serves\n"


async def _record(
    world: World, endpoint: EndpointRecord, spec: DeploymentSpec, known: DeploymentState | None
) -> DeploymentRecord:
    now = world.clock.now()
    spec = spec.model_copy(update={"endpoint_name": endpoint.name})
    bundle = await resolve(world, spec)
    world.environments.check(bundle.recipe)
    if known is None:
        await _refuse_over_limit(world, endpoint)
        return DeploymentRecord(spec, bundle, 1, world.ids.new(), now, now)
    old = known.record
    if old.deleting:
        raise Conflict(
            f'deployment "{old.name}" is being deleted',
            code="OperationInProgress",
            fix="wait until it is gone, then create it again",
        )
    spec = spec.model_copy(update={"name": old.name})
    return replace(old, spec=spec, bundle=bundle, generation=old.generation + 1, modified_at=now)


def _refuse_other_kind(endpoint: EndpointRecord, spec: DeploymentSpec) -> None:
    wanted = DeploymentType.KUBERNETES if endpoint.spec.compute else DeploymentType.MANAGED
    if spec.type is wanted:
        return
    at = f" (compute: {endpoint.spec.compute})" if endpoint.spec.compute else ""
    raise UserError(
        f'deployment "{spec.name}" is of type {spec.type.value}; endpoint "{endpoint.name}" is '
        f"{wanted.value}{at}",
        code="BadArgument",
        fix=f"write `type: {wanted.value}`, or create the deployment at another endpoint",
    )


def _refuse_other_egress(known: DeploymentSpec, spec: DeploymentSpec) -> None:
    """Source: Azure fixes it when the deployment is created."""
    before, after = known.egress_public_network_access, spec.egress_public_network_access
    if before is not after:
        raise UserError(
            f'egress_public_network_access of deployment "{known.name}" is {before.value}; it '
            f"cannot become {after.value}",
            code="BadArgument",
            fix="create another deployment, and move the traffic there",
        )


async def _refuse_over_limit(world: World, endpoint: EndpointRecord) -> None:
    most, most_in_all = world.settings.deployments_per_endpoint, world.settings.deployments
    if len(await world.store.deployments(endpoint.name)) >= most:
        _out_of_quota(
            f'endpoint "{endpoint.name}" has {most} deployments',
            "VERDAZUL_DEPLOYMENTS_PER_ENDPOINT",
        )
    if await world.store.count_deployments() >= most_in_all:
        _out_of_quota(
            f"there are {most_in_all} deployments of all endpoints", "VERDAZUL_DEPLOYMENTS"
        )


def _out_of_quota(what: str, setting: str) -> NoReturn:
    raise UserError(
        f"{what}; that is the limit",
        code="OutOfQuota",
        fix="delete a deployment that is not needed any more, or start Verdazul with a higher "
        f"{setting}",
    )


def _refuse_live(endpoint: EndpointRecord, record: DeploymentRecord) -> None:
    share = weight_of(endpoint, record.name)
    mirror = mirrored_to(endpoint, record.name)
    if mirror and not endpoint.deleting:
        raise UserError(
            f'deployment "{record.name}" gets copies of {mirror} % of the requests to endpoint '
            f'"{endpoint.name}"; only one that gets none can be deleted',
            code="DeploymentHasTraffic",
            fix=f"stop mirroring: verdazul online-endpoint update -n {endpoint.name} "
            f'--mirror-traffic "{record.name}=0"',
        )
    if share and not endpoint.deleting:
        raise UserError(
            f'deployment "{record.name}" takes {share} % of the traffic of endpoint '
            f'"{endpoint.name}"; only one that takes none can be deleted',
            code="DeploymentHasTraffic",
            fix=f"give its share to another deployment: verdazul online-endpoint update "
            f'-n {endpoint.name} --traffic "OTHER=100"',
        )


def _operation(world: World, record: DeploymentRecord, kind: OperationKind) -> Operation:
    return Operation(
        world.ids.new(),
        kind,
        record.endpoint,
        record.name,
        record.generation,
        world.clock.now(),
    )


def _warnings(world: World, record: DeploymentRecord) -> list[Change]:
    """What Azure warns of, too: instance types that are small for serving."""
    said = small_sku_warning(str(record.spec.instance_type))
    return [_event(world, record, "SmallSKUs", said, Severity.WARNING)] if said else []


def _event(
    world: World,
    record: DeploymentRecord,
    reason: str,
    message: str,
    severity: Severity = Severity.NORMAL,
) -> AddEvent:
    now = world.clock.now()
    return AddEvent(Event(now, record.endpoint, record.name, severity, reason, message))
