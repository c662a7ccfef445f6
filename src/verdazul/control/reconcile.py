"""Brings one endpoint one step nearer to what was declared. Level, not edge: reads everything,
remembers nothing of its own, may be interrupted and repeated at any point.

    observe -> publish routes -> plan and act, deployment by deployment -> judge and remember
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from verdazul.control.endpoints import canceled
from verdazul.control.loop import Gone, LookAgain
from verdazul.control.pausing import hold_of
from verdazul.control.perform import grace, perform
from verdazul.control.roles import callers_of
from verdazul.control.trust import are_issuers_acknowledged
from verdazul.control.world import World, surroundings
from verdazul.core.access import ONLY_OWNER
from verdazul.core.changes import (
    AddEvent,
    Change,
    EndOperation,
    ForgetDeployment,
    ForgetEndpoint,
    RememberDeployment,
    RememberEndpoint,
)
from verdazul.core.environment import Built, Missing
from verdazul.core.instance import Instance
from verdazul.core.plan import Desired, Observed, Policy, plan
from verdazul.core.records import (
    DeploymentState,
    EndpointRecord,
    Operation,
    OperationKind,
    OperationState,
)
from verdazul.core.revision import Bundle
from verdazul.core.rollout import next_bundle
from verdazul.core.route import Route, route
from verdazul.core.status import World as SeenWorld
from verdazul.core.status import judge, serving_bundle
from verdazul.model.deployment import DeploymentType
from verdazul.model.endpoint import AuthMode
from verdazul.model.errors import Problem, Retryable, VerdazulError
from verdazul.model.events import Event, Severity
from verdazul.model.names import same_name
from verdazul.model.status import Condition, ProvisioningState, Status, Truth

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at an endpoint. `refusal` is why the gateway does not route as it should.

    `opened` are the operations in progress, once all is done that can be done for now.
    """

    endpoint: EndpointRecord | None
    status: Status | None
    deployments: tuple[DeploymentState, ...]
    instances: tuple[Instance, ...]
    routed: frozenset[str]
    refusal: Problem | None
    opened: tuple[Operation, ...] = ()


async def reconcile(world: World, name: str) -> LookAgain | Gone:
    """One step for the endpoint `name`. Returns when to look again.

    Raises Retryable when a part of the world does not answer.
    """
    seen = await _look(world, name)
    again = [await _act(world, seen, deployment, name) for deployment in _deployment_names(seen)]
    seen = replace(seen, opened=await world.store.open_operations(name))
    changes = [*await _judge_deployments(world, seen), *await _judge_endpoint(world, seen)]
    if changes:
        await world.store.commit(*changes)
    if seen.endpoint is None and not seen.instances and seen.refusal is None:
        return Gone()
    return LookAgain(min((at for at in again if at is not None), default=None))


async def _look(world: World, name: str) -> Seen:
    state = await world.store.endpoint_state(name)
    endpoint = state.record if state else None
    deployments = state.deployments if state else ()
    instances = await world.compute.observe(endpoint.name if endpoint else name)
    refusal = await _publish(world, name, endpoint, deployments, instances)
    routed = world.gateway.routed(endpoint.name if endpoint else name)
    status = state.status if state else None
    return Seen(endpoint, status, deployments, instances, routed, refusal)


async def _publish(
    world: World,
    name: str,
    endpoint: EndpointRecord | None,
    deployments: tuple[DeploymentState, ...],
    instances: tuple[Instance, ...],
) -> Problem | None:
    """Make the gateway route as declared; what it refuses is told, not raised."""
    wanted = await _route(world, endpoint, deployments, instances) if endpoint else None
    published_name = endpoint.name if endpoint else name
    if wanted == world.gateway.published(published_name):
        return None
    try:
        await world.gateway.publish(published_name, wanted)
    except Retryable:
        raise
    except VerdazulError as error:
        _log.warning("gateway refused endpoint=%s why=%s", name, error.problem.message)
        return error.problem
    return None


async def _route(
    world: World,
    endpoint: EndpointRecord,
    deployments: tuple[DeploymentState, ...],
    instances: tuple[Instance, ...],
) -> Route | None:
    is_by_role = endpoint.spec.auth_mode is AuthMode.AAD_TOKEN
    callers = await callers_of(world, endpoint.name) if is_by_role else ONLY_OWNER
    declared, hold = (state.record for state in deployments), hold_of(world.settings)
    around = surroundings(world.settings)
    return route(endpoint, declared, instances, callers, hold=hold, around=around)


