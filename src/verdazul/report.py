"""What `verdazul status` shows: every part with its process, every endpoint with its instances."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from verdazul import __version__
from verdazul.api.arm import Links
from verdazul.api.resources import deployment_state_of, iso, scoring_base, state_of
from verdazul.compute import limits
from verdazul.control.world import World
from verdazul.core.instance import Instance
from verdazul.core.records import DeploymentState, EndpointState
from verdazul.core.route import weight_of
from verdazul.home import Home
from verdazul.model.errors import Problem
from verdazul.model.names import same_name
from verdazul.model.status import Condition


class GatewayProcess(Protocol):
    """One process of the gateway."""

    @property
    def pid(self) -> int | None:
        """Envoy's own pid; None while it is down."""

    @property
    def version(self) -> str:
        """Envoy's version."""


class Gateway(Protocol):
    """The part of the gateway that has processes."""

    @property
    def processes(self) -> Sequence[GatewayProcess]:
        """One, or two on one port."""

    @property
    def problems(self) -> Sequence[Problem]:
        """What is wrong with it now."""

    @property
    def about(self) -> Mapping[str, object]:
        """How it is reached: TLS and certificates."""


async def report(world: World, links: Links, home: Home, gateway: Gateway) -> dict[str, Any]:
    """The whole picture, JSON-ready."""
    states = await world.store.endpoints()
    problem = await asyncio.to_thread(home.problem)
    return {
        "address": links.address,
        "home": str(home.path),
        "version": __version__,
        "parts": [
            {"part": "control", "pid": os.getpid(), "version": __version__, "state": "running"},
            *(_process(number, one) for number, one in enumerate(gateway.processes, start=1)),
        ],
        "problems": [problem.to_arm()] if problem else [],
        "gateway": {
            **gateway.about,
            "problems": [problem.to_arm() for problem in gateway.problems],
        },
        "limits": limits.enforced(),
        "endpoints": [await _endpoint(world, links, state) for state in states],
    }


def _process(number: int, one: GatewayProcess) -> dict[str, Any]:
    return {
        "part": "gateway" if number == 1 else f"gateway {number}",
        "pid": one.pid,
        "version": one.version,
        "state": "running" if one.pid else "down",
    }


async def _endpoint(world: World, links: Links, view: EndpointState) -> dict[str, Any]:
    name = view.record.name
    instances = await world.compute.observe(name)
    conditions = view.status.conditions if view.status else ()
    trouble = world.trouble(name)
    return {
        "name": name,
        "provisioning_state": state_of(view.record, view.status),
        "scoring_uri": f"{scoring_base(links, name)}/score",
        "generation": view.record.generation,
        "is_paused": view.record.is_paused,
        "trouble": trouble.to_arm() if trouble else None,
        "conditions": [_condition(condition) for condition in conditions],
        "deployments": [_deployment(view, state, instances) for state in view.deployments],
    }


def _deployment(
    view: EndpointState, state: DeploymentState, instances: tuple[Instance, ...]
) -> dict[str, Any]:
    record = state.record
    mine = [i for i in instances if same_name(i.id.deployment, record.name)]
    return {
        "name": record.name,
        "provisioning_state": deployment_state_of(state),
        "traffic": weight_of(view.record, record.name),
        "revision": record.bundle.revision,
        "instance_type": record.spec.instance_type,
        "instance_count": record.spec.instance_count,
        "ready": state.status.ready_instances if state.status else 0,
        "generation": record.generation,
        "conditions": [_condition(c) for c in (state.status.conditions if state.status else ())],
        "problem": state.status.problem.to_arm() if state.status and state.status.problem else None,
        "instances": [_instance(instance) for instance in mine],
    }


def _instance(instance: Instance) -> dict[str, Any]:
    return {
        "id": str(instance.id),
        "phase": instance.phase,
        "pid": instance.pid,
        "since": iso(instance.since),
        "attempt": instance.attempt,
        "why": instance.exit.problem.message if instance.exit else "",
    }


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "type": condition.type,
        "status": condition.truth,
        "reason": condition.reason,
        "message": condition.message,
        "since": iso(condition.since),
        "observed_generation": condition.observed_generation,
    }
