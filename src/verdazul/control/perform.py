"""Does what a plan says: one compute call an action, and one event with its why."""

from __future__ import annotations

import logging
from typing import assert_never

from verdazul.control.world import World
from verdazul.core.changes import AddEvent
from verdazul.core.environment import Built
from verdazul.core.instance import Launch, Limits
from verdazul.core.plan import Action, Drain, Start, Stop
from verdazul.core.records import DeploymentRecord
from verdazul.core.revision import Bundle
from verdazul.model.events import Event, Severity
from verdazul.model.skus import instance_type

_log = logging.getLogger(__name__)

GRACE_MARGIN_SECONDS = 5.0
"""Above what requests may take: for ending workers, once their time is over."""


async def perform(
    world: World,
    action: Action,
    *,
    bundle: Bundle | None,
    environment: Built | None,
    grace_seconds: float,
) -> None:
    """Carry out one action. Raises Retryable when the machine refuses; the plan comes again."""
    _log.info("%s instance=%s why=%s", type(action).__name__.lower(), action.id, action.why)
    match action:
        case Start(instance, attempt, _):
            if bundle is None or environment is None:
                raise AssertionError(f"planned to start {instance} without an environment")
            launch = _launch(world, bundle, environment, grace_seconds)
            await world.compute.start(instance, launch, attempt=attempt)
        case Drain(instance, _):
            await world.compute.drain(instance)
        case Stop(instance, _):
            await world.compute.stop(instance)
        case _:
            assert_never(action)
    await world.store.commit(_event(world, action))


def grace(record: DeploymentRecord | None, drain_seconds: float) -> float:
    """Seconds between SIGTERM and SIGKILL: what is in flight may use up its time.

    The request timeout may be raised while the instance runs; hence a limit of our own, whose
    default is the longest timeout there is.
    """
    timeout_ms = record.spec.request_settings.request_timeout_ms if record else 0
    return max(timeout_ms / 1000, drain_seconds) + GRACE_MARGIN_SECONDS


def _launch(world: World, bundle: Bundle, environment: Built, grace_seconds: float) -> Launch:
    return Launch(
        python=environment.python,
        serve_path=environment.serve_path,
        code_dir=world.artifacts.path(bundle.code),
        scoring_script=bundle.scoring_script,
        model_dir=world.artifacts.path(bundle.model.digest) if bundle.model else None,
        variables=bundle.variables,
        limits=bundle.limits or _limits_of(bundle.instance_type),
        liveness=bundle.liveness,
        readiness=bundle.readiness,
        grace_seconds=grace_seconds,
        is_isolated=bundle.is_isolated,
    )


def _limits_of(size: str) -> Limits:
    kind = instance_type(size)
    return Limits(cpus=kind.cpus, memory_bytes=int(kind.memory_gib * 2**30))


_PAST = {Start: "Started", Drain: "Draining", Stop: "Stopped"}


def _event(world: World, action: Action) -> AddEvent:
    where = action.id
    message = f"{_PAST[type(action)].lower()} instance {where.revision}-{where.ordinal}"
    again = isinstance(action, Start) and action.attempt > 1
    severity = Severity.WARNING if again else Severity.NORMAL
    return AddEvent(
        Event(
            world.clock.now(),
            where.endpoint,
            where.deployment,
            severity,
            _PAST[type(action)],
            f"{message}: {action.why}",
        )
    )