def _deployment_names(seen: Seen) -> list[str]:
    """Declared deployments, and those that only left instances behind."""
    names = [state.record.name for state in seen.deployments]
    for instance in seen.instances:
        if not any(same_name(instance.id.deployment, name) for name in names):
            names.append(instance.id.deployment)
    return names


async def _act(world: World, seen: Seen, deployment: str, endpoint: str) -> float | None:
    state = next((d for d in seen.deployments if same_name(d.record.name, deployment)), None)
    mine = tuple(i for i in seen.instances if same_name(i.id.deployment, deployment))
    record = state.record if state else None
    is_wanted = state and _is_wanted(seen.endpoint, state)
    bundle = _next_bundle(world, state, mine) if state and is_wanted else None
    environment = world.environments.state(bundle.recipe) if bundle else Missing()
    desired = Desired(
        endpoint=seen.endpoint.name if seen.endpoint else endpoint,
        deployment=deployment,
        revision=bundle.revision if bundle else None,
        replicas=record.spec.instance_count if record else 0,
        startable=isinstance(environment, Built),
        declared_at=record.modified_at if record else 0.0,
        policy=_policy(world),
        one_by_one=record is not None and record.spec.type is DeploymentType.KUBERNETES,
    )
    planned = plan(desired, Observed(mine, seen.routed), world.clock.now())
    for action in planned.actions:
        await perform(
            world,
            action,
            bundle=bundle,
            environment=environment if isinstance(environment, Built) else None,
            grace_seconds=grace(record, world.settings.instance_drain_seconds),
        )
    return world.clock.now() if planned.actions else planned.look_again_at


def _next_bundle(world: World, state: DeploymentState, mine: tuple[Instance, ...]) -> Bundle:
    """What instances are made from now; what they are to become is built meanwhile."""
    record, memory = state.record, state.memory
    recipes = {bundle.recipe for bundle in (record.bundle, memory.last_good) if bundle}
    states = {recipe: world.environments.state(recipe) for recipe in recipes}
    built = {recipe for recipe, found in states.items() if isinstance(found, Built)}
    bundle = next_bundle(record, memory, mine, built=built)
    for recipe in {bundle.recipe, serving_bundle(record, memory).recipe}:
        if isinstance(states[recipe], Missing):
            world.environments.prepare(recipe)
    return bundle


def _is_wanted(endpoint: EndpointRecord | None, state: DeploymentState) -> bool:
    return endpoint is not None and not endpoint.deleting and not state.record.deleting


def _policy(world: World) -> Policy:
    settings = world.settings
    return Policy(settings.drain_seconds, settings.backoff_seconds, settings.backoff_max_seconds)


async def _judge_deployments(world: World, seen: Seen) -> list[Change]:
    changes: list[Change] = []
    for state in seen.deployments:
        if state.record.deleting:
            changes += await _judge_deletion(world, seen, state)
        else:
            changes += _judge_deployment(world, seen, state)
    return changes


async def _judge_deletion(world: World, seen: Seen, state: DeploymentState) -> list[Change]:
    """Once its last instance is gone, so is the deployment."""
    record = state.record
    left = await world.compute.observe(record.endpoint)
    if any(same_name(i.id.deployment, record.name) for i in left) or seen.refusal:
        return []
    ended = _end_operations(world, seen, record.name, None)
    return [ForgetDeployment(record.endpoint, record.name), *ended]


def _judge_deployment(world: World, seen: Seen, state: DeploymentState) -> list[Change]:
    record, now = state.record, world.clock.now()
    mine = tuple(i for i in seen.instances if same_name(i.id.deployment, record.name))
    view = SeenWorld(
        instances=mine,
        environment=world.environments.state(record.bundle.recipe),
        routes_acked=seen.refusal is None,
        refusal=seen.refusal,
    )
    status, memory = judge(state, view, now, start_attempts=world.settings.start_attempts)
    changes: list[Change] = [
        AddEvent(Event(now, record.endpoint, record.name, severity, reason, message))
        for severity, reason, message in _news(state.status, status)
    ]
    if (status, memory) != (state.status, state.memory):
        changes.append(RememberDeployment(record.endpoint, record.name, status, memory))
    if status.state in {ProvisioningState.SUCCEEDED, ProvisioningState.FAILED}:
        changes += _end_operations(world, seen, record.name, status)
    return changes


