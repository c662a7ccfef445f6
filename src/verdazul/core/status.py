"""How far a deployment is from what was declared, and whether its operation is over.

`judge` looks at the same world as `plan` and says in people's words what the plan means. It decides
three things the loop must remember: the operation's outcome, which bundle last served in full, and
which generation was given up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from verdazul.core.environment import BuildFailed, Building, Built, EnvironmentState
from verdazul.core.instance import LIVE, Instance, Phase
from verdazul.core.records import DeploymentRecord, DeploymentState, Memory
from verdazul.core.revision import Bundle
from verdazul.model.errors import Problem
from verdazul.model.status import Condition, ProvisioningState, Status, Truth


@dataclass(frozen=True, slots=True)
class World:
    """What is seen of one deployment.

    `routes_acked`: the gateway does what it should. `refusal`: why it never will.
    """

    instances: tuple[Instance, ...]
    environment: EnvironmentState
    routes_acked: bool
    refusal: Problem | None = None


def serving_bundle(record: DeploymentRecord, memory: Memory) -> Bundle:
    """The bundle that instances should be made from.

    A generation that was given up falls back to what last served in full; without such a one it is
    tried on, with growing pauses, since its cause may lie outside (a database that is down).
    """
    if memory.failed_generation == record.generation and memory.last_good is not None:
        return memory.last_good
    return record.bundle


def judge(
    state: DeploymentState, world: World, now: float, *, start_attempts: int
) -> tuple[Status, Memory]:
    """The status that holds now and what must be remembered with it."""
    record, memory = state.record, state.memory
    ready = _ready(world, record.bundle.revision)
    problem = _failure(state, world, ready, start_attempts)
    if _is_settled(state.status, record):
        outcome = state.status.state if state.status else ProvisioningState.SUCCEEDED
        problem = state.status.problem if state.status else None
    elif problem:
        outcome, memory = ProvisioningState.FAILED, _given_up(memory, record)
    elif _is_done(world, record, ready):
        outcome = ProvisioningState.SUCCEEDED
        memory = Memory(last_good=record.bundle)
    else:
        outcome = _under_way(record)
    conditions = _conditions(state, world, now)
    return Status(
        state=outcome,
        observed_generation=record.generation,
        problem=problem,
        conditions=conditions,
        ready_instances=_ready(world, serving_bundle(record, memory).revision),
    ), memory


def _is_settled(status: Status | None, record: DeploymentRecord) -> bool:
    """An outcome, once said of a generation, stands."""
    ended = {ProvisioningState.SUCCEEDED, ProvisioningState.FAILED, ProvisioningState.CANCELED}
    return (
        status is not None
        and status.observed_generation == record.generation
        and status.state in ended
    )


def _under_way(record: DeploymentRecord) -> ProvisioningState:
    first = record.generation == 1
    return ProvisioningState.CREATING if first else ProvisioningState.UPDATING


def _given_up(memory: Memory, record: DeploymentRecord) -> Memory:
    return replace(memory, failed_generation=record.generation)


def _is_done(world: World, record: DeploymentRecord, ready: int) -> bool:
    """All that were asked for serve, the gateway knows it, and nothing outdated lives."""
    outdated = any(
        i.id.revision != record.bundle.revision for i in world.instances if i.phase in LIVE
    )
    return ready >= record.spec.instance_count and not outdated and world.routes_acked


def _failure(
    state: DeploymentState, world: World, ready: int, start_attempts: int
) -> Problem | None:
    """Why the declared generation cannot be reached, if that is certain enough to say."""
    if isinstance(world.environment, BuildFailed):
        return world.environment.problem
    if world.refusal:
        return world.refusal
    record = state.record
    crashed = [
        i
        for i in world.instances
        if i.id.revision == record.bundle.revision
        and i.phase is Phase.EXITED
        and i.exit is not None
        and i.attempt >= start_attempts
        and not i.began_before(record.modified_at)
    ]
    if not crashed or ready >= record.spec.instance_count:
        return None
    return _not_ready(record, crashed[0], falls_back=state.memory.last_good is not None)


def _not_ready(record: DeploymentRecord, instance: Instance, *, falls_back: bool) -> Problem:
    """Azure's ResourceNotReady, with the cause first and the log tail where people look."""
    cause = instance.exit.problem if instance.exit else Problem("Unknown", "it is gone")
    before = " The version that served before goes on serving." if falls_back else ""
    return Problem(
        code="ResourceNotReady",
        message=(
            f'deployment "{record.name}" did not become ready after {instance.attempt} starts '
            f"({cause.code}): {cause.message}.{before}"
        ).replace("..", "."),
        fix=cause.fix,
        where=cause.where,
        log_tail=cause.log_tail,
        details=(Problem(cause.code, cause.message),),
    )


def _ready(world: World, revision: str) -> int:
    return sum(i.phase is Phase.READY and i.id.revision == revision for i in world.instances)


def _conditions(state: DeploymentState, world: World, now: float) -> tuple[Condition, ...]:
    previous = {c.type: c for c in state.status.conditions} if state.status else {}
    generation = state.record.generation
    drawn = (
        _environment_condition(world.environment, now, generation),
        _instances_condition(state, world, now),
    )
    return tuple(_keep_since(previous.get(c.type), c) for c in drawn)


def _keep_since(old: Condition | None, new: Condition) -> Condition:
    unchanged = old is not None and (old.truth, old.reason) == (new.truth, new.reason)
    return replace(new, since=old.since) if old and unchanged else new


def _environment_condition(environment: EnvironmentState, now: float, generation: int) -> Condition:
    match environment:
        case Built(notes=()):
            said = (Truth.TRUE, "Built", "environment ready")
        case Built(notes=notes):
            message = f"environment ready, with a difference: {'; '.join(notes)}"
            said = (Truth.TRUE, "BuiltOtherwise", message)
        case Building(progress=line):
            said = (Truth.FALSE, "Building", line)
        case BuildFailed(problem=problem):
            said = (Truth.FALSE, "BuildFailed", problem.message)
        case _:
            said = (Truth.UNKNOWN, "Waiting", "its build has not begun")
    return Condition("EnvironmentBuilt", *said, now, generation)


def _instances_condition(state: DeploymentState, world: World, now: float) -> Condition:
    record = state.record
    asked = record.spec.instance_count
    ready = sum(i.phase is Phase.READY for i in world.instances)
    crashing = next((i for i in world.instances if _is_crash_looping(i)), None)
    message = f"{ready} of {asked} instances ready"
    if ready >= asked:
        said = (Truth.TRUE, "Ready", message)
    elif ready:
        said = (Truth.FALSE, "PartlyReady", message)
    elif crashing and crashing.exit:
        said = (Truth.FALSE, "CrashLooping", f"{message}; {crashing.exit.problem.message}")
    else:
        said = (Truth.FALSE, "Starting", message)
    return Condition("InstancesReady", *said, now, record.generation)


def _is_crash_looping(instance: Instance) -> bool:
    return instance.phase is Phase.EXITED and instance.attempt > 1