def _news(before: Status | None, now: Status) -> list[tuple[Severity, str, str]]:
    """What people should hear: claims that changed, and how an operation ended."""
    told = {c.type: (c.reason, c.message) for c in before.conditions} if before else {}
    news = [
        (_severity(c), c.reason, c.message)
        for c in now.conditions
        if told.get(c.type) != (c.reason, c.message) and _is_news(c)
    ]
    is_new = before is None or (before.state, before.observed_generation) != (
        now.state,
        now.observed_generation,
    )
    if is_new and now.problem:
        news.append((Severity.WARNING, "Failed", now.problem.message))
    if is_new and now.state is ProvisioningState.SUCCEEDED:
        news.append((Severity.NORMAL, "Succeeded", "deployed as declared"))
    return news


def _is_news(condition: Condition) -> bool:
    """That something has not begun, or is only under way, is told by what is done about it."""
    return condition.truth is not Truth.UNKNOWN and condition.reason != "Starting"


def _severity(condition: Condition) -> Severity:
    bad = condition.reason in {"BuiltOtherwise", "BuildFailed", "CrashLooping"}
    return Severity.WARNING if bad else Severity.NORMAL


async def _judge_endpoint(world: World, seen: Seen) -> list[Change]:
    endpoint = seen.endpoint
    if endpoint is None:
        return []
    if endpoint.deleting:
        return await _judge_endpoint_deletion(world, seen, endpoint)
    status = _endpoint_status(endpoint, seen.refusal)
    if endpoint.spec.auth_mode is AuthMode.AAD_TOKEN:
        status = replace(status, conditions=(*status.conditions, _trusted(world, endpoint)))
    changes: list[Change] = []
    if status != seen.status:
        changes.append(RememberEndpoint(endpoint.name, status))
    changes += _end_operations(world, seen, "", status)
    return changes


async def _judge_endpoint_deletion(
    world: World, seen: Seen, endpoint: EndpointRecord
) -> list[Change]:
    left = await world.compute.observe(endpoint.name)
    if left or seen.refusal or world.gateway.published(endpoint.name):
        return []
    changes: list[Change] = []
    for state in seen.deployments:
        changes += _end_operations(world, seen, state.record.name, None)
    changes += _end_operations(world, seen, "", None)
    return [*changes, ForgetEndpoint(endpoint.name)]


def _endpoint_status(endpoint: EndpointRecord, refusal: Problem | None) -> Status:
    if refusal:
        state, applied = ProvisioningState.FAILED, (Truth.FALSE, "Refused", refusal.message)
    else:
        state, applied = ProvisioningState.SUCCEEDED, (Truth.TRUE, "Acknowledged", "in force")
    at = (endpoint.modified_at, endpoint.generation)
    conditions = [Condition("TrafficApplied", *applied, *at)]
    if endpoint.is_paused:
        conditions.append(Condition("Paused", Truth.TRUE, "Asked", "requests wait", *at))
    return Status(state, endpoint.generation, refusal, tuple(conditions))


def _trusted(world: World, endpoint: EndpointRecord) -> Condition:
    """Whether identities can prove who they are; with old keys they still can."""
    problems = world.issuers.problems()
    known = len(world.issuers.signers())
    if problems:
        said = (Truth.FALSE, problems[0].code, "; ".join(one.message for one in problems))
    elif not are_issuers_acknowledged(world):
        waits = "the gateway has not acknowledged the issuers' keys as they are now"
        said = (Truth.FALSE, "NotAcknowledged", waits)
    elif known:
        said = (Truth.TRUE, "Fresh", f"the keys of {known} issuers are known")
    else:
        none = f"{world.settings.issuers_file} lists no issuer: only the home's owner can call"
        said = (Truth.TRUE, "HomeOnly", none)
    return Condition("IssuersTrusted", *said, endpoint.modified_at, endpoint.generation)


def _end_operations(
    world: World, seen: Seen, deployment: str, status: Status | None
) -> list[Change]:
    """Close what is open on this resource with its outcome. `status` None: it was deleted."""
    return [
        EndOperation(_ended(operation, status, world.clock.now()))
        for operation in seen.opened
        if same_name(operation.deployment, deployment) and _is_about(operation, status)
    ]


def _is_about(operation: Operation, status: Status | None) -> bool:
    """A deletion ends when the thing is gone, a change when its generation was judged."""
    if status is None:
        return True
    is_deletion = operation.kind is OperationKind.DELETE
    return not is_deletion and operation.generation <= status.observed_generation


def _ended(operation: Operation, status: Status | None, now: float) -> Operation:
    if status is None and operation.kind is not OperationKind.DELETE:
        return canceled(operation, now)
    failed = status is not None and status.state is ProvisioningState.FAILED
    return replace(
        operation,
        state=OperationState.FAILED if failed else OperationState.SUCCEEDED,
        problem=status.problem if status and failed else None,
        finished_at=now,
    )
